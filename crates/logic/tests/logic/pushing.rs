//! What connected devices are told, and in which order (spec 38, 42, 53).

use hongyan_cluster::bus::Reference;
use hongyan_domain::ClientId;
use hongyan_domain::session::Term;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::inbox_entry::What;

use crate::world::{Device, Push, World, says};

fn receipt(push: &Push) -> Option<&proto::Receipt> {
    match push {
        Push::Receipt(receipt) => Some(receipt),
        _ => None,
    }
}

fn inbox_seqs(pushes: &[Push]) -> Vec<u64> {
    let seq = |push: &Push| match push {
        Push::Message(entry) => Some(entry.inbox_seq),
        _ => None,
    };
    pushes.iter().filter_map(seq).collect()
}

#[tokio::test]
async fn every_device_but_the_asking_one_gets_every_entry_in_order() {
    let world = World::new().await;
    let phone = world.phone("ann").await;
    let desk = world.device("one", "ann", 2, Term::Pc).await;
    let bob = world.phone("bob").await;
    let gone = world.device("one", "bob", 2, Term::Pc).await;
    world.disconnect(&gone);
    for number in 0..20 {
        let from = if number % 2 == 0 { &phone } else { &desk };
        world.say(from, "bob", &number.to_string()).await;
    }
    world.say(&phone, "bob", "end").await;
    let pushes = world.pushed_until(&bob, says("end")).await;
    assert_eq!(inbox_seqs(&pushes), (1..=21).collect::<Vec<_>>());
    let pushes = world.pushed_until(&desk, says("end")).await;
    assert_eq!(inbox_seqs(&pushes), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21], "what the phone sent");
    assert_eq!(inbox_seqs(&world.pushed(&phone)), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20], "what the desk sent");
    assert_eq!(world.pushed(&gone), []);
}

#[tokio::test]
async fn a_push_shows_each_reader_their_own_view() {
    let world = World::new().await;
    let phone = world.phone("ann").await;
    let desk = world.device("one", "ann", 2, Term::Pc).await;
    let bob = world.phone("bob").await;
    let sent = world.text("bob", "hello");
    world.send(&phone, std::slice::from_ref(&sent)).await;
    let to_bob = world.pushed_until(&bob, says("hello")).await;
    let to_desk = world.pushed_until(&desk, says("hello")).await;
    for (pushes, other, own, client_id) in
        [(to_bob, "ann", false, &b""[..]), (to_desk, "bob", true, &sent.client_message_id[..])]
    {
        let [Push::Message(entry)] = &pushes[..] else { panic!("{pushes:?}") };
        let Some(What::Entry(row)) = &entry.what else { panic!("{entry:?}") };
        assert_eq!((entry.user.as_str(), row.own, &row.client_message_id[..]), (other, own, client_id));
    }
    let conversation = world.deliveries(&bob)[0].reference.unwrap().conversation;
    let trace = ClientId::from_slice(&sent.client_message_id).unwrap();
    let expected = Reference { inbox_seq: 1, conversation, seq: 1, author: phone.caller.user, trace };
    assert_eq!(world.deliveries(&bob)[0].reference, Some(expected));
}

#[tokio::test]
async fn reading_on_one_device_is_known_on_all_and_to_the_author() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let phone = world.phone("bob").await;
    let desk = world.device("one", "bob", 2, Term::Pc).await;
    for words in ["1", "2", "3"] {
        world.say(&ann, "bob", words).await;
    }
    assert_eq!(world.conversations(&desk).await[0].unread, 3);
    let mark = |seq| proto::MarkReadRequest { id: 8, user: "ann".into(), seq, ..Default::default() };
    let answer: proto::MarkReadAnswer = world.ask(&phone, Operation::MarkRead, mark(2)).await;
    assert_eq!((answer.id, answer.read_seq, answer.unread), (8, 2, 1));
    let is_mark = |push: &Push| matches!(push, Push::Message(entry) if matches!(entry.what, Some(What::Read(_))));
    for device in [&phone, &desk] {
        let pushes = world.pushed_until(device, is_mark).await;
        let Some(Push::Message(entry)) = pushes.last() else { panic!("{pushes:?}") };
        assert_eq!((entry.inbox_seq, entry.user.as_str()), (4, "ann"), "also to the device that asked");
        assert_eq!(entry.what, Some(What::Read(proto::ReadMark { seq: 2, unread: 1 })));
        let reference = world.deliveries(device).last().unwrap().reference.unwrap();
        assert_eq!((reference.inbox_seq, reference.author), (4, phone.caller.user), "nobody is told of its arrival");
    }
    let pushes = world.pushed_until(&ann, |push| receipt(push).is_some()).await;
    let expected = proto::Receipt { user: "bob".into(), delivered_seq: 0, read_seq: 2 };
    assert_eq!(receipt(&pushes[0]), Some(&expected));
    for lower in [2, 1, 0] {
        let answer: proto::MarkReadAnswer = world.ask(&desk, Operation::MarkRead, mark(lower)).await;
        assert_eq!((answer.read_seq, answer.unread), (2, 1), "marks never go down");
    }
    world.say(&ann, "bob", "end").await;
    world.pushed_until(&desk, says("end")).await;
    assert_eq!(world.pushed(&ann).len(), 1, "what did not move is not told");
    let lines = world.conversations(&phone).await;
    assert_eq!((lines[0].unread, lines[0].read_seq, lines[0].head_seq), (2, 2, 4));
    let request = proto::ReceiptsRequest { id: 1, users: vec!["bob".into(), "bob".into(), "nobody".into()] };
    let answer: proto::ReceiptsAnswer = world.ask(&ann, Operation::Receipts, request).await;
    assert_eq!(answer.receipts, [expected.clone(), expected]);
}

#[tokio::test]
async fn what_the_sender_has_seen_is_read() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "1").await;
    world.say(&ann, "bob", "2").await;
    let answer = proto::SendRequest { seen_seq: 99, ..world.text("ann", "3") };
    world.send(&bob, &[answer]).await;
    let pushes = world.pushed_until(&ann, |push| receipt(push).is_some()).await;
    let read = proto::Receipt { user: "bob".into(), delivered_seq: 0, read_seq: 2 };
    assert_eq!(receipt(pushes.last().unwrap()), Some(&read), "not further than the head before");
    let Push::Message(entry) = &pushes[0] else { panic!("{pushes:?}") };
    let Some(What::Entry(row)) = &entry.what else { panic!("{entry:?}") };
    assert_eq!(row.seen_seq, 0, "only for the reader's own");
    assert_eq!(world.conversations(&bob).await[0].unread, 0);
}

async fn typing(world: &World, device: &Device, user: &str, stopped: bool) -> Option<proto::Refusal> {
    let request = proto::TypingRequest { id: 1, user: user.into(), stopped, ..Default::default() };
    let answer: proto::TypingAnswer = world.ask(device, Operation::Typing, request).await;
    answer.refusal
}

#[tokio::test]
async fn typing_is_told_rarely_and_to_the_connected_only() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let stops = |device: &Device| {
        let stopped = |push: Push| match push {
            Push::Typing(notify) => Some((notify.user, notify.stopped)),
            _ => None,
        };
        world.pushed(device).into_iter().filter_map(stopped).collect::<Vec<_>>()
    };
    assert_eq!(typing(&world, &ann, "bob", false).await, None);
    assert_eq!(stops(&bob), [], "a stranger is not told");
    world.say(&ann, "bob", "hello").await;
    world.environment.pass_ms(2_000);
    for _ in 0..5 {
        assert_eq!(typing(&world, &ann, "bob", false).await, None);
    }
    assert_eq!(typing(&world, &ann, "bob", true).await, None);
    assert_eq!(stops(&bob), [("ann".into(), false), ("ann".into(), true)], "repeats are dropped");
    world.environment.pass_ms(2_000);
    typing(&world, &ann, "bob", true).await;
    assert_eq!(stops(&bob).len(), 3);
    for flip in 0..100 {
        typing(&world, &ann, "bob", flip % 2 == 0).await;
    }
    assert!(stops(&bob).len() <= 12, "a storm is dropped without a word");
    assert_eq!(stops(&ann), []);
    world.store.take_calls();
    world.disconnect(&bob);
    world.environment.pass_ms(60_000);
    typing(&world, &ann, "bob", false).await;
    assert!(world.store.take_calls() <= 1, "at most the name was looked up");
    world.connect(&bob);
    assert_eq!(typing(&world, &ann, "nobody", false).await, None);
    assert_eq!(world.sync(&bob, 0, 10).await.inbox_head, 1, "never stored");
}

#[tokio::test]
async fn typing_to_somebody_who_has_blocked_is_silent() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let block = proto::BlockRequest { id: 1, user: "ann".into(), blocked: true };
    let _: proto::BlockAnswer = world.ask(&bob, Operation::Block, block).await;
    assert_eq!(typing(&world, &ann, "bob", false).await, None);
    assert_eq!(world.pushed(&bob), []);
}
