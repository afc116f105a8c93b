//! Rows 5-8: requests that make no sense, whose texts are no text, that come at the wrong time, or with absurd numbers.

use bytes::Bytes;
use hongyan_wire::command::Operation;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::{Command, limits, proto};
use prost::Message;

use crate::place::Place;
use crate::speaker::{Speaker, fresh_id};

/// All that a client may ask for.
const REQUESTS: [Operation; 38] = [
    Operation::Logout,
    Operation::Keepalive,
    Operation::Send,
    Operation::Ack,
    Operation::Receipts,
    Operation::Sync,
    Operation::History,
    Operation::Conversations,
    Operation::MarkRead,
    Operation::Recall,
    Operation::Edit,
    Operation::React,
    Operation::Delete,
    Operation::Typing,
    Operation::Block,
    Operation::ClaimVisitor,
    Operation::EnterRoom,
    Operation::LeaveRoom,
    Operation::CreateGroup,
    Operation::ChangeGroup,
    Operation::JoinGroup,
    Operation::Groups,
    Operation::GroupMembers,
    Operation::GroupAck,
    Operation::GroupReceipts,
    Operation::AddFriend,
    Operation::DecideFriend,
    Operation::RemoveFriend,
    Operation::NoteFriend,
    Operation::SetGroupings,
    Operation::SetProfile,
    Operation::Profiles,
    Operation::Lists,
    Operation::Watch,
    Operation::SetPresence,
    Operation::GetPresence,
    Operation::Search,
    Operation::Login,
];

/// What a server says to a body: a refusal with this code, or it closes with that one.
fn verdict(member: &mut Speaker, operation: Operation, body: &[u8]) -> Option<RefusalCode> {
    let frame = member.frame(Command::request(operation), body);
    member.blurt(&frame);
    let wanted = Command::answer(operation);
    let mut closed = None;
    while let Some(event) = member.next() {
        let hongyan_wire::Event::Frame(command, body) = event else { continue };
        if command == wanted {
            // All answers have id and refusal in the same places.
            return proto::BlockAnswer::decode(body).unwrap().refusal.map(|refusal| refusal.code());
        }
        if command == Command::notify(Operation::Close) {
            closed = proto::CloseNotify::decode(body).unwrap().refusal.map(|refusal| refusal.code());
        }
    }
    closed
}

#[test]
fn row_05_bodies_that_are_no_messages_are_refused_or_close_their_connection() {
    let mut place = Place::new();
    let nonsense: [(&str, Vec<u8>); 6] = [
        ("ones", vec![0xFF; 40]),
        ("an unfinished field", vec![0x0A, 0x50, 1]),
        ("a varint of eleven bytes", [&[0x08][..], &[0xFF; 10], &[1]].concat()),
        ("the wrong wire type of the id", vec![0x0D, 1, 2, 3, 4]),
        ("groups in groups", vec![0x7B; 10_000]),
        ("the end of a group that never began", vec![0x7C]),
    ];
    for operation in REQUESTS {
        for (what, body) in &nonsense {
            let mut member = place.log_in("parser");
            let code = verdict(&mut member, operation, body);
            let expected = if operation == Operation::Login { RefusalCode::WrongState } else { RefusalCode::Malformed };
            assert_eq!(code, Some(expected), "{operation:?}: {what}");
        }
    }
    place.is_well();
}

#[test]
fn row_05_unknown_fields_are_ignored_however_many_there_are() {
    let mut place = Place::new();
    let mut member = place.log_in("parser");
    let before = place.memory_kib();
    let mut body = proto::KeepaliveRequest { id: 9 }.encode_to_vec();
    for _ in 0..20_000 {
        body.extend([0x98, 0x06, 1]);
    }
    for _ in 0..50 {
        let frame = member.frame(Command::request(Operation::Keepalive), &body);
        member.blurt(&frame);
        assert_eq!(member.answer::<proto::KeepaliveAnswer>(Operation::Keepalive).id, 9);
    }
    assert!(place.memory_kib().saturating_sub(before) < 8 * 1024);
    place.is_well();
}

/// A fuzzer found that an item of two bytes took twenty-four, and that a request kept them while it waited.
#[test]
fn row_05_a_list_of_nothing_is_refused_before_it_takes_memory() {
    let mut place = Place::new();
    let before = place.memory_kib();
    let users = proto::ReceiptsRequest { id: 1, users: vec![String::new(); 32_000] }.encode_to_vec();
    let deletion = Some(proto::Deletion { up_to_seq: 0, seqs: vec![1; 60_000] });
    let seqs =
        proto::DeleteRequest { id: 1, user: "bystander".to_owned(), deletion, ..Default::default() }.encode_to_vec();
    let mut members: Vec<Speaker> = (0..20).map(|_| place.log_in("lister")).collect();
    let member = members.last_mut().unwrap();
    for _ in 0..20 {
        assert_eq!(verdict(member, Operation::Receipts, &users), Some(RefusalCode::InvalidArgument));
        assert_eq!(verdict(member, Operation::Delete, &seqs), Some(RefusalCode::InvalidArgument));
    }
    let grown = place.memory_kib().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} KiB");
    place.is_well();
}

#[test]
fn row_06_texts_and_ids_are_checked_and_the_connection_stays() {
    let mut place = Place::new();
    place.log_in("49");
    let mut member = place.log_in("writer");
    let to = |user: &str| Some(proto::send_request::To::User(user.to_owned()));
    let good = proto::SendRequest { to: to("49"), client_message_id: fresh_id(), ..Default::default() };
    let send = |member: &mut Speaker, request: proto::SendRequest| {
        let id = member.id();
        let answer: proto::SendAnswer = member.ask(Operation::Send, &proto::SendRequest { id, ..request });
        assert_eq!(answer.id, id);
        answer.refusal.map(|refusal| refusal.code())
    };
    for body in [&b""[..], b"\xFF\xFE", b"a\0b", b"\xED\xA0\x80", &[b'x'; limits::MESSAGE_BODY_BYTES_MAX + 1]] {
        let request = proto::SendRequest { body: Bytes::copy_from_slice(body), ..good.clone() };
        assert_eq!(send(&mut member, request), Some(RefusalCode::InvalidArgument), "{} bytes", body.len());
    }
    let text = Bytes::from_static(b"text");
    for user in ["", "~visitor", "a b", "*", ">", "a/b", "é", "a\u{202E}b", "a\0", &"x".repeat(65)] {
        let request = proto::SendRequest { to: to(user), body: text.clone(), ..good.clone() };
        assert_eq!(send(&mut member, request), Some(RefusalCode::InvalidArgument), "{user:?}");
    }
    for id in [&b""[..], &[1; 15], &[1; 17]] {
        let client_message_id = Bytes::copy_from_slice(id);
        let request = proto::SendRequest { client_message_id, body: text.clone(), ..good.clone() };
        assert_eq!(send(&mut member, request), Some(RefusalCode::InvalidArgument), "{} bytes", id.len());
    }
    assert_eq!(send(&mut member, proto::SendRequest { to: None, ..good.clone() }), Some(RefusalCode::InvalidArgument));
    // A pile of combining marks and directions is text: showing it is the client's affair.
    let pile = "a".to_owned() + &"\u{0301}".repeat(8_000) + "\u{202E}\u{200B}";
    let request = proto::SendRequest { body: pile.clone().into(), ..good };
    assert_eq!(send(&mut member, request), None);
    assert_eq!(member.history("49").entries[0].body, pile.as_bytes(), "byte for byte");
    member.is_answered();
    place.is_well();
}

#[test]
fn row_07_what_comes_in_the_wrong_state_closes_the_connection() {
    let mut place = Place::new();
    for operation in REQUESTS.into_iter().filter(|operation| *operation != Operation::Login) {
        let mut stranger = place.connect();
        stranger.shake_hands();
        assert_eq!(verdict(&mut stranger, operation, &[]), Some(RefusalCode::WrongState), "{operation:?} before login");
    }
    for operation in [Operation::Login, Operation::Resume, Operation::Handshake] {
        let mut member = place.log_in("twice");
        assert_eq!(verdict(&mut member, operation, &[]), Some(RefusalCode::WrongState), "{operation:?} after login");
    }
    for command in [Command::answer(Operation::Send), Command::notify(Operation::Message)] {
        let mut member = place.log_in("parrot");
        let frame = member.frame(command, &[]);
        member.blurt(&frame);
        assert_eq!(member.is_closed(), Some(RefusalCode::WrongState), "{command:?} from a client");
    }
    let mut member = place.log_in("eager");
    let beyond = proto::AckRequest { id: 1, inbox_cursor: 1 };
    assert_eq!(verdict(&mut member, Operation::Ack, &beyond.encode_to_vec()), Some(RefusalCode::WrongState));
    place.is_well();
}

#[test]
fn row_08_absurd_numbers_are_clamped_or_refused() {
    let rates = [("HONGYAN_GATE_FRAMES_PER_SECOND", "1000000"), ("HONGYAN_GATE_FRAMES_BURST", "1000000")];
    let mut place = Place::with(&rates);
    place.log_in("bob");
    let mut ann = place.log_in("ann");
    for number in 0..230 {
        ann.say("bob", &number.to_string());
    }
    let edges =
        [0, 1, 229, 230, 231, u64::from(u32::MAX), i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX];
    for edge in edges {
        for limit in [0, 1, 1_000_000_000, u32::MAX] {
            let page = ann.sync(edge, limit);
            assert!(page.entries.len() <= 200 && page.encoded_len() <= limits::PAGE_BYTES_MAX, "{edge} {limit}");
            assert_eq!((page.refusal, page.reset), (None, edge > page.inbox_head), "{edge} {limit}");
        }
        for (before_seq, after_seq, as_of) in [(edge, 0, 0), (0, edge, 0), (edge, edge, edge), (0, 0, edge)] {
            let user = "bob".to_owned();
            let request = proto::HistoryRequest {
                id: 1,
                user,
                before_seq,
                after_seq,
                limit: u32::MAX,
                as_of,
                ..Default::default()
            };
            let page: proto::HistoryAnswer = ann.ask(Operation::History, &request);
            assert_eq!((page.id, page.refusal), (1, None), "{edge}");
            assert!(page.entries.len() <= 100);
        }
        let request = proto::ConversationsRequest { id: 2, before: edge, limit: u32::MAX };
        assert_eq!(ann.ask::<proto::ConversationsAnswer>(Operation::Conversations, &request).refusal, None);
        let user = "bob".to_owned();
        let request = proto::MarkReadRequest { id: 3, user, seq: edge, ..Default::default() };
        let marked: proto::MarkReadAnswer = ann.ask(Operation::MarkRead, &request);
        assert!(marked.refusal.is_none() && marked.read_seq < 300, "{edge}: {marked:?}");
        let mut request = ann.text("bob", "seen and replied to");
        request.seen_seq = edge;
        let sent: proto::SendAnswer = ann.ask(Operation::Send, &request);
        assert_eq!(sent.refusal, None, "{edge}");
    }
    for (reply_to, expires_at_ms) in [(u64::MAX, 0), (0, u64::MAX)] {
        let request = proto::SendRequest { reply_to, expires_at_ms, ..ann.text("bob", "never") };
        let sent: proto::SendAnswer = ann.ask(Operation::Send, &request);
        assert_eq!(sent.refusal.unwrap().code(), RefusalCode::InvalidArgument);
    }
    let everything = proto::Deletion { up_to_seq: 0, seqs: vec![0, u64::MAX, i64::MAX as u64] };
    let request =
        proto::DeleteRequest { id: 4, user: "bob".to_owned(), deletion: Some(everything), ..Default::default() };
    assert_eq!(ann.ask::<proto::DeleteAnswer>(Operation::Delete, &request).refusal, None);
    assert_eq!(ann.history("bob").entries.len(), 100, "nothing was deleted");
    let request = proto::AckRequest { id: 5, inbox_cursor: u64::MAX };
    assert_eq!(verdict(&mut ann, Operation::Ack, &request.encode_to_vec()), Some(RefusalCode::WrongState));
    place.is_well();
}
