//! What only the embedded store promises of rooms: files of earlier versions, restored backups, retention.

use hongyan_domain::room::DisplayName;

use super::*;
use crate::Rooms;
use crate::rooms::{Room, RoomPage, Say, SayOutcome};

/// A room and somebody who talks in it.
struct Lobby {
    pair: Pair,
    room: Room,
}

impl Lobby {
    async fn new(store: &SqliteStore, settings: AppSettings) -> Self {
        let pair = Pair::new(store, settings).await;
        let room = store.create_room(pair.app, name("lobby"), NOW).await.expect("stored").expect("new");
        Self { pair, room }
    }

    async fn say(&self, store: &SqliteStore, number: u64, day: u64) -> SayOutcome {
        let say = Say {
            app: self.pair.app,
            room: self.room.id,
            room_name: self.room.name.clone(),
            sender: self.pair.users[0],
            session: self.pair.sessions[0],
            client_id: ClientId(u128::from(number).to_be_bytes()),
            digest: number,
            from: DisplayName::parse("Ann", 16).expect("good"),
            now: UnixMillis(NOW.0 + day * DAY),
            draft: Draft { body: "hello".into(), ..Draft::default() },
        };
        store.say(vec![say]).await.expect("stored")[0]
    }

    async fn page(&self, store: &SqliteStore) -> RoomPage {
        let query = HistoryQuery {
            before_seq: None,
            after_seq: Some(0),
            changed_after: None,
            limit: 1_000,
            bytes_max: usize::MAX,
        };
        store.room_history(self.room.id, query).await.expect("read")
    }

    async fn seqs(&self, store: &SqliteStore) -> Vec<u64> {
        self.page(store).await.entries.iter().map(|said| said.entry.seq).collect()
    }
}

#[tokio::test]
async fn a_file_from_before_rooms_goes_on() {
    let folder = Folder::new();
    let path = folder.path().join(DATA_FILE);
    let connection = Connection::open(&path).expect("made");
    connection.execute_batch(include_str!("../migrations/0001_direct_conversations.sql")).expect("migrated");
    connection.execute_batch(include_str!("../migrations/0002_visitors.sql")).expect("migrated");
    let rows = "INSERT INTO app (id, name, settings, created) VALUES (1024, 'app', '{\"retention_days\":7}', 5);
        UPDATE counter SET next = 9;
        INSERT INTO user (id, app, name, created) VALUES (2048, 1024, 'ann', 5);
        INSERT INTO user_head (user) VALUES (2048);
        INSERT INTO conversation (id, app, low, high, head_seq) VALUES (4096, 1024, 2048, 2048, 7);";
    connection.execute_batch(rows).expect("written");
    connection.pragma_update(None, "user_version", 2).expect("written");
    drop(connection);
    let store = folder.open(Arc::new(Deaf));
    let app = store.app(name("app")).await.expect("read").expect("there");
    assert_eq!((app.settings.room_text_characters_max, app.settings.room_name_characters_max), (140, 16));
    assert_eq!(store.rooms(app.id).await, Ok(vec![]));
    let room = store.create_room(app.id, name("lobby"), NOW).await.expect("stored").expect("new");
    assert_eq!((room.id.0 >> 10, room.head_seq), (9, 0), "a number that no conversation has");
    let direct = store.direct(app.id, UserId(2048), UserId(2048)).await.expect("read");
    assert_eq!(direct.head_seq, 7);
}

#[tokio::test]
async fn a_restored_room_goes_on_above_a_gap() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let lobby = Lobby::new(&store, AppSettings::default()).await;
    for number in 1..=3 {
        lobby.say(&store, number, 0).await;
    }
    let file = folder.path().join("backup");
    SqliteStore::backup(folder.path(), &file, |_| ()).expect("copied");
    lobby.say(&store, 4, 0).await;

    let restored = Folder::new();
    SqliteStore::restore(&file, restored.path(), NOW).expect("restored");
    let after = restored.open(Arc::new(Deaf));
    lobby.pair.login(&after).await;
    let SayOutcome::Said(answer) = lobby.say(&after, 4, 0).await else { panic!("not said") };
    assert!(answer.seq > 1_000_000, "4 was given in another history");
    assert!(matches!(lobby.say(&after, 3, 0).await, SayOutcome::Repeated(answer) if answer.seq == 3));
    assert_eq!(lobby.seqs(&after).await, [1, 2, 3, answer.seq]);
}

#[tokio::test]
async fn retention_reaches_rooms_and_empties_those_that_were_removed() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let settings = AppSettings { retention_days: 90, ..AppSettings::default() };
    let lobby = Lobby::new(&store, settings).await;
    for number in 0..300 {
        lobby.say(&store, number, 0).await;
    }
    lobby.say(&store, 300, 80).await;
    let at = |day| store.retention(UnixMillis(NOW.0 + day * DAY), RetentionOptions::default());
    assert_eq!(at(29).await.expect("done"), RetentionReport::default());
    let report = at(100).await.expect("done");
    assert_eq!(report, RetentionReport { messages: 300, keys: 300, ..RetentionReport::default() });
    let page = lobby.page(&store).await;
    assert_eq!((lobby.seqs(&store).await, page.low_seq, page.covered), (vec![301], 301, Some((1, 301))));
    store.remove_room(lobby.pair.app, name("lobby"), NOW).await.expect("stored");
    assert_eq!(at(100).await.expect("done").messages, 1, "nobody can read it any more");
    assert!(lobby.seqs(&store).await.is_empty());
    assert!(matches!(lobby.say(&store, 300, 80).await, SayOutcome::Repeated(_)), "its key stays");
    assert_eq!(at(100).await.expect("done"), RetentionReport::default());
}
