//! The local store: one SQLite file per server, app and user. It keeps rows and gives them back; it decides nothing.
//!
//! Only one client may use a file at a time. All rows of one call are one transaction, durable when it returns: the
//! core acknowledges and sends only afterwards. Without the feature `store` no value of [`Store`] can exist.

use thiserror::Error;

#[cfg(feature = "store")]
mod groups;
#[cfg(feature = "store")]
mod sqlite;

#[cfg(feature = "store")]
pub use sqlite::Store;

/// The local store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Reading or writing failed.
    #[cfg(feature = "store")]
    #[error("the local store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file could not be created.
    #[error("the local store cannot be created: {0}")]
    Create(#[from] std::io::Error),
    /// A value in the file is not what was written.
    #[error("the local store is damaged: {0}")]
    Damaged(&'static str),
    /// The file belongs to another server, app or user.
    #[error("the local store belongs to another server or app")]
    Foreign,
    /// The file was written by a newer version of this software.
    #[error("the local store was written by a newer version")]
    Newer,
    /// This software was built without the feature `store`.
    #[error("this client was built without a local store")]
    Missing,
}

/// There is no store: the feature is off.
#[cfg(not(feature = "store"))]
pub enum Store {}

#[cfg(not(feature = "store"))]
impl Store {
    /// Cannot be called.
    pub fn apply(&mut self, _rows: &[crate::Row]) -> Result<(), StoreError> {
        match *self {}
    }

    /// Cannot be called.
    pub fn messages(
        &self,
        _peer: &crate::Peer,
        _range: crate::Range,
        _limit: u32,
        _newest: bool,
    ) -> Result<Vec<hongyan_wire::proto::Entry>, StoreError> {
        match *self {}
    }
}
