//! Compares what clients hold with what was sent. Pure and suspicious: it knows nothing of how messages travel, and uses
//! texts, order and numbers only.

use std::collections::BTreeMap;

use bytes::Bytes;

/// A message that somebody wrote.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Whose client was told to send it.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// What.
    pub text: Bytes,
}

/// A message in a client's copy of a conversation.
#[derive(Clone, Debug)]
pub struct Row {
    /// The other person.
    pub with: usize,
    /// Written by this client.
    pub own: bool,
    /// Its place in the conversation.
    pub seq: u64,
    /// What.
    pub text: Bytes,
}

/// What is wrong in all copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Missing in a copy.
    pub lost: u64,
    /// In a copy more often than it was sent.
    pub duplicated: u64,
    /// In another order than they were sent, or two copies that disagree on the order.
    pub reordered: u64,
    /// In a copy, but never sent.
    pub altered: u64,
}

impl Faults {
    fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.altered += other.altered;
    }
}

/// One direction of one conversation: who wrote, who read.
type Direction = (usize, usize);

/// Compares all. `sent` is in the order of sending; the rows of a client are in the order in which it was told them.
pub fn compare(sent: &[Sent], copies: &[Vec<Row>]) -> Faults {
    let mut expected: BTreeMap<Direction, Vec<&[u8]>> = BTreeMap::new();
    for Sent { from, to, text } in sent {
        expected.entry((*from, *to)).or_default().push(text);
    }
    let received = directions(copies, false);
    let mut own = directions(copies, true);
    // Answers may overtake each other between conversations; within one, the number is the order.
    own.values_mut().for_each(|rows| rows.sort_by_key(|row| row.seq));
    let mut faults = Faults::default();
    let all = expected.keys().chain(received.keys()).chain(own.keys());
    let all: std::collections::BTreeSet<_> = all.copied().collect();
    for direction in all {
        let expected = expected.get(&direction).map_or(&[][..], Vec::as_slice);
        let received = received.get(&direction).map_or(&[][..], Vec::as_slice);
        let own = own.get(&direction).map_or(&[][..], Vec::as_slice);
        faults.add(differences(expected, received));
        faults.add(differences(expected, own));
        faults.reordered += received.windows(2).filter(|pair| pair[0].seq > pair[1].seq).count() as u64;
        faults.duplicated += received.windows(2).filter(|pair| pair[0].seq == pair[1].seq).count() as u64;
        faults.reordered += received.iter().zip(own).filter(|(theirs, ours)| theirs.seq != ours.seq).count() as u64;
    }
    faults
}

fn directions(copies: &[Vec<Row>], own: bool) -> BTreeMap<Direction, Vec<&Row>> {
    let mut directions: BTreeMap<Direction, Vec<&Row>> = BTreeMap::new();
    for (client, rows) in copies.iter().enumerate() {
        for row in rows.iter().filter(|row| row.own == own) {
            let direction = if own { (client, row.with) } else { (row.with, client) };
            directions.entry(direction).or_default().push(row);
        }
    }
    directions
}

fn differences(expected: &[&[u8]], rows: &[&Row]) -> Faults {
    let mut faults = Faults::default();
    if expected.iter().copied().eq(rows.iter().map(|row| &row.text[..])) {
        return faults;
    }
    let mut balance: BTreeMap<&[u8], (u64, u64)> = BTreeMap::new();
    expected.iter().for_each(|text| balance.entry(text).or_default().0 += 1);
    rows.iter().for_each(|row| balance.entry(&row.text).or_default().1 += 1);
    for (sent, held) in balance.into_values() {
        faults.lost += sent.saturating_sub(held);
        let surplus = held.saturating_sub(sent);
        *(if sent == 0 { &mut faults.altered } else { &mut faults.duplicated }) += surplus;
    }
    if faults == Faults::default() {
        faults.reordered = 1;
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: usize = 0;
    const BOB: usize = 1;

    fn sent(texts: &[&'static str]) -> Vec<Sent> {
        texts.iter().map(|text| Sent { from: ALICE, to: BOB, text: Bytes::from_static(text.as_bytes()) }).collect()
    }

    fn copy(with: usize, own: bool, rows: &[(u64, &'static str)]) -> Vec<Row> {
        let row =
            |(seq, text): &(u64, &'static str)| Row { with, own, seq: *seq, text: Bytes::from_static(text.as_bytes()) };
        rows.iter().map(row).collect()
    }

    /// Alice sent a, b, b, c; her copy is right, and Bob's is as given.
    fn faults_of(received: &[(u64, &'static str)]) -> Faults {
        let copies = [copy(BOB, true, &[(1, "a"), (2, "b"), (4, "b"), (5, "c")]), copy(ALICE, false, received)];
        compare(&sent(&["a", "b", "b", "c"]), &copies)
    }

    #[test]
    fn equal_copies_have_no_faults() {
        assert_eq!(faults_of(&[(1, "a"), (2, "b"), (4, "b"), (5, "c")]), Faults::default());
    }

    #[test]
    fn a_loss_is_found() {
        for received in [&[(1, "a"), (2, "b"), (5, "c")][..], &[(1, "a"), (2, "b"), (4, "b")]] {
            assert_eq!(faults_of(received).lost, 1, "{received:?}");
        }
        assert_eq!(faults_of(&[]).lost, 4);
    }

    #[test]
    fn a_double_is_found() {
        for received in [
            &[(1, "a"), (2, "b"), (4, "b"), (4, "b"), (5, "c")][..],
            &[(1, "a"), (2, "b"), (4, "b"), (5, "c"), (6, "c")],
        ] {
            assert!(faults_of(received).duplicated > 0, "{received:?}");
        }
    }

    #[test]
    fn a_change_of_order_is_found() {
        for received in [
            &[(2, "b"), (1, "a"), (4, "b"), (5, "c")][..],
            &[(1, "b"), (2, "a"), (4, "b"), (5, "c")],
            &[(1, "a"), (4, "b"), (2, "b"), (5, "c")],
            &[(1, "a"), (2, "b"), (3, "b"), (5, "c")],
        ] {
            assert!(faults_of(received).reordered > 0, "{received:?}");
        }
    }

    #[test]
    fn an_alteration_is_found() {
        let found = faults_of(&[(1, "a"), (2, "b"), (4, "b"), (5, "C")]);
        assert_eq!((found.altered, found.lost), (1, 1));
    }

    #[test]
    fn strangers_messages_are_found() {
        let copies = [vec![], copy(ALICE, false, &[(1, "hello")])];
        assert_eq!(compare(&[], &copies).altered, 1);
        let copies = [copy(BOB, true, &[]), copy(ALICE, false, &[(1, "a")])];
        assert_eq!(compare(&sent(&["a"]), &copies).lost, 1, "the author's own copy counts, too");
    }
}
