//! A session's turn: at most one batch of its sends is worked on, whichever of its connections has brought it (design §5).
//! A copy that comes over a new connection waits until the answer to the older copy is known, so that no refusal of the
//! one is followed by a success of the other.

use std::fmt;
use std::sync::Arc;

use hongyan_domain::id::SessionId;

use crate::gate::Gate;

/// Held while a batch is worked on; dropping it lets the session's next batch begin.
pub struct Turn {
    gate: Arc<Gate>,
    session: SessionId,
}

impl Turn {
    /// Of a session for which the gate's table has noted it.
    pub(crate) fn new(gate: Arc<Gate>, session: SessionId) -> Self {
        Self { gate, session }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.gate.table.end_sends(self.session);
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Turn").field(&self.session).finish()
    }
}
