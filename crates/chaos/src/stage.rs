//! One run: a server, its clients, the journal, and the clock of the damage. Faults come from the scenarios; here is
//! what they have in common: letting people talk, starting the server again, waiting until all is well, coming to
//! rest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hongyan_checker::{Event, Report};
use rustix::process::Signal;

use crate::crowd::{Crowd, Origin, Size};
use crate::interrupt;
use crate::journal::Journal;
use crate::random::Random;
use crate::server::{Place, Server};

/// How often the conductor looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// A killed server must take clients again after so long.
const RESTART_MAX: Duration = Duration::from_secs(5);
/// After a fault has ended everything must be well after so long (I11).
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// What came after everything had come would be a double; it is waited for, longer than the change feed needs.
const QUIET: Duration = Duration::from_secs(5);
/// A server that was told to stop ends within its own deadline and some more.
const STOP_MAX: Duration = Duration::from_secs(30);
/// What no log may ever say.
const UNSPEAKABLE: [&str; 2] = ["panicked", "malformed"];
/// A client crashes in so many of 100 pauses between two faults.
const CLIENT_CRASH_PERCENT: u64 = 30;

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// People and devices.
    pub size: Size,
    /// What they do, all together, per second.
    pub acts_per_second: u64,
    /// Decides who does what.
    pub seed: u64,
}

/// A run.
pub struct Stage {
    /// The process under test.
    pub server: Server,
    /// Everybody who uses it.
    pub crowd: Crowd,
    /// What they saw.
    pub journal: Arc<Journal>,
    /// Decides what is damaged when.
    pub random: Random,
    /// Broken promises that a history does not show.
    pub complaints: Vec<String>,
    /// Times from the start of a process until it took clients.
    pub restarts: Vec<Duration>,
    /// Times from the end of a fault until everybody was back and something was acknowledged.
    pub recoveries: Vec<Duration>,
    cast: Cast,
    /// The last start of the server.
    started: Instant,
    /// Starts so far.
    lives: u32,
    chapters: u32,
}

impl Stage {
    /// Starts the server, lets everybody in without disturbance, and lets them begin to talk.
    pub fn open(place: Place, cast: Cast) -> Result<Self> {
        let mut random = Random::new(cast.seed);
        let mut server = Server::new(place);
        let started = Instant::now();
        server.start_well(&[])?;
        let (journal, crowd) = gather(&server, cast, 0, random.branch())?;
        let mut stage = Self {
            server,
            crowd,
            journal,
            random,
            complaints: Vec::new(),
            restarts: Vec::new(),
            recoveries: Vec::new(),
            cast,
            started,
            lives: 1,
            chapters: 1,
        };
        stage.begin()?;
        Ok(stage)
    }

    fn begin(&mut self) -> Result<()> {
        self.wait("everybody to log in", RECOVERY_MAX, |stage| stage.crowd.all_live())?;
        self.crowd.set_pace(self.cast.acts_per_second);
        Ok(())
    }

    /// Comes to rest, and goes on with other people on the same server. Returns the judgement of what was so far, and
    /// forgets it: a history that is kept in memory must end.
    pub fn next_chapter(&mut self) -> Result<Report> {
        self.rest()?;
        let (journal, crowd) = gather(&self.server, self.cast, self.chapters, self.random.branch())?;
        self.chapters += 1;
        drop(std::mem::replace(&mut self.crowd, crowd));
        let report = std::mem::replace(&mut self.journal, journal).finish()?;
        self.begin()?;
        Ok(report)
    }

    /// How long the server has run, and how many processes it was before.
    pub fn age(&self) -> (Duration, u32) {
        (self.started.elapsed(), self.lives - 1)
    }

    /// Something that should hold did not.
    pub fn complain(&mut self, what: impl Into<String>) {
        self.complaints.push(what.into());
    }

    /// Lets people talk for a random time; now and then a client crashes meanwhile.
    pub fn breathe(&mut self, from_ms: u64, to_ms: u64) -> Result<()> {
        let length = Duration::from_millis(self.random.between(from_ms, to_ms));
        if self.random.chance(CLIENT_CRASH_PERCENT) {
            self.crowd.crash_somebody();
        }
        interrupt::pause(length)?;
        self.server.check()?;
        self.crowd.check()
    }

    /// Starts the server again and waits until all is well. Clients are told at once that it is back: their back-off
    /// is no part of what is measured.
    pub fn restart(&mut self) -> Result<()> {
        self.start_again()?;
        self.crowd.dial_now();
        let since = self.started;
        self.recover(since)
    }

    /// As [`Stage::restart`], but clients find out by themselves.
    pub fn restart_unannounced(&mut self) -> Result<()> {
        self.start_again()?;
        let since = self.started;
        self.recover(since)
    }

    fn start_again(&mut self) -> Result<()> {
        self.started = Instant::now();
        self.lives += 1;
        let time = self.server.start_well(&[])?;
        if time > RESTART_MAX {
            self.complain(format!("a restart took {} ms", time.as_millis()));
        }
        self.restarts.push(time);
        Ok(())
    }

    /// What the server has logged since this was last asked; what must never be logged goes into the history.
    pub fn log_news(&mut self) -> Result<String> {
        let log = self.server.news()?;
        for line in log.lines().filter(|line| UNSPEAKABLE.iter().any(|word| line.contains(word))) {
            self.journal.note(Event::Panic { what: line.to_owned() });
        }
        Ok(log)
    }

    /// Waits until everybody has a session and something was acknowledged since; `since` is the end of the fault.
    pub fn recover(&mut self, since: Instant) -> Result<()> {
        let silent = self.cast.acts_per_second == 0;
        self.wait("everybody to be back", RECOVERY_MAX, |stage| stage.crowd.all_live())?;
        let before = self.journal.counts().acknowledged;
        self.wait("an acknowledgement", RECOVERY_MAX, |stage| silent || stage.journal.counts().acknowledged > before)?;
        self.recoveries.push(since.elapsed());
        Ok(())
    }

    /// Waits for something that must become true while the server runs.
    pub fn wait(&mut self, what: &str, time: Duration, mut done: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !done(self) {
            interrupt::check()?;
            self.server.check()?;
            self.crowd.check()?;
            if begun.elapsed() > time {
                bail!("waited {} s for {what}: {}", time.as_secs(), self.situation());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn situation(&self) -> String {
        let counts = self.journal.counts();
        format!(
            "{} of {} clients live, {} messages unsent, {} of {} rows shown",
            self.crowd.live(),
            self.crowd.devices(),
            self.crowd.unsent(),
            counts.shown,
            counts.owed
        )
    }

    /// No more faults: waits until everything has come, then for what must not come any more. What is missing then is
    /// for the checker to say.
    pub fn rest(&mut self) -> Result<()> {
        self.crowd.set_pace(0);
        self.journal.note(Event::Healed);
        self.crowd.dial_now();
        self.crowd.try_failed_again();
        let arrived = self.wait("everything to arrive", RECOVERY_MAX, |stage| {
            let counts = stage.journal.counts();
            stage.crowd.all_live() && stage.crowd.unsent() == 0 && counts.shown >= counts.owed
        });
        if let Err(error) = arrived {
            self.complain(format!("{error:#}"));
        }
        let quiet_until = Instant::now() + QUIET;
        self.wait("silence", 2 * QUIET, |_| Instant::now() > quiet_until)?;
        let (connected, devices) =
            (self.server.metric("hongyan_gate_sessions_connected")?, self.crowd.devices() as u64);
        self.journal.note(Event::AtRest);
        let name = "sessions connected".to_owned();
        self.journal.note(Event::Resource { name, before: devices, after: connected as u64 });
        self.crowd.describe()?;
        if let Err(error) = self.server.back_up() {
            self.complain(format!("the store cannot be copied: {error:#}"));
        }
        self.log_news().map(drop)
    }

    /// SIGTERM; the server must end well. Returns the time it took.
    pub fn stop(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.server.signal(Signal::TERM)?;
        let status = self.server.ended_within(STOP_MAX)?.context("the server did not end after SIGTERM")?;
        ensure!(status.success(), "the server ended badly after SIGTERM ({status}):\n{}", self.server.last_words());
        Ok(begun.elapsed())
    }

    /// The judgement, when all is said.
    pub fn judge(self) -> Result<Report> {
        let Self { server, crowd, journal, .. } = self;
        drop((server, crowd));
        journal.finish()
    }
}

/// Makes a history, and clients for a server that runs. Names are those of the chapter.
fn gather(server: &Server, cast: Cast, chapter: u32, random: Random) -> Result<(Arc<Journal>, Crowd)> {
    let folder = &server.place().folder;
    let journal = Arc::new(Journal::create(&history(folder, chapter))?);
    let prefix = if chapter == 0 { String::new() } else { format!("chapter{chapter}-") };
    let origin = Origin {
        address: server.address()?,
        server: server.tcp()?,
        token: &|user| server.mint(user),
        folder,
        prefix: &prefix,
    };
    let crowd = Crowd::gather(cast.size, &origin, &journal, random)?;
    Ok((journal, crowd))
}

/// Where the history of a chapter is written.
pub fn history(folder: &Path, chapter: u32) -> PathBuf {
    folder.join(format!("history-{chapter}.jsonl"))
}
