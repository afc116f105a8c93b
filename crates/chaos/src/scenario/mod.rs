//! The list of faults: for each a row, and a rig that makes it happen. What they share is in [`crate::stage`].

mod kill;

use anyhow::Result;

use crate::server::Place;
use crate::stage::Stage;

/// One way to hurt a server, again and again in one run.
pub trait Rig {
    /// Makes what the fault needs before the server starts. The reason if this machine cannot.
    fn prepare(&mut self, _place: &mut Place) -> Result<Option<String>> {
        Ok(None)
    }

    /// One fault, its end, and the recovery.
    fn strike(&mut self, stage: &mut Stage) -> Result<()>;
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
    /// Makes its rig.
    pub rig: fn() -> Box<dyn Rig>,
}

/// All of them, in the order in which they are run.
pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "kill",
    what: "kill -9 at a random moment",
    times: 40,
    dies_at_points: false,
    rig: || Box::new(kill::Kill),
}];
