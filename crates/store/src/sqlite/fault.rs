//! Why a statement or a whole transaction did not work, before callers hear of it. Not the store's public error.

use crate::Error;

/// What went wrong before COMMIT; the transaction is rolled back.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// A row that cannot be: a defect or a damaged file.
    Row(&'static str),
    /// The code of one item panicked.
    Panic,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// Whether the disk has no space left.
    pub(super) fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Whether a read has run into its deadline.
    fn is_interrupt(&self) -> bool {
        matches!(self, Self::Sqlite(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted))
    }

    /// What the caller gets. Anything unexpected is logged here, once.
    pub(super) fn into_error(self) -> Error {
        if self.is_disk_full() {
            return Error::DiskFull;
        }
        if self.is_interrupt() {
            tracing::warn!("a read of the store was stopped at its deadline");
            return Error::Busy;
        }
        let text = match self {
            Self::Sqlite(error) => error.to_string(),
            Self::Row(what) => format!("unexpected row: {what}"),
            Self::Panic => "a panic in the writer".to_owned(),
        };
        tracing::error!(error = %text, "the store failed");
        Error::Failed(text)
    }
}

/// Result of work inside a transaction.
pub(super) type Result<T> = std::result::Result<T, Fault>;
