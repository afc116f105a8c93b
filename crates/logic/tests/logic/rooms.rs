//! Rooms: who hears what in which order, what is refused and for how long, what administrators take away.

use hongyan_domain::app::AppSettings;
use hongyan_domain::refusal::Refusal;
use hongyan_logic::{LogicOptions, Rate};
use hongyan_store::Error;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;

use crate::world::{Device, Push, World, code, generous, name};

impl World {
    async fn with_lobby(options: LogicOptions) -> Self {
        let world = Self::with(options).await;
        world.logic.create_room(&name("one"), name("lobby")).await.unwrap();
        world
    }

    async fn enter(&self, device: &Device, as_name: &str) -> proto::EnterRoomAnswer {
        let request = proto::EnterRoomRequest { id: 1, room: "lobby".into(), name: as_name.into() };
        self.ask(device, Operation::EnterRoom, request).await
    }

    fn to_lobby(&self, words: &str) -> proto::SendRequest {
        proto::SendRequest { to: Some(proto::send_request::To::Room("lobby".into())), ..self.text("", words) }
    }

    async fn says(&self, device: &Device, words: &str) -> proto::SendAnswer {
        self.send(device, &[self.to_lobby(words)]).await.remove(0)
    }

    /// What a device has heard of rooms, such as `+bob` and `2 ann: hello`, up to and with a line.
    async fn heard_until(&self, device: &Device, last: &str) -> Vec<String> {
        let is_last = |push: &Push| lines(push).iter().any(|line| line == last);
        self.pushed_until(device, is_last).await.iter().flat_map(lines).collect()
    }
}

fn lines(push: &Push) -> Vec<String> {
    let Push::Room(notify) = push else { panic!("no news of a room: {push:?}") };
    let left = notify.left.iter().map(|name| format!("-{name}"));
    let entered = notify.entered.iter().map(|name| format!("+{name}"));
    let said = notify.entries.iter().map(|entry| {
        assert!(!entry.own && entry.client_message_id.is_empty(), "a body for all is nobody's own");
        format!("{} {}: {}", entry.seq, entry.from, String::from_utf8_lossy(&entry.body))
    });
    left.chain(entered).chain(said).collect()
}

#[tokio::test]
async fn everybody_hears_everything_in_one_order() {
    let world = World::with_lobby(generous()).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(world.enter(&ann, "Ann").await.names, ["Ann"]);
    assert_eq!(world.says(&ann, "first").await.seq, 1);
    world.heard_until(&ann, "1 Ann: first").await;
    let entered = world.enter(&bob, "Bob").await;
    assert_eq!(
        (entered.names, entered.head_seq, entered.text_characters_max),
        (vec!["Bob".into(), "Ann".into()], 1, 140)
    );
    let batch = [world.to_lobby("one"), world.text("bob", "between us"), world.to_lobby("two")];
    let answers = world.send(&ann, &batch).await;
    assert_eq!(
        answers.iter().map(|answer| (answer.seq, answer.inbox_seq)).collect::<Vec<_>>(),
        [(2, 0), (1, 1), (3, 0)]
    );
    assert_eq!(world.enter(&bob, "Bobby").await.names, ["Bobby", "Ann"]);
    world.says(&bob, "last").await;
    let told: Vec<_> = world.heard_until(&ann, "4 Bobby: last").await;
    assert_eq!(told, ["1 Ann: first", "+Bob", "2 Ann: one", "3 Ann: two", "-Bob", "+Bobby", "4 Bobby: last"]);
    world.disconnect(&ann);
    world.bus.rooms().lose(ann.caller.session, 5_000);
    world.bus.leave_expired(34_999);
    world.bus.leave_expired(35_000);
    let page: proto::HistoryAnswer = world
        .ask(
            &bob,
            Operation::History,
            proto::HistoryRequest { id: 1, room: "lobby".into(), limit: 2, ..Default::default() },
        )
        .await;
    assert_eq!(page.entries.iter().map(|entry| (entry.seq, entry.own)).collect::<Vec<_>>(), [(3, false), (4, true)]);
    assert_eq!((page.covered_from, page.covered_to, page.low_seq), (3, 4, 1));
    assert_eq!(code(&world.says(&ann, "gone").await.refusal), RefusalCode::NotAllowed);
}

#[tokio::test]
async fn a_full_room_says_wait_and_keeps_the_order() {
    let once = Rate { burst: 1, per_minute: 60 };
    let world = World::with_lobby(LogicOptions { sends_per_room: once, ..generous() }).await;
    let ann = world.phone("ann").await;
    world.enter(&ann, "Ann").await;
    let (one, two, three) = (world.to_lobby("one"), world.to_lobby("two"), world.to_lobby("three"));
    let answers = world.send(&ann, &[one, two.clone(), three.clone()]).await;
    assert_eq!(answers[0].refusal, None);
    let refusal = answers[1].refusal.as_ref().unwrap();
    assert_eq!((refusal.code(), refusal.retryable, refusal.retry_after_ms), (RefusalCode::RateLimited, true, 1_000));
    assert_eq!(code(&answers[2].refusal), RefusalCode::RateLimited, "it must not overtake");
    world.environment.pass_ms(10_000);
    assert_eq!(code(&world.says(&ann, "four").await.refusal), RefusalCode::RateLimited, "nor does what is new");
    assert_eq!(world.send(&ann, &[two]).await[0].seq, 2);
    world.environment.pass_ms(1_000);
    assert_eq!(world.send(&ann, &[three]).await[0].seq, 3);
    let bob = world.phone("bob").await;
    world.enter(&bob, "Bob").await;
    world.environment.pass_ms(1_000);
    let said = world.to_lobby("just in time");
    let seq = world.send(&bob, std::slice::from_ref(&said)).await[0].seq;
    assert_eq!(world.send(&bob, &[said]).await[0].seq, seq, "a repeat is answered, whatever the rate");
    assert_eq!(code(&world.says(&bob, "too much").await.refusal), RefusalCode::RateLimited);
}

#[tokio::test]
async fn nobody_uses_up_a_rooms_share_alone() {
    let few = Rate { burst: 2, per_minute: 1 };
    let world = World::with_lobby(LogicOptions { room_sends_per_session: few, ..generous() }).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.enter(&ann, "Ann").await;
    world.enter(&bob, "Bob").await;
    let codes = [world.says(&ann, "1").await, world.says(&ann, "2").await, world.says(&ann, "3").await];
    let codes = codes.map(|answer| answer.refusal.map(|refusal| refusal.code()));
    assert_eq!(codes, [None, None, Some(RefusalCode::RateLimited)]);
    assert_eq!(world.says(&bob, "hello").await.refusal, None);
}

#[tokio::test]
async fn limits_of_a_room_are_the_apps_and_the_operators() {
    let options = LogicOptions { room_members_max: 1, ..generous() };
    let world = World::with_lobby(options).await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    let set = |settings| async { world.logic.set_app_settings(&name("one"), settings).await };
    let settings = AppSettings { room_text_characters_max: 3, room_name_characters_max: 3, ..AppSettings::default() };
    set(settings.clone()).await.unwrap();
    assert_eq!(code(&world.enter(&ann, "Anna").await.refusal), RefusalCode::InvalidArgument);
    assert_eq!(world.enter(&ann, "Ann").await.text_characters_max, 3);
    assert_eq!(code(&world.enter(&bob, "Bob").await.refusal), RefusalCode::QuotaExceeded, "it is full");
    assert_eq!(code(&world.says(&ann, "four").await.refusal), RefusalCode::InvalidArgument);
    assert_eq!(world.says(&ann, "字字字").await.refusal, None);
    let wrong = AppSettings { room_name_characters_max: 0, ..settings };
    assert_eq!(set(wrong).await, Err(Refusal::InvalidArgument("room_name_characters_max")));
}

#[tokio::test]
async fn a_removed_room_is_empty_and_stays_removed() {
    let world = World::with_lobby(generous()).await;
    let (one, lobby) = (name("one"), name("lobby"));
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    world.enter(&ann, "Ann").await;
    world.enter(&bob, "Bob").await;
    let said = world.to_lobby("hello");
    assert_eq!(world.send(&ann, std::slice::from_ref(&said)).await[0].seq, 1);
    let rooms = world.logic.rooms(&one).await.unwrap();
    assert_eq!((rooms.len(), rooms[0].members, rooms[0].head_seq), (1, 2, 1));
    world.heard_until(&ann, "1 Ann: hello").await;
    world.logic.remove_room(&one, &lobby).await.unwrap();
    assert_eq!(world.heard_until(&ann, "-Ann").await.last().unwrap(), "-Ann", "everybody hears of themselves");
    assert_eq!(world.heard_until(&bob, "-Bob").await.last().unwrap(), "-Bob");
    assert!(!world.pushed(&ann).iter().flat_map(lines).any(|line| line == "-Bob"));
    assert_eq!(code(&world.says(&ann, "late").await.refusal), RefusalCode::NotAllowed);
    assert_eq!(world.send(&ann, &[said]).await[0].seq, 1, "who got in gets the same answer again");
    assert_eq!(code(&world.enter(&ann, "Ann").await.refusal), RefusalCode::NotFound);
    assert_eq!(world.logic.create_room(&one, lobby.clone()).await, Err(Refusal::Conflict));
    assert_eq!(world.logic.remove_room(&one, &lobby).await, Err(Refusal::NotFound));
    assert_eq!(world.logic.remove_room(&name("two"), &lobby).await, Err(Refusal::NotFound));
}

#[tokio::test]
async fn a_room_belongs_to_one_app_and_a_session_that_ended_to_none() {
    let world = World::with_lobby(generous()).await;
    let ann = world.phone("ann").await;
    let stranger = world.device("two", "ann", 1, hongyan_domain::session::Term::Mobile).await;
    world.enter(&ann, "Ann").await;
    assert_eq!(code(&world.enter(&stranger, "Eve").await.refusal), RefusalCode::NotFound);
    assert_eq!(code(&world.says(&stranger, "hello").await.refusal), RefusalCode::NotFound);
    world.logic.revoke_sessions(&name("one"), &name("ann")).await.unwrap();
    assert_eq!(code(&world.says(&ann, "a last word").await.refusal), RefusalCode::Revoked);
    world.store.fail_says(Error::DiskFull);
    let bob = world.phone("bob").await;
    world.enter(&bob, "Bob").await;
    assert_eq!(code(&world.says(&bob, "hello").await.refusal), RefusalCode::TryLater);
}
