//! What clients saw, in the one order in which it happened: handed to the checker at once, written down as a line of
//! JSON each, and counted for those who wait. It judges nothing itself.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hongyan_checker::{Checker, Device, Event, MessageId, Record, Report, User, Writer};

/// Running totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that were written.
    pub sent: u64,
    /// Of these, acknowledged.
    pub acknowledged: u64,
    /// Of these, refused or given up.
    pub failed: u64,
    /// Rows that devices showed.
    pub shown: u64,
    /// Rows that devices have to show for what was acknowledged.
    pub owed: u64,
}

/// The history of one run. All clients write to it.
pub struct Journal {
    started: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    file: Writer<BufWriter<File>>,
    checker: Checker,
    /// Whose each device is.
    owners: Vec<User>,
    /// Devices of each user.
    devices: Vec<u64>,
    counts: Counts,
    /// When messages were written that nobody has seen yet.
    under_way: HashMap<MessageId, Instant>,
    /// From writing to the first device of the other person.
    latencies: Vec<Duration>,
    broken: Option<std::io::Error>,
}

impl Journal {
    /// An empty history in this file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
        let inner = Inner {
            file: Writer::new(BufWriter::new(file)),
            checker: Checker::default(),
            owners: Vec::new(),
            devices: Vec::new(),
            counts: Counts::default(),
            under_way: HashMap::new(),
            latencies: Vec::new(),
            broken: None,
        };
        Ok(Self { started: Instant::now(), inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user exists from now on.
    pub fn introduce_user(&self, app: &str, name: &str) -> User {
        let mut inner = self.lock();
        inner.devices.push(0);
        inner.write(self.started, Event::User { app: app.to_owned(), name: name.to_owned() });
        inner.devices.len() as User - 1
    }

    /// A device of a user exists from now on.
    pub fn introduce_device(&self, user: User, name: &str) -> Device {
        let mut inner = self.lock();
        inner.owners.push(user);
        inner.devices[user as usize] += 1;
        inner.write(self.started, Event::Device { user, name: name.to_owned() });
        inner.owners.len() as Device - 1
    }

    /// Something was seen.
    pub fn note(&self, event: Event) {
        let mut inner = self.lock();
        inner.count(&event);
        inner.write(self.started, event);
    }

    /// A message was seen for the first time when nothing of it but its number was left: its author had taken it back.
    pub fn note_taken_back(&self, event: Event) {
        let mut inner = self.lock();
        inner.counts.shown += 1;
        inner.write(self.started, event);
    }

    /// The totals now.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The latencies since this was last asked.
    pub fn take_latencies(&self) -> Vec<Duration> {
        std::mem::take(&mut self.lock().latencies)
    }

    /// The judgement of the whole history; fails if a line of it could not be written.
    pub fn finish(self: Arc<Self>) -> Result<Report> {
        let journal = Arc::into_inner(self).context("a client still writes")?;
        let inner = journal.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = inner.broken {
            return Err(error).context("writing the history");
        }
        inner.file.finish().context("writing the history")?;
        Ok(inner.checker.finish())
    }
}

impl Inner {
    fn write(&mut self, started: Instant, event: Event) {
        let record = Record { at_ms: started.elapsed().as_millis() as u64, event };
        self.checker.take(&record);
        // The run goes on; the missing line is told at its end.
        if let Err(error) = self.file.write(&record) {
            self.broken.get_or_insert(error);
        }
    }

    fn count(&mut self, event: &Event) {
        match *event {
            Event::Send { id, .. } => {
                self.counts.sent += 1;
                self.under_way.insert(id, Instant::now());
            }
            Event::Acked { device, to, .. } => {
                self.counts.acknowledged += 1;
                let own = self.owners[device as usize];
                self.counts.owed += self.devices[to as usize] + self.devices[own as usize] - 1;
            }
            Event::Failed { .. } => self.counts.failed += 1,
            Event::Shown { own, id, .. } => {
                self.counts.shown += 1;
                if !own && let Some(since) = self.under_way.remove(&id) {
                    self.latencies.push(since.elapsed());
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_follows_from_devices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let journal = Arc::new(Journal::create(&path).unwrap());
        let (alice, bob) = (journal.introduce_user("a", "alice"), journal.introduce_user("a", "bob"));
        let phone = journal.introduce_device(alice, "alice/phone");
        journal.introduce_device(alice, "alice/desk");
        let bobs = journal.introduce_device(bob, "bob/phone");
        journal.note(Event::Send { device: phone, to: bob, id: 1, digest: 7 });
        journal.note(Event::Acked { device: phone, to: bob, id: 1, seq: 1 });
        journal.note(Event::Shown { device: bobs, peer: alice, own: false, seq: 1, id: 1, digest: 7 });
        let counts = Counts { sent: 1, acknowledged: 1, failed: 0, shown: 1, owed: 2 };
        assert_eq!(journal.counts(), counts);
        assert_eq!(journal.take_latencies().len(), 1);
        let report = journal.finish().unwrap();
        assert_eq!((report.counts.records, report.counts.shown), (8, 1));
        let lines = std::fs::read_to_string(path).unwrap();
        assert!(lines.lines().count() == 8 && lines.lines().last().unwrap().contains("\"shown\""), "{lines}");
    }
}
