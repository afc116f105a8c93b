//! Identifiers. Integers are made by the store in the home shard of what they name and never leave the server; random
//! ids are made by clients or by the gate.

/// Bits at the low end of an integer id that name its virtual shard (design §6).
pub const SHARD_BITS: u32 = 10;

macro_rules! integer_id {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// The id of the `counter`-th of its kind in a virtual shard.
            pub const fn in_shard(counter: i64, shard: u16) -> Self {
                Self(counter << SHARD_BITS | shard as i64)
            }

            /// The virtual shard where its rows live.
            pub const fn shard(self) -> u16 {
                (self.0 & ((1 << SHARD_BITS) - 1)) as u16
            }
        }
    )*};
}

integer_id! {
    /// An app (tenant).
    AppId,
    /// A user of one app.
    UserId,
    /// A conversation of one app.
    ConversationId,
    /// A user's device; cursors belong to it.
    DeviceKey,
}

macro_rules! random_id {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The id of 16 bytes; of no other length.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
            }
        }
    )*};
}

impl SessionId {
    /// The server itself, where it writes for somebody whose session may have ended. No session has this id.
    pub const SERVER: Self = Self([0; 16]);
}

random_id! {
    /// What a client calls one message or one creating request; with the sender the key of de-duplication (spec 41).
    ClientId,
    /// A session, whatever connection it uses.
    SessionId,
}
