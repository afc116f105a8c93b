//! Every size and time of the wire protocol (design §12). What an operator may change lies in the gate's settings.

use crate::time::Millis;

/// Largest frame body, in bytes: the largest Noise message.
pub const FRAME_BODY_BYTES_MAX: usize = 65_535;
/// Largest frame body before authentication, in bytes.
pub const UNAUTHENTICATED_BODY_BYTES_MAX: usize = 4_096;
/// Largest body inside an encrypted frame, in bytes.
pub const PLAINTEXT_BYTES_MAX: usize = 65_000;
/// Largest page of a sync or history answer, in bytes.
pub const PAGE_BYTES_MAX: usize = 60_000;
/// Most entries of a sync page.
pub const SYNC_ENTRIES_MAX: u32 = 200;
/// Most entries of a history page, and most conversations of a list page.
pub const HISTORY_ENTRIES_MAX: u32 = 100;
/// Largest message body, in bytes.
pub const MESSAGE_BODY_BYTES_MAX: usize = 16_384;
/// Largest text projection of a message that is no text, in bytes.
pub const TEXT_PROJECTION_BYTES_MAX: usize = 4_096;
/// Most items of a list in a request.
pub const LIST_ITEMS_MAX: usize = 100;
/// Most people whom one connection may watch.
pub const WATCHES_MAX: usize = 200;
/// Length of a client_message_id and of a client_request_id, in bytes.
pub const CLIENT_ID_BYTES: usize = 16;
/// Longest device id, in bytes.
pub const DEVICE_ID_BYTES_MAX: usize = 32;
/// A connection must be authenticated so long after it was opened.
pub const HANDSHAKE_DEADLINE: Millis = Millis::seconds(10);
/// A frame must be complete so long after its first byte, plus the time that the bytes received so far need at
/// [`FRAME_BYTES_PER_SECOND_MIN`].
pub const FRAME_DEADLINE: Millis = Millis::seconds(10);
/// The slowest link that may still carry a long frame, in bytes per second.
pub const FRAME_BYTES_PER_SECOND_MIN: u64 = 256;
/// A client sends KEEPALIVE when it has sent nothing else for so long.
pub const HEARTBEAT: Millis = Millis::seconds(60);
/// A peer that has sent nothing for so long is gone.
pub const IDLE_DEADLINE: Millis = Millis::seconds(90);
/// Frames of one direction that may use one key.
pub const REKEY_FRAMES: u32 = 1 << 20;
/// Time for which one direction may use one key.
pub const REKEY_AFTER: Millis = Millis::seconds(3600);
/// Frames that one key must serve at least before its owner may announce the next one, unless it served
/// [`REKEY_SPACING`]: key changes cost the receiver work and are no means to keep it busy.
pub const REKEY_FRAMES_MIN: u32 = 1 << 10;
/// Time that one key must serve at least, unless it served [`REKEY_FRAMES_MIN`].
pub const REKEY_SPACING: Millis = Millis::seconds(60);
