//! Every message of the protocol: whatever decodes is the same after encoding and decoding again, and takes memory in
//! proportion to its bytes. Requests with lists are counted first, as logic does; lists that servers send cost what their
//! items are, because clients pin whom they believe.

use hongyan_wire::list::List;
use hongyan_wire::proto;
use prost::Message;

use crate::heap;

/// Small boxes and the ends of lists.
const CONSTANT_BYTES: usize = 4 * 1024;

/// A message type.
pub struct Kind {
    /// As in the `.proto` files.
    pub name: &'static str,
    check: fn(&[u8], &Self),
    /// Memory for a byte at most.
    ratio_max: usize,
    /// Refused before it is decoded, if it is too long.
    list: Option<List>,
}

/// Without a list.
const fn plain<M: Message + Default>(name: &'static str) -> Kind {
    Kind { name, check: check::<M>, ratio_max: heap::RATIO_MAX, list: None }
}

/// With a list that is counted first.
const fn counted<M: Message + Default>(name: &'static str, list: List) -> Kind {
    Kind { list: Some(list), ..plain::<M>(name) }
}

/// With a list, perhaps inside another message, whose items may be so few bytes long. While a list grows there are three
/// times as many places as items.
const fn list<M: Message + Default, Item>(name: &'static str, item_bytes_min: usize) -> Kind {
    Kind { ratio_max: heap::RATIO_MAX + 3 * size_of::<Item>() / item_bytes_min, ..plain::<M>(name) }
}

macro_rules! kinds {
    ($($name:ident $($how:ident $argument:tt)?,)*) => {
        /// Every message of the protocol, with its list.
        pub const KINDS: &[Kind] = &[$(kinds!(@ $name $($how $argument)?),)*];
    };
    (@ $name:ident) => { plain::<proto::$name>(stringify!($name)) };
    (@ $name:ident counted($list:expr)) => { counted::<proto::$name>(stringify!($name), $list) };
    (@ $name:ident of($item:ident)) => { list::<proto::$name, proto::$item>(stringify!($name), 2) };
    (@ $name:ident texts($bytes:expr)) => { list::<proto::$name, String>(stringify!($name), $bytes) };
    (@ $name:ident numbers($bytes:expr)) => { list::<proto::$name, u64>(stringify!($name), $bytes) };
}

kinds! {
    Attachment, Image, File, Voice, Location, Card,
    HandshakeRequest, HandshakeAnswer, LoginRequest, PasswordCredential, LoginAnswer, ResumeRequest, ResumeOffer,
    ResumeAnswer, ResumeResult of(InboxEntry), KeepaliveRequest, KeepaliveAnswer, LogoutRequest, LogoutAnswer,
    KickoutNotify, GoawayNotify texts(2), CloseNotify, RekeyNotify,
    SendRequest counted(List::Mentions), SendAnswer, Entry of(Entry), Reaction, Change of(Entry), InboxEntry of(Entry), ReadMark,
    Deletion numbers(1), Gone, MessageNotify of(InboxEntry), HintNotify, AckRequest, AckAnswer, Receipt,
    ReceiptNotify of(Receipt), ReceiptsRequest counted(List::Users), ReceiptsAnswer of(Receipt), SyncRequest,
    SyncAnswer of(InboxEntry), ConversationsRequest, ConversationsAnswer of(Conversation), Conversation of(Entry),
    HistoryRequest, HistoryAnswer of(Entry), MarkReadRequest, MarkReadAnswer, RecallRequest, EditRequest, ReactRequest,
    ChangeAnswer, DeleteRequest counted(List::Seqs), DeleteAnswer, BlockRequest, BlockAnswer, TypingRequest,
    TypingAnswer, TypingNotify, Refusal,
    VisitorCredential, Visitor, ClaimVisitorRequest, ClaimVisitorAnswer, Claimed,
    EnterRoomRequest, EnterRoomAnswer texts(2), LeaveRoomRequest, LeaveRoomAnswer, RoomNotify of(Entry),
    GroupEvent texts(2), GroupPeople texts(2), GroupSilence, Membership,
    CreateGroupRequest counted(List::FirstMembers), CreateGroupAnswer, ChangeGroupRequest counted(List::GroupUsers),
    GroupNothing, GroupUsers texts(2), GroupRoleOf, GroupMute, GroupPolicies, GroupPin, GroupAdmission,
    ChangeGroupAnswer, JoinGroupRequest, JoinGroupAnswer, GroupProfile, Group of(Entry), GroupAsking, GroupsRequest,
    GroupsAnswer of(Group), GroupMembersRequest, GroupMembersAnswer of(GroupMember), GroupMember, GroupNotify of(Entry),
    GroupAckRequest counted(List::Cursors), GroupCursor, GroupAckAnswer, GroupReceiptsRequest,
    GroupReceiptsAnswer texts(2),
    FriendEvent, ListsChanged, AddFriendRequest, AddFriendAnswer, DecideFriendRequest, DecideFriendAnswer,
    RemoveFriendRequest, RemoveFriendAnswer, NoteFriendRequest, NoteFriendAnswer, Grouping, Groupings of(Grouping),
    SetGroupingsRequest counted(List::Groupings), SetGroupingsAnswer of(Grouping), Profile, OwnProfile, SetProfileRequest,
    SetProfileAnswer, ProfileWish, ProfilesRequest counted(List::ProfileWishes), ProfilesAnswer of(Profile), Relation,
    ListsRequest, ListsAnswer of(Relation),
    Presence, WatchRequest counted(List::Watches), WatchAnswer of(Presence), PresenceNotify of(Presence),
    SetPresenceRequest, SetPresenceAnswer, GetPresenceRequest counted(List::Onlooked), GetPresenceAnswer of(Presence),
    SearchRequest, SearchAnswer of(FoundMessage), FoundMessage of(TextRange), TextRange,
}

/// The first byte chooses the type.
pub fn run(input: &[u8]) {
    let Some((choice, body)) = input.split_first() else { return };
    let kind = &KINDS[usize::from(*choice) % KINDS.len()];
    (kind.check)(body, kind);
}

fn check<M: Message + Default>(body: &[u8], kind: &Kind) {
    if kind.list.is_some_and(|list| list.items(body).is_none_or(|items| items > list.items_max())) {
        return;
    }
    let bytes = bytes::Bytes::copy_from_slice(body);
    let constant = CONSTANT_BYTES + (kind.ratio_max - heap::RATIO_MAX) * body.len();
    let Ok(message) = heap::bounded(kind.name, body.len(), constant, || M::decode(bytes)) else { return };
    let encoded = message.encode_to_vec();
    assert_eq!(encoded.len(), message.encoded_len());
    // Compared as bytes: a location may hold a number that is not equal to itself.
    let again = M::decode(&encoded[..]).expect("what was encoded decodes");
    assert_eq!(again.encode_to_vec(), encoded, "{}", kind.name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_of_the_protocol_is_left_out() {
        let files = [
            include_str!("../../../proto/hongyan/v1/body.proto"),
            include_str!("../../../proto/hongyan/v1/group.proto"),
            include_str!("../../../proto/hongyan/v1/friend.proto"),
            include_str!("../../../proto/hongyan/v1/link.proto"),
            include_str!("../../../proto/hongyan/v1/message.proto"),
            include_str!("../../../proto/hongyan/v1/presence.proto"),
            include_str!("../../../proto/hongyan/v1/refusal.proto"),
            include_str!("../../../proto/hongyan/v1/search.proto"),
        ];
        let lines = files.iter().flat_map(|file| file.lines());
        let mut wanted: Vec<_> = lines.filter_map(|line| line.strip_prefix("message ")?.split(' ').next()).collect();
        let mut known: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        wanted.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, wanted);
    }
}
