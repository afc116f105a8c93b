//! Rooms and their logs.

use bytes::Bytes;
use hongyan_domain::message::Draft;
use hongyan_domain::room::DisplayName;
use hongyan_domain::session::EndReason;

use super::Fixture;
use super::world::{NOW, Person, World, name};
use crate::rooms::{Room, RoomPage, Rooms, Say, SayOutcome};
use crate::timeline::{Answer, HistoryQuery};
use crate::{Accounts, Sessions, Store, Timeline};

impl<S: Store> World<S> {
    async fn room(&self, text: &str) -> Room {
        self.store.create_room(self.app, name(text), NOW).await.expect("stored").expect("new")
    }

    /// A text with a fresh id, under a name.
    fn words(&self, who: &Person, room: &Room, from: &str, text: &str) -> Say {
        let client_id = self.fresh_id();
        Say {
            app: self.app,
            room: room.id,
            room_name: room.name.clone(),
            sender: who.user,
            session: who.session,
            client_id,
            digest: u64::from_be_bytes(*client_id.0.last_chunk().expect("16 bytes")) | 1 << 63,
            from: DisplayName::parse(from, 16).expect("a good name"),
            now: NOW,
            draft: Draft { body: Bytes::copy_from_slice(text.as_bytes()), ..Draft::default() },
        }
    }

    async fn says(&self, say: Say) -> SayOutcome {
        self.store.say(vec![say]).await.expect("stored")[0]
    }

    async fn page(&self, room: &Room, before_seq: Option<u64>, after_seq: Option<u64>, limit: u32) -> RoomPage {
        let query = HistoryQuery { before_seq, after_seq, changed_after: None, limit, bytes_max: 60 };
        self.store.room_history(room.id, query).await.expect("read")
    }
}

fn said(outcome: SayOutcome) -> Answer {
    match outcome {
        SayOutcome::Said(answer) => answer,
        other => panic!("not said: {other:?}"),
    }
}

fn seqs(page: &RoomPage) -> Vec<u64> {
    page.entries.iter().map(|said| said.entry.seq).collect()
}

/// A name is one room of one app, for ever.
pub async fn a_room_is_made_once<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (store, app) = (&world.store, world.app);
    let other = store.create_app(name("other"), Default::default(), NOW).await.expect("stored").expect("new").id;
    assert_eq!(store.room(app, name("lobby")).await, Ok(None));
    let lobby = world.room("lobby").await;
    assert_eq!((lobby.name.clone(), lobby.created, lobby.removed, lobby.head_seq), (name("lobby"), NOW, false, 0));
    assert_eq!(store.create_room(app, name("lobby"), NOW).await, Ok(None));
    let namesake = store.create_room(other, name("lobby"), NOW).await.expect("stored").expect("new");
    assert_ne!(lobby.id, namesake.id);
    let attic = world.room("attic").await;
    assert_eq!(store.rooms(app).await, Ok(vec![attic.clone(), lobby.clone()]));
    assert_eq!(store.room(app, name("lobby")).await, Ok(Some(lobby.clone())));
    assert_eq!(store.remove_room(app, name("lobby"), NOW).await, Ok(true));
    assert_eq!(store.remove_room(app, name("lobby"), NOW).await, Ok(false));
    assert_eq!(store.remove_room(app, name("cellar"), NOW).await, Ok(false));
    assert_eq!(store.room(app, name("lobby")).await, Ok(Some(Room { removed: true, ..lobby })));
    assert_eq!(store.rooms(app).await, Ok(vec![attic]));
    assert_eq!(store.create_room(app, name("lobby"), NOW).await, Ok(None), "its name stays taken");
    assert_eq!(store.room(other, name("lobby")).await, Ok(Some(namesake)));
    fixture.close(world.store);
}

/// One log without gaps, with the names of that time; no inbox hears of it.
pub async fn what_is_said_is_numbered_and_told<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let (lobby, attic) = (world.room("lobby").await, world.room("attic").await);
    let says = vec![
        world.words(&a, &lobby, "Ann", "one"),
        world.words(&a, &attic, "Anna", "other"),
        world.words(&a, &lobby, "Ann", "two"),
    ];
    let answers: Vec<_> = world.store.say(says).await.expect("stored").into_iter().map(said).collect();
    let numbers = |answer: &Answer| (answer.seq, answer.message_count, answer.inbox_seq, answer.time);
    assert_eq!(answers.iter().map(numbers).collect::<Vec<_>>(), [(1, 1, 0, NOW), (1, 1, 0, NOW), (2, 2, 0, NOW)]);
    let mut quiet = world.words(&b, &lobby, "Bob", "three");
    (quiet.draft.uncounted, quiet.draft.silent, quiet.draft.reply_to) = (true, true, u64::MAX >> 1);
    assert_eq!(numbers(&said(world.says(quiet.clone()).await)), (3, 2, 0, NOW));

    let heard = world.recorder.said();
    assert_eq!(
        heard.iter().map(|it| (it.room, it.said.entry.seq)).collect::<Vec<_>>(),
        [(lobby.id, 1), (attic.id, 1), (lobby.id, 2), (lobby.id, 3)]
    );
    assert_eq!((&heard[1].name, heard[1].said.from.as_str()), (&attic.name, "Anna"));
    assert!(world.recorder.heard().is_empty());
    assert_eq!(world.inbox(&a).await, []);
    let page = world.page(&lobby, None, None, 10).await;
    let stored: Vec<_> = heard.iter().filter(|it| it.room == lobby.id).map(|it| (*it.said).clone()).collect();
    assert_eq!(page.entries, stored, "what was told is what is kept");
    assert_eq!((page.entries[2].entry.draft.clone(), page.entries[2].entry.sender), (quiet.draft, b.user));
    assert_eq!(world.store.room(world.app, name("lobby")).await.expect("read").expect("there").head_seq, 3);
    fixture.close(world.store);
}

/// De-duplication comes before every other check: the end of the session, the end of the room.
pub async fn who_was_heard_is_answered_again<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let (a, b) = (world.person("a").await, world.person("b").await);
    let (lobby, attic) = (world.room("lobby").await, world.room("attic").await);
    let first = world.words(&a, &lobby, "Ann", "hello");
    let answer = said(world.says(first.clone()).await);
    assert_eq!(world.says(first.clone()).await, SayOutcome::Repeated(answer));
    let other_name = Say { from: DisplayName::parse("Eve", 16).expect("good"), ..first.clone() };
    assert_eq!(world.says(other_name).await, SayOutcome::Repeated(answer), "the name is no part of it");
    assert_eq!(world.says(Say { digest: first.digest ^ 1, ..first.clone() }).await, SayOutcome::Conflict);
    let same_id = |say: Say| Say { client_id: first.client_id, ..say };
    said(world.says(same_id(world.words(&b, &lobby, "Bob", "another sender"))).await);
    said(world.says(same_id(world.words(&a, &attic, "Ann", "another room"))).await);
    let stored = world.store.answered(lobby.id, a.user, first.client_id).await;
    assert_eq!(stored, Ok(Some((first.digest, answer))));

    world.store.remove_room(world.app, name("lobby"), NOW).await.expect("stored");
    assert_eq!(world.says(world.words(&a, &lobby, "Ann", "late")).await, SayOutcome::RoomGone);
    assert_eq!(world.says(first.clone()).await, SayOutcome::Repeated(answer));
    world.store.end_session(a.session, EndReason::Revoked, NOW).await.expect("stored");
    assert_eq!(world.says(first).await, SayOutcome::Repeated(answer));
    let outcomes = [world.words(&a, &attic, "Ann", "dead"), world.words(&b, &attic, "Bob", "alive")];
    let outcomes = world.store.say(outcomes.to_vec()).await.expect("stored");
    assert!(matches!(outcomes[..], [SayOutcome::SessionEnded, SayOutcome::Said(Answer { seq: 2, .. })]));
    fixture.close(world.store);
}

/// Pages in both directions, cut by count and by bytes; each says what it covers.
pub async fn a_rooms_history_says_what_it_covers<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let a = world.person("a").await;
    let lobby = world.room("lobby").await;
    let empty = world.page(&lobby, None, None, 10).await;
    assert_eq!((empty.entries.len(), empty.covered, empty.head_seq), (0, None, 0));
    for _ in 0..6 {
        // With the name it has 20 bytes: three fit into a page.
        said(world.says(world.words(&a, &lobby, "Ann", "seventeen letters")).await);
    }
    for (before, after, limit, expected, covered) in [
        (None, None, 10, vec![4, 5, 6], Some((4, 6))),
        (None, None, 2, vec![5, 6], Some((5, 6))),
        (Some(4), None, 10, vec![1, 2, 3], Some((1, 3))),
        (Some(1), None, 10, vec![], None),
        (None, Some(0), 10, vec![1, 2, 3], Some((1, 3))),
        (None, Some(4), 10, vec![5, 6], Some((5, 6))),
        (None, Some(6), 10, vec![], None),
        (Some(u64::MAX >> 1), None, 1, vec![6], Some((6, 6))),
    ] {
        let page = world.page(&lobby, before, after, limit).await;
        assert_eq!((seqs(&page), page.covered), (expected, covered), "{before:?} {after:?} {limit}");
        assert_eq!((page.head_seq, page.low_seq), (6, 1));
    }
    fixture.close(world.store);
}
