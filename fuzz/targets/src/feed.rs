//! Takes an input apart: every target reads its choices from the front. Nothing is refused: an input that is too short
//! goes on in zeros, so that a fuzzer may cut it anywhere.

/// Numbers at which code likes to be wrong.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    3,
    u8::MAX as u64,
    u16::MAX as u64,
    i32::MAX as u64,
    i32::MAX as u64 + 1,
    u32::MAX as u64,
    u32::MAX as u64 + 1,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
    i64::MAX as u64 + 1,
    u64::MAX - 2,
    u64::MAX - 1,
    u64::MAX,
];

/// What is left of an input.
pub struct Feed<'a>(&'a [u8]);

impl<'a> Feed<'a> {
    /// All of it.
    pub fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// A number below `bound`, which is at most 256.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Two bytes as a number.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Up to so many bytes.
    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// An array, filled up with zeros.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// Bytes that say how many they are.
    pub fn some_bytes(&mut self) -> &'a [u8] {
        let length = self.byte().into();
        self.bytes(length)
    }

    /// A number: an edge, a small one, one near `around`, or any.
    pub fn number(&mut self, around: u64) -> u64 {
        match self.byte() {
            edge @ 0..64 => EDGES[usize::from(edge) % EDGES.len()],
            small @ 64..128 => u64::from(small - 64),
            near @ 128..192 => around.wrapping_add(u64::from(near)).wrapping_sub(160),
            _ => u64::from_be_bytes(self.array()),
        }
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
