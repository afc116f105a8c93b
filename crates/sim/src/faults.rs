//! What can go wrong, counted.

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A segment was lost and sent again.
    Lost,
    /// A segment was overtaken.
    Overtaken,
    /// A segment had to wait for one before it.
    HeldBack,
    /// A stream was altered on its way.
    Tampered,
    /// A line was reset.
    Reset,
    /// A line died on both sides without a word.
    HalfOpen,
    /// A device reached nobody for a while.
    Partition,
    /// A device did not read for a while.
    SlowReader,
    /// A device's process died.
    DeviceCrash,
    /// A device was upgraded: another version of the client goes on with what is kept.
    DeviceUpgrade,
    /// Another device of the same kind logged in.
    LoginRace,
    /// The server was killed.
    Kill,
    /// The server's machine lost its power.
    PowerCut,
    /// The server stood still for a while.
    Freeze,
    /// The server was drained and came back with other limits.
    ServerUpgrade,
    /// The wall clock jumped.
    ClockJump,
    /// A sync took long.
    SlowSync,
    /// A sync failed.
    SyncError,
    /// The disk was full.
    DiskFull,
    /// A write that was not synced was lost or torn in a power cut.
    LostWrite,
    /// The operator ended a user's sessions.
    Revocation,
    /// A fault injected inside the production code.
    Injected,
}

/// All of them, with what they are called in a table.
pub const KINDS: &[(Kind, &str)] = &[
    (Kind::Lost, "segments lost"),
    (Kind::Overtaken, "segments overtaken"),
    (Kind::HeldBack, "segments held back by earlier ones"),
    (Kind::Tampered, "streams altered"),
    (Kind::Reset, "lines reset"),
    (Kind::HalfOpen, "lines half open"),
    (Kind::Partition, "partitions"),
    (Kind::SlowReader, "slow readers"),
    (Kind::DeviceCrash, "devices crashed"),
    (Kind::DeviceUpgrade, "devices upgraded"),
    (Kind::LoginRace, "login races"),
    (Kind::Kill, "servers killed"),
    (Kind::PowerCut, "power cuts"),
    (Kind::Freeze, "servers frozen"),
    (Kind::ServerUpgrade, "servers upgraded"),
    (Kind::ClockJump, "clock jumps"),
    (Kind::SlowSync, "slow syncs"),
    (Kind::SyncError, "failed syncs"),
    (Kind::DiskFull, "writes on a full disk"),
    (Kind::LostWrite, "unsynced writes lost or torn"),
    (Kind::Revocation, "revocations"),
    (Kind::Injected, "injected inside the code"),
];

/// How often each happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults([u64; KINDS.len()]);

impl Faults {
    /// One more.
    pub fn count(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    /// So many more.
    pub fn add(&mut self, kind: Kind, times: u64) {
        self.0[kind as usize] += times;
    }

    /// Those of another world, too.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// How often.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Kinds that have not happened.
    pub fn missing(&self) -> Vec<&'static str> {
        KINDS.iter().filter(|(kind, _)| self.of(*kind) == 0).map(|(_, what)| *what).collect()
    }

    /// All together. What an earlier fault causes, a segment that waits, is not counted again.
    pub fn total(&self) -> u64 {
        self.0.iter().sum::<u64>() - self.of(Kind::HeldBack)
    }
}
