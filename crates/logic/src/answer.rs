//! Answers on the wire: refusals, and what every request and answer have in common (field 1 is the id, field 2 of an
//! answer the refusal).

use bytes::Bytes;
use hongyan_cluster::refusal;
use hongyan_cluster::service::Reply;
use hongyan_domain::refusal::Refusal;
use hongyan_store::Error;
use hongyan_wire::proto;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Milliseconds after which a client may ask again when the disk is full.
const DISK_FULL_RETRY_MS: u32 = 5_000;
/// Milliseconds after which a client may ask again when too much waits.
pub(crate) const BUSY_RETRY_MS: u32 = 500;
/// The field of every request and answer that holds its id.
pub(crate) const ID_FIELD: u32 = 1;

/// A store's error as clients see it. All are definite: nothing was written (the store has logged what failed).
pub(crate) fn unavailable(error: Error) -> Refusal {
    match error {
        Error::DiskFull => Refusal::TryLater { retry_after_ms: DISK_FULL_RETRY_MS },
        Error::Busy => Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS },
        Error::SessionEnded => Refusal::Revoked,
        Error::Failed(_) => Refusal::Internal,
    }
}

/// An answer that carries nothing to remember.
pub(crate) fn plain(answer: &impl Message) -> Reply {
    Reply { body: answer.encode_to_vec().into(), ..Reply::default() }
}

/// The refusal of a request, whatever its operation.
pub(crate) fn refused(id: u32, refusal: &Refusal) -> Reply {
    // Every answer has id and refusal in the same places, and a refusal leaves the rest empty.
    plain(&proto::BlockAnswer { id, refusal: Some(refusal::refusal(refusal)) })
}

/// The id of a request that may otherwise make no sense; 0 if even that cannot be found.
pub(crate) fn id_of(mut body: Bytes) -> u32 {
    let mut id = 0;
    while let Ok((field, wire_type)) = decode_key(&mut body) {
        if field == ID_FIELD && wire_type == WireType::Varint {
            match decode_varint(&mut body) {
                Ok(number) => id = number as u32,
                Err(_) => break,
            }
        } else if skip_field(wire_type, field, &mut body, DecodeContext::default()).is_err() {
            break;
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_reads_the_common_refusal() {
        let body = refused(7, &Refusal::TryLater { retry_after_ms: 20 }).body;
        macro_rules! check {
            ($($answer:ident)*) => {$(
                let answer = proto::$answer::decode(body.clone()).unwrap();
                let refusal = answer.refusal.clone().unwrap();
                assert_eq!((answer.id, refusal.retryable, refusal.retry_after_ms), (7, true, 20));
                assert_eq!(refusal.code(), proto::RefusalCode::TryLater);
                assert_eq!(answer.encode_to_vec(), body, "nothing else is filled in");
            )*};
        }
        check!(SendAnswer SyncAnswer HistoryAnswer ConversationsAnswer ReceiptsAnswer MarkReadAnswer ChangeAnswer
            DeleteAnswer BlockAnswer TypingAnswer EnterRoomAnswer LeaveRoomAnswer AddFriendAnswer DecideFriendAnswer
            RemoveFriendAnswer NoteFriendAnswer SetGroupingsAnswer SetProfileAnswer ProfilesAnswer ListsAnswer WatchAnswer SetPresenceAnswer
            GetPresenceAnswer SearchAnswer);
    }

    #[test]
    fn the_id_is_found_wherever_it_is() {
        let whole = proto::SendRequest { id: 300, body: Bytes::from_static(b"x"), ..Default::default() };
        let body = Bytes::from(whole.encode_to_vec());
        assert_eq!(id_of(body.clone()), 300);
        let behind = [&[0x2a, 1, b'x'], &body[..3]].concat();
        assert_eq!(id_of(behind.into()), 300);
        for nonsense in [&b""[..], b"\x08", b"\xff\xff", b"\x0a\x05ab", b"\x0b\x0b\x0b"] {
            assert_eq!(id_of(Bytes::from_static(nonsense)), 0, "{nonsense:?}");
        }
    }
}
