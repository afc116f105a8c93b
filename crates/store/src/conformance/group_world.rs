//! What people of the tests of this suite do in groups.

use std::sync::Arc;

use bytes::Bytes;
use hongyan_domain::app::AppSettings;
use hongyan_domain::group::{Change, Joining, Mentions, Policies, Profile};
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::message::{Alteration, Draft};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;

use super::world::{NOW, Person, World, name};
use crate::Store;
use crate::groups::{
    Asker, ChangeGroup, CreateGroup, GroupAppend, GroupLine, GroupNews, GroupNewsWhat, GroupOutcome, GroupsQuery,
    JoinGroup,
};
use crate::timeline::{Answer, Deletion, HistoryPage, HistoryQuery, InboxWhat, Marked, What};

/// Owner, and who is in the group with them.
pub(super) struct Circle {
    pub(super) group: ConversationId,
    pub(super) name: Name,
}

impl<S: Store> World<S> {
    pub(super) fn asks(&self, who: &Person) -> Asker {
        let client_id = self.fresh_id();
        Asker {
            app: self.app,
            user: who.user,
            name: who.name.clone(),
            session: who.session,
            client_id,
            digest: u64::from_be_bytes(*client_id.0.last_chunk().expect("16 bytes")) | 1 << 63,
            now: NOW,
        }
    }

    pub(super) fn creation(&self, owner: &Person, text: &str, policies: Policies, others: &[&Person]) -> CreateGroup {
        CreateGroup {
            by: self.asks(owner),
            name: name(text),
            profile: Profile { title: Some(format!("title of {text}")), ..Profile::default() },
            policies,
            users: others.iter().map(|person| person.user).collect(),
        }
    }

    pub(super) async fn group(&self, owner: &Person, text: &str, policies: Policies, others: &[&Person]) -> Circle {
        let create = self.creation(owner, text, policies, others);
        let answer = done(self.store.create_group(create).await.expect("stored"));
        Circle { group: ConversationId(answer.seq as i64), name: name(text) }
    }

    pub(super) async fn change(&self, who: &Person, circle: &Circle, change: Change) -> GroupOutcome {
        let change = ChangeGroup { by: self.asks(who), group: circle.group, change };
        self.store.change_group(change).await.expect("stored")
    }

    pub(super) async fn refused(&self, who: &Person, circle: &Circle, change: Change) -> Refusal {
        match self.change(who, circle, change).await {
            GroupOutcome::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) async fn join(&self, who: &Person, circle: &Circle, link: &str, text: &str) -> GroupOutcome {
        let joining = Joining { link: link.to_owned(), text: text.to_owned() };
        let join = JoinGroup { by: self.asks(who), group: circle.group, joining };
        self.store.join_group(join).await.expect("stored")
    }

    pub(super) fn spoken(&self, who: &Person, circle: &Circle, text: &str) -> GroupAppend {
        let draft = Draft { body: Bytes::copy_from_slice(text.as_bytes()), ..Draft::default() };
        self.drafted(who, circle, draft)
    }

    pub(super) fn drafted(&self, who: &Person, circle: &Circle, draft: Draft) -> GroupAppend {
        let (by, settings) = (self.asks(who), Arc::new(AppSettings::default()));
        GroupAppend { by, group: circle.group, seen_seq: 0, what: What::Message(draft), settings }
    }

    pub(super) fn mention(&self, who: &Person, circle: &Circle, users: &[UserId], all: bool) -> GroupAppend {
        let mentions = Mentions { users: users.iter().map(|user| user.0).collect(), all };
        self.drafted(who, circle, Draft { mentions: Some(Box::new(mentions)), ..Draft::default() })
    }

    pub(super) fn altered(&self, who: &Person, circle: &Circle, target: u64, alteration: Alteration) -> GroupAppend {
        GroupAppend { what: What::Alter { target, alteration }, ..self.spoken(who, circle, "") }
    }

    pub(super) async fn post(&self, append: GroupAppend) -> GroupOutcome {
        self.store.append_to_groups(vec![append]).await.expect("stored").remove(0)
    }

    pub(super) async fn says_to(&self, who: &Person, circle: &Circle, text: &str) -> Answer {
        done(self.post(self.spoken(who, circle, text)).await)
    }

    pub(super) async fn line(&self, who: &Person, circle: &Circle) -> GroupLine {
        let query = GroupsQuery { only: Some(circle.group), limit: 1, ..GroupsQuery::default() };
        self.store.groups_of(who.user, query).await.expect("read").groups.remove(0)
    }

    pub(super) async fn log(&self, who: &Person, circle: &Circle, query: HistoryQuery) -> HistoryPage {
        self.store.group_history(circle.group, who.user, query).await.expect("read").expect("was a member")
    }

    /// What somebody sees of the whole log.
    pub(super) async fn seen(&self, who: &Person, circle: &Circle) -> Vec<u64> {
        self.log(who, circle, ALL).await.entries.iter().map(|entry| entry.seq).collect()
    }

    pub(super) async fn marks(&self, who: &Person, circle: &Circle, seq: u64) -> Marked {
        self.store.mark_group_read(self.asks(who), circle.group, seq).await.expect("stored").expect("was a member")
    }

    pub(super) async fn hides(&self, who: &Person, circle: &Circle, up_to_seq: u64, seqs: &[u64]) -> bool {
        let deletion = Deletion { up_to_seq, seqs: seqs.to_vec() };
        self.store.delete_in_group(self.asks(who), circle.group, deletion).await.expect("stored")
    }

    pub(super) async fn changed_since(&self, who: &Person, since: u64) -> Vec<ConversationId> {
        let query = GroupsQuery { since, limit: 100, ..GroupsQuery::default() };
        let page = self.store.groups_of(who.user, query).await.expect("read");
        page.groups.iter().map(|line| line.group).collect()
    }
}

pub(super) const ALL: HistoryQuery =
    HistoryQuery { before_seq: None, after_seq: Some(0), changed_after: None, limit: 1_000, bytes_max: usize::MAX };

pub(super) fn done(outcome: GroupOutcome) -> Answer {
    match outcome {
        GroupOutcome::Done(answer) => answer,
        other => panic!("not done: {other:?}"),
    }
}

pub(super) fn invite(people: &[&Person]) -> Change {
    Change::Invite(people.iter().map(|person| person.user).collect())
}

pub(super) fn remove(people: &[&Person]) -> Change {
    Change::Remove(people.iter().map(|person| person.user).collect())
}

/// News in short, such as `In 5 1` and `3`.
pub(super) fn told(news: &[GroupNews], circle: &Circle) -> Vec<String> {
    let line = |news: &GroupNews| {
        assert_eq!((news.group, &news.name), (circle.group, &circle.name));
        match &news.what {
            GroupNewsWhat::Entry { entry, .. } => entry.seq.to_string(),
            GroupNewsWhat::In(user, from) => format!("in {} {from}", user.0),
            GroupNewsWhat::Out(user) => format!("out {}", user.0),
        }
    };
    news.iter().map(line).collect()
}

pub(super) fn in_short(what: &InboxWhat) -> String {
    match what {
        InboxWhat::Membership { member: true } => "in".to_owned(),
        InboxWhat::Membership { member: false } => "out".to_owned(),
        InboxWhat::Mentioned { seq } => format!("@{seq}"),
        InboxWhat::Read { seq, unread } => format!("read {seq} {unread}"),
        InboxWhat::Deleted(deletion) => format!("hid {} {:?}", deletion.up_to_seq, deletion.seqs),
        other => panic!("nothing of a group: {other:?}"),
    }
}
