//! The 16-byte header of every frame (spec 4, design §3). Bodies are opaque here.

use crate::connection::Violation;

/// Length of a header, in bytes.
pub const HEADER_BYTES: usize = 16;
/// "HYIM".
pub const MAGIC: u32 = 0x4859_494D;
/// The protocol version that this crate speaks.
pub const VERSION: u8 = 1;

const FLAG_ENCRYPTED: u8 = 1;

/// A header whose fixed parts have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The body is encrypted by the connection's keys.
    pub encrypted: bool,
    /// As in [`crate::Command::number`], perhaps of an unknown operation.
    pub command: u32,
    /// Body bytes that follow.
    pub length: usize,
}

impl Header {
    /// The flags byte: bit 0 = encrypted. Compression (bit 1) is reserved and refused.
    pub fn flags(self) -> u8 {
        if self.encrypted { FLAG_ENCRYPTED } else { 0 }
    }

    /// The bytes on the wire, big-endian.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[2] = self.flags();
        bytes[3] = VERSION;
        bytes[4..8].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.command.to_be_bytes());
        bytes[12..16].copy_from_slice(&(self.length as u32).to_be_bytes());
        bytes
    }

    /// Checks magic, version, reserved bits and length, in this order.
    pub fn decode(bytes: &[u8; HEADER_BYTES], body_bytes_max: usize) -> Result<Self, Violation> {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        if word(4) != MAGIC {
            return Err(Violation::BadMagic);
        }
        if bytes[3] != VERSION {
            return Err(Violation::UnsupportedVersion);
        }
        if bytes[0] != 0 || bytes[1] != 0 || bytes[2] & !FLAG_ENCRYPTED != 0 {
            return Err(Violation::ReservedBits);
        }
        let length = word(12) as usize;
        if length > body_bytes_max {
            return Err(Violation::TooBig);
        }
        Ok(Self { encrypted: bytes[2] & FLAG_ENCRYPTED != 0, command: word(8), length })
    }
}
