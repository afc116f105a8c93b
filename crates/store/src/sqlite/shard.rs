//! Virtual shards of names and pairs (design §6): stable for ever, because ids carry them.

use hongyan_domain::id::{AppId, SHARD_BITS, UserId};
use hongyan_domain::name::Name;

/// FNV-1a, 64 bits (draft-eastlake-fnv): simple, stable, spreads well enough for 1,024 shards.
fn fnv(parts: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

fn shard(parts: &[&[u8]]) -> u16 {
    let hash = fnv(parts);
    // The high half is mixed in: the low bits of FNV-1a alone depend on the low bits of the input only.
    ((hash ^ (hash >> 32)) & ((1 << SHARD_BITS) - 1)) as u16
}

/// Home of an app's own row.
pub(super) fn of_app(name: &Name) -> u16 {
    shard(&[name.as_str().as_bytes()])
}

/// Home of a user and everything that is theirs.
pub(super) fn of_user(app: AppId, name: &Name) -> u16 {
    shard(&[&app.0.to_be_bytes(), name.as_str().as_bytes()])
}

/// Home of a direct conversation.
pub(super) fn of_pair(app: AppId, low: UserId, high: UserId) -> u16 {
    shard(&[&app.0.to_be_bytes(), &low.0.to_be_bytes(), &high.0.to_be_bytes()])
}

/// Home of a room.
pub(super) fn of_room(app: AppId, name: &Name) -> u16 {
    shard(&[&app.0.to_be_bytes(), b"room", name.as_str().as_bytes()])
}

/// Home of a group, and of everything that is of its log.
pub(super) fn of_group(app: AppId, name: &Name) -> u16 {
    shard(&[&app.0.to_be_bytes(), b"group", name.as_str().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_never_move() {
        let name = Name::parse("li.lei").expect("a valid name");
        assert_eq!(fnv(&[b"a"]), 0xaf63_dc4c_8601_ec8c);
        let fixed = (of_app(&name), of_user(AppId(7), &name), of_pair(AppId(7), UserId(1), UserId(2)));
        assert_eq!(fixed, (955, 59, 48));
        let used: std::collections::BTreeSet<u16> =
            (0..20_000).map(|user| of_pair(AppId(7), UserId(user << 10), UserId((user + 1) << 10))).collect();
        assert_eq!(used.len(), 1024);
    }
}
