//! Groups of the tiny server: one log for all members, pushed to every connection of theirs, and a list with a token. Who
//! comes in sees the log from there on; roles and rules are not in the play.

use std::collections::BTreeMap;

use bytes::Bytes;
use hongyan_client::{Millis, proto};
use hongyan_wire::Command;
use hongyan_wire::command::Operation;
use proto::inbox_entry::What;

use super::{LineId, Server};

struct Member {
    /// The entry that tells their joining.
    low_seq: u64,
    /// Out since this entry; 0 = in.
    left_seq: u64,
    read_seq: u64,
    /// When this member's view has changed, on the clock of tokens.
    changed: u64,
}

#[derive(Default)]
pub struct Group {
    title: String,
    log: Vec<proto::Entry>,
    members: BTreeMap<String, Member>,
    /// What each device has acknowledged.
    pub acked: BTreeMap<Bytes, u64>,
}

impl Group {
    fn head(&self) -> u64 {
        self.log.len() as u64
    }

    fn head_for(&self, member: &Member) -> u64 {
        if member.left_seq > 0 { member.left_seq } else { self.head() }
    }

    fn unread(&self, user: &str) -> u64 {
        let member = &self.members[user];
        let unread = |entry: &&proto::Entry| {
            entry.sender != user
                && entry.event.is_none()
                && entry.change.is_none()
                && entry.seq > member.read_seq.max(member.low_seq)
                && entry.seq <= self.head_for(member)
        };
        self.log.iter().filter(unread).count() as u64
    }

    fn seen_by(&self, user: &str, name: &str) -> proto::Group {
        let member = &self.members[user];
        let head_seq = self.head_for(member);
        let is_last = |entry: &&proto::Entry| entry.event.is_none() && entry.change.is_none() && entry.seq <= head_seq;
        proto::Group {
            group: name.to_owned(),
            profile: Some(proto::GroupProfile { title: Some(self.title.clone()), ..Default::default() }),
            member_count: self.members.values().filter(|member| member.left_seq == 0).count() as u32,
            head_seq,
            low_seq: member.low_seq,
            read_seq: member.read_seq,
            unread: self.unread(user),
            last: self.log.iter().rev().find(is_last).cloned(),
            left: member.left_seq > 0,
            ..Default::default()
        }
    }
}

impl Server {
    pub fn make_group(&mut self, now: Millis, name: &str, members: &[&str]) {
        self.groups.insert(name.to_owned(), Group::default());
        let created = proto::group_event::What::Created(name.to_owned());
        self.tell_group(now, name, members[0], event(created));
        self.take_in(now, name, members[0], members);
    }

    /// They see the log from the entry that tells it.
    pub fn take_in(&mut self, now: Millis, name: &str, by: &str, users: &[&str]) {
        let changed = self.fresh();
        let group = self.groups.get_mut(name).expect("it exists");
        let low_seq = group.head() + 1;
        for user in users {
            group.members.insert((*user).to_owned(), Member { low_seq, left_seq: 0, read_seq: 0, changed });
        }
        let users = users.iter().map(|user| (*user).to_owned()).collect::<Vec<_>>();
        for user in &users {
            self.append_of_group(user, name, What::Membership(proto::Membership { member: true }));
        }
        let joined = proto::group_event::What::Joined(proto::GroupPeople { users });
        self.tell_group(now, name, by, event(joined));
    }

    pub fn send_away(&mut self, now: Millis, name: &str, by: &str, user: &str) {
        let left = proto::group_event::What::Left(proto::GroupPeople { users: vec![user.to_owned()] });
        self.tell_group(now, name, by, event(left));
        let changed = self.fresh();
        let group = self.groups.get_mut(name).expect("it exists");
        let head = group.head();
        let member = group.members.get_mut(user).expect("a member");
        (member.left_seq, member.changed) = (head, changed);
        self.append_of_group(user, name, What::Membership(proto::Membership { member: false }));
        self.push_all(now);
    }

    /// A message that no client of the play has sent; gives its place.
    pub fn say_in_group(&mut self, now: Millis, from: &str, name: &str, text: &str) -> u64 {
        self.tell_group(now, name, from, message(text))
    }

    /// The same, naming somebody.
    pub fn mention_in_group(&mut self, now: Millis, from: &str, name: &str, whom: &str) -> u64 {
        let mentions = vec![whom.to_owned()];
        let seq = self.tell_group(now, name, from, proto::Entry { mentions, ..message("you!") });
        self.append_of_group(whom, name, What::Mentioned(seq));
        self.push_all(now);
        seq
    }

    pub fn recall_in_group(&mut self, now: Millis, name: &str, seq: u64) {
        let group = self.groups.get_mut(name).expect("it exists");
        let changed_seq = group.head() + 1;
        let target = &mut group.log[seq as usize - 1];
        target.recalled = true;
        target.body = Bytes::new();
        target.changed_seq = changed_seq;
        let target = Some(Box::new(target.clone()));
        let from = group.log[seq as usize - 1].sender.clone();
        let change = Some(Box::new(proto::Change { target_seq: seq, target }));
        self.tell_group(now, name, &from, proto::Entry { change, ..Default::default() });
    }

    fn append_of_group(&mut self, owner: &str, group: &str, what: What) {
        self.append(owner, "", what);
        let entry = self.users.get_mut(owner).and_then(|user| user.inbox.last_mut()).expect("it was appended");
        entry.group = group.to_owned();
    }

    /// Appends an entry, and pushes it to all who are connected.
    fn tell_group(&mut self, now: Millis, name: &str, from: &str, entry: proto::Entry) -> u64 {
        let changed = self.fresh();
        let group = self.groups.get_mut(name).expect("it exists");
        let seq = group.head() + 1;
        let entry = proto::Entry { seq, sender: from.to_owned(), ..entry };
        group.log.push(entry.clone());
        let members = group.members.iter_mut().filter(|(_, member)| member.left_seq == 0);
        let members: Vec<_> = members
            .map(|(user, member)| {
                member.changed = changed;
                user.clone()
            })
            .collect();
        let notify = proto::GroupNotify { group: name.to_owned(), entries: vec![entry], head_seq: seq };
        for member in members {
            self.notify(now, &member, Operation::Group, &notify);
        }
        seq
    }

    /// What the server does seconds after pushes were dropped.
    pub fn hint_group(&mut self, now: Millis, name: &str) {
        let group = &self.groups[name];
        let notify = proto::GroupNotify { group: name.to_owned(), entries: Vec::new(), head_seq: group.head() };
        for member in group.members.keys().cloned().collect::<Vec<_>>() {
            self.notify(now, &member, Operation::Group, &notify);
        }
    }

    pub(super) fn store_in_group(
        &mut self,
        now: Millis,
        from: &str,
        request: &proto::SendRequest,
    ) -> proto::SendAnswer {
        let Some(proto::send_request::To::Group(name)) = &request.to else { panic!("to no group") };
        let entry = proto::Entry {
            client_message_id: request.client_message_id.clone(),
            body: request.body.clone(),
            mentions: request.mentions.clone(),
            ..Default::default()
        };
        let seq = self.tell_group(now, name, from, entry);
        proto::SendAnswer { seq, server_time_ms: now.0, ..Default::default() }
    }

    pub(super) fn list_groups(&mut self, reader: &str, request: &proto::GroupsRequest) -> proto::GroupsAnswer {
        self.group_lists += 1;
        let token = self.fresh();
        let listed = |(name, group): (&String, &Group)| {
            let member = group.members.get(reader)?;
            let wanted = *name > request.after && member.changed > request.since;
            wanted.then(|| group.seen_by(reader, name))
        };
        let mut groups: Vec<_> = self.groups.iter().filter_map(listed).collect();
        let more = groups.len() > self.groups_page;
        groups.truncate(self.groups_page);
        proto::GroupsAnswer { id: request.id, refusal: None, groups, more, token }
    }

    pub(super) fn group_history(&mut self, reader: &str, request: &proto::HistoryRequest) -> proto::HistoryAnswer {
        self.group_histories += 1;
        let group = &self.groups[&request.group];
        let member = &group.members[reader];
        let (low, head) = (member.low_seq, group.head_for(member));
        let limit = u64::from(request.limit);
        let (from, to) = if request.before_seq == 0 {
            // The play asks for the newest page by its end.
            let from = (request.after_seq + 1).max(low);
            (from, (from + limit - 1).min(head))
        } else {
            let to = request.before_seq.saturating_sub(1).min(head);
            (to.saturating_sub(limit - 1).max(low), to)
        };
        let entries = group.log.iter().filter(|entry| entry.seq >= from && entry.seq <= to).cloned().collect();
        let (covered_from, covered_to) = if from <= to { (from, to) } else { (0, 0) };
        proto::HistoryAnswer {
            id: request.id,
            refusal: None,
            entries,
            covered_from,
            covered_to,
            as_of: head,
            low_seq: low,
        }
    }

    pub(super) fn mark_group_read(&mut self, now: Millis, id: LineId, request: &proto::MarkReadRequest) {
        let own = self.user_of(id);
        let changed = self.fresh();
        let group = self.groups.get_mut(&request.group).expect("it exists");
        let head_seq = group.head();
        let member = group.members.get_mut(&own).expect("a member");
        let moved = request.seq > member.read_seq;
        member.read_seq = member.read_seq.max(request.seq);
        member.changed = changed;
        let (read_seq, unread) = (member.read_seq, group.unread(&own));
        if moved {
            self.append_of_group(&own, &request.group, What::Read(proto::ReadMark { seq: read_seq, unread }));
        }
        let inbox_head = self.inbox_head(&own);
        let answer = proto::MarkReadAnswer { id: request.id, refusal: None, read_seq, unread, head_seq, inbox_head };
        self.write(now, id, Command::answer(Operation::MarkRead), &answer);
    }

    pub(super) fn acknowledge_groups(&mut self, device: &Bytes, request: &proto::GroupAckRequest) {
        self.group_acks += 1;
        for proto::GroupCursor { group, seq } in &request.cursors {
            let group = self.groups.get_mut(group).expect("it exists");
            assert!(*seq <= group.head(), "nobody acknowledges what does not exist");
            let known = group.acked.entry(device.clone()).or_default();
            *known = (*known).max(*seq);
        }
    }

    pub fn group_unread(&self, name: &str, user: &str) -> u64 {
        self.groups[name].unread(user)
    }

    pub fn group_head(&self, name: &str) -> u64 {
        self.groups[name].head()
    }

    pub fn group_acked(&self, name: &str, device: &Bytes) -> u64 {
        self.groups[name].acked.get(device).copied().unwrap_or(0)
    }
}

fn event(what: proto::group_event::What) -> proto::Entry {
    proto::Entry { event: Some(proto::GroupEvent { what: Some(what) }), ..Default::default() }
}

fn message(text: &str) -> proto::Entry {
    proto::Entry { body: text.to_owned().into(), ..Default::default() }
}
