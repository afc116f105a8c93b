//! One device, as the model knows it: what it was told, what it waits for, and what it therefore may hear next.

use std::collections::VecDeque;

use hongyan_wire::command::Operation;
use hongyan_wire::{Command, proto};

use super::line::Line;

/// A device of a user.
pub struct Device<'a> {
    pub user: &'static str,
    pub number: u8,
    pub line: Option<Line<'a>>,
    /// Ticket and secret of its session.
    pub login: Option<proto::LoginAnswer>,
    /// Which session of all it is.
    pub session: u8,
    /// The highest epoch that it has tried.
    pub epoch: u32,
    /// The session has ended.
    pub ended: bool,
    /// A resume was answered, and nothing was said since.
    unconfirmed: bool,
    /// The highest inbox number that this connection was told.
    pub told: u64,
    /// The same over all connections.
    pub known: u64,
    /// Ids of sends that wait for their answers.
    pub sends: VecDeque<u32>,
    /// Numbers that were pushed and must come.
    pub expected: VecDeque<u64>,
    /// The last number that came.
    pushed: u64,
    /// The client was told to sync since something was pushed.
    told_to_sync: bool,
    /// Its stream did not take everything: what is under way is not known.
    pub slow: bool,
    /// It has said something that makes no sense.
    pub wild: bool,
}

impl<'a> Device<'a> {
    pub fn new(user: &'static str, number: u8) -> Self {
        Self {
            user,
            number,
            line: None,
            login: None,
            session: 0,
            epoch: 0,
            ended: false,
            unconfirmed: false,
            told: 0,
            known: 0,
            sends: VecDeque::new(),
            expected: VecDeque::new(),
            pushed: 0,
            told_to_sync: false,
            slow: false,
            wild: false,
        }
    }

    /// A new session; the one before is left to itself.
    pub fn log_in(&mut self, line: Line<'a>, login: proto::LoginAnswer, session: u8) {
        self.connect(line, login.inbox_head);
        (self.session, self.epoch, self.ended, self.unconfirmed) = (session, 0, false, false);
        self.login = Some(login);
    }

    /// The session on a new connection; the one before does not hear of it yet.
    pub fn resume(&mut self, line: Line<'a>, result: proto::ResumeResult, epoch: u32) {
        self.connect(line, result.page.map_or(0, |page| page.inbox_head));
        (self.epoch, self.unconfirmed) = (epoch, true);
        if let Some(login) = &mut self.login {
            login.ticket = result.ticket;
        }
    }

    fn connect(&mut self, line: Line<'a>, told: u64) {
        self.line = Some(line);
        self.told = told;
        self.known = told.max(self.known);
        self.sends.clear();
        self.expected.clear();
        (self.pushed, self.told_to_sync, self.slow, self.wild) = (0, false, false, false);
    }

    /// The session has ended, by its own wish or another's.
    pub fn end(&mut self) {
        self.ended = true;
        self.expected.clear();
        self.sends.clear();
    }

    /// The line, to say something that makes sense; it confirms a resume.
    pub fn speak(&mut self) -> Option<&mut Line<'a>> {
        let line = self.line.as_mut().filter(|line| !line.is_closed())?;
        self.unconfirmed = false;
        Some(line)
    }

    /// Pushes must reach it.
    pub fn is_listening(&self) -> bool {
        self.is_open() && !self.ended && !self.unconfirmed && !self.wild
    }

    /// What it hears is known exactly.
    pub fn is_tame(&self) -> bool {
        !self.slow && !self.wild
    }

    pub fn is_open(&self) -> bool {
        self.line.as_ref().is_some_and(|line| !line.is_closed())
    }

    pub fn is_closed(&self) -> bool {
        !self.is_open()
    }

    /// Takes what has come, and fails if it should not have, or if something is missing.
    pub fn hear(&mut self) {
        let Some(line) = &mut self.line else { return };
        line.settle();
        for notify in line.take::<proto::MessageNotify>(Command::notify(Operation::Message)) {
            for entry in notify.entries {
                assert!(entry.inbox_seq > self.pushed, "{} after {}", entry.inbox_seq, self.pushed);
                assert!(!self.ended || self.slow, "{} for somebody who has ended", entry.inbox_seq);
                self.pushed = entry.inbox_seq;
                self.told = self.told.max(entry.inbox_seq);
                self.expected.retain(|expected| *expected != entry.inbox_seq);
            }
        }
        for hint in line.take::<proto::HintNotify>(Command::notify(Operation::Hint)) {
            self.told_to_sync = true;
            self.told = self.told.max(hint.inbox_head);
        }
        for answer in line.take::<proto::KeepaliveAnswer>(Command::answer(Operation::Keepalive)) {
            self.told = self.told.max(answer.inbox_head);
        }
        for answer in line.take::<proto::SendAnswer>(Command::answer(Operation::Send)) {
            self.told = self.told.max(answer.inbox_seq);
            let waiting = self.sends.pop_front();
            assert!(self.wild || self.ended || waiting == Some(answer.id), "{} instead of {waiting:?}", answer.id);
        }
        self.known = self.known.max(self.told);
        self.missing();
    }

    fn missing(&mut self) {
        if !self.is_open() || !self.is_tame() || self.ended {
            return;
        }
        assert!(self.sends.is_empty(), "{:?} are not answered", self.sends);
        assert!(self.expected.is_empty() || self.told_to_sync, "{:?} did not come", self.expected);
        self.expected.clear();
        self.told_to_sync = false;
    }
}
