//! Groups at a gate: who gets what happens in them, in which order, and what a connection that takes nothing misses.

use hongyan_cluster::Inlet;
use hongyan_cluster::bus::GroupNotice;
use hongyan_domain::session::EndReason;
use hongyan_domain::{ConversationId, Name, SessionId, UnixMillis, UserId};
use hongyan_wire::command::Operation;
use hongyan_wire::{Command, proto};
use prost::Message;

use crate::bench::Bench;
use crate::line::Line;

const A: UserId = UserId(b'a' as i64);
const B: UserId = UserId(b'b' as i64);
const GROUP: ConversationId = ConversationId(77);
const OTHER: ConversationId = ConversationId(78);
/// Longer than entries are gathered in the largest group.
const LONG_MS: u64 = 100;

/// The `number`-th session that has logged in.
fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}

fn follow(bench: &Bench, number: u8, groups: &[(ConversationId, u64)]) {
    assert!(bench.bus.begin_following(session(number)));
    assert!(bench.bus.follow(session(number), groups));
}

fn entry(group: ConversationId, seq: u64) -> GroupNotice {
    let entry = proto::Entry { seq, body: vec![b'x'; 100].into(), sender: "eve".into(), ..Default::default() };
    GroupNotice::Entry { group, name: name(group), seq, entry: entry.encode_to_vec().into() }
}

fn name(group: ConversationId) -> Name {
    Name::parse(&format!("g{}", group.0)).unwrap()
}

fn news(line: &mut Line<'_>) -> Vec<proto::GroupNotify> {
    line.settle();
    line.take(Command::notify(Operation::Group))
}

fn seqs(news: &[proto::GroupNotify]) -> Vec<u64> {
    news.iter().flat_map(|notify| &notify.entries).map(|entry| entry.seq).collect()
}

#[test]
fn entries_reach_who_follows_on_this_connection_from_their_first_on() {
    let bench = Bench::new();
    let (mut a, mut b) = (Line::dial(&bench), Line::dial(&bench));
    let login = a.log_in("a", 1).unwrap();
    b.log_in("b", 2).unwrap();
    bench.bus.notice(entry(GROUP, 1));
    follow(&bench, 1, &[(GROUP, 1), (OTHER, 5)]);
    follow(&bench, 2, &[(GROUP, 3)]);
    for seq in 2..=4 {
        bench.bus.notice(entry(GROUP, seq));
    }
    bench.bus.notice(entry(OTHER, 9));
    let heard = news(&mut a);
    assert_eq!(seqs(&heard), [2, 3, 4, 9]);
    assert!(heard.iter().all(|notify| notify.head_seq == notify.entries.last().unwrap().seq));
    assert_eq!((&*heard[0].group, &*heard.last().unwrap().group), ("g77", "g78"));
    assert_eq!(seqs(&news(&mut b)), [3, 4], "nothing from before");

    a.reset();
    let mut again = Line::dial_again(&bench, &login, 1, 0);
    again.ask(Operation::Keepalive, &proto::KeepaliveRequest { id: 9 });
    bench.bus.notice(entry(GROUP, 5));
    assert!(news(&mut again).is_empty(), "it has not asked on this connection");
    follow(&bench, 1, &[(GROUP, 1)]);
    bench.bus.notice(entry(GROUP, 6));
    assert_eq!((seqs(&news(&mut again)), seqs(&news(&mut b))), (vec![6], vec![5, 6]));
    let ending = hongyan_cluster::bus::Ending { reason: EndReason::Revoked, by_term: None, time: UnixMillis(0) };
    bench.gate.end(session(2), ending);
    assert!(!bench.bus.follows(session(2), GROUP) && bench.bus.follows(session(1), GROUP));
}

#[test]
fn who_comes_and_goes_is_noticed_in_the_order_of_the_log() {
    let bench = Bench::new();
    let (mut a, mut b) = (Line::dial(&bench), Line::dial(&bench));
    a.log_in("a", 1).unwrap();
    b.log_in("b", 2).unwrap();
    follow(&bench, 1, &[(GROUP, 1)]);
    follow(&bench, 2, &[]);
    for notice in [
        entry(GROUP, 1),
        GroupNotice::In { group: GROUP, user: B, from: 2 },
        entry(GROUP, 2),
        entry(GROUP, 3),
        GroupNotice::Out { group: GROUP, user: B },
        entry(GROUP, 4),
        GroupNotice::In { group: GROUP, user: B, from: 5 },
        entry(GROUP, 5),
        GroupNotice::Out { group: GROUP, user: A },
        entry(GROUP, 6),
    ] {
        bench.bus.notice(notice);
    }
    assert_eq!(seqs(&news(&mut b)), [2, 3, 5, 6]);
    assert_eq!(seqs(&news(&mut a)), [1, 2, 3, 4, 5]);
}

#[test]
fn a_membership_that_changes_while_it_is_read_is_read_again() {
    let bench = Bench::new();
    let mut a = Line::dial(&bench);
    a.log_in("a", 1).unwrap();
    assert!(bench.bus.begin_following(session(1)));
    bench.bus.notice(GroupNotice::Out { group: GROUP, user: A });
    a.settle();
    assert!(!bench.bus.follow(session(1), &[(GROUP, 1)]), "what was read is old");
    assert!(bench.bus.follow(session(1), &[]), "and now it is not");
    bench.bus.notice(entry(GROUP, 2));
    assert!(news(&mut a).is_empty());
    assert!(!bench.bus.begin_following(session(9)), "nobody is connected there");
}

#[test]
fn what_is_dropped_is_told_by_its_number() {
    let bench = Bench::new();
    let mut a = Line::dial(&bench);
    a.log_in("a", 1).unwrap();
    follow(&bench, 1, &[(GROUP, 1)]);
    bench.bus.notice(GroupNotice::Entry { group: GROUP, name: name(GROUP), seq: 7, entry: Vec::new().into() });
    let heard = news(&mut a);
    assert_eq!((heard.len(), heard[0].head_seq, heard[0].entries.len()), (1, 7, 0), "dropped on its way to the gate");
}

#[test]
fn large_groups_are_told_together() {
    let bench = Bench::new();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for number in 0..500_u16 {
        let mut line = Line::dial(&bench);
        line.log_in("a", number as u8).unwrap();
        lines.push(line);
    }
    let sessions = bench.bus.router().connected(A);
    for session in &sessions {
        assert!(bench.bus.begin_following(*session) && bench.bus.follow(*session, &[(GROUP, 1)]));
    }
    for seq in 1..=3 {
        bench.bus.notice(entry(GROUP, seq));
    }
    let first = news(&mut lines[0]);
    assert!(first.is_empty(), "more may come: {first:?}");
    assert_eq!(bench.bus.waiting_in(GROUP), 3);
    bench.world.advance(LONG_MS);
    let heard = news(&mut lines[499]);
    assert_eq!((heard.len(), seqs(&heard)), (1, vec![1, 2, 3]));
    assert_eq!(bench.bus.waiting_in(GROUP), 0);
}
