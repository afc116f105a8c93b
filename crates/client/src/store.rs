//! The local store: one SQLite file per server, app and user. It keeps rows and gives them back; it decides nothing.

use thiserror::Error;

/// The local store failed.
#[derive(Debug, Error)]
#[error("the local store failed: {0}")]
pub struct StoreError(pub String);

/// The local store.
pub enum Store {}
