//! `replay`: real chat logs through real client cores, many times faster than they were written, while links are cut
//! and the server is killed once. What every client sees goes into a history, which is judged by the same checker as
//! those of the simulator.
//!
//! [`irc`] reads logs, [`script`] is what will happen, [`player`] is one user, [`history`] is what they see. A client's
//! state is in memory: that of one process that crashes is tested with the client's own store, not here.

mod history;
mod irc;
mod player;
mod random;
mod script;

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use hongyan_checker::Event;

use crate::arguments::Replay;
use crate::clock::Clock;
use crate::coat::By;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::puppet::Stage;
use crate::report::Report;
use crate::server::Server;
use crate::swarm::Swarm;
use history::{History, Shared};
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
    /// Lines that were said.
    said: usize,
    history: Shared,
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
    let mut swarm = Swarm::new(clock)?;
    let way = server.way_in(By::Tcp)?;
    let stage = Stage { key: server.address.key, app: server.address.app.clone(), run: [0; 6] };
    let history = History::begin(&stage.app, &script.users, clock, options.history.as_deref())?;
    for (number, user) in script.users.iter().enumerate() {
        swarm.add(Player::new(&stage, number as u32, server.signer.token(user), history.clone()), way);
    }
    let speed = options.speed;
    let mut play = Play { script: &script, speed, clock, swarm, random, said: 0, history, cuts: 0, kills: 0 };
    play.bring_in(&progress)?;
    let seconds = play.perform(server, options.kills, &progress)?;
    let complete = play.settle(server, &progress)?;
    play.rest();
    play.report(seconds, complete)
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
        while self.said < lines || down_since_us.is_some() {
            let log_ms = ((self.clock.micros() - start_us) as f64 / 1e3 * self.speed) as u64;
            while self.script.lines.get(self.said).is_some_and(|line| line.at_ms <= log_ms) {
                self.say(self.said)?;
            }
            while self.script.cuts_ms.get(next_cut).is_some_and(|at_ms| *at_ms <= log_ms) {
                self.cut();
                next_cut += 1;
            }
            let next_kill = lines * (self.kills as usize + 1) / (kills + 1);
            if down_since_us.is_none() && self.kills < kills as u64 && self.said >= next_kill {
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
            progress.at(self.said as u64);
        }
        Ok((self.clock.micros() - start_us) as f64 / 1e6)
    }

    fn say(&mut self, number: usize) -> Result<()> {
        let line = &self.script.lines[number];
        let user = &self.script.users[line.to];
        let said = self.swarm.with(line.from, |player, now, out| player.send(user, &line.text, now, out));
        if let Err(reason) = said {
            bail!("line {number} could not be written: {reason}");
        }
        self.said += 1;
        Ok(())
    }

    /// Cuts the link of somebody: every other time of one who has just written, when it hurts most.
    fn cut(&mut self) {
        let last = self.said.checked_sub(1).map(|last| self.script.lines[last].from);
        let busy = last.filter(|_| self.cuts.is_multiple_of(2));
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

    /// Waits until everything has come, and then some more. False if it did not come in time: the judge will say what is
    /// missing.
    fn settle(&mut self, server: &mut Server, progress: &Progress) -> Result<bool> {
        self.history.borrow_mut().saw(Event::Healed);
        let wanted = 2 * self.said as u64;
        progress.begin("waiting for the last messages", wanted);
        let mut patience = Patience::new(self.clock, STALL_SECONDS);
        let mut complete = true;
        loop {
            self.turn()?;
            server.check()?;
            let told: u64 = self.players().map(|player| player.rows).sum();
            progress.at(told);
            let busy = self.players().any(|player| !player.is_live() || player.unsent() > 0);
            if told >= wanted && !busy {
                break;
            }
            if let Err(stalled) = patience.check(told, || format!("{told} of {wanted} messages on screens")) {
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

    /// What is there when nothing moves any more.
    fn rest(&self) {
        self.history.borrow_mut().saw(Event::AtRest);
        self.players().for_each(Player::tell_unread);
    }

    fn report(&self, seconds: f64, complete: bool) -> Result<Report> {
        let judged = self.history.borrow_mut().finish()?;
        let counts = judged.counts;
        let total = |count: fn(&Player) -> u64| self.players().map(count).sum::<u64>() as f64;
        let mut report = Report::new("replay");
        report.add("lines_read", self.script.lines_read as f64);
        report.add("users", self.script.users.len() as f64);
        report.add("messages", counts.sent as f64);
        report.add("seconds", seconds);
        report.add("times_faster", self.script.end_ms() as f64 / 1e3 / seconds);
        report.add("links_cut", self.cuts as f64);
        report.add("server_kills", self.kills as f64);
        report.add("resumes", total(|player| player.resumes));
        report.add("logins", total(|player| player.logins));
        report.add("resets", total(|player| player.resets));
        report.add("records_judged", counts.records as f64);
        report.add("acknowledged", counts.acknowledged as f64);
        report.add("shown", counts.shown as f64);
        report.add("receipts", counts.receipts as f64);
        report.add("failed", (counts.refused + counts.given_up) as f64);
        report.add("violations", judged.violations_total as f64);
        judged.violations.iter().for_each(|violation| report.note(violation.to_string()));
        if !complete {
            report.note("not everything had come when waiting ended");
        }
        Ok(report)
    }
}
