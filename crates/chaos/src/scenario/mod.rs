//! The list of faults: for each a row, and a rig that makes it happen. What they share is in [`crate::stage`].

mod clock;
mod doom;
mod kill;
mod links;
mod network;
mod pause;
mod power;
mod space;

use anyhow::Result;

use self::doom::{Doom, Doomed};
use self::network::{BadLink, Badness};
use crate::server::Place;
use crate::stage::Stage;

/// What came of an attempt to do damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// The fault happened, and everything is well again.
    Hit,
    /// The server did not do what the fault waits for; everything is well.
    Missed,
}

/// One way to hurt a server, again and again in one run.
pub trait Rig {
    /// Makes what the fault needs before the server starts. The reason if this machine cannot.
    fn prepare(&mut self, _place: &mut Place) -> Result<Option<String>> {
        Ok(None)
    }

    /// One fault, its end, and the recovery.
    fn strike(&mut self, stage: &mut Stage) -> Result<Struck>;
}

/// A row of the table.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What happens, in a few words.
    pub what: &'static str,
    /// How often it happens, unless something else is said.
    pub times: u32,
    /// Whether it needs the server that has points to die at.
    pub dies_at_points: bool,
    /// Whether broken promises must be found: the disk lies, and a rig that does not notice is worth nothing.
    pub must_find: bool,
    /// Makes its rig.
    pub rig: fn() -> Box<dyn Rig>,
}

/// All of them, in the order in which they are run.
pub const SCENARIOS: &[Scenario] = &[
    plain("kill", "kill -9 at a random moment", 40, || Box::new(kill::Kill)),
    plain("kill-unannounced", "kill -9; clients come back by their own back-off", 4, || {
        Box::new(kill::KillUnannounced)
    }),
    point("K1", "kill -9 with a request read from the socket", 8, || doomed(Doom::Point("K1", 200))),
    point("K2", "kill -9 with a request understood", 8, || doomed(Doom::Point("K2", 100))),
    point("K3", "kill -9 inside the transaction", 8, || doomed(Doom::Point("K3", 100))),
    point("K4", "kill -9 before the commit", 8, || doomed(Doom::Point("K4", 60))),
    plain("K4-sync", "kill -9 inside the commit's sync, before or after the disk has done it", 8, || {
        doomed(Doom::InSync)
    }),
    point("K5", "kill -9 after the commit, before its answer", 8, || doomed(Doom::Point("K5", 60))),
    point("K6", "kill -9 with the answer in the kernel's hands", 8, || doomed(Doom::Point("K6", 200))),
    point("K7", "kill -9 after the answer, before the push", 8, || doomed(Doom::Point("K7", 60))),
    point("K8", "kill -9 with an acknowledgement read", 8, || doomed(Doom::Point("K8", 60))),
    point("K9", "kill -9 with an acknowledgement understood, its cursor not stored", 8, || {
        doomed(Doom::Point("K9", 60))
    }),
    point("K10", "kill -9 with cursors stored", 8, || doomed(Doom::Point("K10", 4))),
    point("K11", "kill -9 before receipts are told", 8, || doomed(Doom::Point("K11", 60))),
    point("K12", "kill -9 after receipts were told", 8, || doomed(Doom::Point("K12", 60))),
    plain("client-crash", "a client with a store dies where it hurts, and comes back", 40, || {
        Box::new(links::ClientCrash)
    }),
    plain("cut", "a client's socket is closed while it talks", 40, || Box::new(links::Cut)),
    plain("power-cut", "everything that was not synced is gone (XFS)", 20, || Box::<power::PowerCut>::default()),
    lying("lying-disk", "as power-cut, on a disk that only says that it synced: the checker must find that", 2, || {
        Box::new(power::PowerCut::lying())
    }),
    plain("torn-log", "the log ends in the middle of a write", 15, || doomed(Doom::TornLog)),
    plain("torn-checkpoint", "the data file is torn in the middle of a checkpoint", 10, || {
        doomed(Doom::TornCheckpoint)
    }),
    plain("sync-error", "a sync fails with EIO; the server must stop and say why", 15, || doomed(Doom::SyncError)),
    plain("full-disk", "the disk is below the reserve, or full to the brim", 4, || Box::<space::FullDisk>::default()),
    plain("slow-disk", "every sync takes 500 ms longer", 3, || Box::<pause::SlowDisk>::default()),
    plain("pause", "SIGSTOP for 1 s, every fifth time 10 s; SIGCONT", 5, || Box::<pause::Pause>::default()),
    plain("slow-reader", "a client takes nothing while others write to it", 5, || Box::<pause::SlowReader>::default()),
    plain("drain", "SIGTERM, and the next process", 8, || Box::new(kill::Drain)),
    plain("clock", "the wall clock jumps an hour back or a year ahead, and back again", 8, || {
        Box::<clock::Clock>::default()
    }),
    plain("half-open", "nothing gets through, nobody is told; the first time until the server has noticed", 4, || {
        bad(Badness::HalfOpen)
    }),
    plain("loss", "up to 40 % of all packets are lost", 5, || bad(Badness::Loss)),
    plain("delay", "packets are late, overtake each other, some are lost", 5, || bad(Badness::Delay)),
];

/// Rigs that can hurt one server one after the other, for a soak. Few of them end its process: a leak shows in long
/// lives.
pub fn soaking_rigs() -> Vec<(&'static str, Box<dyn Rig>)> {
    vec![
        ("kill", Box::new(kill::Kill)),
        ("drain", Box::new(kill::Drain)),
        ("cut", Box::new(links::Cut)),
        ("cut", Box::new(links::Cut)),
        ("client-crash", Box::new(links::ClientCrash)),
        ("client-crash", Box::new(links::ClientCrash)),
        ("pause", Box::<pause::Pause>::default()),
        ("pause", Box::<pause::Pause>::default()),
        ("slow-disk", Box::<pause::SlowDisk>::default()),
        ("slow-reader", Box::<pause::SlowReader>::default()),
        ("slow-reader", Box::<pause::SlowReader>::default()),
        ("clock", Box::<clock::Clock>::default()),
    ]
}

const fn plain(name: &'static str, what: &'static str, times: u32, rig: fn() -> Box<dyn Rig>) -> Scenario {
    Scenario { name, what, times, dies_at_points: false, must_find: false, rig }
}

const fn lying(name: &'static str, what: &'static str, times: u32, rig: fn() -> Box<dyn Rig>) -> Scenario {
    Scenario { must_find: true, ..plain(name, what, times, rig) }
}

const fn point(name: &'static str, what: &'static str, times: u32, rig: fn() -> Box<dyn Rig>) -> Scenario {
    Scenario { dies_at_points: true, ..plain(name, what, times, rig) }
}

fn doomed(doom: Doom) -> Box<dyn Rig> {
    Box::new(Doomed::new(doom))
}

fn bad(badness: Badness) -> Box<dyn Rig> {
    Box::new(BadLink::new(badness))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_point_of_the_matrix_has_a_row_and_names_are_different() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for point in 1..=12 {
            assert!(names.contains(format!("K{point}").as_str()), "K{point}");
        }
    }
}
