//! Rows 27, 37, 38: identity comes from the session, and nobody reaches what is another's.

use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::{Command, proto::inbox_entry::What};
use prost::Message;

use crate::place::Place;
use crate::speaker::{Speaker, User, fresh_id, words};

/// Every request that names a person, with its refusal.
fn about(speaker: &mut Speaker, user: &str, seq: u64) -> Vec<(Operation, Option<RefusalCode>)> {
    let (id, user) = (speaker.id(), user.to_owned());
    let client_request_id = fresh_id();
    let body: bytes::Bytes = "changed".into();
    let history = proto::HistoryRequest { id, user: user.clone(), limit: 9, ..Default::default() };
    let read = proto::MarkReadRequest { id, user: user.clone(), seq, ..Default::default() };
    let recall = proto::RecallRequest {
        id,
        user: user.clone(),
        seq,
        client_request_id: client_request_id.clone(),
        ..Default::default()
    };
    let edit = proto::EditRequest {
        id,
        user: user.clone(),
        seq,
        client_request_id: fresh_id(),
        body: body.clone(),
        text: String::new(),
        ..Default::default()
    };
    let name = "like".to_owned();
    let react = proto::ReactRequest {
        id,
        user: user.clone(),
        seq,
        client_request_id: fresh_id(),
        name,
        remove: false,
        ..Default::default()
    };
    let deletion = Some(proto::Deletion { up_to_seq: seq, seqs: Vec::new() });
    let delete = proto::DeleteRequest { id, user, deletion, ..Default::default() };
    let requests = [
        (Operation::History, history.encode_to_vec()),
        (Operation::MarkRead, read.encode_to_vec()),
        (Operation::Recall, recall.encode_to_vec()),
        (Operation::Edit, edit.encode_to_vec()),
        (Operation::React, react.encode_to_vec()),
        (Operation::Delete, delete.encode_to_vec()),
    ];
    requests
        .into_iter()
        .map(|(operation, request)| {
            let frame = speaker.frame(Command::request(operation), &request);
            speaker.blurt(&frame);
            // All answers have id and refusal in the same places.
            let answer: proto::BlockAnswer = speaker.answer(operation);
            (operation, answer.refusal.map(|refusal| refusal.code()))
        })
        .collect()
}

#[test]
fn row_27_the_sender_is_the_session_whatever_a_request_claims() {
    let mut place = Place::new();
    let mut bob = place.log_in("bob");
    let mut mallory = place.log_in("mallory");
    let request = mallory.text("bob", "send me money");
    let mut body = request.encode_to_vec();
    // Fields that do not exist, as somebody would name them who hopes that they do: sender, time, user, app.
    for field in [20_u8, 21, 30, 31] {
        prost::encoding::encode_key(field.into(), prost::encoding::WireType::LengthDelimited, &mut body);
        body.extend([5, b'a', b'l', b'i', b'c', b'e']);
    }
    let frame = mallory.frame(Command::request(Operation::Send), &body);
    mallory.blurt(&frame);
    assert_eq!(mallory.answer::<proto::SendAnswer>(Operation::Send).refusal, None);
    let pushed: proto::MessageNotify = bob.wait_for(Command::notify(Operation::Message)).unwrap();
    assert_eq!(pushed.entries[0].user, "mallory");
    let Some(What::Entry(entry)) = &pushed.entries[0].what else { panic!("no message") };
    assert!(!entry.own && entry.client_message_id.is_empty(), "the id is the sender's own");
    place.is_well();
}

#[test]
fn row_27_a_device_id_is_no_identity() {
    let mut place = Place::new();
    let (mut alice, mut bob) = (place.log_in("alice"), place.log_in("bob"));
    bob.say("alice", "for you only");
    let pushed: proto::MessageNotify = alice.wait_for(Command::notify(Operation::Message)).unwrap();
    assert_eq!(pushed.entries.len(), 1);
    // Everybody in these tests has the same device id; Mallory's is Alice's, too, and she has read everything.
    let mut mallory = place.log_in("mallory");
    assert!(mallory.sync(0, 200).entries.is_empty());
    mallory.say("bob", "hello");
    let id = mallory.id();
    let acknowledged: proto::AckAnswer = mallory.ask(Operation::Ack, &proto::AckRequest { id, inbox_cursor: 1 });
    assert_eq!(acknowledged.inbox_cursor, 1);
    let mut again = place.connect();
    again.shake_hands();
    let login = again.log_in(&User::new("alice"), &place.token("alice", "default")).unwrap();
    assert_eq!((login.inbox_head, login.inbox_cursor), (1, 0), "what another acknowledges is not hers");
    assert_eq!(again.sync(0, 200).entries.len(), 1);
    place.is_well();
}

#[test]
fn row_37_nobody_reaches_a_conversation_of_others() {
    let mut place = Place::new();
    let (mut alice, mut bob) = (place.log_in("alice"), place.log_in("bob"));
    alice.say("bob", "between us");
    bob.say("alice", "of course");
    let mut mallory = place.log_in("mallory");
    let of_alice = about(&mut mallory, "alice", 1);
    assert!(of_alice.iter().all(|(_, code)| *code == Some(RefusalCode::NotFound)), "{of_alice:?}");
    assert_eq!(of_alice, about(&mut mallory, "nobody", 1), "whether there is such a person is not told either");
    assert_eq!(of_alice, about(&mut mallory, "no name", 1));
    let users = ["alice", "bob", "nobody"].map(str::to_owned).to_vec();
    let receipts: proto::ReceiptsAnswer =
        mallory.ask(Operation::Receipts, &proto::ReceiptsRequest { id: 1, users: users.clone() });
    assert!(receipts.refusal.is_none() && receipts.receipts.is_empty());
    assert!(mallory.sync(0, 200).entries.is_empty());
    let request = proto::ConversationsRequest { id: 1, before: 0, limit: 100 };
    let first_screen: proto::ConversationsAnswer = mallory.ask(Operation::Conversations, &request);
    assert!(first_screen.conversations.is_empty());

    // Writing to somebody opens a conversation of one's own, not theirs.
    mallory.say("alice", "hello");
    assert_eq!(words(&mallory.history("alice").entries), ["hello"]);
    let seen = about(&mut mallory, "alice", 2);
    assert!(seen[2..5].iter().all(|(_, code)| *code == Some(RefusalCode::NotFound)), "{seen:?}");
    assert_eq!(words(&alice.history("bob").entries), ["between us", "of course"]);

    // In a conversation of one's own, what the other has said is theirs.
    assert_eq!(
        about(&mut bob, "alice", 1)[2..4],
        [(Operation::Recall, Some(RefusalCode::NotAllowed)), (Operation::Edit, Some(RefusalCode::NotAllowed)),]
    );
    assert_eq!(words(&alice.history("bob").entries)[..2], ["between us", "of course"]);
    place.is_well();
}

#[test]
fn row_37_whoever_is_blocked_cannot_write_react_or_show_typing() {
    let mut place = Place::new();
    let (mut alice, mut eve) = (place.log_in("alice"), place.log_in("eve"));
    eve.say("alice", "first");
    let request = proto::BlockRequest { id: 1, user: "eve".to_owned(), blocked: true };
    assert_eq!(alice.ask::<proto::BlockAnswer>(Operation::Block, &request).refusal, None);
    let request = eve.text("alice", "second");
    let sent: proto::SendAnswer = eve.ask(Operation::Send, &request);
    assert_eq!(sent.refusal.unwrap().code(), RefusalCode::NotAllowed);
    let codes = about(&mut eve, "alice", 1);
    assert_eq!(
        codes[3..5],
        [(Operation::Edit, Some(RefusalCode::TooLate)), (Operation::React, Some(RefusalCode::TooLate)),],
        "what was taken back by the request before cannot be altered"
    );
    let typing = proto::TypingRequest { id: 2, user: "alice".to_owned(), stopped: false, ..Default::default() };
    assert_eq!(eve.ask::<proto::TypingAnswer>(Operation::Typing, &typing).refusal, None, "blocks are not told");
    alice.is_answered();
    assert_eq!(words(&alice.history("eve").entries)[0], "", "the first was taken back, the second never came");
    place.is_well();
}

#[test]
fn row_38_the_same_names_in_two_apps_are_different_people() {
    let mut place = Place::new();
    place.server.done(&["app", "create", "shop"], "");
    place.server.done(&["key", "add", "backend", "--app", "shop"], "");
    let of_shop = |name: &str| User { app: "shop".to_owned(), ..User::new(name) };
    let (mut alice, mut bob) = (place.log_in("alice"), place.log_in("bob"));
    let (mut shop_alice, mut shop_bob) = (place.log_in_as(&of_shop("alice")), place.log_in_as(&of_shop("bob")));
    alice.say("bob", "default canary");
    assert_eq!(shop_alice.say("bob", "shop canary").seq, 1, "a conversation of its own");
    for (speaker, expected) in [(&mut bob, "default canary"), (&mut shop_bob, "shop canary")] {
        let pushed: proto::MessageNotify = speaker.wait_for(Command::notify(Operation::Message)).unwrap();
        let Some(What::Entry(entry)) = &pushed.entries[0].what else { panic!("no message") };
        assert_eq!((pushed.entries.len(), &entry.body[..]), (1, expected.as_bytes()));
        assert_eq!(words(&speaker.history("alice").entries), [expected]);
        assert_eq!(speaker.sync(0, 200).entries.len(), 1);
    }
    // Somebody who exists only in the other app does not exist.
    place.log_in("carol");
    let request = shop_alice.text("carol", "over the fence");
    let sent: proto::SendAnswer = shop_alice.ask(Operation::Send, &request);
    assert_eq!(sent.refusal.unwrap().code(), RefusalCode::NotFound);
    // Ending the one leaves the other.
    place.server.done(&["user", "disable", "alice", "--app", "shop"], "");
    assert!(shop_alice.wait_for::<proto::KickoutNotify>(Command::notify(Operation::Kickout)).is_some());
    alice.is_answered();
    place.is_well();
}
