//! How a group comes together: everybody logs in once, because users appear with their first login; the owner makes the
//! group and invites the others by the hundred. Those who are to be away log out before the group exists.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hongyan_wire::command::Operation;
use hongyan_wire::{limits, proto};
use prost::Message;

use crate::arguments::Group;
use crate::clock::Clock;
use crate::crowd::{Crowd, STALL_SECONDS, TURN};
use crate::member::Member;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::Seen;
use crate::server::Server;

/// Users named in one request (PROTOCOL.md §21).
const INVITED_AT_ONCE: usize = 100;
/// People who are logged in at the same time only to appear.
const APPEARING_MAX: usize = 1_000;
/// Who makes the group, and speaks first.
const OWNER: usize = 0;

/// A group whose members listen.
pub struct Gathered {
    /// Its name.
    pub group: String,
    /// Its head: nobody has said anything above it.
    pub head_seq: u64,
}

/// Lets everybody in. Members who are connected are the first of the crowd, the owner before all others.
pub fn gather(crowd: &mut Crowd, server: &mut Server, options: &Group, progress: &Progress) -> Result<Gathered> {
    let online = options.online.unwrap_or(options.members).min(options.members) as usize;
    ensure!(
        online >= options.senders as usize && online >= 2,
        "those who speak must be online, and somebody to listen"
    );
    let run: String = crowd.stage.run.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = |side: &str, index: usize| format!("{side}{index}.{run}");
    let away: Vec<_> = (0..options.members as usize - online).map(|index| name("away", index)).collect();
    for names in away.chunks(APPEARING_MAX) {
        appear(crowd.swarm.clock(), server, names, progress)?;
    }
    for index in 0..online {
        crowd.add(server, &name("member", index));
    }
    crowd.enter(0..online, progress)?;
    let speakers = (OWNER + 1..options.senders as usize).map(|index| name("member", index));
    let listeners = (options.senders as usize..online).map(|index| name("member", index));
    // Who listens comes last, so that the others' coming is told to few.
    let users: Vec<_> = speakers.chain(away).chain(listeners).collect();
    let group = format!("group.{run}");
    let head_seq = invite(crowd, server, &group, &users, progress)?;
    listen(crowd, server, online)?;
    for index in 0..online {
        crowd.swarm.machine_mut(index).follow(Member::new(group.clone(), head_seq));
    }
    Ok(Gathered { group, head_seq })
}

/// Lets everybody ask for their groups: from then on their connections hear of them.
fn listen(crowd: &mut Crowd, server: &mut Server, online: usize) -> Result<()> {
    let request = proto::GroupsRequest { id: 1, limit: 1, ..Default::default() };
    for index in 0..online {
        crowd.swarm.with(index, |puppet, now, out| puppet.ask(Operation::Groups, &request, now, out));
    }
    let mut patience = Patience::new(crowd.swarm.clock(), STALL_SECONDS);
    let mut answers = 0;
    while answers < online as u64 {
        crowd.turn(TURN, |_, seen| answers += u64::from(matches!(seen, Seen::Answered { .. })))?;
        server.check()?;
        patience.check(answers, || "the members' lists of groups".into())?;
    }
    Ok(())
}

/// Logs people in and out again, in a crowd of their own that is gone afterwards.
fn appear(clock: Clock, server: &mut Server, names: &[String], progress: &Progress) -> Result<()> {
    let mut crowd = Crowd::new(server, clock)?;
    for name in names {
        crowd.add(server, name);
    }
    crowd.enter(0..names.len(), progress)?;
    for index in 0..names.len() {
        let request = proto::LogoutRequest { id: 1 };
        crowd.swarm.with(index, |puppet, now, out| puppet.ask(Operation::Logout, &request, now, out));
    }
    let mut patience = Patience::new(clock, STALL_SECONDS);
    let mut left = 0;
    while left < names.len() as u64 {
        crowd.turn_acting(TURN, |_, puppet, seen, _, _| {
            if matches!(seen, Seen::Answered { .. }) {
                left += 1;
                puppet.leave();
            }
        })?;
        server.check()?;
        patience.check(left, || "answers to logouts".into())?;
    }
    Ok(())
}

/// Makes the group with all of them; gives its head.
fn invite(crowd: &mut Crowd, server: &mut Server, group: &str, users: &[String], progress: &Progress) -> Result<u64> {
    progress.begin("inviting", users.len() as u64);
    let mut owner = Owner { crowd, server, requests: 0 };
    let mut invited = 0;
    let (first, rest) = users.split_at(users.len().min(INVITED_AT_ONCE));
    let client_request_id = owner.request_id();
    let profile = proto::GroupProfile { title: Some("hongyan-bench".into()), ..Default::default() };
    let request = proto::CreateGroupRequest {
        id: 1,
        client_request_id,
        group: group.to_owned(),
        profile: Some(profile),
        users: first.to_vec(),
        ..Default::default()
    };
    let answer: proto::CreateGroupAnswer = owner.ask(Operation::CreateGroup, &request)?;
    accepted(answer.refusal)?;
    for users in rest.chunks(INVITED_AT_ONCE) {
        invited += users.len();
        progress.at(invited as u64);
        let client_request_id = owner.request_id();
        let what = proto::change_group_request::What::Invite(proto::GroupUsers { users: users.to_vec() });
        let request = proto::ChangeGroupRequest { id: 1, group: group.to_owned(), client_request_id, what: Some(what) };
        let answer: proto::ChangeGroupAnswer = owner.ask(Operation::ChangeGroup, &request)?;
        accepted(answer.refusal)?;
    }
    let request = proto::GroupsRequest { id: 1, group: group.to_owned(), limit: 1, ..Default::default() };
    let answer: proto::GroupsAnswer = owner.ask(Operation::Groups, &request)?;
    accepted(answer.refusal)?;
    let found = answer.groups.first().context("the owner's list has no such group")?;
    ensure!(found.member_count as usize == users.len() + 1, "{} members came in", found.member_count);
    Ok(found.head_seq)
}

fn accepted(refusal: Option<proto::Refusal>) -> Result<()> {
    match refusal {
        Some(refusal) => anyhow::bail!("the server refused: {:?} {}", refusal.code(), refusal.text),
        None => Ok(()),
    }
}

/// Asks one thing after the other.
struct Owner<'a> {
    crowd: &'a mut Crowd,
    server: &'a mut Server,
    requests: u64,
}

impl Owner<'_> {
    fn request_id(&mut self) -> Bytes {
        self.requests += 1;
        let mut id = [0; limits::CLIENT_ID_BYTES];
        id[..6].copy_from_slice(&self.crowd.stage.run);
        // Ids of messages have a puppet's number here: no request has theirs.
        id[6..8].copy_from_slice(&[0xFF; 2]);
        id[8..].copy_from_slice(&self.requests.to_be_bytes());
        Bytes::copy_from_slice(&id)
    }

    fn ask<A: Message + Default>(&mut self, operation: Operation, request: &impl Message) -> Result<A> {
        self.crowd.swarm.with(OWNER, |puppet, now, out| puppet.ask(operation, request, now, out));
        let mut patience = Patience::new(self.crowd.swarm.clock(), STALL_SECONDS);
        let mut answer = None;
        while answer.is_none() {
            self.crowd.turn(TURN, |index, seen| {
                if let (OWNER, Seen::Answered { body }) = (index, seen) {
                    answer = Some(body);
                }
            })?;
            self.server.check()?;
            patience.check(0, || format!("the answer to {operation:?}"))?;
        }
        Ok(A::decode(answer.unwrap_or_default())?)
    }
}
