//! Short histories, written by hand: Alice has a phone and a pad, Bob has a phone and a browser, and all are connected.

use hongyan_checker::{ChangeKind, Checker, CheckerOptions, Device, Event, Invariant, MessageId, Record, Report, User};

pub const ALICE: User = 0;
pub const BOB: User = 1;
pub const PHONE: Device = 0;
pub const PAD: Device = 1;
pub const BOBS_PHONE: Device = 2;
pub const BOBS_WEB: Device = 3;

/// The body of a message.
pub fn body(id: MessageId) -> u64 {
    (id as u64).wrapping_add(1000)
}

#[derive(Clone, Default)]
pub struct Story {
    pub records: Vec<Record>,
    at_ms: u64,
}

impl Story {
    pub fn new() -> Self {
        let mut story = Self::default();
        for name in ["alice", "bob"] {
            story.saw(Event::User { app: "acme".into(), name: name.into() });
        }
        for (user, name) in [(ALICE, "phone"), (ALICE, "pad"), (BOB, "phone"), (BOB, "web")] {
            story.saw(Event::Device { user, name: name.into() });
        }
        for device in [PHONE, PAD, BOBS_PHONE, BOBS_WEB] {
            story.live(device, false);
        }
        story
    }

    /// 100 ms later.
    pub fn saw(&mut self, event: Event) -> &mut Self {
        self.at_ms += 100;
        self.records.push(Record { at_ms: self.at_ms, event });
        self
    }

    pub fn wait(&mut self, ms: u64) -> &mut Self {
        self.at_ms += ms;
        self
    }

    pub fn live(&mut self, device: Device, resumed: bool) -> &mut Self {
        self.saw(Event::Live { device, resumed })
    }

    /// The other person, seen from a device.
    pub fn peer(device: Device) -> User {
        if device <= PAD { BOB } else { ALICE }
    }

    pub fn send(&mut self, device: Device, id: MessageId) -> &mut Self {
        self.saw(Event::Send { device, to: Self::peer(device), id, digest: body(id) })
    }

    pub fn acked(&mut self, device: Device, id: MessageId, seq: u64) -> &mut Self {
        self.saw(Event::Acked { device, to: Self::peer(device), id, seq })
    }

    pub fn failed(&mut self, device: Device, id: MessageId, refused: bool) -> &mut Self {
        self.saw(Event::Failed { device, to: Self::peer(device), id, refused })
    }

    pub fn shown(&mut self, device: Device, own: bool, id: MessageId, seq: u64) -> &mut Self {
        self.shows(device, own, id, seq, body(id))
    }

    pub fn shows(&mut self, device: Device, own: bool, id: MessageId, seq: u64, digest: u64) -> &mut Self {
        self.saw(Event::Shown { device, peer: Self::peer(device), own, seq, id, digest })
    }

    /// Alice's phone writes, and everybody gets it.
    pub fn message(&mut self, id: MessageId, seq: u64) -> &mut Self {
        self.send(PHONE, id).acked(PHONE, id, seq).everywhere(id, seq)
    }

    /// What Alice's phone wrote, on all other devices.
    pub fn everywhere(&mut self, id: MessageId, seq: u64) -> &mut Self {
        self.shown(PAD, true, id, seq).shown(BOBS_PHONE, false, id, seq).shown(BOBS_WEB, false, id, seq)
    }

    /// Bob's phone writes, and everybody gets it.
    pub fn answer(&mut self, id: MessageId, seq: u64) -> &mut Self {
        self.send(BOBS_PHONE, id).acked(BOBS_PHONE, id, seq);
        self.shown(BOBS_WEB, true, id, seq).shown(PHONE, false, id, seq).shown(PAD, false, id, seq)
    }

    pub fn change(&mut self, device: Device, seq: u64, kind: ChangeKind, digest: u64) -> &mut Self {
        self.saw(Event::Change { device, peer: Self::peer(device), seq, kind, digest })
    }

    pub fn change_done(&mut self, device: Device, seq: u64, at_seq: u64) -> &mut Self {
        self.saw(Event::ChangeDone { device, peer: Self::peer(device), seq, at_seq })
    }

    pub fn changed(&mut self, device: Device, seq: u64, at_seq: u64, digest: u64) -> &mut Self {
        self.saw(Event::Changed { device, peer: Self::peer(device), seq, at_seq, recalled: false, digest })
    }

    pub fn recalled(&mut self, device: Device, seq: u64, at_seq: u64) -> &mut Self {
        self.saw(Event::Changed { device, peer: Self::peer(device), seq, at_seq, recalled: true, digest: 0 })
    }

    pub fn read(&mut self, device: Device, seq: u64) -> &mut Self {
        self.saw(Event::Read { device, peer: Self::peer(device), seq })
    }

    pub fn receipt(&mut self, device: Device, delivered_seq: u64, read_seq: u64) -> &mut Self {
        self.saw(Event::Receipt { device, peer: Self::peer(device), delivered_seq, read_seq })
    }

    pub fn block(&mut self, device: Device, blocked: bool) -> &mut Self {
        let peer = Self::peer(device);
        self.saw(Event::BlockAsked { device, peer, blocked }).saw(Event::Block { device, peer, blocked })
    }

    pub fn delete(&mut self, device: Device, up_to_seq: u64, seqs: &[u64]) -> &mut Self {
        self.saw(Event::Delete { device, peer: Self::peer(device), up_to_seq, seqs: seqs.to_vec() })
    }

    pub fn cursor(&mut self, device: Device, log_epoch: u32, inbox: u64) -> &mut Self {
        self.saw(Event::Cursor { device, log_epoch, inbox })
    }

    pub fn unread(&mut self, device: Device, read_seq: u64, unread: u64) -> &mut Self {
        self.saw(Event::Unread { device, peer: Self::peer(device), read_seq, unread })
    }

    pub fn rest(&mut self) -> &mut Self {
        self.saw(Event::Healed).saw(Event::AtRest)
    }

    pub fn report(&self) -> Report {
        judge(&self.records)
    }

    #[track_caller]
    pub fn passes(&self) {
        let report = self.report();
        assert!(report.is_clean(), "{report}");
    }

    /// Exactly this promise is broken, in a sentence that says all of that.
    #[track_caller]
    pub fn breaks(&self, invariant: Invariant, words: &[&str]) {
        let report = self.report();
        assert!(!report.is_clean(), "nothing was found");
        assert!(report.violations.iter().all(|violation| violation.invariant == invariant), "{report}");
        let what = &report.violations[0].what;
        assert!(words.iter().all(|word| what.contains(word)), "{words:?} should be in: {what}");
    }
}

pub fn judge(records: &[Record]) -> Report {
    let mut checker = Checker::new(CheckerOptions::default());
    records.iter().for_each(|record| checker.take(record));
    checker.finish()
}
