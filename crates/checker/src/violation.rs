//! What can be broken, and one case in which it was.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The promises that are judged (docs/reliability.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Invariant {
    /// Acknowledged means kept and shown.
    I1,
    /// What is shown was written so, by that person.
    I2,
    /// Shown once.
    I3,
    /// In order.
    I4,
    /// A number names one thing, and there are no holes.
    I5,
    /// A cursor goes up.
    I6,
    /// One message, one number.
    I7,
    /// Receipts are true.
    I8,
    /// Presence is true.
    I9,
    /// Nobody gets what he may not.
    I10,
    /// Nothing is left over at rest.
    I11,
    /// No leak, no panic.
    I12,
    /// Whoever was put out hears nothing.
    I13,
    /// Unread is true.
    I14,
    /// No promise of the product: the history itself cannot be so. Whoever wrote it down is wrong.
    History,
}

impl Invariant {
    /// All, in their order.
    pub const ALL: [Self; 15] = [
        Self::I1,
        Self::I2,
        Self::I3,
        Self::I4,
        Self::I5,
        Self::I6,
        Self::I7,
        Self::I8,
        Self::I9,
        Self::I10,
        Self::I11,
        Self::I12,
        Self::I13,
        Self::I14,
        Self::History,
    ];

    /// In plain words.
    pub fn promise(self) -> &'static str {
        match self {
            Self::I1 => "acknowledged means kept for ever and shown to every entitled device",
            Self::I2 => "what is shown is what was sent, and by whom",
            Self::I3 => "a message is shown once on a device",
            Self::I4 => "messages are shown in the order of their numbers, and numbered in their sender's order",
            Self::I5 => "a number names one thing for ever, and none is left out",
            Self::I6 => "a cursor never goes back",
            Self::I7 => "a message has one number, however often it is sent",
            Self::I8 => "a receipt is shown only for what has been delivered or read",
            Self::I9 => "presence is the connected devices",
            Self::I10 => "nobody gets what he may not get",
            Self::I11 => "nothing is left pending when all faults are healed",
            Self::I12 => "nothing leaks and nothing panics",
            Self::I13 => "a revoked session is silent within 5 seconds",
            Self::I14 => "unread is the number of messages above the read mark",
            Self::History => "the history itself makes sense",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// One case of a broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// When it was noticed, in the time of the history.
    pub at_ms: u64,
    /// A sentence that names devices, users, messages and numbers.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {} ms: {}", self.invariant, self.at_ms, self.what)
    }
}
