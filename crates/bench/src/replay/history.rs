//! What the clients of a replay see, in one order, judged while it happens and kept in a file if somebody asks for it.
//!
//! Everything runs in one thread, and a client notes what it saw before anybody can see what it does next: so causes
//! stand before their effects. The user and the device of a client have its number.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use hongyan_checker::{Checker, Event, Record, Report, User, Writer};

use crate::clock::Clock;

/// Who a name that nobody has belongs to: the judge will say so.
const NOBODY: User = User::MAX;
/// Every client is one install.
const DEVICE: &str = "client";

/// The history of a run.
pub struct History {
    clock: Clock,
    checker: Checker,
    users: HashMap<String, User>,
    file: Option<Writer<BufWriter<File>>>,
    /// The first failure to write; told at the end.
    failure: Option<io::Error>,
}

/// One history that all clients of a thread write.
pub type Shared = Rc<RefCell<History>>;

impl History {
    /// Introduces all users, each with one device.
    pub fn begin(app: &str, users: &[String], clock: Clock, file: Option<&Path>) -> Result<Shared> {
        let create = |path: &Path| File::create(path).with_context(|| format!("creating {}", path.display()));
        let file = file.map(create).transpose()?.map(|file| Writer::new(BufWriter::new(file)));
        let numbers = users.iter().cloned().zip(0..).collect();
        let mut history = Self { clock, checker: Checker::default(), users: numbers, file, failure: None };
        for name in users {
            history.saw(Event::User { app: app.to_owned(), name: name.clone() });
        }
        for user in 0..users.len() as User {
            history.saw(Event::Device { user, name: DEVICE.to_owned() });
        }
        Ok(Rc::new(RefCell::new(history)))
    }

    /// The number of a user.
    pub fn user(&self, name: &str) -> User {
        self.users.get(name).copied().unwrap_or(NOBODY)
    }

    /// Something happened.
    pub fn saw(&mut self, event: Event) {
        let record = Record { at_ms: self.clock.micros() / 1000, event };
        self.checker.take(&record);
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.write(&record)) {
            self.failure.get_or_insert(error);
        }
    }

    /// The judgement, when the file is complete.
    pub fn finish(&mut self) -> Result<Report> {
        let written = match self.file.take() {
            Some(file) => file.finish().map(drop),
            None => Ok(()),
        };
        self.failure.take().map_or(written, Err).context("writing the history")?;
        Ok(std::mem::take(&mut self.checker).finish())
    }
}
