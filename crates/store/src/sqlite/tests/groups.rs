//! What only the embedded store promises of groups: files of earlier versions, restored backups, retention.

use hongyan_domain::group::{Change, HistoryPolicy, Policies, Profile};

use super::*;
use crate::Groups;
use crate::groups::{Asker, ChangeGroup, CreateGroup, GroupAppend, GroupLine, GroupOutcome, GroupsQuery};
use crate::timeline::{Deletion, HistoryPage};

/// A group of two: an owner and a member.
struct Circle {
    pair: Pair,
    group: ConversationId,
}

/// One of the two.
type Who = usize;
const OWNER: Who = 0;
const MEMBER: Who = 1;

fn asks(pair: &Pair, who: Who, number: u64, day: u64) -> Asker {
    Asker {
        app: pair.app,
        user: pair.users[who],
        name: name(["ann", "bob"][who]),
        session: pair.sessions[who],
        client_id: ClientId(u128::from(number).to_be_bytes()),
        digest: number,
        now: UnixMillis(NOW.0 + day * DAY),
    }
}

fn done(outcome: GroupOutcome) -> Answer {
    match outcome {
        GroupOutcome::Done(answer) => answer,
        other => panic!("not done: {other:?}"),
    }
}

impl Circle {
    /// Everybody sees everything that is kept.
    async fn new(store: &SqliteStore, settings: AppSettings) -> Self {
        let pair = Pair::new(store, settings).await;
        let policies = Policies { history: HistoryPolicy::Everything, ..Policies::default() };
        let profile = Profile { title: Some("all".into()), ..Profile::default() };
        let (by, users) = (asks(&pair, OWNER, 1 << 40, 0), vec![pair.users[MEMBER]]);
        let create = CreateGroup { by, name: name("circle"), profile, policies, users };
        let answer = done(store.create_group(create).await.expect("stored"));
        Self { pair, group: ConversationId(answer.seq as i64) }
    }

    async fn write(&self, store: &SqliteStore, who: Who, number: u64, day: u64, what: What) -> GroupOutcome {
        let (by, settings) = (asks(&self.pair, who, number, day), Arc::default());
        let append = GroupAppend { by, group: self.group, seen_seq: 0, what, settings };
        store.append_to_groups(vec![append]).await.expect("stored").remove(0)
    }

    async fn say(&self, store: &SqliteStore, who: Who, number: u64, day: u64) -> GroupOutcome {
        let draft = Draft { body: "hello".into(), ..Draft::default() };
        self.write(store, who, number, day, What::Message(draft)).await
    }

    async fn change(&self, store: &SqliteStore, number: u64, change: Change) -> Answer {
        let by = asks(&self.pair, OWNER, number, 0);
        done(store.change_group(ChangeGroup { by, group: self.group, change }).await.expect("stored"))
    }

    async fn line(&self, store: &SqliteStore, who: Who) -> GroupLine {
        let query = GroupsQuery { limit: 1, ..GroupsQuery::default() };
        store.groups_of(self.pair.users[who], query).await.expect("read").groups.remove(0)
    }

    async fn page(&self, store: &SqliteStore, who: Who) -> HistoryPage {
        let after_seq = Some(0);
        let query =
            HistoryQuery { before_seq: None, after_seq, changed_after: None, limit: 1_000, bytes_max: usize::MAX };
        store.group_history(self.group, self.pair.users[who], query).await.expect("read").expect("a member")
    }

    async fn seqs(&self, store: &SqliteStore, who: Who) -> Vec<u64> {
        self.page(store, who).await.entries.iter().map(|entry| entry.seq).collect()
    }
}

#[tokio::test]
async fn a_restored_group_goes_on_above_a_gap() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let circle = Circle::new(&store, AppSettings::default()).await;
    for number in 3..=5 {
        done(circle.say(&store, OWNER, number, 0).await);
    }
    let file = folder.path().join("backup");
    SqliteStore::backup(folder.path(), &file, |_| ()).expect("copied");
    let lost = done(circle.say(&store, OWNER, 6, 0).await);
    let token = store.token();

    let restored = Folder::new();
    SqliteStore::restore(&file, restored.path(), NOW).expect("restored");
    let after = restored.open(Arc::new(Deaf));
    circle.pair.login(&after).await;
    let query = GroupsQuery { since: token, limit: 1, ..GroupsQuery::default() };
    let changed = after.groups_of(circle.pair.users[MEMBER], query).await.expect("read").groups;
    assert_eq!(changed.len(), 1, "what the lost history told is not what is");
    let answer = done(circle.say(&after, OWNER, 6, 0).await);
    assert!(answer.seq > lost.seq + 1_000_000, "{} was given in another history", lost.seq);
    assert!(matches!(circle.say(&after, OWNER, 5, 0).await, GroupOutcome::Repeated(answer) if answer.seq == 5));
    assert_eq!(circle.seqs(&after, MEMBER).await, [1, 2, 3, 4, 5, answer.seq]);
    assert_eq!(circle.line(&after, MEMBER).await.unread, 4);
    let leave = circle.change(&after, 7, Change::Remove(vec![circle.pair.users[MEMBER]])).await;
    circle.change(&after, 8, Change::Policies(Policies::default())).await;
    let back = circle.change(&after, 9, Change::Invite(vec![circle.pair.users[MEMBER]])).await;
    assert_eq!((leave.seq, back.seq), (answer.seq + 1, answer.seq + 2));
    done(circle.say(&after, OWNER, 10, 0).await);
    assert_eq!(circle.line(&after, MEMBER).await.unread, 1);
}

#[tokio::test]
async fn retention_reaches_groups_and_counts_stay_exact() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let settings = AppSettings { retention_days: 90, ..AppSettings::default() };
    let circle = Circle::new(&store, settings).await;
    let [owner, member] = [circle.pair.users[OWNER], circle.pair.users[MEMBER]];
    // 3 to 302: every third one is the member's own.
    for number in 3..=302 {
        done(circle.say(&store, if number % 3 == 0 { MEMBER } else { OWNER }, number, 0).await);
    }
    let react = |target| What::Alter { target, alteration: Alteration::React { name: "+".into(), remove: false } };
    for (number, target) in [(303, 10), (304, 302)] {
        done(circle.write(&store, MEMBER, number, 0, react(target)).await);
    }
    circle.change(&store, 305, Change::Pin(20, true)).await;
    // 306 to 311, which stay.
    for number in 306..=311 {
        done(circle.say(&store, if number % 3 == 0 { MEMBER } else { OWNER }, number, 80).await);
    }
    done(circle.write(&store, OWNER, 312, 80, react(309)).await);
    circle.change(&store, 313, Change::Pin(310, true)).await;
    let deletion = Deletion { up_to_seq: 0, seqs: vec![30, 311] };
    let by = asks(&circle.pair, MEMBER, 0, 0);
    assert_eq!(store.delete_in_group(by, circle.group, deletion).await, Ok(true));
    let before = circle.line(&store, MEMBER).await;
    assert_eq!((before.head_seq, before.unread, before.pinned.clone()), (313, 204, vec![20, 310]));

    let at = |day| store.retention(UnixMillis(NOW.0 + day * DAY), RetentionOptions::default());
    assert_eq!(at(29).await.expect("done"), RetentionReport::default());
    assert_eq!(at(100).await.expect("done").messages, 305);
    for who in [OWNER, MEMBER] {
        let page = circle.page(&store, who).await;
        assert_eq!((page.low_seq, page.head_seq, page.covered), (306, 313, Some((1, 313))));
    }
    assert_eq!(circle.seqs(&store, OWNER).await, (306..=313).collect::<Vec<_>>());
    let after = circle.line(&store, MEMBER).await;
    // 307, 308, 310 and 311 are the owner's; the pin that announces itself counts nothing.
    assert_eq!((after.unread, after.low_seq, after.pinned.clone()), (4, 306, vec![310]));
    assert!(after.profile_version > before.profile_version);
    let rest = rows(&folder, circle.group);
    assert_eq!(rest, Rest { messages: 8, reactions: 1, deletions: 1, own: 1 + 2 + 1 + 4 }, "one row each stays below");
    assert_eq!(at(100).await.expect("done"), RetentionReport::default());

    // Counts go on where they were, also for who comes back, and for marks below what is kept.
    let by = asks(&circle.pair, MEMBER, 0, 0);
    let marked = store.mark_group_read(by, circle.group, 100).await.expect("stored").expect("a member");
    assert_eq!((marked.read_seq, marked.unread), (100, 4));
    circle.change(&store, 314, Change::Remove(vec![member])).await;
    circle.change(&store, 315, Change::Invite(vec![member])).await;
    done(circle.say(&store, MEMBER, 316, 80).await);
    assert_eq!(circle.line(&store, MEMBER).await.unread, 4);
    let by = asks(&circle.pair, MEMBER, 0, 0);
    let marked = store.mark_group_read(by, circle.group, 308).await.expect("stored").expect("a member");
    assert_eq!((marked.read_seq, marked.unread), (308, 2));
    assert_eq!(circle.line(&store, OWNER).await.unread, 3);
    assert_eq!(store.stays_of(owner).await, Ok(vec![(circle.group, 1)]));
}

/// Rows that a group has.
#[derive(Debug, PartialEq, Eq)]
struct Rest {
    messages: u64,
    reactions: u64,
    deletions: u64,
    own: u64,
}

fn rows(folder: &Folder, group: ConversationId) -> Rest {
    let connection = Connection::open(folder.path().join(DATA_FILE)).expect("opened");
    let count = |sql: &str| connection.query_row(sql, [group.0], |row| row.get(0)).expect("counted");
    Rest {
        messages: count("SELECT count(*) FROM message WHERE conversation = ?1"),
        reactions: count("SELECT count(*) FROM reaction WHERE conversation = ?1"),
        deletions: count("SELECT count(*) FROM deletion WHERE conversation = ?1"),
        own: count("SELECT count(*) FROM group_own WHERE grp = ?1"),
    }
}
