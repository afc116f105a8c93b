//! RECALL, EDIT, REACT: who may, how long, what everybody sees then (design §5).

use bytes::Bytes;
use hongyan_domain::session::Term;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::inbox_entry::What;
use prost::Message;

use crate::world::{Device, Push, World, code};

const DONE: RefusalCode = RefusalCode::Unspecified;

fn recall(world: &World, user: &str, seq: u64) -> proto::RecallRequest {
    proto::RecallRequest { id: 6, user: user.into(), seq, client_request_id: world.client_id(), ..Default::default() }
}

fn edit(world: &World, user: &str, seq: u64, words: &'static str) -> proto::EditRequest {
    let (body, client_request_id) = (Bytes::from_static(words.as_bytes()), world.client_id());
    proto::EditRequest {
        id: 6,
        user: user.into(),
        seq,
        client_request_id,
        body,
        text: String::new(),
        ..Default::default()
    }
}

fn react(world: &World, user: &str, seq: u64, name: &str) -> proto::ReactRequest {
    let client_request_id = world.client_id();
    proto::ReactRequest {
        id: 6,
        user: user.into(),
        seq,
        client_request_id,
        name: name.into(),
        remove: false,
        ..Default::default()
    }
}

async fn alter(world: &World, device: &Device, operation: Operation, request: impl Message) -> proto::ChangeAnswer {
    world.ask(device, operation, request).await
}

/// The row as it is now, read by somebody.
async fn row(world: &World, device: &Device, user: &str, seq: u64) -> proto::Entry {
    let request =
        proto::HistoryRequest { id: 1, user: user.into(), after_seq: seq - 1, limit: 1, ..Default::default() };
    let request = if seq == 1 { proto::HistoryRequest { before_seq: 2, after_seq: 0, ..request } } else { request };
    let mut answer: proto::HistoryAnswer = world.ask(device, Operation::History, request).await;
    answer.entries.remove(0)
}

#[tokio::test]
async fn a_recalled_message_is_gone_for_everybody() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let desk = world.device("one", "ann", 2, Term::Pc).await;
    world.say(&ann, "bob", "oops").await;
    let answer = alter(&world, &ann, Operation::Recall, recall(&world, "bob", 1)).await;
    assert_eq!((answer.id, answer.refusal, answer.seq, answer.inbox_seq), (6, None, 2, 2));
    let is_change = |push: &Push| matches!(push, Push::Message(proto::InboxEntry { what: Some(What::Entry(row)), .. }) if row.change.is_some());
    for (device, own) in [(&bob, false), (&desk, true)] {
        let pushes = world.pushed_until(device, is_change).await;
        let Some(Push::Message(proto::InboxEntry { what: Some(What::Entry(entry)), .. })) = pushes.last() else {
            panic!("{pushes:?}")
        };
        let change = entry.change.as_ref().unwrap();
        let target = change.target.as_ref().unwrap();
        assert_eq!((entry.seq, entry.own, change.target_seq, entry.message_count), (2, own, 1, 1));
        assert_eq!((target.seq, target.recalled, target.body.len(), target.changed_seq), (1, true, 0, 2));
    }
    for (device, user) in [(&ann, "bob"), (&bob, "ann")] {
        let row = row(&world, device, user, 1).await;
        assert_eq!((row.recalled, row.body.len(), row.own), (true, 0, user == "bob"));
    }
    assert_eq!(world.conversations(&bob).await[0].unread, 1, "an announcement does not count");
    let page = world.sync(&bob, 0, 10).await;
    assert_eq!(page.entries.len(), 2);
    for late in [
        alter(&world, &ann, Operation::Recall, recall(&world, "bob", 1)).await,
        alter(&world, &ann, Operation::Edit, edit(&world, "bob", 1, "again")).await,
        alter(&world, &bob, Operation::React, react(&world, "ann", 1, "+1")).await,
    ] {
        assert_eq!(code(&late.refusal), RefusalCode::TooLate);
    }
    let announcement = alter(&world, &ann, Operation::Recall, recall(&world, "bob", 2)).await;
    assert_eq!(code(&announcement.refusal), RefusalCode::NotFound, "an announcement is no message");
}

#[tokio::test]
async fn only_the_author_and_only_for_a_while() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "mine").await;
    for refused in [
        alter(&world, &bob, Operation::Recall, recall(&world, "ann", 1)).await,
        alter(&world, &bob, Operation::Edit, edit(&world, "ann", 1, "yours")).await,
    ] {
        assert_eq!(code(&refused.refusal), RefusalCode::NotAllowed);
    }
    world.environment.pass_ms(120_000);
    let last_moment = edit(&world, "bob", 1, "better");
    let answer = alter(&world, &ann, Operation::Edit, last_moment.clone()).await;
    assert_eq!(answer.refusal, None);
    world.environment.pass_ms(1);
    let late = alter(&world, &ann, Operation::Edit, edit(&world, "bob", 1, "too late")).await;
    assert_eq!(code(&late.refusal), RefusalCode::TooLate);
    let late = alter(&world, &ann, Operation::Recall, recall(&world, "bob", 1)).await;
    assert_eq!(code(&late.refusal), RefusalCode::TooLate);
    let again = alter(&world, &ann, Operation::Edit, last_moment.clone()).await;
    assert_eq!(again, answer, "a repeat gets the same answer, however late");
    let other = proto::EditRequest { body: Bytes::from_static(b"x"), ..last_moment };
    assert_eq!(code(&alter(&world, &ann, Operation::Edit, other).await.refusal), RefusalCode::Conflict);
    let row = row(&world, &bob, "ann", 1).await;
    assert_eq!((&row.body[..], row.edited, row.changed_seq), (&b"better"[..], true, answer.seq));
    assert_eq!(code(&alter(&world, &bob, Operation::React, react(&world, "ann", 1, "+1")).await.refusal), DONE);
}

#[tokio::test]
async fn an_edited_text_is_still_a_text() {
    let world = World::new().await;
    let (ann, _) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "words").await;
    let custom = proto::SendRequest { r#type: proto::BodyType::Custom as i32, ..world.text("bob", "{}") };
    world.send(&ann, &[custom]).await;
    let with = |seq, body: Vec<u8>| proto::EditRequest { body: body.into(), ..edit(&world, "bob", seq, "") };
    for (seq, body, expected) in [
        (1, vec![], RefusalCode::InvalidArgument),
        (1, vec![0xff], RefusalCode::InvalidArgument),
        (1, vec![b'x'; 16_385], RefusalCode::InvalidArgument),
        (2, vec![b'x'; 16_385], RefusalCode::InvalidArgument),
        (2, vec![0xff], DONE),
        (1, vec![b'y'], DONE),
    ] {
        let answer = alter(&world, &ann, Operation::Edit, with(seq, body)).await;
        assert_eq!(code(&answer.refusal), expected);
    }
    for bad in [vec![], vec![1; 15], vec![1; 17]] {
        let request = proto::RecallRequest { client_request_id: bad.into(), ..recall(&world, "bob", 1) };
        let answer = alter(&world, &ann, Operation::Recall, request).await;
        assert_eq!(code(&answer.refusal), RefusalCode::InvalidArgument);
    }
}

#[tokio::test]
async fn reactions_are_counted_and_limited() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "news").await;
    for (device, user) in [(&ann, "bob"), (&bob, "ann")] {
        assert_eq!(alter(&world, device, Operation::React, react(&world, user, 1, "👍")).await.refusal, None);
    }
    let reactions = row(&world, &bob, "ann", 1).await.reactions;
    assert_eq!(reactions, [proto::Reaction { name: "👍".into(), count: 2, own: true, users: Vec::new() }]);
    let back = proto::ReactRequest { remove: true, ..react(&world, "ann", 1, "👍") };
    assert_eq!(alter(&world, &bob, Operation::React, back).await.refusal, None);
    let reactions = row(&world, &bob, "ann", 1).await.reactions;
    assert_eq!(reactions, [proto::Reaction { name: "👍".into(), count: 1, own: false, users: Vec::new() }]);
    for name in ["", "a\0", "\u{7}", &"x".repeat(33)] {
        let answer = alter(&world, &bob, Operation::React, react(&world, "ann", 1, name)).await;
        assert_eq!(code(&answer.refusal), RefusalCode::InvalidArgument, "{name:?}");
    }
    for number in 1..32 {
        let answer = alter(&world, &bob, Operation::React, react(&world, "ann", 1, &number.to_string())).await;
        assert_eq!(answer.refusal, None);
    }
    let answer = alter(&world, &bob, Operation::React, react(&world, "ann", 1, "one more")).await;
    assert_eq!(code(&answer.refusal), RefusalCode::QuotaExceeded);
    let answer = alter(&world, &bob, Operation::React, react(&world, "ann", 1, "👍")).await;
    assert_eq!(answer.refusal, None, "a known one still counts");
}

#[tokio::test]
async fn whoever_is_blocked_can_only_take_back() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "1").await;
    world.say(&ann, "bob", "2").await;
    let block = proto::BlockRequest { id: 1, user: "ann".into(), blocked: true };
    let _: proto::BlockAnswer = world.ask(&bob, Operation::Block, block).await;
    let edited = alter(&world, &ann, Operation::Edit, edit(&world, "bob", 1, "listen")).await;
    assert_eq!(code(&edited.refusal), RefusalCode::NotAllowed);
    let reacted = alter(&world, &ann, Operation::React, react(&world, "bob", 1, "!")).await;
    assert_eq!(code(&reacted.refusal), RefusalCode::NotAllowed);
    assert_eq!(code(&alter(&world, &ann, Operation::Recall, recall(&world, "bob", 1)).await.refusal), DONE);
}

#[tokio::test]
async fn cached_ranges_learn_what_has_changed_in_them() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    for number in 1..=5 {
        world.say(&ann, "bob", &number.to_string()).await;
    }
    for seq in [2, 4, 5] {
        alter(&world, &ann, Operation::Edit, edit(&world, "bob", seq, "new")).await;
    }
    let since = |after_seq, before_seq, as_of| proto::HistoryRequest {
        id: 1,
        user: "ann".into(),
        before_seq,
        after_seq,
        limit: 100,
        as_of,
        ..Default::default()
    };
    for (request, expected) in [
        (since(1, 5, 5), vec![2, 4]),
        (since(1, 0, 5), vec![2, 4, 5]),
        (since(1, 0, 6), vec![4, 5]),
        (since(0, 5, 5), vec![2, 4]),
    ] {
        let answer: proto::HistoryAnswer = world.ask(&bob, Operation::History, request).await;
        let seqs: Vec<_> = answer.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!((seqs, answer.as_of), (expected, 8));
        assert_eq!((answer.covered_from, answer.covered_to), (0, 0), "what is missing has not changed");
    }
}
