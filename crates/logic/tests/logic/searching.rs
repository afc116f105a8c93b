//! SEARCH (spec 54): what a client finds, and what it must not.

use hongyan_domain::session::Term;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;

use crate::world::{Device, World, code};

async fn search(world: &World, device: &Device, request: proto::SearchRequest) -> proto::SearchAnswer {
    let answer: proto::SearchAnswer = world.ask(device, Operation::Search, request).await;
    assert_eq!(answer.id, 9);
    answer
}

fn query(words: &str) -> proto::SearchRequest {
    proto::SearchRequest { id: 9, query: words.into(), ..Default::default() }
}

fn texts(answer: &proto::SearchAnswer) -> Vec<(&str, String)> {
    assert_eq!(answer.refusal, None);
    let text = |found: &proto::FoundMessage| {
        let body = found.entry.as_ref().unwrap().body.clone();
        String::from_utf8(body.to_vec()).unwrap()
    };
    answer.messages.iter().map(|found| (found.user.as_str(), text(found))).collect()
}

#[tokio::test]
async fn everybody_finds_what_is_theirs() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let eve = world.phone("eve").await;
    let other_ann = world.device("two", "ann", 1, Term::Mobile).await;
    world.device("two", "bob", 1, Term::Mobile).await;
    world.say(&ann, "bob", "明天晚上七点见").await;
    world.say(&bob, "ann", "晚上不行，改天吧").await;
    world.say(&bob, "eve", "今天晚上有空").await;
    world.say(&other_ann, "bob", "晚上在另一个世界").await;
    let found = search(&world, &ann, query("晚上")).await;
    assert_eq!(texts(&found), [("bob", "晚上不行，改天吧".to_owned()), ("bob", "明天晚上七点见".to_owned())]);
    let entry = found.messages[1].entry.as_ref().unwrap();
    assert!(entry.own && !entry.client_message_id.is_empty() && entry.seq == 1);
    assert_eq!(found.messages[1].ranges, [proto::TextRange { start: 6, length: 6 }]);
    assert_eq!(texts(&search(&world, &eve, query("晚上")).await), [("bob", "今天晚上有空".to_owned())]);
    let with = |user: &str| proto::SearchRequest { user: user.into(), ..query("晚上") };
    assert_eq!(texts(&search(&world, &bob, with("eve")).await).len(), 1);
    assert_eq!(texts(&search(&world, &eve, with("ann")).await), []);
    assert_eq!(code(&search(&world, &eve, with("nobody")).await.refusal), RefusalCode::NotFound);
    for nonsense in ["", "？！", &"长".repeat(100)] {
        assert_eq!(code(&search(&world, &ann, query(nonsense)).await.refusal), RefusalCode::InvalidArgument);
    }
}

#[tokio::test]
async fn people_are_found_among_ones_own() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    for name in ["Bob.Smith", "bobby", "carol"] {
        world.phone(name).await;
    }
    world.say(&ann, "Bob.Smith", "hi").await;
    world.say(&ann, "carol", "hi").await;
    assert_eq!(search(&world, &ann, query("BOB")).await.people, ["Bob.Smith"], "bobby is a stranger");
    assert_eq!(search(&world, &ann, query("o")).await.people, ["carol", "Bob.Smith"]);
    let second = proto::SearchRequest { before: 1, ..query("o") };
    assert_eq!(search(&world, &ann, second).await.people, [""; 0]);
}

#[tokio::test]
async fn pages_fit_into_frames_and_lead_to_the_end() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    world.phone("bob").await;
    for number in 0..9 {
        world.say(&ann, "bob", &format!("find me {number} {}", "长".repeat(5_000))).await;
    }
    let mut seen = Vec::new();
    let mut before = 0;
    loop {
        let reply = world.ask_raw(&ann, Operation::Search, encoded(before)).await;
        assert!(reply.body.len() <= hongyan_wire::limits::PAGE_BYTES_MAX);
        let answer = <proto::SearchAnswer as prost::Message>::decode(reply.body).unwrap();
        seen.extend(answer.messages.iter().map(|found| found.entry.as_ref().unwrap().seq));
        before = answer.next;
        if before == 0 {
            break;
        }
    }
    assert_eq!(seen, (1..=9).rev().collect::<Vec<_>>());
}

fn encoded(before: u64) -> bytes::Bytes {
    prost::Message::encode_to_vec(&proto::SearchRequest { before, limit: 4, ..query("me find") }).into()
}

#[tokio::test]
async fn nobody_searches_all_the_time() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    for _ in 0..20 {
        assert_eq!(search(&world, &ann, query("x")).await.refusal, None);
    }
    assert_eq!(code(&search(&world, &ann, query("x")).await.refusal), RefusalCode::RateLimited);
}
