//! The digest by which a repeated request is told from another one under the same client id (spec 41).

use bytes::{Buf, Bytes};
use hongyan_fault::mutant;
use hongyan_wire::command::Operation;
use prost::DecodeError;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use sha2::{Digest, Sha256};

use crate::answer::ID_FIELD;

/// First eight bytes of SHA-256 over the operation and every field of a request but its id, as received: the id belongs
/// to the connection and differs in a repeat. Stored for as long as the key is; it must never change.
pub(crate) fn digest(operation: Operation, body: &Bytes) -> Result<u64, DecodeError> {
    let mut hash = Sha256::new();
    hash.update((operation as u16).to_be_bytes());
    let mut rest = &body[..];
    while rest.has_remaining() {
        let field_start = rest;
        let (field, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, field, &mut rest, DecodeContext::default())?;
        if field != ID_FIELD || mutant!("id belongs to the digest") {
            hash.update(&field_start[..field_start.len() - rest.len()]);
        }
    }
    let sum: [u8; 32] = hash.finalize().into();
    Ok(u64::from_be_bytes(sum[..8].try_into().expect("it has 32 bytes")))
}

#[cfg(test)]
mod tests {
    use hongyan_wire::proto;
    use prost::Message;

    use super::*;

    fn of(operation: Operation, id: u32, body: &'static [u8]) -> u64 {
        let request = proto::SendRequest { id, body: Bytes::from_static(body), ..Default::default() };
        digest(operation, &request.encode_to_vec().into()).unwrap()
    }

    #[test]
    fn only_the_id_does_not_count() {
        let first = of(Operation::Send, 1, b"hello");
        assert_eq!(first, of(Operation::Send, 70_000, b"hello"));
        assert_eq!(first, of(Operation::Send, 0, b"hello"));
        assert_ne!(first, of(Operation::Send, 1, b"hello!"));
        assert_ne!(first, of(Operation::Edit, 1, b"hello"));
    }

    #[test]
    fn it_never_changes() {
        // Digests are kept in the store: another value would make every repeat a conflict.
        assert_eq!(of(Operation::Send, 1, b"hello"), 0x8559_5CB8_8A21_58EC);
    }
}
