//! What an application says to get a client.

use std::path::PathBuf;

use hongyan_wire::proto;

use crate::{Credential, ServerAddress};

/// How to connect. The store's file belongs to one server, app and user.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server is, with its pinned key and the app.
    pub address: ServerAddress,
    /// How to log in when no session can be resumed.
    pub credential: Credential,
    /// The kind of this device.
    pub term: proto::Term,
    /// Name and version of the client software, at most 64 bytes.
    pub client: String,
    /// The file of the local store; `None` = in memory, gone with the client. Without the feature `store` it must be
    /// `None`, and histories are always read from the server.
    pub store: Option<PathBuf>,
}

impl Options {
    /// A desktop client that keeps nothing on disk.
    pub fn new(address: ServerAddress, credential: Credential) -> Self {
        let client = concat!("hongyan-client/", env!("CARGO_PKG_VERSION")).into();
        Self { address, credential, term: proto::Term::Pc, client, store: None }
    }
}
