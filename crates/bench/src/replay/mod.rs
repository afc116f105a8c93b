//! `replay`: real chat logs through real client cores, many times faster than they were written, while links are cut
//! and the server is killed once. At the end every client's copy is compared with what was sent.
//!
//! [`irc`] reads logs, [`script`] is what will happen, [`player`] is one user, [`copies`] compares. A client's state is
//! in memory: that of one process that crashes is tested with the client's own store, not here.

mod copies;
mod irc;
mod player;
mod random;
mod script;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;

use crate::arguments::Replay;
use crate::clock::Clock;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::Stage;
use crate::report::Report;
use crate::server::Server;
use crate::swarm::Swarm;
use copies::{Row, Sent};
use player::{Player, Wish};
use random::Random;
use script::Script;

/// How often timers and the script are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Clients that are brought in at the same time.
const ENTERING_MAX: usize = 64;
/// A killed server is started again after so long.
const DOWN_US: u64 = 1_500_000;
/// What came after everything had come would be a double; it is waited for, longer than the feed needs.
const QUIET_US: u64 = 6_000_000;
/// Longer than a client's longest pause between two attempts.
const STALL_SECONDS: u64 = 90;

struct Play<'a> {
    script: &'a Script,
    speed: f64,
    clock: Clock,
    swarm: Swarm<Player>,
    random: Random,
    sent: Vec<Sent>,
    cuts: u64,
    kills: u64,
}

/// Plays.
pub fn run(options: &Replay, server: &mut Server) -> Result<Report> {
    ensure!(options.speed > 0.0, "--speed must be more than 0");
    ensure!(options.kills == 0 || server.is_own(), "only a server that is started here can be killed: --kills 0");
    let mut random = Random::new(options.seed);
    let script = Script::read(&options.logs, options.cuts, &mut random)?;
    let clock = Clock::start();
    let progress = Progress::new("replay");
    let mut swarm = Swarm::new(clock, server.tcp)?;
    let stage = Stage { key: server.address.key, app: server.address.app.clone(), run: [0; 6] };
    for (number, user) in script.users.iter().enumerate() {
        swarm.add(Player::new(&stage, number as u32, server.signer.token(user)));
    }
    let (speed, sent) = (options.speed, Vec::new());
    let mut play = Play { script: &script, speed, clock, swarm, random, sent, cuts: 0, kills: 0 };
    play.bring_in(&progress)?;
    let seconds = play.perform(server, options.kills, &progress)?;
    let complete = play.settle(server, &progress)?;
    Ok(play.report(seconds, complete))
}

impl Play<'_> {
    /// Everybody logs in for the first time, without disturbance.
    fn bring_in(&mut self, progress: &Progress) -> Result<()> {
        let all = self.swarm.len();
        progress.begin("logging in", all as u64);
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        let (mut started, mut live) = (0, 0);
        while live < all {
            while started < all && started - live < ENTERING_MAX {
                self.swarm.with(started, Player::start);
                started += 1;
            }
            self.turn()?;
            live = (0..started).filter(|index| self.swarm.machine(*index).is_live()).count();
            progress.at(live as u64);
            patience.check(live as u64, || format!("logins ({live} of {all} are in)"))?;
        }
        Ok(())
    }

    /// Says every line at its time, and does the damage; returns the seconds it took.
    fn perform(&mut self, server: &mut Server, kills: usize, progress: &Progress) -> Result<f64> {
        let start_us = self.clock.micros();
        let lines = self.script.lines.len();
        progress.begin("playing", lines as u64);
        let (mut next_cut, mut down_since_us) = (0, None);
        while self.sent.len() < lines || down_since_us.is_some() {
            let log_ms = ((self.clock.micros() - start_us) as f64 / 1e3 * self.speed) as u64;
            while self.script.lines.get(self.sent.len()).is_some_and(|line| line.at_ms <= log_ms) {
                self.say(self.sent.len())?;
            }
            while self.script.cuts_ms.get(next_cut).is_some_and(|at_ms| *at_ms <= log_ms) {
                self.cut();
                next_cut += 1;
            }
            let next_kill = lines * (self.kills as usize + 1) / (kills + 1);
            if down_since_us.is_none() && self.kills < kills as u64 && self.sent.len() >= next_kill {
                server.kill()?;
                self.kills += 1;
                down_since_us = Some(self.clock.micros());
            }
            if down_since_us.is_some_and(|since| self.clock.micros() > since + DOWN_US) {
                server.restart()?;
                down_since_us = None;
            }
            if down_since_us.is_none() {
                server.check()?;
            }
            self.turn()?;
            progress.at(self.sent.len() as u64);
        }
        Ok((self.clock.micros() - start_us) as f64 / 1e6)
    }

    fn say(&mut self, number: usize) -> Result<()> {
        let line = &self.script.lines[number];
        let text = Bytes::from(line.text.clone().into_bytes());
        let user = &self.script.users[line.to];
        let said = self.swarm.with(line.from, |player, now, out| player.send(user, text.clone(), now, out));
        if let Err(reason) = said {
            bail!("line {number} could not be written: {reason}");
        }
        self.sent.push(Sent { from: line.from, to: line.to, text });
        Ok(())
    }

    /// Cuts the link of somebody: every other time of one who has just written, when it hurts most.
    fn cut(&mut self) {
        let busy = self.sent.last().filter(|_| self.cuts.is_multiple_of(2)).map(|sent| sent.from);
        let anybody = self.random.below(self.swarm.len() as u64) as usize;
        let found = [busy.unwrap_or(anybody), anybody].into_iter().find(|index| self.swarm.machine(*index).is_live());
        if let Some(index) = found {
            self.swarm.cut(index);
            self.cuts += 1;
        }
    }

    /// One turn of the sockets, with timers and wishes.
    fn turn(&mut self) -> Result<()> {
        self.swarm.turn(TICK, |_, _, _, _| {})?;
        for index in 0..self.swarm.len() {
            self.swarm.with(index, Player::tick);
            let player = self.swarm.machine_mut(index);
            if let Some(reason) = &player.stopped {
                bail!("the client of {} has stopped: {reason}", self.script.users[index]);
            }
            match player.take_wish() {
                Some(Wish::Connect) => self.swarm.dial(index)?,
                Some(Wish::HangUp) => self.swarm.hang_up(index),
                None => {}
            }
        }
        Ok(())
    }

    /// Waits until everything has come, and then some more. False if it did not come in time: the comparison will say
    /// what is missing.
    fn settle(&mut self, server: &mut Server, progress: &Progress) -> Result<bool> {
        let wanted = 2 * self.sent.len();
        progress.begin("waiting for the last copies", wanted as u64);
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        let mut complete = true;
        loop {
            self.turn()?;
            server.check()?;
            let told: usize = self.players().map(|player| player.told().len()).sum();
            progress.at(told as u64);
            let busy = self.players().any(|player| !player.is_live() || player.unsent() > 0);
            if told >= wanted && !busy {
                break;
            }
            if let Err(stalled) = patience.check(told as u64, || format!("{told} of {wanted} rows of copies")) {
                eprintln!("hongyan-bench: {stalled}");
                complete = false;
                break;
            }
        }
        let quiet_until_us = self.clock.micros() + QUIET_US;
        while self.clock.micros() < quiet_until_us {
            self.turn()?;
        }
        Ok(complete)
    }

    fn players(&self) -> impl Iterator<Item = &Player> {
        (0..self.swarm.len()).map(|index| self.swarm.machine(index))
    }

    /// Names become places; a name that is not in the script becomes one that nobody has.
    fn copies(&self) -> Vec<Vec<Row>> {
        let users = &self.script.users;
        let places: HashMap<&str, usize> =
            users.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let row = |told: &player::Told| Row {
            with: places.get(told.user.as_str()).copied().unwrap_or(usize::MAX),
            own: told.own,
            seq: told.seq,
            text: told.text.clone(),
        };
        self.players().map(|player| player.told().iter().map(row).collect()).collect()
    }

    fn report(&self, seconds: f64, complete: bool) -> Report {
        let copies = self.copies();
        let faults = copies::compare(&self.sent, &copies);
        let total = |count: fn(&Player) -> u64| self.players().map(count).sum::<u64>() as f64;
        let mut report = Report::new("replay");
        report.add("lines_read", self.script.lines_read as f64);
        report.add("users", self.script.users.len() as f64);
        report.add("messages", self.sent.len() as f64);
        report.add("seconds", seconds);
        report.add("times_faster", self.script.end_ms() as f64 / 1e3 / seconds);
        report.add("links_cut", self.cuts as f64);
        report.add("server_kills", self.kills as f64);
        report.add("resumes", total(|player| player.resumes));
        report.add("logins", total(|player| player.logins));
        report.add("resets", total(|player| player.resets));
        report.add("given_up", total(|player| player.failed));
        report.add("rows_compared", copies.iter().map(Vec::len).sum::<usize>() as f64);
        report.add("lost", faults.lost as f64);
        report.add("duplicated", faults.duplicated as f64);
        report.add("reordered", faults.reordered as f64);
        report.add("altered", faults.altered as f64);
        if !complete {
            report.note("not everything had come when waiting ended");
        }
        report
    }
}
