//! The port through which logic hashes and checks passwords. The server implements it with argon2id on a bounded pool.

use hongyan_domain::environment::Pending;

/// The pool takes no more work: try later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// Hashes and checks passwords.
pub trait Passwords: Send + Sync + 'static {
    /// The hash of a new password in PHC form, with a fresh salt.
    fn hash(&self, password: String) -> Pending<'_, Result<String, Overloaded>>;

    /// Whether a password belongs to a hash. Without a hash (no such account, or one that only uses tokens) the answer
    /// is false after the same work, so that the time tells nothing.
    fn verify(&self, password: String, hash: Option<String>) -> Pending<'_, Result<bool, Overloaded>>;
}
