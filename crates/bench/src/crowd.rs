//! Puppets by the hundred: making them, letting them in a few at a time, and passing on what they saw.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::clock::Clock;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::{Entrance, Puppet, Seen, Stage};
use crate::server::Server;
use crate::swarm::{Swarm, Way};

/// Connections that are being opened at the same time.
const ENTERING_MAX: usize = 64;
/// Nothing at all may take longer.
pub const STALL_SECONDS: u64 = 30;
/// The longest wait for sockets, so that timers and limits are looked at.
pub const TURN: Duration = Duration::from_millis(50);

/// The puppets of a run.
pub struct Crowd {
    /// Their connections.
    pub swarm: Swarm<Puppet>,
    /// What they share.
    pub stage: Rc<Stage>,
    way: Way,
    failed: Option<String>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(server: &Server, clock: Clock) -> Result<Self> {
        let mut run = [0; 6];
        getrandom::fill(&mut run)?;
        let stage = Rc::new(Stage { key: server.address.key, app: server.address.app.clone(), run });
        Ok(Self { swarm: Swarm::new(clock)?, stage, way: server.way_in(server.by)?, failed: None })
    }

    /// Adds somebody who enters by a token.
    pub fn add(&mut self, server: &Server, user: &str) -> usize {
        self.add_by(server, user, self.way)
    }

    /// The same, another way than the others.
    pub fn add_by(&mut self, server: &Server, user: &str, way: Way) -> usize {
        self.push(Entrance::Token(server.signer.token(user)), way)
    }

    /// Adds somebody.
    pub fn add_with(&mut self, entrance: Entrance) -> usize {
        self.push(entrance, self.way)
    }

    fn push(&mut self, entrance: Entrance, way: Way) -> usize {
        let number = self.swarm.len() as u32;
        self.swarm.add(Puppet::new(&self.stage, way.by, number, entrance), way)
    }

    /// Passes on what happens in one turn; a puppet that fails ends the run.
    pub fn turn(&mut self, timeout: Duration, mut seen: impl FnMut(usize, Seen)) -> Result<()> {
        self.turn_acting(timeout, |index, _, happened, _, _| seen(index, happened))
    }

    /// As [`Crowd::turn`], for those who answer at once.
    pub fn turn_acting(
        &mut self,
        timeout: Duration,
        mut seen: impl FnMut(usize, &mut Puppet, Seen, hongyan_wire::Millis, &mut Vec<u8>),
    ) -> Result<()> {
        self.turn_looking(timeout, |index, puppet, happened, now, out| {
            if let Some(happened) = happened {
                seen(index, puppet, happened, now, out);
            }
        })
    }

    /// As [`Crowd::turn_acting`], for those who look at a puppet whenever something has arrived there: without anything
    /// seen, after everything that was.
    pub fn turn_looking(
        &mut self,
        timeout: Duration,
        mut look: impl FnMut(usize, &mut Puppet, Option<Seen>, hongyan_wire::Millis, &mut Vec<u8>),
    ) -> Result<()> {
        let failed = &mut self.failed;
        self.swarm.turn(timeout, |index, puppet, now, out| {
            while let Some(happened) = puppet.next_seen() {
                if let Seen::Failed(reason) = happened {
                    failed.get_or_insert(reason);
                } else {
                    look(index, puppet, Some(happened), now, out);
                }
            }
            look(index, puppet, None, now, out);
        })?;
        match self.failed.take() {
            Some(reason) => bail!("a client failed: {reason}"),
            None => Ok(()),
        }
    }

    /// Begins to connect somebody.
    pub fn dial(&mut self, index: usize) -> Result<()> {
        self.swarm.dial(index)?;
        match self.swarm.machine_mut(index).next_seen() {
            Some(Seen::Failed(reason)) => bail!("a client failed: {reason}"),
            _ => Ok(()),
        }
    }

    /// Connects everybody of `who`, a few at a time, and waits until all are in.
    pub fn enter(&mut self, who: std::ops::Range<usize>, progress: &Progress) -> Result<()> {
        progress.begin("logging in", who.len() as u64);
        let mut patience = Patience::new(self.swarm.clock(), STALL_SECONDS);
        let (mut dialled, mut entered) = (0, 0);
        while entered < who.len() {
            while dialled < who.len() && dialled - entered < ENTERING_MAX {
                self.dial(who.start + dialled)?;
                dialled += 1;
            }
            self.turn(TURN, |_, seen| entered += usize::from(matches!(seen, Seen::Entered)))?;
            progress.at(entered as u64);
            patience.check(entered as u64, || format!("logins ({entered} of {} are in)", who.len()))?;
        }
        Ok(())
    }

    /// Heartbeats and gap timers of everybody; returns the number of heartbeats sent.
    pub fn tick(&mut self) -> u64 {
        (0..self.swarm.len()).map(|index| u64::from(self.swarm.with(index, Puppet::tick))).sum()
    }

    /// How often clients had to ask because a push was missing.
    pub fn repairs(&self) -> u64 {
        (0..self.swarm.len()).map(|index| self.swarm.machine(index).repairs()).sum()
    }
}
