//! Requests that wait for their answers on this connection, above all the application's own.

use hongyan_wire::command::Operation;
use hongyan_wire::{Millis, limits, proto};
use prost::Message as _;

use super::Core;
use super::conversations::{hide_last, hides};
use super::event::{Answer, Event, Request, RequestError, Token};
use super::link::{StopReason, earliest};
use super::peer::Peer;

/// The application's request is given up after so long.
const ANSWER_DEADLINE: Millis = Millis::seconds(15);
/// Requests of the application that may wait at once.
const REQUESTS_MAX: usize = 64;

/// What was deleted while a page is under way, which may have been read before. It is forgotten with the request: at its
/// answer, or when the connection ends.
pub(super) struct Hidden {
    peer: Peer,
    deletion: proto::Deletion,
}

pub(super) fn is_hidden(hidden: &[Hidden], peer: &Peer, seq: u64) -> bool {
    hidden.iter().any(|of| of.peer == *peer && hides(&of.deletion, seq))
}

/// What an id stands for. Answers that need no context (ACK, SYNC, KEEPALIVE, TYPING) are not here.
pub(super) enum Pending {
    /// A row of the outbox.
    Send(u64),
    Read {
        peer: Peer,
        seq: u64,
    },
    Receipts,
    List(Vec<Hidden>),
    /// A page of the list of groups; see `groups`.
    Groups(Vec<Hidden>),
    /// What is missing of a group.
    GroupGap {
        group: String,
        hidden: Vec<Hidden>,
    },
    /// Cursors of groups.
    GroupAck(Vec<(String, u64)>),
    Application(Box<Asked>),
}

pub(super) struct Asked {
    token: Token,
    request: Request,
    expires: Millis,
    /// What was deleted since it was asked.
    hidden: Vec<Hidden>,
}

impl Core {
    /// Rows of pages that are under way, of a history or of the list, are deleted by now.
    pub(super) fn hide_from_pages(&mut self, peer: &Peer, deletion: &proto::Deletion) {
        for pending in self.pending.values_mut() {
            let hidden = match pending {
                Pending::List(hidden) | Pending::Groups(hidden) | Pending::GroupGap { hidden, .. } => hidden,
                Pending::Application(asked) => &mut asked.hidden,
                Pending::Send(_) | Pending::Read { .. } | Pending::Receipts | Pending::GroupAck(_) => continue,
            };
            hidden.push(Hidden { peer: peer.clone(), deletion: deletion.clone() });
        }
    }

    pub(super) fn ask(&mut self, now: Millis, token: Token, request: Request) {
        let waiting = self.pending.values().filter(|pending| matches!(pending, Pending::Application(_))).count();
        let error = if !self.link.state.is_live() {
            Some(RequestError::Offline)
        } else if waiting >= REQUESTS_MAX {
            Some(RequestError::TooMany)
        } else {
            None
        };
        if let Some(error) = error {
            return self.tell(Event::Answered { token, result: Err(error) });
        }
        if matches!(request, Request::Logout) {
            self.acknowledge_groups_now(now);
        }
        let id = self.link.next_id();
        if !self.write_request(now, id, request.clone()) {
            let refusal = proto::Refusal {
                code: proto::RefusalCode::TooBig.into(),
                text: "the request does not fit into a frame".into(),
                ..Default::default()
            };
            return self.tell(Event::Answered { token, result: Err(RequestError::Refused(refusal)) });
        }
        let expires = now + ANSWER_DEADLINE;
        self.requests_check_at = earliest([self.requests_check_at, Some(expires)]);
        self.pending.insert(id, Pending::Application(Box::new(Asked { token, request, expires, hidden: Vec::new() })));
    }

    fn write_request(&mut self, now: Millis, id: u32, request: Request) -> bool {
        macro_rules! write {
            ($operation:ident, $request:expr) => {{
                let request = $request;
                let fits = request.encoded_len() <= limits::PLAINTEXT_BYTES_MAX;
                if fits {
                    self.write(now, Operation::$operation, &request);
                }
                fits
            }};
        }
        match request {
            Request::Conversations(request) => write!(Conversations, proto::ConversationsRequest { id, ..request }),
            Request::History(request) => write!(History, proto::HistoryRequest { id, ..request }),
            Request::Receipts(request) => write!(Receipts, proto::ReceiptsRequest { id, ..request }),
            Request::Recall(request) => write!(Recall, proto::RecallRequest { id, ..request }),
            Request::Edit(request) => write!(Edit, proto::EditRequest { id, ..request }),
            Request::React(request) => write!(React, proto::ReactRequest { id, ..request }),
            Request::Delete(request) => write!(Delete, proto::DeleteRequest { id, ..request }),
            Request::Block(request) => write!(Block, proto::BlockRequest { id, ..request }),
            Request::CreateGroup(request) => write!(CreateGroup, proto::CreateGroupRequest { id, ..request }),
            Request::ChangeGroup(request) => write!(ChangeGroup, proto::ChangeGroupRequest { id, ..request }),
            Request::JoinGroup(request) => write!(JoinGroup, proto::JoinGroupRequest { id, ..request }),
            Request::Groups(request) => write!(Groups, proto::GroupsRequest { id, ..request }),
            Request::GroupMembers(request) => write!(GroupMembers, proto::GroupMembersRequest { id, ..request }),
            Request::GroupReceipts(request) => write!(GroupReceipts, proto::GroupReceiptsRequest { id, ..request }),
            Request::AddFriend(request) => write!(AddFriend, proto::AddFriendRequest { id, ..request }),
            Request::DecideFriend(request) => write!(DecideFriend, proto::DecideFriendRequest { id, ..request }),
            Request::RemoveFriend(request) => write!(RemoveFriend, proto::RemoveFriendRequest { id, ..request }),
            Request::NoteFriend(request) => write!(NoteFriend, proto::NoteFriendRequest { id, ..request }),
            Request::SetGroupings(request) => write!(SetGroupings, proto::SetGroupingsRequest { id, ..request }),
            Request::SetProfile(request) => write!(SetProfile, proto::SetProfileRequest { id, ..request }),
            Request::Profiles(request) => write!(Profiles, proto::ProfilesRequest { id, ..request }),
            Request::Lists(request) => write!(Lists, proto::ListsRequest { id, ..request }),
            Request::Watch(request) => write!(Watch, proto::WatchRequest { id, ..request }),
            Request::SetPresence(request) => write!(SetPresence, proto::SetPresenceRequest { id, ..request }),
            Request::GetPresence(request) => write!(GetPresence, proto::GetPresenceRequest { id, ..request }),
            Request::Search(request) => write!(Search, proto::SearchRequest { id, ..request }),
            Request::Logout => write!(Logout, proto::LogoutRequest { id }),
        }
    }

    /// The answer to a request of the application.
    pub(super) fn answered(&mut self, now: Millis, asked: Asked, refusal: Option<proto::Refusal>, mut answer: Answer) {
        let Asked { token, request, hidden, .. } = asked;
        if let Some(refusal) = refusal {
            self.tell(Event::Answered { token, result: Err(RequestError::Refused(refusal.clone())) });
            if matches!(refusal.code(), proto::RefusalCode::Kicked | proto::RefusalCode::Revoked) {
                self.session_refused(now, refusal);
            }
            return;
        }
        match (&request, &mut answer) {
            (Request::Conversations(_), Answer::Conversations(answer)) => {
                hide_last(&mut answer.conversations, &hidden);
                self.merge_list(answer.conversations.clone());
            }
            // A room, or what was said as a visitor, is another log than the one that is kept by this name.
            (Request::History(request), Answer::History(answer))
                if request.room.is_empty() && request.as_visitor.is_empty() =>
            {
                let peer = Peer::of_fields(request.user.clone(), request.group.clone());
                answer.entries.retain(|entry| !is_hidden(&hidden, &peer, entry.seq));
                match &peer {
                    Peer::Person(user) => self.keep_history(user, answer),
                    Peer::Group(group) => self.keep_group_history(group, answer),
                }
            }
            (Request::Receipts(_), Answer::Receipts(answer)) => self.note_receipts(answer.receipts.clone()),
            // The changed row itself comes with the inbox.
            (_, Answer::Changed(answer)) => self.note_head(now, answer.inbox_seq),
            (Request::Delete(request), _) => {
                let deletion = request.deletion.clone().unwrap_or_default();
                match Peer::of_fields(request.user.clone(), request.group.clone()) {
                    Peer::Person(user) => self.apply_deletion(0, user, deletion),
                    Peer::Group(group) => self.apply_group_deletion(group, deletion),
                }
            }
            (_, Answer::GroupCreated(_) | Answer::GroupChanged(_) | Answer::GroupJoined(_)) => self.want_groups(),
            (Request::Groups(_), Answer::Groups(answer)) => self.merge_groups(answer.groups.clone(), &hidden),
            (Request::Block(request), _) => self.set_blocked(&request.user, request.blocked),
            _ => {}
        }
        self.tell(Event::Answered { token, result: Ok(answer) });
        if matches!(request, Request::Logout) {
            self.forget_session();
            self.stop(StopReason::LoggedOut);
        }
    }

    pub(super) fn fail_requests(&mut self) {
        self.requests_check_at = None;
        for pending in std::mem::take(&mut self.pending).into_values() {
            if let Pending::Application(asked) = pending {
                self.tell(Event::Answered { token: asked.token, result: Err(RequestError::NoAnswer) });
            }
        }
    }

    pub(super) fn requests_timeout(&mut self, now: Millis) {
        if self.requests_check_at.is_none_or(|at| at > now) {
            return;
        }
        let mut next = None;
        let mut expired = Vec::new();
        self.pending.retain(|_, pending| {
            let Pending::Application(asked) = pending else { return true };
            if asked.expires <= now {
                expired.push(asked.token);
                return false;
            }
            next = earliest([next, Some(asked.expires)]);
            true
        });
        self.requests_check_at = next;
        for token in expired {
            self.tell(Event::Answered { token, result: Err(RequestError::NoAnswer) });
        }
    }
}
