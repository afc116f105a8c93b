//! How the allocator of the C library treats big pieces. Nothing is allocated here.

/// Pieces of at least so many bytes get pages of their own, which go back to the system as soon as they are freed.
const OWN_PAGES_BYTES: i32 = 1 << 20;

/// Call it first. Without it glibc learns from the first freed piece of a password hash (19 MiB) to keep such pieces for
/// later, in every arena: a server at rest then held 128 MiB after a few logins instead of 12.
pub fn give_big_pieces_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: `mallopt` only sets parameters of the allocator; no other thread runs yet.
        #[allow(unsafe_code, reason = "there is no safe way to tell the C library")]
        let accepted = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_PAGES_BYTES) };
        debug_assert_eq!(accepted, 1, "the threshold is within glibc's limits");
    }
}
