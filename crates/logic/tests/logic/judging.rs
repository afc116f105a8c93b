//! What becomes of texts that others can see (spec 73): passed, masked, rejected, held for a review; and what is kept of it.

use bytes::Bytes;
use hongyan_domain::app::AppSettings;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::EndReason;
use hongyan_domain::spam::{Action, Class, SpamSettings};
use hongyan_logic::spam_review::Reviewed;
use hongyan_store::{Sessions, Spam, Timeline};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;

use crate::world::{Device, World, code, name, says, words};

const DONE: RefusalCode = RefusalCode::Unspecified;

/// Porn is rejected, abuse masked, advertising reviewed: the defaults.
async fn judging() -> World {
    let world = World::new().await;
    for (class, text) in [(Class::Porn, "赌博"), (Class::Abuse, "笨蛋\nshit"), (Class::Advertising, "代开发票")]
    {
        world.logic.set_words(&name("one"), class, text.to_owned()).await.unwrap();
    }
    world
}

async fn set(world: &World, spam: SpamSettings) {
    world.logic.set_app_settings(&name("one"), AppSettings { spam, ..AppSettings::default() }).await.unwrap();
}

async fn send(world: &World, device: &Device, request: &proto::SendRequest) -> (RefusalCode, u64) {
    let answer = world.send(device, std::slice::from_ref(request)).await.remove(0);
    (code(&answer.refusal), answer.seq)
}

async fn inbox(world: &World, device: &Device) -> Vec<String> {
    world.sync(device, 0, 100).await.entries.iter().map(words).collect()
}

async fn audits(world: &World) -> Vec<(String, String, String, String)> {
    let audits = world.logic.audits(&name("one"), 0, 100).await.unwrap();
    let shown = audits.into_iter().map(|shown| {
        let audit = shown.audit;
        (shown.user.as_str().to_owned(), audit.kind, audit.action, audit.rule)
    });
    shown.collect()
}

fn audit(user: &str, kind: &str, action: &str, rule: &str) -> (String, String, String, String) {
    [user, kind, action, rule].map(str::to_owned).into()
}

#[tokio::test]
async fn a_message_passes_is_masked_or_is_rejected() {
    let world = judging().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let batch = [world.text("bob", "你好"), world.text("bob", "一起赌.博"), world.text("bob", "你这笨蛋, oh s.h.i.t!")];
    let answers = world.send(&ann, &batch).await;
    let codes: Vec<_> = answers.iter().map(|answer| code(&answer.refusal)).collect();
    assert_eq!(codes, [DONE, RefusalCode::SpamRejected, DONE]);
    assert!(!answers[1].refusal.as_ref().unwrap().retryable);
    assert_eq!(inbox(&world, &bob).await, ["你好", "你这**, oh *******!"]);
    assert_eq!(
        inbox(&world, &ann).await,
        ["你好", "你这**, oh *******!"],
        "the sender's other devices see what others see"
    );
    let expected = [audit("ann", "message", "mask", "abuse"), audit("ann", "message", "reject", "porn")];
    assert_eq!(audits(&world).await, expected);
    let page = world.logic.audits(&name("one"), 0, 1).await.unwrap();
    assert_eq!(page[0].audit.excerpt, "你这笨蛋, oh s.h.i.t!");
    let other = world.device("two", "ann", 1, hongyan_domain::session::Term::Mobile).await;
    world.device("two", "bob", 1, hongyan_domain::session::Term::Mobile).await;
    assert_eq!(send(&world, &other, &world.text("bob", "赌博")).await, (DONE, 1), "lists belong to one app");
}

#[tokio::test]
async fn who_got_in_is_answered_again_whatever_is_on_the_list_now() {
    let world = World::new().await;
    let (ann, _bob) = (world.phone("ann").await, world.phone("bob").await);
    let request = world.text("bob", "赌博");
    assert_eq!(send(&world, &ann, &request).await, (DONE, 1));
    world.logic.set_words(&name("one"), Class::Porn, "赌博".to_owned()).await.unwrap();
    assert_eq!(send(&world, &ann, &request).await, (DONE, 1), "said before");
    assert_eq!(send(&world, &ann, &world.text("bob", "赌博")).await.0, RefusalCode::SpamRejected, "at once");
    let edit = edit(&world, 1, "又是赌博");
    let answer: proto::ChangeAnswer = world.ask(&ann, Operation::Edit, edit).await;
    assert_eq!(code(&answer.refusal), RefusalCode::SpamRejected);
    world.logic.set_words(&name("one"), Class::Porn, String::new()).await.unwrap();
    assert_eq!(send(&world, &ann, &world.text("bob", "赌博")).await, (DONE, 2), "the list is gone");
}

fn edit(world: &World, seq: u64, text: &str) -> proto::EditRequest {
    proto::EditRequest {
        id: 4,
        user: "bob".into(),
        seq,
        client_request_id: world.client_id(),
        body: Bytes::copy_from_slice(text.as_bytes()),
        ..proto::EditRequest::default()
    }
}

#[tokio::test]
async fn edits_projections_reactions_and_names_are_judged_too() {
    let world = judging().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(send(&world, &ann, &world.text("bob", "早")).await, (DONE, 1));
    let mut request = edit(&world, 1, "笨蛋");
    let answer: proto::ChangeAnswer = world.ask(&ann, Operation::Edit, request.clone()).await;
    assert_eq!((code(&answer.refusal), answer.seq), (DONE, 2));
    let again: proto::ChangeAnswer = world.ask(&ann, Operation::Edit, request.clone()).await;
    assert_eq!(again, answer);
    let conversation = world.conversation_of(&ann, &bob).await;
    let entry = world.store.entry(conversation, 1).await.unwrap().unwrap();
    assert_eq!(entry.draft.body, "**".as_bytes());
    request = edit(&world, 1, "代开发票");
    let answer: proto::ChangeAnswer = world.ask(&ann, Operation::Edit, request).await;
    assert_eq!(code(&answer.refusal), RefusalCode::SpamRejected, "an edit cannot wait");

    let card = |text: &str| proto::SendRequest {
        r#type: proto::BodyType::Card as i32,
        text: text.into(),
        ..world.text("bob", "{}")
    };
    assert_eq!(send(&world, &ann, &card("一张名片")).await, (DONE, 3));
    let masked = send(&world, &ann, &card("笨蛋的名片")).await.0;
    assert_eq!(masked, RefusalCode::SpamRejected, "the body would show what the projection hides");

    let react = |name: &str, remove| proto::ReactRequest {
        id: 4,
        user: "bob".into(),
        seq: 1,
        client_request_id: world.client_id(),
        name: name.into(),
        remove,
        group: String::new(),
    };
    for (name, remove, expected) in
        [("👍", false, DONE), ("笨蛋", false, RefusalCode::SpamRejected), ("笨蛋", true, DONE)]
    {
        let answer: proto::ChangeAnswer = world.ask(&ann, Operation::React, react(name, remove)).await;
        assert_eq!(code(&answer.refusal), expected, "{name}");
    }

    world.logic.create_room(&name("one"), name("lobby")).await.unwrap();
    let enter = |name: &str| proto::EnterRoomRequest { id: 2, room: "lobby".into(), name: name.into() };
    for (name, expected) in [("笨-蛋", RefusalCode::SpamRejected), ("Ann", DONE)] {
        let answer: proto::EnterRoomAnswer = world.ask(&ann, Operation::EnterRoom, enter(name)).await;
        assert_eq!(code(&answer.refusal), expected, "{name}");
    }
    let into_room = |text: &str| proto::SendRequest {
        to: Some(proto::send_request::To::Room("lobby".into())),
        ..world.text("bob", text)
    };
    assert_eq!(send(&world, &ann, &into_room("去赌博")).await.0, RefusalCode::SpamRejected);
    assert_eq!(send(&world, &ann, &into_room("去吃饭")).await, (DONE, 1));
}

#[tokio::test]
async fn a_message_waits_for_a_review_and_is_said_when_it_is_released() {
    let world = judging().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let request = world.text("bob", "专业代开发票");
    for _ in 0..2 {
        assert_eq!(send(&world, &ann, &request).await.0, RefusalCode::HeldForReview);
    }
    assert_eq!(send(&world, &ann, &world.text("bob", "在吗")).await, (DONE, 1), "what waits holds up nothing");
    let held = world.logic.held(&name("one"), 0, 10).await.unwrap();
    let shown: Vec<_> =
        held.iter().map(|held| (held.sender.as_str(), held.to.as_str(), held.message.rule.as_str())).collect();
    assert_eq!(shown, [("ann", "bob", "advertising")]);
    let number = held[0].number;
    // The sender is long gone when somebody looks at it.
    let session = ann.caller.session;
    let now = hongyan_domain::time::UnixMillis(1);
    assert_eq!(world.store.end_session(session, EndReason::LoggedOut, now).await, Ok(true));
    let released = world.logic.review(&name("one"), number, true).await;
    assert_eq!(released, Ok(Reviewed::Released { seq: 2 }));
    assert_eq!(inbox(&world, &bob).await, ["在吗", "专业代开发票"]);
    world.pushed_until(&bob, says("专业代开发票")).await;
    assert_eq!(world.logic.review(&name("one"), number, true).await, Err(Refusal::NotFound), "once");
    let ann = world.phone("ann").await;
    assert_eq!(send(&world, &ann, &request).await, (DONE, 2), "a repeat gets the answer");
    let own = &world.sync(&ann, 0, 10).await.entries[1];
    let Some(proto::inbox_entry::What::Entry(entry)) = &own.what else { panic!("no message") };
    assert!(entry.own && entry.client_message_id == request.client_message_id, "its sender knows it again");
}

#[tokio::test]
async fn what_is_discarded_is_never_said() {
    let world = judging().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let request = world.text("bob", "专业代开发票");
    assert_eq!(send(&world, &ann, &request).await.0, RefusalCode::HeldForReview);
    let changed = proto::SendRequest { body: Bytes::from_static("代开发票！".as_bytes()), ..request.clone() };
    assert_eq!(send(&world, &ann, &changed).await.0, RefusalCode::Conflict);
    let number = world.logic.held(&name("one"), 0, 10).await.unwrap()[0].number;
    assert_eq!(world.logic.review(&name("two"), number, false).await, Err(Refusal::NotFound), "another app's");
    assert_eq!(world.logic.review(&name("one"), number, false).await, Ok(Reviewed::Discarded));
    assert_eq!(send(&world, &ann, &request).await.0, RefusalCode::SpamRejected);
    assert_eq!(inbox(&world, &bob).await, [""; 0]);
    assert_eq!(world.logic.held(&name("one"), 0, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn who_is_blocked_meanwhile_is_not_released() {
    let world = judging().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(send(&world, &ann, &world.text("bob", "代开发票")).await.0, RefusalCode::HeldForReview);
    let block = |blocked| proto::BlockRequest { id: 1, user: "ann".into(), blocked };
    let _: proto::BlockAnswer = world.ask(&bob, Operation::Block, block(true)).await;
    assert_eq!(send(&world, &ann, &world.text("bob", "代开发票")).await.0, RefusalCode::NotAllowed);
    let number = world.logic.held(&name("one"), 0, 10).await.unwrap()[0].number;
    assert_eq!(world.logic.review(&name("one"), number, true).await, Err(Refusal::NotAllowed));
    let _: proto::BlockAnswer = world.ask(&bob, Operation::Block, block(false)).await;
    assert_eq!(world.logic.review(&name("one"), number, true).await, Ok(Reviewed::Released { seq: 1 }));
}

#[tokio::test]
async fn what_is_said_in_a_room_waits_with_its_name() {
    let world = judging().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.logic.create_room(&name("one"), name("lobby")).await.unwrap();
    for (device, name) in [(&ann, "Ann"), (&bob, "Bob")] {
        let enter = proto::EnterRoomRequest { id: 2, room: "lobby".into(), name: name.into() };
        let answer: proto::EnterRoomAnswer = world.ask(device, Operation::EnterRoom, enter).await;
        assert_eq!(answer.refusal, None);
    }
    let to = Some(proto::send_request::To::Room("lobby".into()));
    let request = proto::SendRequest { to, ..world.text("", "代开发票") };
    assert_eq!(send(&world, &ann, &request).await.0, RefusalCode::HeldForReview);
    let leave = proto::LeaveRoomRequest { id: 3, room: "lobby".into() };
    let _: proto::LeaveRoomAnswer = world.ask(&ann, Operation::LeaveRoom, leave).await;
    let number = world.logic.held(&name("one"), 0, 10).await.unwrap()[0].number;
    assert_eq!(world.logic.review(&name("one"), number, true).await, Ok(Reviewed::Released { seq: 1 }));
    let history = proto::HistoryRequest { id: 4, room: "lobby".into(), limit: 10, ..proto::HistoryRequest::default() };
    let answer: proto::HistoryAnswer = world.ask(&bob, Operation::History, history).await;
    assert_eq!((answer.entries.len(), answer.entries[0].from.as_str()), (1, "Ann"));
}

#[tokio::test]
async fn advertisements_and_the_same_text_to_many_follow_the_settings() {
    let world = World::new().await;
    let ann = world.phone("ann").await;
    for user in ["b1", "b2", "b3", "b4"] {
        world.phone(user).await;
    }
    let advertisement = "手机兼职日结，日入300，名额有限，加v信：jianzhi666";
    assert_eq!(send(&world, &ann, &world.text("b1", advertisement)).await, (DONE, 1), "nothing is done by default");
    set(&world, SpamSettings { advertising: Action::Reject, ..SpamSettings::default() }).await;
    assert_eq!(send(&world, &ann, &world.text("b1", advertisement)).await.0, RefusalCode::SpamRejected);
    let many = SpamSettings { same_text: Action::Reject, same_text_targets_max: 2, ..SpamSettings::default() };
    set(&world, many).await;
    let greeting = "周六晚上七点老地方聚会，都来啊，记得带上家属";
    let mut codes = Vec::new();
    for user in ["b1", "b2", "b1", "b3", "b4"] {
        codes.push(send(&world, &ann, &world.text(user, greeting)).await.0);
    }
    assert_eq!(codes, [DONE, DONE, DONE, RefusalCode::SpamRejected, RefusalCode::SpamRejected]);
    world.environment.pass_ms(600_000);
    assert_eq!(send(&world, &ann, &world.text("b3", greeting)).await, (DONE, 1));
    assert_eq!(audits(&world).await[0], audit("ann", "message", "reject", "same_text"));
}

#[tokio::test]
async fn an_app_may_limit_how_fast_its_users_write() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    set(&world, SpamSettings { messages_per_minute_max: 3, ..SpamSettings::default() }).await;
    let first = world.text("bob", "1");
    assert_eq!(send(&world, &ann, &first).await, (DONE, 1));
    for seq in 2..=3 {
        assert_eq!(send(&world, &ann, &world.text("bob", "more")).await, (DONE, seq));
    }
    assert_eq!(send(&world, &ann, &first).await, (DONE, 1), "a repeat is none more");
    let late = world.text("bob", "late");
    let answer = world.send(&ann, std::slice::from_ref(&late)).await.remove(0);
    let refusal = answer.refusal.unwrap();
    assert_eq!((refusal.code(), refusal.retryable, refusal.retry_after_ms), (RefusalCode::RateLimited, true, 20_000));
    assert_eq!(send(&world, &bob, &world.text("ann", "hi")).await, (DONE, 4), "everybody has their own");
    world.environment.pass_ms(20_000);
    assert_eq!(send(&world, &ann, &late).await, (DONE, 5));
}

#[tokio::test]
async fn new_lists_of_another_process_are_loaded_while_the_old_ones_hold() {
    let world = judging().await;
    let (ann, _bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(send(&world, &ann, &world.text("bob", "赌博")).await.0, RefusalCode::SpamRejected);
    // As another process does: past this one's caches.
    let now = hongyan_domain::time::UnixMillis(1);
    world.store.set_words(ann.caller.app, Class::Porn, "香蕉".to_owned(), now).await.unwrap();
    world.environment.pass_ms(1_000);
    assert_eq!(send(&world, &ann, &world.text("bob", "赌博")).await.0, RefusalCode::SpamRejected, "the old list");
    for _ in 0..1_000 {
        if send(&world, &ann, &world.text("bob", "香蕉")).await.0 == RefusalCode::SpamRejected {
            assert_eq!(send(&world, &ann, &world.text("bob", "赌博")).await.0, DONE);
            return;
        }
    }
    panic!("the new list was never loaded");
}

#[tokio::test]
async fn lists_have_limits() {
    let world = World::new().await;
    let app = name("one");
    let set = async |text: String| world.logic.set_words(&app, Class::Other, text).await;
    assert_eq!(set("x".repeat(4 * 1024 * 1024 + 1)).await, Err(Refusal::InvalidArgument("words")));
    let many = (0..=200_000).map(|number| format!("w{number}\n")).collect();
    assert_eq!(set(many).await, Err(Refusal::InvalidArgument("words")));
    let (head, counts) = set("one\ntwo\n🎲\nONE\n".to_owned()).await.unwrap();
    assert_eq!((head.version, head.words, counts.words, counts.skipped), (1, 4, 2, 1));
    assert_eq!(world.logic.words(&app, Class::Other).await.as_deref(), Ok("one\ntwo\n🎲\nONE\n"));
    assert_eq!(world.logic.words(&app, Class::Porn).await, Err(Refusal::NotFound));
    assert_eq!(world.logic.word_heads(&app).await, Ok(vec![head]));
}
