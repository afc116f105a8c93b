//! SEND: answers, repeats, order, refusals (spec 39-43, 50, 58).

use bytes::Bytes;
use hongyan_store::Error;
use hongyan_store::timeline::Outcome;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::send_request::To;

use crate::world::{World, code, name, words};

fn codes(answers: &[proto::SendAnswer]) -> Vec<RefusalCode> {
    answers.iter().map(|answer| code(&answer.refusal)).collect()
}

const DONE: RefusalCode = RefusalCode::Unspecified;

#[tokio::test]
async fn a_batch_is_numbered_in_order() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let bob = world.phone("bob").await;
    let mut batch = vec![world.text("bob", "1"), world.text("ann", "note"), world.text("bob", "2")];
    batch[2].uncounted = true;
    for (number, request) in batch.iter_mut().enumerate() {
        request.id = number as u32 + 40;
    }
    let answers = world.send(&ann, &batch).await;
    let numbers: Vec<_> =
        answers.iter().map(|answer| (answer.id, answer.seq, answer.message_count, answer.inbox_seq)).collect();
    assert_eq!(numbers, [(40, 1, 1, 1), (41, 1, 1, 2), (42, 2, 1, 3)]);
    assert_eq!(answers[0].server_time_ms, crate::world::START_SECONDS * 1_000);
    assert!(answers.iter().all(|answer| !answer.stored_offline));
    world.disconnect(&bob);
    assert!(world.say(&ann, "bob", "3").await.stored_offline);
    let page = world.sync(&bob, 0, 10).await;
    assert_eq!(page.entries.iter().map(words).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_whatever_has_changed() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let first = world.text("bob", "hello");
    let answer = world.send(&ann, std::slice::from_ref(&first)).await.remove(0);
    let again = proto::SendRequest { id: 900, ..first.clone() };
    let same = proto::SendAnswer { id: 900, ..answer.clone() };
    world.environment.pass_ms(5_000);
    assert_eq!(world.send(&ann, &[again.clone(), again.clone()]).await, [same.clone(), same.clone()]);
    let block = proto::BlockRequest { id: 1, user: "ann".into(), blocked: true };
    let _: proto::BlockAnswer = world.ask(&bob, hongyan_wire::command::Operation::Block, block).await;
    assert_eq!(codes(&world.send(&ann, &[world.text("bob", "no")]).await), [RefusalCode::NotAllowed]);
    assert_eq!(world.send(&ann, std::slice::from_ref(&again)).await, std::slice::from_ref(&same), "after a block");
    world.logic.set_disabled(&name("one"), &name("bob"), true).await.unwrap();
    world.disconnect(&bob);
    let offline = proto::SendAnswer { stored_offline: true, ..same };
    assert_eq!(world.send(&ann, &[again]).await, [offline], "after a ban");
    let changed = proto::SendRequest { body: Bytes::from_static(b"hullo"), ..first };
    assert_eq!(codes(&world.send(&ann, &[changed]).await), [RefusalCode::Conflict]);
    // The message, and the block.
    assert_eq!(world.sync(&bob, 0, 10).await.entries.len(), 2, "stored once");
    assert_eq!((world.measures.sends.get(), world.measures.sends_repeated.get()), (1, 4));
}

#[tokio::test]
async fn the_same_id_of_somebody_else_is_another_message() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let from_ann = world.text("bob", "hello");
    let from_bob = proto::SendRequest { to: Some(To::User("ann".into())), ..from_ann.clone() };
    assert_eq!(world.send(&ann, &[from_ann]).await[0].seq, 1);
    assert_eq!(world.send(&bob, &[from_bob]).await[0].seq, 2);
}

#[tokio::test]
async fn what_no_server_accepts_is_named() {
    let world = World::new().await;
    let (ann, _) = (world.phone("ann").await, world.phone("bob").await);
    let good = world.text("bob", "x");
    let with_body = |body: Vec<u8>| proto::SendRequest { body: body.into(), ..good.clone() };
    let with_type = |r#type, body: Vec<u8>| proto::SendRequest { r#type, ..with_body(body) };
    let to = |user: &str| proto::SendRequest { to: Some(To::User(user.into())), ..good.clone() };
    let custom = proto::BodyType::Custom as i32;
    let bad = [
        ("to", proto::SendRequest { to: None, ..good.clone() }),
        ("to", to("")),
        ("to", to("~visitor")),
        ("to", to("b*b")),
        ("client_message_id", proto::SendRequest { client_message_id: Bytes::new(), ..good.clone() }),
        ("client_message_id", proto::SendRequest { client_message_id: vec![1; 17].into(), ..good.clone() }),
        ("body", with_body(Vec::new())),
        ("body", with_body(vec![b'x'; 16_385])),
        ("body", with_body(vec![b'x', 0])),
        ("body", with_body(vec![0xff, 0xfe])),
        ("body", with_type(custom, vec![0; 16_385])),
        ("text", proto::SendRequest { text: "x".repeat(4_097), ..good.clone() }),
        ("text", proto::SendRequest { text: "\0".into(), ..good.clone() }),
        ("reply_to", proto::SendRequest { reply_to: u64::MAX, ..good.clone() }),
        ("expires_at_ms", proto::SendRequest { expires_at_ms: u64::MAX, ..good.clone() }),
    ];
    for (field, request) in bad {
        let answer = world.send(&ann, &[request]).await.remove(0);
        let refusal = answer.refusal.unwrap();
        assert_eq!((answer.id, refusal.code()), (5, RefusalCode::InvalidArgument), "{field}");
        assert_eq!((refusal.text.as_str(), refusal.retryable), (format!("invalid argument: {field}").as_str(), false));
    }
    assert_eq!(codes(&world.send(&ann, &[to("nobody")]).await), [RefusalCode::NotFound]);
    let accepted = [
        with_body(vec![b'x'; 16_384]),
        proto::SendRequest { client_message_id: world.client_id(), ..with_type(custom, vec![0, 0xff]) },
        proto::SendRequest { client_message_id: world.client_id(), ..with_type(custom, Vec::new()) },
        proto::SendRequest { client_message_id: world.client_id(), ..with_type(-7, vec![0]) },
    ];
    assert_eq!(codes(&world.send(&ann, &accepted).await), [DONE; 4]);
    let replies = world.send_raw(&ann, vec![Bytes::from_static(b"\x08\x2a\xff")]).await;
    assert_eq!((replies[0].id, code(&replies[0].refusal)), (42, RefusalCode::Malformed));
}

#[tokio::test]
async fn one_bad_message_does_not_spoil_the_batch() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let batch = [world.text("bob", "1"), world.text("nobody", "2"), world.text("bob", ""), world.text("bob", "4")];
    let answers = world.send(&ann, &batch).await;
    assert_eq!(codes(&answers), [DONE, RefusalCode::NotFound, RefusalCode::InvalidArgument, DONE]);
    let page = world.sync(&bob, 0, 10).await;
    assert_eq!(page.entries.iter().map(words).collect::<Vec<_>>(), ["1", "4"]);
}

#[tokio::test]
async fn what_is_stale_is_decided_again_and_then_put_off() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.store.script_appends([Ok(Outcome::Stale), Ok(Outcome::Stale)]);
    let answers = world.send(&ann, &[world.text("bob", "1"), world.text("bob", "2")]).await;
    assert_eq!(codes(&answers), [DONE, DONE]);
    assert_eq!(world.measures.sends_stale.get(), 4);
    world.store.script_appends([Ok(Outcome::Stale), Ok(Outcome::Stale), Ok(Outcome::Stale)]);
    let (third, fourth) = (world.text("bob", "3"), world.text("bob", "4"));
    let answers = world.send(&ann, &[third.clone(), fourth.clone()]).await;
    assert_eq!(codes(&answers), [RefusalCode::TryLater, RefusalCode::TryLater]);
    let fifth = world.text("bob", "5");
    assert_eq!(codes(&world.send(&ann, std::slice::from_ref(&fifth)).await), [RefusalCode::TryLater], "on hold");
    assert_eq!(codes(&world.send(&ann, &[third, fourth, fifth]).await), [DONE; 3]);
    let page = world.sync(&bob, 0, 10).await;
    assert_eq!(page.entries.iter().map(words).collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_full_disk_means_later_and_keeps_the_order() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let (bob, _) = (world.phone("bob").await, world.phone("eve").await);
    world.store.script_appends([Err(Error::DiskFull)]);
    let (first, second) = (world.text("bob", "1"), world.text("bob", "2"));
    let answers = world.send(&ann, &[first.clone(), second.clone()]).await;
    assert_eq!(codes(&answers), [RefusalCode::TryLater; 2]);
    assert!(answers.iter().all(|answer| answer.refusal.as_ref().unwrap().retry_after_ms == 5_000));
    let third = world.text("bob", "3");
    let batch = [third.clone(), world.text("eve", "other")];
    assert_eq!(codes(&world.send(&ann, &batch).await), [RefusalCode::TryLater, DONE]);
    assert_eq!(codes(&world.send(&ann, &[first, second, third]).await), [DONE; 3]);
    let page = world.sync(&bob, 0, 10).await;
    assert_eq!(page.entries.iter().map(words).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[tokio::test]
async fn facts_that_cannot_be_read_hold_the_conversation_too() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let bob = world.phone("bob").await;
    world.store.fail_directs(1);
    let batch = [world.text("bob", "1"), world.text("bob", "2")];
    assert_eq!(codes(&world.send(&ann, &batch).await), [RefusalCode::TryLater; 2], "2 must not overtake 1");
    assert_eq!(codes(&world.send(&ann, &batch).await), [DONE, DONE]);
    world.store.script_appends([Err(Error::Failed("broken".into()))]);
    let answer = world.send(&ann, &[world.text("bob", "3")]).await.remove(0);
    let refusal = answer.refusal.unwrap();
    assert_eq!((refusal.code(), refusal.retryable), (RefusalCode::Internal, true));
    assert_eq!(refusal.text, "internal error", "no detail leaves the server");
    let page = world.sync(&bob, 0, 10).await;
    assert_eq!(page.entries.iter().map(words).collect::<Vec<_>>(), ["1", "2"]);
}

#[tokio::test]
async fn a_known_addressee_costs_one_round_trip() {
    let world = World::new().await;
    let (ann, _) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "1").await;
    world.store.take_calls();
    let batch: Vec<_> = (0..50).map(|number| world.text("bob", &number.to_string())).collect();
    world.send(&ann, &batch).await;
    assert_eq!(world.store.take_calls(), 1, "the commit");
}
