//! Friends in the embedded store: files from before, and as many friends as one may have.

use hongyan_domain::environment::Pending;
use hongyan_domain::friend::{Act, FRIENDS_MAX};
use hongyan_domain::profile::ProfileChange;

use super::*;
use crate::friends::{AddFriend, AddOutcome, Lists};
use crate::{Friends, Profiles};

/// Calls are queued when they are made, so they share commits.
async fn join_all<'a, T>(calls: impl Iterator<Item = Pending<'a, crate::Result<T>>>) -> Vec<crate::Result<T>> {
    let mut done = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        done.push(call.await);
    }
    done
}

#[tokio::test]
async fn a_file_from_before_friends_keeps_its_blocks() {
    let folder = Folder::new();
    let path = folder.path().join(DATA_FILE);
    let connection = Connection::open(&path).expect("made");
    for sql in [
        include_str!("../migrations/0001_direct_conversations.sql"),
        include_str!("../migrations/0002_visitors.sql"),
        include_str!("../migrations/0003_rooms.sql"),
    ] {
        connection.execute_batch(sql).expect("migrated");
    }
    let rows = "INSERT INTO app (id, name, settings, created) VALUES (1024, 'app', '{}', 5);
        INSERT INTO user (id, app, name, created) VALUES (2048, 1024, 'ann', 5), (3072, 1024, 'bob', 5), (4096, 1024, 'eve', 5);
        INSERT INTO user_head (user) VALUES (2048), (3072), (4096);
        INSERT INTO conversation (id, app, low, high, blocked) VALUES (1, 1024, 2048, 3072, 3), (2, 1024, 2048, 4096, 1);";
    connection.execute_batch(rows).expect("written");
    connection.pragma_update(None, "user_version", 3).expect("written");
    drop(connection);
    let store = folder.open(Arc::new(Deaf));
    assert!(store.app(name("app")).await.expect("read").expect("there").settings.strangers_write);
    let mut blocked = Vec::new();
    for user in [2048, 3072, 4096] {
        let lists = store.lists(UserId(user), 0, 0, usize::MAX).await.expect("read");
        assert!(lists.relations.iter().all(|listed| listed.relation.blocked));
        blocked.push(lists.relations.iter().map(|listed| listed.other.0).collect::<Vec<_>>());
        assert_eq!(lists.lists, 3);
    }
    assert_eq!(blocked, [vec![3072, 4096], vec![2048], vec![]]);
}

#[tokio::test]
async fn of_five_thousand_friends_one_that_changed_is_found() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let pair = Pair::new(&store, AppSettings::default()).await;
    let (user, app) = (pair.users[0], pair.app);
    store.shutdown();
    // By hand, because five thousand requests take their time.
    let connection = Connection::open(folder.path().join(DATA_FILE)).expect("opened");
    let rows = "WITH RECURSIVE friend (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM friend WHERE n < ?2)
        INSERT INTO relation (user, other, version, befriended, tie, blocked, remark, grouping, text, time)
        SELECT ?1, n << 20, n, n, 1, 0, '', 0, '', 5 FROM friend";
    connection.execute(rows, (user.0, FRIENDS_MAX)).expect("written");
    let users = "INSERT INTO user (id, app, name, created) SELECT other, ?1, 'friend' || version, 5 FROM relation";
    connection.execute(users, [app.0]).expect("written");
    connection.execute("INSERT INTO user_head (user) SELECT other FROM relation", []).expect("written");
    connection.execute("UPDATE counter SET next = 1 + ?1 WHERE kind = 8", [FRIENDS_MAX]).expect("written");
    drop(connection);
    let store = folder.open(Arc::new(Deaf));
    let late = AddFriend {
        app,
        session: pair.sessions[0],
        asker: user,
        other: pair.users[1],
        version: 0,
        act: Act::Befriend,
        text: String::new(),
        remark: String::new(),
        grouping: 0,
        now: NOW,
    };
    assert_eq!(store.add_friend(late).await, Ok(AddOutcome::Full));
    let friend = UserId(77 << 20);

    let whole = store.lists(user, 0, 0, usize::MAX).await.expect("read");
    assert_eq!(whole.relations.len(), FRIENDS_MAX);
    let (lists, details) = (whole.lists, whole.details);
    let nothing = Lists { lists, details, ..Lists::default() };
    assert_eq!(store.lists(user, lists, details, usize::MAX).await, Ok(nothing));
    // Few changed at all, or many, of whom one is a friend: it is sought from either side.
    for strangers in [0, 300] {
        let change = |text: &str| ProfileChange { nickname: Some(text.into()), ..ProfileChange::default() };
        let names = join_all(
            (0..strangers).map(|number| store.create_user(app, name(&format!("stranger{number}")), None, NOW)),
        );
        let others = names.await.into_iter().map(|made| made.expect("stored").expect("new").id);
        let changes = others
            .chain([friend])
            .map(|whose| store.set_profile(app, pair.sessions[0], whose, change(&format!("after {strangers}"))));
        assert!(join_all(changes).await.into_iter().all(|version| version.is_ok()));
        let news = store.lists(user, lists, details, usize::MAX).await.expect("read");
        let found: Vec<_> = news.profiles.iter().map(|known| known.user).collect();
        assert_eq!((news.relations.len(), found), (0, vec![friend]));
    }
}
