//! Clean histories pass; each of them, broken in one place, does not.
#![allow(clippy::ptr_arg, reason = "mutations are of one type, whether they insert or not")]

use hongyan_checker::Invariant::{self, I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13, I14};
use hongyan_checker::{ChangeKind, Event, Record, User};
use proptest::prelude::*;

use crate::model;
use crate::random::Random;
use crate::story::judge;

/// Breaks a history in one place, if it has one; what is broken is among these then.
type Mutation = fn(&mut Vec<Record>, &mut Random) -> Option<&'static [Invariant]>;

const MUTATIONS: &[(&str, Mutation)] = &[
    ("a message is not shown", lose),
    ("a message is shown twice", double),
    ("two messages are shown in the wrong order", swap),
    ("a body is altered", alter),
    ("a message that nobody wrote is shown", invent),
    ("a message is shown as the other's", misattribute),
    ("a number is used twice", reuse_number),
    ("a message has two numbers", renumber),
    ("numbers have a hole", leave_a_hole),
    ("two messages of a device are numbered the other way round", overtake),
    ("a cursor goes back", cursor_back),
    ("a receipt comes early", early_receipt),
    ("a receipt says read too early", early_read_receipt),
    ("a receipt goes down", receipt_down),
    ("presence is wrong", wrong_presence),
    ("a message through a block", through_a_block),
    ("a message is left over", leave_over),
    ("a stored message is told to be refused", refuse_stored),
    ("a leak", leak),
    ("a panic", panic),
    ("a stopped device goes on", stopped_goes_on),
    ("a revoked device goes on", revoked_goes_on),
    ("unread is off", unread_off),
    ("a read mark is off", mark_off),
    ("a change is altered", alter_change),
    ("a change's number is a message's", change_reuses_number),
    ("a change does not arrive", lose_change),
    ("a change goes back", change_goes_back),
];

/// A place where this happens, looked for from anywhere on.
fn place(records: &[Record], random: &mut Random, wanted: impl Fn(usize, &Event) -> bool) -> Option<usize> {
    let from = random.below(records.len());
    (from..records.len()).chain(0..from).find(|place| wanted(*place, &records[*place].event))
}

fn insert(records: &mut Vec<Record>, place: usize, event: Event) {
    let at_ms = records[place.min(records.len() - 1)].at_ms;
    records.insert(place, Record { at_ms, event });
}

/// Something of this kind happens to the device from that place on.
fn later(records: &[Record], from: usize, kind: impl Fn(&Event) -> bool) -> bool {
    records[from..].iter().any(|record| kind(&record.event))
}

fn is_reset(event: &Event, of: u32) -> bool {
    matches!(event, Event::Reset { device } if *device == of)
}

fn is_restored(records: &[Record]) -> bool {
    later(records, 0, |event| matches!(event, Event::Cursor { log_epoch: 2.., .. }))
}

fn is_live_at_rest(records: &[Record], of: u32) -> bool {
    let live = records.iter().fold(false, |live, record| match record.event {
        Event::Live { device, .. } if device == of => true,
        Event::Offline { device } | Event::Crashed { device } | Event::Stopped { device, .. } if device == of => false,
        _ => live,
    });
    live && later(records, 0, |event| *event == Event::AtRest)
}

/// Nobody hides or takes back anything, and this device is never told to skip: all is owed to it.
fn owes_all(records: &[Record], device: u32, peer: User, seq: u64) -> bool {
    let users = devices(records);
    let user = users[device as usize];
    let excuses = |event: &Event| match *event {
        Event::Delete { device, .. } => users[device as usize] == user,
        Event::Change { kind: ChangeKind::Recall, device, peer: with, seq: target, .. } => {
            let asker = users[device as usize];
            target == seq && ((asker, with) == (user, peer) || (asker, with) == (peer, user))
        }
        Event::Reset { device: reset } => reset == device,
        _ => false,
    };
    is_live_at_rest(records, device) && !records.iter().any(|record| excuses(&record.event))
}

fn lose(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let first_live = |device: u32| {
        records.iter().position(|record| matches!(record.event, Event::Live { device: live, .. } if live == device))
    };
    let sent_at =
        |id: u128| records.iter().position(|record| matches!(record.event, Event::Send { id: sent, .. } if sent == id));
    let is_acked =
        |id: u128| later(records, 0, |event| matches!(event, Event::Acked { id: acked, .. } if *acked == id));
    let shown = place(records, random, |_, event| match event {
        Event::Shown { device, peer, seq, id, .. } => {
            is_acked(*id) && owes_all(records, *device, *peer, *seq) && first_live(*device) < sent_at(*id)
        }
        _ => false,
    })?;
    records.remove(shown);
    Some(&[I1])
}

fn double(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Shown { .. }))?;
    let Event::Shown { device, .. } = records[place].event else { return None };
    let again = records[place].clone();
    // Before the device forgets, some way on.
    let forgets = |record: &Record| match record.event {
        Event::Reset { device: other } | Event::Stopped { device: other, .. } => other == device,
        // It drops what it has shown, and is reset next.
        Event::Cursor { device: other, log_epoch: 2.., .. } => other == device,
        _ => false,
    };
    let end = records[place..].iter().position(forgets).map_or(records.len(), |end| place + end);
    let target = place + 1 + random.below(end - place);
    records.insert(target.min(end), again);
    Some(&[I3])
}

fn swap(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let next_shown = |place: usize| {
        let Event::Shown { device, peer, .. } = records[place].event else { return None };
        let same = |record: &Record| matches!(record.event, Event::Shown { device: other, peer: with, .. } if (other, with) == (device, peer));
        let next = place + 1 + records[place + 1..].iter().position(same)?;
        let Event::Shown { id, .. } = records[next].event else { return None };
        let written = later(&records[..place], 0, |event| matches!(event, Event::Send { id: sent, .. } if *sent == id));
        // What was written before a reset may be shown in any order behind it.
        (written && !later(&records[..next], 0, |event| is_reset(event, device))).then_some(next)
    };
    let one = place(records, random, |place, _| next_shown(place).is_some())?;
    let other = next_shown(one)?;
    let event = records[one].event.clone();
    records[one].event = std::mem::replace(&mut records[other].event, event);
    Some(&[I4])
}

fn alter(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Shown { .. }))?;
    if let Event::Shown { digest, .. } = &mut records[place].event {
        *digest ^= 1 << random.below(64);
    }
    Some(&[I2])
}

fn invent(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Shown { .. }))?;
    if let Event::Shown { id, .. } = &mut records[place].event {
        *id |= 1 << 100;
    }
    Some(&[I2])
}

fn misattribute(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let users = devices(records);
    let place = place(
        records,
        random,
        |_, event| matches!(event, Event::Shown { device, peer, .. } if users[*device as usize] != *peer),
    )?;
    if let Event::Shown { own, .. } = &mut records[place].event {
        *own = !*own;
    }
    Some(&[I2])
}

fn devices(records: &[Record]) -> Vec<User> {
    let users = records.iter().filter_map(|record| match record.event {
        Event::Device { user, .. } => Some(user),
        _ => None,
    });
    users.collect()
}

/// Two acknowledgements of one device and conversation.
fn two_acked(records: &[Record], random: &mut Random) -> Option<(usize, usize)> {
    let one = place(records, random, |_, event| matches!(event, Event::Acked { .. }))?;
    let Event::Acked { device, to, id, .. } = records[one].event else { return None };
    let other = place(records, random, |_, event| {
        matches!(event, Event::Acked { device: by, to: with, id: other, .. }
            if (*by, *with) == (device, to) && *other != id)
    })?;
    Some((one, other))
}

fn reuse_number(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let (one, other) = two_acked(records, random)?;
    let Event::Acked { seq: taken, .. } = records[one].event else { return None };
    let Event::Acked { id: reused, .. } = records[other].event else { return None };
    for record in records {
        if let Event::Acked { id, seq, .. } | Event::Shown { id, seq, .. } = &mut record.event
            && *id == reused
        {
            *seq = taken;
        }
    }
    Some(&[I5])
}

fn renumber(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Acked { .. }))?;
    let mut again = records[place].clone();
    if let Event::Acked { seq, .. } = &mut again.event {
        *seq += 1000;
    }
    records.insert(place + 1, again);
    Some(&[I7])
}

fn leave_a_hole(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    const HOLE: u64 = 500;
    if is_restored(records) {
        return None;
    }
    let acked = place(records, random, |_, event| matches!(event, Event::Acked { .. }))?;
    let Event::Acked { device, to, seq: from, .. } = records[acked].event else { return None };
    let users = devices(records);
    let pair = |one: User, other: User| (one.min(other), one.max(other));
    let hit = pair(users[device as usize], to);
    for record in records {
        let (device, with, numbers): (u32, User, Vec<&mut u64>) = match &mut record.event {
            Event::Acked { device, to, seq, .. } => (*device, *to, vec![seq]),
            Event::Shown { device, peer, seq, .. } | Event::Change { device, peer, seq, .. } => {
                (*device, *peer, vec![seq])
            }
            Event::ChangeDone { device, peer, seq, at_seq } | Event::Changed { device, peer, seq, at_seq, .. } => {
                (*device, *peer, vec![seq, at_seq])
            }
            Event::Read { device, peer, seq } => (*device, *peer, vec![seq]),
            Event::Receipt { device, peer, delivered_seq, read_seq } => (*device, *peer, vec![delivered_seq, read_seq]),
            Event::Unread { device, peer, read_seq, .. } => (*device, *peer, vec![read_seq]),
            _ => continue,
        };
        if pair(users[device as usize], with) == hit {
            numbers.into_iter().filter(|number| **number >= from).for_each(|number| *number += HOLE);
        }
    }
    Some(&[I5])
}

fn overtake(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let (one, other) = two_acked(records, random)?;
    let sent = |acked: usize| {
        let Event::Acked { id: wanted, .. } = records[acked].event else { return None };
        records.iter().position(|record| matches!(record.event, Event::Send { id, .. } if id == wanted))
    };
    let (one, other) = (sent(one)?, sent(other)?);
    // Both must be written before either was answered, or effects come before their causes.
    let (first, last) = (one.min(other), one.max(other));
    let Event::Send { id, .. } = records[first].event else { return None };
    let seen = |record: &Record| matches!(record.event, Event::Acked { id: acked, .. } | Event::Shown { id: acked, .. } if acked == id);
    // A block that is lifted makes the other order possible, also by a request that was under way.
    let lifts =
        |event: &Event| matches!(event, Event::BlockAsked { blocked: false, .. } | Event::Block { blocked: false, .. });
    let open_ms = records[first].at_ms.saturating_sub(120_000);
    let from = records.partition_point(|record| record.at_ms < open_ms);
    if records[first..last].iter().any(seen) || later(records, from, lifts) {
        return None;
    }
    let event = records[first].event.clone();
    records[first].event = std::mem::replace(&mut records[last].event, event);
    Some(&[I4])
}

fn cursor_back(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Cursor { inbox: 1.., .. }))?;
    let mut back = records[place].clone();
    if let Event::Cursor { inbox, .. } = &mut back.event {
        *inbox = random.next() % *inbox;
    }
    records.insert(place + 1, back);
    Some(&[I6])
}

fn early_receipt(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let users = devices(records);
    let early = |place: usize, event: &Event| {
        let Event::Acked { device, to, id, seq } = *event else { return false };
        let author = users[device as usize];
        let sent = records.iter().position(|record| matches!(record.event, Event::Send { id: sent, .. } if sent == id));
        let theirs = |device: u32| users[device as usize] == to;
        let known = |record: &Record| match record.event {
            Event::Shown { device, peer, seq: known, .. } => theirs(device) && peer == author && known >= seq,
            Event::Acked { device, to: peer, seq: known, .. } => theirs(device) && peer == author && known >= seq,
            Event::Changed { device, peer, at_seq: known, .. }
            | Event::ChangeDone { device, peer, at_seq: known, .. } => theirs(device) && peer == author && known >= seq,
            Event::Receipt { device, peer, delivered_seq, .. } => {
                users[device as usize] == author && peer == to && delivered_seq >= seq
            }
            _ => false,
        };
        let skips = |record: &Record| match record.event {
            Event::Live { device, .. } | Event::Reset { device } => theirs(device),
            _ => false,
        };
        author != to && !records[..place].iter().any(known) && !records[sent.unwrap_or(0)..place].iter().any(skips)
    };
    let place = place(records, random, early)?;
    let Event::Acked { device, to: peer, seq, .. } = records[place].event else { return None };
    let read_seq = 0;
    insert(records, place + random.below(2), Event::Receipt { device, peer, delivered_seq: seq, read_seq });
    Some(&[I8])
}

fn early_read_receipt(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Receipt { .. }))?;
    if let Event::Receipt { read_seq, .. } = &mut records[place].event {
        *read_seq += 1 << 40;
    }
    Some(&[I8])
}

fn receipt_down(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Receipt { delivered_seq: 2.., .. }))?;
    let mut down = records[place].clone();
    if let Event::Receipt { delivered_seq, .. } = &mut down.event {
        *delivered_seq -= 1;
    }
    records.insert(place + 1, down);
    Some(&[I8])
}

fn wrong_presence(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Presence { .. }))?;
    if let Event::Presence { connected, .. } = &mut records[place].event {
        *connected = if random.chance(50) { *connected + 1 } else { connected.wrapping_sub(1) };
    }
    Some(&[I9])
}

fn through_a_block(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let users = devices(records);
    let unblocked_later = |place: usize, one: User, other: User| {
        later(records, place, |event| match event {
            Event::BlockAsked { device, peer, blocked: false } | Event::Block { device, peer, blocked: false } => {
                (users[*device as usize], *peer) == (one, other)
            }
            _ => false,
        })
    };
    let asks_open = |place: usize, one: User, other: User| {
        later(
            &records[..place],
            0,
            |event| matches!(event, Event::BlockAsked { device, peer, .. } if (users[*device as usize], *peer) == (one, other)),
        )
    };
    let place = place(records, random, |place, event| {
        let Event::Send { device, to, id, .. } = *event else { return false };
        let author = users[device as usize];
        author != to
            && !unblocked_later(place, to, author)
            && !asks_open(place, to, author)
            && later(records, place, |event| matches!(event, Event::Acked { id: acked, .. } if *acked == id))
    })?;
    let Event::Send { device, to, .. } = records[place].event else { return None };
    let (peer, blocked) = (users[device as usize], true);
    let device = users.iter().position(|user| *user == to)? as u32;
    insert(records, place, Event::Block { device, peer, blocked });
    insert(records, place, Event::BlockAsked { device, peer, blocked });
    Some(&[I10])
}

fn leave_over(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let answered = place(records, random, |_, event| match event {
        Event::Acked { device, .. } | Event::Failed { device, .. } => is_live_at_rest(records, *device),
        _ => false,
    })?;
    records.remove(answered);
    Some(&[I11])
}

fn refuse_stored(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Acked { .. }))?;
    let Event::Acked { device, to, id, .. } = records[place].event else { return None };
    insert(records, place + random.below(2), Event::Failed { device, to, id, refused: true });
    Some(&[I1])
}

fn leak(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Resource { .. }))?;
    if let Event::Resource { after, .. } = &mut records[place].event {
        *after += 9;
    }
    Some(&[I12])
}

fn panic(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = random.below(records.len());
    insert(records, place, Event::Panic { what: "slice index".into() });
    Some(&[I12])
}

fn stopped_goes_on(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| {
        matches!(event, Event::Shown { .. } | Event::Acked { .. } | Event::Changed { .. } | Event::Receipt { .. })
    })?;
    let (Event::Shown { device, .. }
    | Event::Acked { device, .. }
    | Event::Changed { device, .. }
    | Event::Receipt { device, .. }) = records[place].event
    else {
        return None;
    };
    insert(records, place, Event::Stopped { device, reason: "kicked".into() });
    Some(&[I13])
}

fn revoked_goes_on(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Shown { .. } | Event::Acked { .. }))?;
    let (Event::Shown { device, .. } | Event::Acked { device, .. }) = records[place].event else { return None };
    let user = devices(records)[device as usize];
    // Two seconds after all logins so far, and eight before the record.
    records[place..].iter_mut().for_each(|record| record.at_ms += 10_000);
    let at_ms = records[place].at_ms - 8_000;
    records.insert(place, Record { at_ms, event: Event::Revoked { user } });
    Some(&[I13])
}

fn unread_off(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Unread { .. }))?;
    if let Event::Unread { unread, .. } = &mut records[place].event {
        *unread += 1000;
    }
    Some(&[I14])
}

fn mark_off(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::Unread { .. }))?;
    if let Event::Unread { read_seq, .. } = &mut records[place].event {
        *read_seq += 1 << 40;
    }
    Some(&[I14])
}

fn alter_change(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let users = devices(records);
    let pair = |device: u32, peer: User| (users[device as usize].min(peer), users[device as usize].max(peer));
    let place = place(records, random, |place, event| {
        let Event::Changed { device, peer, seq, .. } = *event else { return false };
        // What nobody was told of before cannot be compared.
        later(&records[..place], 0, |event| match *event {
            Event::Acked { device: by, to, seq: known, .. } => (pair(by, to), known) == (pair(device, peer), seq),
            Event::Shown { device: by, peer: with, seq: known, .. } => {
                (pair(by, with), known) == (pair(device, peer), seq)
            }
            _ => false,
        })
    })?;
    if let Event::Changed { digest, .. } = &mut records[place].event {
        *digest ^= 1 << random.below(64);
    }
    Some(&[I2])
}

fn change_reuses_number(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let place = place(records, random, |_, event| matches!(event, Event::ChangeDone { .. }))?;
    if let Event::ChangeDone { seq, at_seq, .. } = &mut records[place].event {
        *at_seq = *seq;
    }
    Some(&[I5])
}

/// The last change of a message is never shown on a device that had the message before it.
fn lose_change(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let users = devices(records);
    let place = place(records, random, |place, event| {
        let Event::ChangeDone { device: asker, peer, seq, at_seq } = *event else { return false };
        let asked = |event: &Event| {
            matches!(event, Event::Change { device, peer: with, seq: target, .. }
                if (users[*device as usize].min(*with), users[*device as usize].max(*with), *target)
                    == (users[asker as usize].min(peer), users[asker as usize].max(peer), seq))
        };
        let is_last = !later(records, place, |event| {
            asked(event)
                || matches!(event, Event::ChangeDone { seq: target, at_seq: other, .. } if *target == seq && *other != at_seq)
        });
        let first_asked = records.iter().position(|record| asked(&record.event)).unwrap_or(place);
        let victim = victim_of(&records[..first_asked], &users, users[asker as usize], peer, seq);
        is_last && victim.is_some_and(|(device, with)| owes_all(records, device, with, seq))
    })?;
    let Event::ChangeDone { device: asker, peer, seq, .. } = records[place].event else { return None };
    let (device, with) = victim_of(records, &users, users[asker as usize], peer, seq)?;
    records.retain(|record| {
        !matches!(record.event, Event::Changed { device: by, peer, seq: target, .. } if (by, peer, target) == (device, with, seq))
    });
    Some(&[I1])
}

/// The first device that was shown the message, and its peer.
fn victim_of(records: &[Record], users: &[User], one: User, other: User, seq: u64) -> Option<(u32, User)> {
    records.iter().find_map(|record| match record.event {
        Event::Shown { device, peer, seq: shown, .. } => {
            let user = users[device as usize];
            let here = (user, peer) == (one, other) || (user, peer) == (other, one);
            (shown == seq && here).then_some((device, peer))
        }
        _ => None,
    })
}

fn change_goes_back(records: &mut Vec<Record>, random: &mut Random) -> Option<&'static [Invariant]> {
    let newer = |place: usize| {
        let Event::Changed { device, peer, seq, at_seq, .. } = records[place].event else { return None };
        let newer = records[place..].iter().position(|record| {
            matches!(record.event, Event::Changed { device: by, peer: with, seq: target, at_seq: newer, .. }
                if (by, with, target) == (device, peer, seq) && newer > at_seq)
        });
        newer.map(|newer| place + newer)
    };
    let one = place(records, random, |place, _| newer(place).is_some())?;
    let other = newer(one)?;
    let event = records[one].event.clone();
    records[one].event = std::mem::replace(&mut records[other].event, event);
    Some(&[I4])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clean_histories_pass_and_broken_ones_do_not(seed: u64) {
        let clean = model::history(seed);
        let report = judge(&clean);
        prop_assert!(report.is_clean(), "{}", report);
        let mut random = Random(seed);
        for (name, mutation) in MUTATIONS {
            let mut broken = clean.clone();
            let Some(expected) = mutation(&mut broken, &mut random) else { continue };
            let report = judge(&broken);
            let found = expected.iter().any(|invariant| report.count(*invariant) > 0);
            prop_assert!(found, "{} was not found:\n{}", name, report);
            prop_assert_eq!(report, judge(&broken), "the same history, the same report");
        }
    }
}

/// A mutation that never finds a place would prove nothing.
#[test]
fn every_mutation_finds_places() {
    let histories: Vec<_> = (0..60).map(model::history).collect();
    for (name, mutation) in MUTATIONS {
        let mut random = Random(7);
        let done = histories.iter().filter(|history| mutation(&mut (*history).clone(), &mut random).is_some()).count();
        assert!(done >= 10, "{name}: only {done} of {}", histories.len());
    }
}

/// … and so would a world in which nothing happens.
#[test]
fn clean_histories_are_rich() {
    let reports: Vec<_> = (0..60).map(|seed| judge(&model::history(seed)).counts).collect();
    let total = |count: fn(&hongyan_checker::Counts) -> u64| reports.iter().map(count).sum::<u64>();
    assert!(total(|counts| counts.sent) > 10_000 && total(|counts| counts.shown) > 10_000);
    let rare = [
        total(|counts| counts.refused),
        total(|counts| counts.given_up),
        total(|counts| counts.changes_done),
        total(|counts| counts.changes_shown),
        total(|counts| counts.receipts),
        total(|counts| counts.resumes),
        total(|counts| counts.resets),
        total(|counts| counts.crashes),
    ];
    assert!(rare.iter().all(|count| *count > 50), "{rare:?}");
    assert_eq!(total(|counts| counts.rests), 60);
}
