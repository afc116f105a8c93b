//! Searching: only what the asker may see, as it is now, page by page.

use bytes::Bytes;
use hongyan_domain::id::UserId;
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::search::Query;
use hongyan_domain::time::UnixMillis;

use super::Fixture;
use super::world::{NOW, Person, World, appended};
use crate::search::{SearchPage, SearchQuery, searchable};
use crate::timeline::What;
use crate::{Search, Store};

fn query(user: UserId, words: &str) -> SearchQuery {
    let words = Query::parse(words).expect("something to look for");
    SearchQuery { user, other: None, words, before: 0, limit: 50, bytes_max: usize::MAX }
}

fn texts(page: &SearchPage) -> Vec<&str> {
    page.hits.iter().map(|hit| searchable(&hit.entry)).collect()
}

async fn found<S: Store>(world: &World<S>, asker: &Person, words: &str) -> Vec<String> {
    let page = world.store.search(query(asker.user, words)).await.expect("read");
    texts(&page).into_iter().map(str::to_owned).collect()
}

/// A text later than all before.
async fn write<S: Store>(world: &World<S>, from: &Person, to: &Person, minute: u64, text: &str) -> u64 {
    let message = world.message(from, to, text);
    appended(world.append(crate::timeline::Append { now: UnixMillis(NOW.0 + minute * 60_000), ..message }).await).seq
}

/// Everybody finds what was said in their own conversations, in whatever script, newest first.
pub async fn a_search_finds_what_its_asker_may_see<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b, c) = (world.person("a").await, world.person("b").await, world.person("c").await);
    write(&world, &a, &b, 1, "明天晚上见").await;
    write(&world, &b, &a, 2, "好，晚上七点").await;
    write(&world, &b, &c, 3, "今天晚上不行").await;
    write(&world, &a, &a, 4, "note: 晚上 buy Milk").await;
    write(&world, &c, &a, 5, "おはよう、晩ご飯は？").await;
    assert_eq!(found(&world, &a, "晚上").await, ["note: 晚上 buy Milk", "好，晚上七点", "明天晚上见"]);
    assert_eq!(found(&world, &b, "晚上").await, ["今天晚上不行", "好，晚上七点", "明天晚上见"]);
    assert_eq!(found(&world, &a, "七點 晚上").await, ["好，晚上七点"], "traditional, and in any order");
    assert_eq!(found(&world, &a, "MILK 晚").await, ["note: 晚上 buy Milk"]);
    assert_eq!(found(&world, &a, "晩ご飯").await, ["おはよう、晩ご飯は？"]);
    for nothing in ["晚见", "mil", "不行", "u1", "who"] {
        assert_eq!(found(&world, &a, nothing).await, [""; 0], "{nothing}");
    }
    let with = SearchQuery { other: Some(b.user), ..query(a.user, "晚上") };
    let page = world.store.search(with).await.expect("read");
    assert_eq!((texts(&page), page.next), (vec!["好，晚上七点", "明天晚上见"], 0));
    assert_eq!((page.hits[0].other, &page.hits[0].ranges[..]), (b.user, &[(6, 12)][..]));
    let own = SearchQuery { other: Some(a.user), ..query(a.user, "晚上") };
    assert_eq!(texts(&world.store.search(own).await.expect("read")), ["note: 晚上 buy Milk"]);
    assert_eq!(world.store.correspondents(a.user, 10).await, Ok(vec![c.user, a.user, b.user]));
    assert_eq!(world.store.correspondents(a.user, 1).await, Ok(vec![c.user]));
    fixture.close(world.store);
}

/// Edited, recalled, deleted: what is found is as it is now.
pub async fn what_is_found_is_as_it_is_now<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for text in ["first apple", "second apple", "third apple"] {
        world.say(&a, &b, text).await;
    }
    let all = ["third apple", "second apple", "first apple"];
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    assert_eq!(sorted(found(&world, &b, "apple").await), sorted(all.map(str::to_owned).to_vec()));
    let edit = Alteration::Edit { body: Bytes::from_static(b"first pear"), text: String::new() };
    world.alter(&a, &b, 1, edit).await;
    world.alter(&a, &b, 2, Alteration::Recall).await;
    assert_eq!(found(&world, &b, "apple").await, ["third apple"]);
    assert_eq!(found(&world, &b, "pear").await, ["first pear"]);
    assert_eq!(found(&world, &b, "second").await, [""; 0]);
    world.delete(&b, &a, 0, &[3]).await;
    assert_eq!(found(&world, &b, "apple").await, [""; 0]);
    assert_eq!(found(&world, &a, "apple").await, ["third apple"], "only for who has deleted it");
    world.delete(&a, &b, 3, &[]).await;
    assert_eq!(found(&world, &a, "pear").await, [""; 0]);

    let mut card = world.message(&a, &b, "{}");
    card.what = What::Message(Draft {
        body_type: 6,
        body: Bytes::from_static(b"pear"),
        text: "a plum".into(),
        ..Draft::default()
    });
    appended(world.append(card).await);
    assert_eq!(found(&world, &a, "plum").await, ["a plum"], "what it says about itself");
    assert_eq!(found(&world, &a, "pear").await, [""; 0], "a body that is no text is not read");
    fixture.close(world.store);
}

/// Pages are cut by count and by bytes and lead to the end.
pub async fn hits_are_read_by_pages<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    for minute in 0..25 {
        write(&world, &a, &b, minute, &format!("苹果 number {minute}")).await;
        write(&world, &b, &a, minute, "something else").await;
    }
    for (limit, bytes_max) in [(4, usize::MAX), (50, 60), (50, 1), (25, usize::MAX)] {
        let mut seen = Vec::new();
        let mut before = 0;
        loop {
            let page = SearchQuery { before, limit, bytes_max, ..query(a.user, "苹果") };
            let page = world.store.search(page).await.expect("read");
            assert!(page.hits.len() <= limit as usize);
            seen.extend(texts(&page).into_iter().map(str::to_owned));
            before = page.next;
            if before == 0 {
                break;
            }
        }
        let expected: Vec<_> = (0..25).rev().map(|minute| format!("苹果 number {minute}")).collect();
        assert_eq!(seen, expected, "{limit} {bytes_max}");
    }
    fixture.close(world.store);
}
