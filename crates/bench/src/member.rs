//! A puppet's place in a group: what it has of the log, what is missing, and what has to be said because of it. Called for
//! every delivery, so it reads no more of GROUP.N than the place and the number of each entry. It checks no contents: that
//! is the scenario's business, which is told every entry exactly once and in order.

use std::collections::BTreeMap;

use hongyan_wire::proto;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::pairs;

/// GROUP_ACK after so many messages (PROTOCOL.md §21).
const ACK_EVERY: u64 = 20;
/// Entries above a gap that are set aside; more are asked for again.
const AHEAD_MAX: usize = 1024;
/// The number of an entry that is no message of ours.
pub const NO_NUMBER: u64 = 0;

/// An entry that has come in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its place in the group's log.
    pub seq: u64,
    /// What its text begins with, or [`NO_NUMBER`].
    pub number: u64,
    /// It came by GROUP.N; otherwise by HISTORY.
    pub pushed: bool,
}

/// How often something else happened than the next entry coming by a push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mishaps {
    /// HISTORY had to be asked.
    pub gaps: u64,
    /// Entries came again.
    pub repeats: u64,
    /// The server says that entries do not exist which were told, or must.
    pub lost: u64,
}

/// One member's copy.
pub struct Member {
    group: String,
    /// Everything up to here has come.
    seq: u64,
    /// The highest place that is known to exist.
    head: u64,
    acked: u64,
    /// Numbers above a gap, by place, and whether they were pushed.
    ahead: BTreeMap<u64, u64>,
    asking: bool,
    heard: Vec<Heard>,
    mishaps: Mishaps,
}

impl Member {
    /// Of a group whose log is known up to `seq`.
    pub fn new(group: String, seq: u64) -> Self {
        Self {
            group,
            seq,
            head: seq,
            acked: seq,
            ahead: BTreeMap::new(),
            asking: false,
            heard: Vec::new(),
            mishaps: Mishaps::default(),
        }
    }

    /// Which group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// What went wrong so far.
    pub fn mishaps(&self) -> Mishaps {
        self.mishaps
    }

    /// Moves what has come since the last call to the end of `into`.
    pub fn take_heard(&mut self, into: &mut Vec<Heard>) {
        into.append(&mut self.heard);
    }

    /// GROUP.N; `None` if it cannot be read.
    pub fn pushed(&mut self, notify: &[u8]) -> Option<()> {
        let mut rest = notify;
        while let Some((field, value)) = next_field(&mut rest)? {
            match (field, value) {
                (2, Value::Bytes(entry)) => {
                    let (seq, number) = place_and_number(entry)?;
                    self.entry(seq, number);
                }
                (3, Value::Number(head)) => self.head = self.head.max(head),
                _ => {}
            }
        }
        Some(())
    }

    fn entry(&mut self, seq: u64, number: u64) {
        self.head = self.head.max(seq);
        if seq == self.seq + 1 {
            self.next(number, true);
            self.drain();
        } else if seq <= self.seq {
            self.mishaps.repeats += 1;
        } else if self.ahead.len() < AHEAD_MAX {
            self.ahead.insert(seq, number);
        }
    }

    fn next(&mut self, number: u64, pushed: bool) {
        self.seq += 1;
        self.heard.push(Heard { seq: self.seq, number, pushed });
    }

    fn drain(&mut self) {
        while !self.ahead.is_empty()
            && let Some(number) = self.ahead.remove(&(self.seq + 1))
        {
            self.next(number, true);
        }
    }

    /// HISTORY.A: what was missing.
    pub fn page(&mut self, page: &proto::HistoryAnswer) {
        self.asking = false;
        for entry in &page.entries {
            self.skip_to(entry.seq);
            if entry.seq > self.seq {
                let own = entry.event.is_none() && entry.change.is_none();
                let number = if own { pairs::number(&entry.body).unwrap_or(NO_NUMBER) } else { NO_NUMBER };
                // What was pushed ahead of its turn was delivered all the same.
                let pushed = self.ahead.remove(&entry.seq).is_some();
                self.next(number, pushed);
            }
        }
        self.skip_to(page.covered_to.saturating_add(1));
        if page.entries.is_empty() && page.covered_to == 0 {
            self.skip_to(self.head + 1);
        }
        self.drain();
    }

    /// No place below this one exists: in a group where nobody deletes anything, such places are losses.
    fn skip_to(&mut self, seq: u64) {
        let missing = seq.saturating_sub(self.seq + 1);
        self.mishaps.lost += missing;
        self.seq += missing;
    }

    /// What to ask HISTORY for, if something is missing and nothing is asked for yet.
    pub fn history_wanted(&mut self) -> Option<u64> {
        if self.asking || self.head == self.seq {
            return None;
        }
        self.asking = true;
        self.mishaps.gaps += 1;
        Some(self.seq)
    }

    /// What to acknowledge, if it is time.
    pub fn acknowledgement(&mut self) -> Option<u64> {
        if self.seq - self.acked < ACK_EVERY {
            return None;
        }
        self.acked = self.seq;
        Some(self.seq)
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field of a message that holds numbers and bytes only; `Some(None)` at its end, `None` if it is damaged.
fn next_field<'a>(message: &mut &'a [u8]) -> Option<Option<(u32, Value<'a>)>> {
    if message.is_empty() {
        return Some(None);
    }
    let (field, wire_type) = decode_key(message).ok()?;
    let number = decode_varint(message).ok()?;
    let value = match wire_type {
        WireType::Varint => Value::Number(number),
        WireType::LengthDelimited => {
            let (bytes, rest) = message.split_at_checked(usize::try_from(number).ok()?)?;
            *message = rest;
            Value::Bytes(bytes)
        }
        _ => return None,
    };
    Some(Some((field, value)))
}

/// Fields 1 and 5 of an `Entry`; one with a `change` (17) or an `event` (23) is no message.
fn place_and_number(mut entry: &[u8]) -> Option<(u64, u64)> {
    let (mut seq, mut number) = (0, NO_NUMBER);
    while let Some((field, value)) = next_field(&mut entry)? {
        match (field, value) {
            (1, Value::Number(place)) => seq = place,
            (5, Value::Bytes(body)) => number = pairs::number(body).unwrap_or(NO_NUMBER),
            (17 | 23, _) => return Some((seq, NO_NUMBER)),
            _ => {}
        }
    }
    Some((seq, number))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn entry(seq: u64) -> proto::Entry {
        proto::Entry {
            seq,
            body: pairs::text(seq * 10, 100),
            client_message_id: vec![7; 16].into(),
            server_time_ms: 1 << 40,
            sender: "somebody".into(),
            ..Default::default()
        }
    }

    fn push(member: &mut Member, seqs: &[u64]) {
        let entries: Vec<_> = seqs.iter().map(|seq| entry(*seq)).collect();
        let head_seq = seqs.iter().copied().max().unwrap_or_default();
        let notify = proto::GroupNotify { group: "g".into(), entries, head_seq };
        member.pushed(&notify.encode_to_vec()).expect("it can be read");
    }

    fn heard(member: &mut Member) -> Vec<(u64, u64, bool)> {
        let mut heard = Vec::new();
        member.take_heard(&mut heard);
        heard.iter().map(|heard| (heard.seq, heard.number, heard.pushed)).collect()
    }

    #[test]
    fn a_gap_is_asked_for_once_and_everything_comes_once_and_in_order() {
        let mut member = Member::new("g".into(), 4);
        push(&mut member, &[5, 6]);
        assert_eq!(heard(&mut member), [(5, 50, true), (6, 60, true)]);
        assert_eq!(member.history_wanted(), None);
        push(&mut member, &[6, 9]);
        assert_eq!((member.history_wanted(), member.history_wanted()), (Some(6), None));
        push(&mut member, &[10]);
        let entries = vec![entry(7), entry(8), entry(9)];
        member.page(&proto::HistoryAnswer { entries, covered_from: 7, covered_to: 9, ..Default::default() });
        assert_eq!(heard(&mut member), [(7, 70, false), (8, 80, false), (9, 90, true), (10, 100, true)]);
        assert_eq!(member.history_wanted(), None);
        assert_eq!(member.mishaps(), Mishaps { gaps: 1, repeats: 1, lost: 0 });
    }

    #[test]
    fn a_page_without_an_entry_that_must_be_there_is_a_loss() {
        let mut member = Member::new("g".into(), 0);
        push(&mut member, &[4]);
        member.history_wanted();
        let entries = vec![entry(1), entry(3)];
        member.page(&proto::HistoryAnswer { entries, covered_from: 1, covered_to: 3, ..Default::default() });
        assert_eq!((member.seq, member.mishaps().lost), (4, 1));
        push(&mut member, &[6]);
        member.history_wanted();
        member.page(&proto::HistoryAnswer::default());
        assert_eq!((member.seq, member.mishaps().lost), (6, 3), "what was pushed does not exist, says the server");
    }

    #[test]
    fn events_are_places_without_a_number() {
        let mut member = Member::new("g".into(), 0);
        let event = proto::GroupEvent { what: Some(proto::group_event::What::Dissolved(true)) };
        let entries = vec![proto::Entry { event: Some(event), ..entry(1) }];
        let notify = proto::GroupNotify { group: "g".into(), entries, head_seq: 1 };
        member.pushed(&notify.encode_to_vec()).unwrap();
        assert_eq!(heard(&mut member), [(1, NO_NUMBER, true)]);
        assert_eq!(member.pushed(&[0x12, 9, 1]), None, "an entry that does not end");
    }

    #[test]
    fn it_acknowledges_now_and_then() {
        let mut member = Member::new("g".into(), 100);
        push(&mut member, &(101..120).collect::<Vec<_>>());
        assert_eq!(member.acknowledgement(), None);
        push(&mut member, &[120]);
        assert_eq!((member.acknowledgement(), member.acknowledgement()), (Some(120), None));
    }
}
