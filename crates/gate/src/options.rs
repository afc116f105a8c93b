//! What an operator may set for a gate. Defaults are those of design §12.

use serde::{Deserialize, Serialize};

/// Limits of a gate; every number has its unit in its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GateOptions {
    /// Tasks that accept connections, each with its own listening socket.
    pub acceptors: usize,
    /// Connections of all kinds.
    pub connections_max: usize,
    /// Connections from one IPv4 /24 or IPv6 /56.
    pub connections_per_network_max: usize,
    /// New connections per second from one network.
    pub connects_per_network_per_second: u32,
    /// Frames per second of an authenticated connection; beyond it, reading is delayed.
    pub frames_per_second: u32,
    /// Frames that may come at once.
    pub frames_burst: u32,
    /// Frames per second before authentication; beyond it, the connection is closed.
    pub unauthenticated_frames_per_second: u32,
    /// Bytes that wait for a slow reader; beyond it, pushes are dropped and the client is told to sync.
    pub outgoing_bytes_max: usize,
    /// A connection is closed when nothing could be written for so long, in milliseconds.
    pub write_stall_ms_max: u64,
    /// Days for which a session can be resumed after its last connection.
    pub ticket_days: u32,
    /// Interval in which cursors are stored, in milliseconds.
    pub progress_interval_ms: u64,
    /// Interval in which the change feed is read, in milliseconds.
    pub feed_interval_ms: u64,
    /// Connections that are told to go away per second while draining.
    pub drain_per_second: u32,
}

impl Default for GateOptions {
    fn default() -> Self {
        Self {
            acceptors: 2,
            connections_max: 200_000,
            connections_per_network_max: 20_000,
            connects_per_network_per_second: 1_000,
            frames_per_second: 50,
            frames_burst: 200,
            unauthenticated_frames_per_second: 5,
            outgoing_bytes_max: 256 * 1024,
            write_stall_ms_max: 15_000,
            ticket_days: 30,
            progress_interval_ms: 500,
            feed_interval_ms: 2_000,
            drain_per_second: 5_000,
        }
    }
}
