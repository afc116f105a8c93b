//! SYNC, HISTORY, CONVERSATIONS: pages, their limits, and what they promise about what is missing (spec 45, 52-54).

use bytes::Bytes;
use hongyan_domain::session::Term;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;
use hongyan_wire::proto::inbox_entry::What;
use prost::Message;

use crate::world::{Device, World, code, words};

const PAGE_BYTES_MAX: usize = 60_000;

/// Sends so many messages of 16 KiB.
async fn send_long(world: &World, from: &Device, to: &str, count: usize) {
    for _ in 0..count {
        let body = Bytes::from(vec![b'x'; 16_384]);
        let request = proto::SendRequest { body, ..world.text(to, "") };
        assert_eq!(world.send(from, &[request]).await[0].refusal, None);
    }
}

async fn history(world: &World, device: &Device, user: &str, request: proto::HistoryRequest) -> proto::HistoryAnswer {
    let request = proto::HistoryRequest { id: 4, user: user.into(), ..request };
    let answer: proto::HistoryAnswer = world.ask(device, Operation::History, request).await;
    assert!(answer.encoded_len() <= PAGE_BYTES_MAX);
    answer
}

fn seqs(answer: &proto::HistoryAnswer) -> Vec<u64> {
    answer.entries.iter().map(|entry| entry.seq).collect()
}

#[tokio::test]
async fn pages_of_the_inbox_lead_to_the_head_without_gaps() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    for number in 0..250 {
        let from = if number % 5 == 0 { &bob } else { &ann };
        world.say(from, if number % 5 == 0 { "ann" } else { "bob" }, &number.to_string()).await;
    }
    let (mut cursor, mut pages, mut told) = (0, 0, Vec::new());
    loop {
        let reply = {
            let request =
                proto::SyncRequest { id: 3, inbox_cursor: cursor, limit: 1_000, log_epoch: bob.answer.log_epoch };
            world.ask_raw(&bob, Operation::Sync, request.encode_to_vec().into()).await
        };
        let page = proto::SyncAnswer::decode(reply.body).unwrap();
        assert_eq!((page.id, page.inbox_head, page.reset), (3, 250, false));
        assert!(page.entries.len() <= 200);
        for entry in &page.entries {
            cursor += 1;
            assert_eq!(entry.inbox_seq, cursor);
            told.push(words(entry));
        }
        let others = page.entries.iter().filter(|entry| matches!(&entry.what, Some(What::Entry(row)) if !row.own));
        let expected: Vec<_> = others.map(|entry| (entry.inbox_seq, ann.caller.user)).collect();
        let references: Vec<_> =
            reply.references.iter().map(|reference| (reference.inbox_seq, reference.author)).collect();
        assert_eq!(references, expected);
        assert_eq!(reply.written, Some(cursor));
        assert_eq!(page.more, cursor < 250);
        pages += 1;
        if page.entries.is_empty() {
            break;
        }
    }
    assert_eq!((cursor, pages), (250, 3));
    assert_eq!(told, (0..250).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn long_messages_make_short_pages() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    send_long(&world, &ann, "bob", 10).await;
    let mut cursor = 0;
    while cursor < 10 {
        let page = world.sync(&bob, cursor, 200).await;
        assert!(page.encoded_len() <= PAGE_BYTES_MAX);
        assert!(page.entries.len() >= 3 || cursor == 9, "three of them fit");
        cursor += page.entries.len() as u64;
        assert_eq!(page.more, cursor < 10);
    }
    let first = history(&world, &bob, "ann", proto::HistoryRequest { limit: 100, ..Default::default() }).await;
    assert_eq!((seqs(&first), first.covered_from, first.covered_to), (vec![8, 9, 10], 8, 10));
    let up = proto::HistoryRequest { after_seq: 1, limit: 100, ..Default::default() };
    let up = history(&world, &bob, "ann", up).await;
    assert_eq!((seqs(&up), up.covered_from, up.covered_to), (vec![2, 3, 4], 2, 4));
    for number in 0..8 {
        let user = format!("friend{number}");
        let friend = world.phone(&user).await;
        send_long(&world, &friend, "bob", 1).await;
    }
    let (mut before, mut users) = (0, Vec::new());
    loop {
        let request = proto::ConversationsRequest { id: 1, before, limit: 100 };
        let answer: proto::ConversationsAnswer = world.ask(&bob, Operation::Conversations, request).await;
        assert!(answer.encoded_len() <= PAGE_BYTES_MAX);
        users.extend(answer.conversations.iter().map(|line| line.user.clone()));
        before = answer.conversations.last().unwrap().activity;
        assert_eq!((answer.inbox_head, answer.log_epoch), (18, bob.answer.log_epoch));
        if !answer.more {
            break;
        }
    }
    assert_eq!(users.len(), 9);
    assert_eq!(users[0], "friend7", "newest first");
    assert_eq!(users[8], "ann");
}

#[tokio::test]
async fn history_reads_both_ways_and_says_what_it_covers() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    for number in 1..=10 {
        world.say(if number % 2 == 0 { &bob } else { &ann }, if number % 2 == 0 { "ann" } else { "bob" }, "x").await;
    }
    let page =
        |before_seq, after_seq, limit| proto::HistoryRequest { before_seq, after_seq, limit, ..Default::default() };
    let newest = history(&world, &bob, "ann", page(0, 0, 3)).await;
    assert_eq!((newest.id, seqs(&newest), newest.as_of, newest.low_seq), (4, vec![8, 9, 10], 10, 1));
    assert_eq!((newest.covered_from, newest.covered_to), (8, 10));
    for entry in &newest.entries {
        assert_eq!(entry.own, entry.seq % 2 == 0);
        assert_eq!(entry.client_message_id.is_empty(), !entry.own, "ids of others stay theirs");
    }
    let older = history(&world, &bob, "ann", page(8, 0, 5)).await;
    assert_eq!((seqs(&older), older.covered_from, older.covered_to), (vec![3, 4, 5, 6, 7], 3, 7));
    let oldest = history(&world, &bob, "ann", page(3, 0, 100)).await;
    assert_eq!((seqs(&oldest), oldest.covered_from, oldest.covered_to), (vec![1, 2], 1, 2));
    let newer = history(&world, &bob, "ann", page(0, 7, 2)).await;
    assert_eq!((seqs(&newer), newer.covered_from, newer.covered_to), (vec![8, 9], 8, 9));
    let nothing = history(&world, &bob, "ann", page(0, 10, 2)).await;
    assert_eq!((seqs(&nothing), nothing.covered_from, nothing.covered_to), (vec![], 0, 0));
    assert_eq!(code(&history(&world, &bob, "ann", page(8, 3, 2)).await.refusal), RefusalCode::InvalidArgument);
}

#[tokio::test]
async fn what_one_deletes_is_gone_for_oneself_alone() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let bob = world.phone("bob").await;
    let desk = world.device("one", "bob", 2, Term::Pc).await;
    for number in 1..=6 {
        world.say(&ann, "bob", &number.to_string()).await;
    }
    let delete = |up_to_seq, seqs: &[u64]| {
        let deletion = Some(proto::Deletion { up_to_seq, seqs: seqs.to_vec() });
        proto::DeleteRequest { id: 2, user: "ann".into(), deletion, ..Default::default() }
    };
    let answer: proto::DeleteAnswer = world.ask(&bob, Operation::Delete, delete(2, &[4, 999])).await;
    assert_eq!(answer, proto::DeleteAnswer { id: 2, refusal: None });
    let all = proto::HistoryRequest { limit: 100, ..Default::default() };
    let page = history(&world, &desk, "ann", all.clone()).await;
    assert_eq!((seqs(&page), page.covered_from, page.covered_to, page.low_seq), (vec![3, 5, 6], 1, 6, 3));
    assert_eq!(seqs(&history(&world, &ann, "bob", all.clone()).await), [1, 2, 3, 4, 5, 6]);
    let is_deletion = |push: &crate::world::Push| matches!(push, crate::world::Push::Message(entry) if matches!(entry.what, Some(What::Deleted(_))));
    for device in [&bob, &desk] {
        let pushes = world.pushed_until(device, is_deletion).await;
        let Some(crate::world::Push::Message(entry)) = pushes.last() else { panic!("{pushes:?}") };
        let expected = proto::Deletion { up_to_seq: 2, seqs: vec![4] };
        assert_eq!((entry.inbox_seq, &entry.what), (7, &Some(What::Deleted(expected))));
    }
    let _: proto::DeleteAnswer = world.ask(&bob, Operation::Delete, delete(u64::MAX, &[])).await;
    world.say(&ann, "bob", "7").await;
    assert_eq!(seqs(&history(&world, &bob, "ann", all).await), [7], "what comes later is seen");
    let line = world.conversations(&bob).await.remove(0);
    assert_eq!((line.unread, line.head_seq, line.low_seq), (1, 7, 7));
    let many: Vec<u64> = (1..=101).collect();
    let answer: proto::DeleteAnswer = world.ask(&bob, Operation::Delete, delete(0, &many)).await;
    assert_eq!(code(&answer.refusal), RefusalCode::InvalidArgument);
}

#[tokio::test]
async fn too_many_people_in_one_question_are_refused() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    let request = proto::ReceiptsRequest { id: 1, users: vec!["bob".into(); 101] };
    let answer: proto::ReceiptsAnswer = world.ask(&ann, Operation::Receipts, request).await;
    assert_eq!(code(&answer.refusal), RefusalCode::InvalidArgument);
}

#[tokio::test]
async fn names_are_found_again_after_a_restart() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.say(&ann, "bob", "hello").await;
    // Another logic over the same store: nothing is cached there.
    let fresh = hongyan_logic::Logic::new(
        crate::world::generous(),
        world.store.clone(),
        world.bus.clone(),
        world.environment.clone(),
        world.passwords.clone(),
        world.measures.clone(),
        crate::world::visitor_keys(),
    );
    let request = proto::SyncRequest { id: 1, inbox_cursor: 0, limit: 1, log_epoch: bob.answer.log_epoch };
    let body = request.encode_to_vec().into();
    let reply = hongyan_cluster::Service::request(&*fresh, bob.caller.clone(), Operation::Sync, body).await;
    let page = proto::SyncAnswer::decode(reply.body).unwrap();
    assert_eq!(page.entries[0].user, "ann");
    let react = proto::ReactRequest {
        id: 1,
        user: "ann".into(),
        seq: 1,
        client_request_id: world.client_id(),
        name: "+1".into(),
        remove: false,
        ..Default::default()
    };
    let body = react.encode_to_vec().into();
    let reply = hongyan_cluster::Service::request(&*fresh, bob.caller.clone(), Operation::React, body).await;
    assert_eq!(proto::ChangeAnswer::decode(reply.body).unwrap().refusal, None, "the app is found by its number");
}
