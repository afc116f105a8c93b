//! One conversation of two people (or of one with themselves): its numbers, and how far each device and each side is.

use std::collections::BTreeMap;

use crate::block::Block;
use crate::change::Changes;
use crate::hash::NumberMap;
use crate::history::{Device, User};
use crate::lane::Lane;
use crate::log::Log;
use crate::people::DeviceState;
use crate::seqs::Seqs;

/// What one device shows of a conversation.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) device: Device,
    /// Numbers of messages that it shows.
    pub(crate) shown: Seqs,
    /// Numbers of messages whose absence was reported.
    pub(crate) missed: Seqs,
    /// The highest number that it was shown.
    pub(crate) last: u64,
    /// The lowest number that it was shown since it was last allowed to skip something: all above is owed to it.
    pub(crate) floor: u64,
    /// The last receipt: delivered, read.
    pub(crate) receipt: (u64, u64),
    /// The highest number up to which its user has read on it, surely.
    pub(crate) read: u64,
    /// Marks that went with a message, which may never have arrived: its place, and the mark.
    pub(crate) read_with: Vec<(u32, u64)>,
    reset: u64,
    epochs: u32,
    lives: u32,
}

/// What one of the two people has done.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// The highest number that one of their devices knows.
    pub(crate) received: u64,
    /// The highest number that the other side was told to be delivered here.
    pub(crate) claimed: u64,
    /// The highest mark that was set on one of their devices.
    pub(crate) read: u64,
    /// Messages up to here may be hidden.
    pub(crate) deleted_up_to: u64,
    /// Single messages that may be hidden.
    pub(crate) deleted: Seqs,
    /// Whether they block the other.
    pub(crate) block: Block,
}

impl Side {
    pub(crate) fn has_deleted(&self, seq: u64) -> bool {
        seq <= self.deleted_up_to || self.deleted.contains(seq)
    }
}

/// A conversation.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// The lower user first.
    pub(crate) users: [User; 2],
    pub(crate) log: Log,
    pub(crate) views: Vec<View>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) changes: BTreeMap<u64, Changes>,
    pub(crate) changes_asked: u64,
    sides: [Side; 2],
    /// Messages without a number that were not refused: each may have taken one.
    pub(crate) unnumbered: u64,
    /// Holes that were reported.
    pub(crate) holes_told: u64,
}

impl Conversation {
    fn new(users: [User; 2]) -> Self {
        Self {
            users,
            log: Log::default(),
            views: Vec::new(),
            lanes: Vec::new(),
            changes: BTreeMap::new(),
            changes_asked: 0,
            sides: [Side::default(), Side::default()],
            unnumbered: 0,
            holes_told: 0,
        }
    }

    /// The one person is the other.
    pub(crate) fn is_note_to_self(&self) -> bool {
        self.users[0] == self.users[1]
    }

    /// Of one of the two.
    pub(crate) fn side(&self, user: User) -> &Side {
        &self.sides[usize::from(user != self.users[0])]
    }

    pub(crate) fn side_mut(&mut self, user: User) -> &mut Side {
        &mut self.sides[usize::from(user != self.users[0])]
    }

    /// Both sides; of a note to oneself, the one.
    pub(crate) fn people(&self) -> impl Iterator<Item = User> + use<> {
        let [one, other] = self.users;
        std::iter::once(one).chain(Some(other).filter(|other| *other != one))
    }

    pub(crate) fn view(&self, device: Device) -> Option<&View> {
        self.views.iter().find(|view| view.device == device)
    }

    /// What the device shows, after it forgot what it has to forget.
    pub(crate) fn view_mut(&mut self, device: Device, state: &DeviceState) -> &mut View {
        let place = self.views.iter().position(|view| view.device == device).unwrap_or_else(|| {
            self.views.push(View {
                device,
                shown: Seqs::default(),
                missed: Seqs::default(),
                last: 0,
                floor: u64::MAX,
                receipt: (0, 0),
                read: 0,
                read_with: Vec::new(),
                reset: state.reset,
                epochs: state.epochs,
                lives: state.lives,
            });
            self.views.len() - 1
        });
        let view = &mut self.views[place];
        if view.reset != state.reset {
            view.reset = state.reset;
            view.floor = u64::MAX;
        }
        if view.epochs != state.epochs {
            // PROTOCOL.md §8: cached conversations are dropped when the log epoch has changed.
            view.epochs = state.epochs;
            view.floor = u64::MAX;
            view.last = 0;
            view.receipt = (0, 0);
            view.shown.clear();
        }
        if view.lives != state.lives {
            view.lives = state.lives;
            view.receipt = (0, 0);
        }
        view
    }

    /// The lane of a device.
    pub(crate) fn lane_mut(&mut self, device: Device) -> &mut Lane {
        let place = self.lanes.iter().position(|lane| lane.device == device).unwrap_or_else(|| {
            self.lanes.push(Lane::new(device));
            self.lanes.len() - 1
        });
        &mut self.lanes[place]
    }
}

/// All conversations.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    by_users: NumberMap<u64, u32>,
    all: Vec<Conversation>,
}

impl Conversations {
    pub(crate) fn find_or_add(&mut self, one: User, other: User) -> u32 {
        let next = self.all.len() as u32;
        let place = *self.by_users.entry(key(one, other)).or_insert(next);
        if place == next {
            self.all.push(Conversation::new([one.min(other), one.max(other)]));
        }
        place
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn get(&self, place: u32) -> &Conversation {
        &self.all[place as usize]
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> &mut Conversation {
        &mut self.all[place as usize]
    }
}

fn key(one: User, other: User) -> u64 {
    u64::from(one.min(other)) << 32 | u64::from(one.max(other))
}
