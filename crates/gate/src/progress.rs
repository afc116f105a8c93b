//! Cursors and delivered marks on their way to the store: collected here, max-merged, written about twice a second.
//! Losing them costs repeats, never messages (design §5).

use std::collections::BTreeMap;

use hongyan_domain::id::{ConversationId, DeviceKey, UserId};
use hongyan_domain::receipt::CursorAdvance;
use hongyan_domain::session::Caller;

use crate::sync::Mutex;

/// What is to be stored.
#[derive(Default)]
pub struct Progress {
    waiting: Mutex<BTreeMap<DeviceKey, CursorAdvance>>,
}

impl Progress {
    /// A device has acknowledged up to a cursor, and with it these rows.
    pub fn record(&self, caller: &Caller, inbox_cursor: u64, delivered: &[(ConversationId, u64)]) {
        self.merge(caller.user, caller.device, inbox_cursor, delivered);
    }

    /// The store was too busy for them: they wait for the next time, because devices do not say them again.
    pub fn put_back(&self, advances: Vec<CursorAdvance>) {
        for CursorAdvance { user, device, inbox_cursor, delivered } in advances {
            self.merge(user, device, inbox_cursor, &delivered);
        }
    }

    fn merge(&self, user: UserId, device: DeviceKey, inbox_cursor: u64, delivered: &[(ConversationId, u64)]) {
        let mut waiting = self.waiting.lock().expect("nothing panics while it is held");
        let fresh = || CursorAdvance { user, device, inbox_cursor: 0, delivered: Vec::new() };
        let advance = waiting.entry(device).or_insert_with(fresh);
        advance.inbox_cursor = advance.inbox_cursor.max(inbox_cursor);
        for &(conversation, seq) in delivered {
            match advance.delivered.iter_mut().find(|(known, _)| *known == conversation) {
                Some((_, known)) => *known = seq.max(*known),
                None => advance.delivered.push((conversation, seq)),
            }
        }
    }

    /// Takes what waits.
    pub fn take(&self) -> Vec<CursorAdvance> {
        let mut waiting = self.waiting.lock().expect("nothing panics while it is held");
        std::mem::take(&mut *waiting).into_values().collect()
    }
}
