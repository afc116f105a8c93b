//! Messages as their authors wrote them, and what became of each.

use crate::hash::NumberMap;
use crate::history::{Device, MessageId, User};

/// What the author's device was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing yet.
    Pending,
    /// The server has it.
    Acknowledged,
    /// The server refused it.
    Refused,
    /// It was given up: it may be stored or not.
    GivenUp,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) digest: u64,
    /// Its number, 0 while nobody was told.
    pub(crate) seq: u64,
    /// Place in the history at which it was sent; of a message that was refused and sent again, the last time.
    pub(crate) sent: u64,
    /// The same in the time of the history.
    pub(crate) sent_ms: u64,
    pub(crate) device: Device,
    pub(crate) author: User,
    pub(crate) to: User,
    pub(crate) conversation: u32,
    /// Its place among the messages of its device in its conversation.
    pub(crate) lane_place: u32,
    /// The highest log epoch that anybody knew when its number was told.
    pub(crate) epoch: u32,
    pub(crate) state: State,
    /// It was refused or given up at some time: then its device's order says nothing about it.
    pub(crate) failed_once: bool,
    /// It counts among its conversation's unnumbered ones: it may have taken a number.
    pub(crate) unnumbered: bool,
    /// The process died when it was written, and may not have kept it.
    pub(crate) doubtful: bool,
}

/// All messages, by id and by place.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    by_id: NumberMap<MessageId, u32>,
    all: Vec<Message>,
}

impl Messages {
    pub(crate) fn find(&self, id: MessageId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn add(&mut self, message: Message) -> u32 {
        let place = self.all.len() as u32;
        self.by_id.insert(message.id, place);
        self.all.push(message);
        place
    }

    pub(crate) fn get(&self, place: u32) -> &Message {
        &self.all[place as usize]
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> &mut Message {
        &mut self.all[place as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.all.iter()
    }
}
