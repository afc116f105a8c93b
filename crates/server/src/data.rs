//! The data folder: everything of one server that must survive. Holds paths and secrets; what is in the store is the
//! store's.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::secret::{self, Secret};

/// The app that every server begins with.
pub const DEFAULT_APP: &str = "default";
/// The key that its first app begins with.
pub const DEFAULT_KEY: &str = "main";
const NOISE_KEY: &str = "noise.key";
const TICKET_KEY: &str = "ticket.key";
const ADMIN_KEY: &str = "admin.key";

/// A data folder. That no other process uses it is the store's promise.
#[derive(Debug)]
pub struct Data {
    folder: PathBuf,
}

impl Data {
    /// Uses a folder, made if there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        make_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where clients of this machine find the server's address.
    pub fn address_path(&self) -> PathBuf {
        self.folder.join("address")
    }

    /// The server's long-lived key; clients pin its public half.
    pub fn noise_key(&self) -> Result<Secret> {
        secret::read_or_make(&self.folder.join(NOISE_KEY))
    }

    /// Seals resume tickets.
    pub fn ticket_key(&self) -> Result<Secret> {
        secret::read_or_make(&self.folder.join(TICKET_KEY))
    }

    /// What administration asks for.
    pub fn admin_key(&self) -> Result<Secret> {
        secret::read_or_make(&admin_key_path(&self.folder))
    }

    /// The secret of the default app's first key.
    pub fn default_app_key(&self) -> Result<Secret> {
        let path = app_key_path(&self.folder, DEFAULT_APP, DEFAULT_KEY);
        make_folder(path.parent().expect("it lies in a folder of the app"))?;
        secret::read_or_make(&path)
    }
}

/// Whatever a folder allows, nobody else may read what this process makes in it.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Makes a folder, and those above it, for the owner only.
pub fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).with_context(|| format!("making the folder {}", folder.display()))
}

/// Where the admin key lies.
pub fn admin_key_path(folder: &Path) -> PathBuf {
    folder.join(ADMIN_KEY)
}

/// The secrets of a server itself, which may not exist yet.
pub fn secret_paths(folder: &Path) -> [PathBuf; 3] {
    [NOISE_KEY, TICKET_KEY, ADMIN_KEY].map(|name| folder.join(name))
}

/// Where the secret of an app's key lies, if it was made here. Names of apps and keys hold no slash; dots alone would
/// lead out of the folder, so they are spelled with a prefix.
pub fn app_key_path(folder: &Path, app: &str, key_id: &str) -> PathBuf {
    let plain = |name: &str| if name.starts_with('.') { format!("@{name}") } else { name.to_owned() };
    folder.join("apps").join(plain(app)).join(format!("{}.key", plain(key_id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_lead_out_of_the_folder() {
        for (app, key) in [("..", ".."), (".", "x"), ("default", "..")] {
            let path = app_key_path(Path::new("data"), app, key);
            assert!(!path.components().any(|part| part == std::path::Component::ParentDir), "{}", path.display());
            assert_eq!(path.components().count(), 4);
        }
    }
}
