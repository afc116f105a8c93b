//! The data folder: everything of one server that must survive. Holds paths and secrets; what is in the store is the
//! store's.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::secret::{self, Secret};

/// The app that every server begins with.
pub const DEFAULT_APP: &str = "default";
/// The room that its first app begins with, for the demonstration.
pub const DEFAULT_ROOM: &str = "lobby";
/// The key that its first app begins with.
pub const DEFAULT_KEY: &str = "main";
const NOISE_KEY: &str = "noise.key";
const TICKET_KEY: &str = "ticket.key";
const ADMIN_KEY: &str = "admin.key";
const SELF_SIGNED: &str = "self-signed.pem";

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

    /// Certificate and key that the server has made for its port for browsers.
    pub fn self_signed_path(&self) -> PathBuf {
        self.folder.join(SELF_SIGNED)
    }

    /// The server's long-lived key; clients pin its public half.
    pub fn noise_key(&self) -> Result<Secret> {
        secret::read_or_make(&self.folder.join(NOISE_KEY))
    }

    /// Seals resume tickets.
    pub fn ticket_key(&self) -> Result<Secret> {
        secret::read_or_make(&self.folder.join(TICKET_KEY))
    }

    /// What signs visitors' marks, by number, the newest first.
    pub fn visitor_keys(&self) -> Result<Vec<(u32, Secret)>> {
        let mut numbers = visitor_key_numbers(&self.folder)?;
        if numbers.is_empty() {
            numbers.push(1);
        }
        let read = |number| Ok((number, secret::read_or_make(&visitor_key_path(&self.folder, number))?));
        numbers.into_iter().map(read).collect()
    }

    /// Makes the next key of visitors' marks; its file.
    pub fn make_visitor_key(&self) -> Result<PathBuf> {
        let newest = visitor_key_numbers(&self.folder)?.first().copied().unwrap_or(0);
        let path = visitor_key_path(&self.folder, newest.checked_add(1).context("there is no higher number")?);
        secret::make(&path)?;
        Ok(path)
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
pub fn secret_paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<_> = [NOISE_KEY, TICKET_KEY, ADMIN_KEY].map(|name| folder.join(name)).into();
    paths.extend(visitor_key_numbers(folder)?.into_iter().map(|number| visitor_key_path(folder, number)));
    Ok(paths)
}

fn visitor_key_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("visitor-{number}.key"))
}

/// The keys of visitors' marks that are there, the newest first.
fn visitor_key_numbers(folder: &Path) -> Result<Vec<u32>> {
    let number = |name: &str| -> Option<u32> { name.strip_prefix("visitor-")?.strip_suffix(".key")?.parse().ok() };
    let mut numbers = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(numbers),
        entries => entries.with_context(|| format!("looking into {}", folder.display()))?,
    };
    for entry in entries {
        let name = entry.with_context(|| format!("looking into {}", folder.display()))?.file_name();
        let found = name.to_str().and_then(|name| Some((name, number(name)?)));
        // Only the spelling that this program writes: 01 is not 1.
        numbers
            .extend(found.filter(|(name, number)| *name == format!("visitor-{number}.key")).map(|(_, number)| number));
    }
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    Ok(numbers)
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
    fn the_newest_key_of_visitors_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::open(folder.path()).unwrap();
        let first = data.visitor_keys().unwrap();
        assert_eq!((first.len(), first[0].0), (1, 1));
        assert_eq!(data.visitor_keys().unwrap(), first, "made once");
        for number in 2..=10 {
            assert_eq!(data.make_visitor_key().unwrap(), folder.path().join(format!("visitor-{number}.key")));
        }
        for other in ["visitor-011.key", "visitor-12", "visitor-.key", "visitor-13.key.new"] {
            std::fs::write(folder.path().join(other), "").unwrap();
        }
        let numbers: Vec<_> = data.visitor_keys().unwrap().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(data.visitor_keys().unwrap().last(), first.first());
        assert_eq!(secret_paths(folder.path()).unwrap().len(), 13);
    }

    #[test]
    fn names_do_not_lead_out_of_the_folder() {
        for (app, key) in [("..", ".."), (".", "x"), ("default", "..")] {
            let path = app_key_path(Path::new("data"), app, key);
            assert!(!path.components().any(|part| part == std::path::Component::ParentDir), "{}", path.display());
            assert_eq!(path.components().count(), 4);
        }
    }
}
