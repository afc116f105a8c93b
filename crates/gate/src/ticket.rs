//! Tickets: what a client presents in clear to continue its session (spec 32, design §4).
//!
//! A ticket is sealed by a key that all gates share, so any gate can open it. It proves nothing by itself; the secret
//! inside is also held by the client and never sent.

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use hongyan_domain::id::{SessionId, UserId};
use hongyan_domain::time::UnixMillis;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const CONTENT_BYTES: usize = 16 + 8 + 4 + 32 + 8;
/// Length of a ticket: key id, nonce, sealed content, tag.
pub const TICKET_BYTES: usize = 1 + NONCE_BYTES + CONTENT_BYTES + TAG_BYTES;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The session; everything else about it is read from its row.
    pub session: SessionId,
    /// Its user, in whose slot the router knows the last epoch.
    pub user: UserId,
    /// The epoch in which the ticket was given; a resume must be later.
    pub epoch: u32,
    /// Shared with the client.
    pub secret: [u8; 32],
    /// Refused from then on.
    pub expires: UnixMillis,
}

/// The sealing keys: the first seals, all open. To rotate, put a new one first and drop the last after the tickets'
/// life has passed.
#[derive(Clone)]
pub struct TicketKeys {
    keys: Vec<(u8, ChaCha20Poly1305)>,
}

impl TicketKeys {
    /// Keys by id; at least one.
    pub fn new(keys: impl IntoIterator<Item = (u8, [u8; 32])>) -> Self {
        let keys: Vec<_> =
            keys.into_iter().map(|(id, key)| (id, ChaCha20Poly1305::new(Key::from_slice(&key)))).collect();
        assert!(!keys.is_empty(), "a gate needs a ticket key");
        Self { keys }
    }

    /// Seals a ticket; `nonce` is fresh and random.
    pub fn seal(&self, ticket: &Ticket, nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let (id, key) = &self.keys[0];
        let mut sealed = Vec::with_capacity(TICKET_BYTES);
        sealed.push(*id);
        sealed.extend_from_slice(&nonce);
        let content = sealed.len();
        sealed.extend_from_slice(&ticket.session.0);
        sealed.extend_from_slice(&ticket.user.0.to_be_bytes());
        sealed.extend_from_slice(&ticket.epoch.to_be_bytes());
        sealed.extend_from_slice(&ticket.secret);
        sealed.extend_from_slice(&ticket.expires.0.to_be_bytes());
        let tag = key
            .encrypt_in_place_detached(Nonce::from_slice(&nonce), &[*id], &mut sealed[content..])
            .expect("a ticket is far below the cipher's limit");
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Opens a ticket; `None` if it was not sealed by one of the keys.
    pub fn open(&self, sealed: &[u8]) -> Option<Ticket> {
        if sealed.len() != TICKET_BYTES {
            return None;
        }
        let (id, key) = self.keys.iter().find(|(id, _)| *id == sealed[0])?;
        let (nonce, rest) = sealed[1..].split_at(NONCE_BYTES);
        let (content, tag) = rest.split_at(CONTENT_BYTES);
        let mut content: [u8; CONTENT_BYTES] = content.try_into().expect("the length was checked");
        key.decrypt_in_place_detached(Nonce::from_slice(nonce), &[*id], &mut content, Tag::from_slice(tag)).ok()?;
        let (session, rest) = content.split_first_chunk::<16>()?;
        let (user, rest) = rest.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (secret, rest) = rest.split_first_chunk::<32>()?;
        let expires = rest.first_chunk::<8>()?;
        Some(Ticket {
            session: SessionId(*session),
            user: UserId(i64::from_be_bytes(*user)),
            epoch: u32::from_be_bytes(*epoch),
            secret: *secret,
            expires: UnixMillis(u64::from_be_bytes(*expires)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_keys_open_a_ticket_and_no_bit_may_change() {
        let ticket = Ticket {
            session: SessionId([7; 16]),
            user: UserId(-3),
            epoch: 9,
            secret: [5; 32],
            expires: UnixMillis(1 << 40),
        };
        let old = TicketKeys::new([(1, [1; 32])]);
        let sealed = old.seal(&ticket, [2; 12]);
        assert_eq!(sealed.len(), TICKET_BYTES);
        let rotated = TicketKeys::new([(2, [9; 32]), (1, [1; 32])]);
        assert_eq!(rotated.open(&sealed), Some(ticket));
        assert_eq!(TicketKeys::new([(1, [9; 32])]).open(&sealed), None);
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(rotated.open(&altered), None);
        }
        assert_eq!(rotated.open(&sealed[1..]), None);
        assert_eq!(rotated.open(&[]), None);
    }
}
