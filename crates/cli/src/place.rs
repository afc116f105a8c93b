//! Where this device keeps its messages: one file per server, app, user and device name, used by one process at a time.
//! What is inside is the client SDK's.
#![allow(clippy::disallowed_methods, reason = "a shell: waits for another process to let go of a file")]

use std::fs::{DirBuilder, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use hongyan_client::ServerAddress;

use crate::failure::Failure;

/// Characters of the server's key that name its folder: enough to tell servers apart.
const KEY_CHARS: usize = 16;
/// A short command waits for another one of the same device for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two attempts.
const ATTEMPT: Duration = Duration::from_millis(50);

/// How long to wait for a file that another process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The other process may run for ever.
    No,
    /// It will be short.
    Patiently,
}

/// The right to use a store's file; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The folder of this user's data, by the custom of the system. `variable` looks up the environment.
pub fn data_folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let by_custom = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("HOME").map(|home| home.join(".local/share"))
    };
    Some(folder("XDG_DATA_HOME").or(by_custom)?.join("hongyan"))
}

/// The store of a device within that folder. Names of apps, users and devices hold no slash; the others around them
/// keep names of dots harmless.
pub fn store_in(folder: &Path, address: &ServerAddress, user: &str, device: &str) -> PathBuf {
    let shown = address.to_string();
    let key: String = shown.trim_start_matches("hongyan://").chars().take(KEY_CHARS).collect();
    folder.join(key).join(format!("{}~{user}~{device}.db", address.app))
}

/// Ids of groups as the server allows them.
pub fn is_group(name: &str) -> bool {
    is_name(name) && !name.starts_with('~')
}

/// Names as the server allows them; device names keep to the same.
pub fn is_name(name: &str) -> bool {
    let allowed = |char: char| char.is_ascii_alphanumeric() || "._-@".contains(char);
    let rest = name.strip_prefix('~').unwrap_or(name);
    (1..=64).contains(&name.len()) && !rest.is_empty() && rest.chars().all(allowed)
}

/// Makes the folder of a store, readable for its owner only, and takes the store for this process.
pub async fn lock(store: &Path, wait: Wait) -> Result<Lock, Failure> {
    let folder = store.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let path = store.with_extension("lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::Error(error)) => {
                return Err(anyhow!(error).context(format!("locking {}", path.display())).into());
            }
            Err(TryLockError::WouldBlock) if wait == Wait::Patiently && waited < PATIENCE => {
                tokio::time::sleep(ATTEMPT).await;
                waited += ATTEMPT;
            }
            Err(TryLockError::WouldBlock) => {
                let store = store.display();
                return Err(Failure::other(format!(
                    "another hongyan process uses {store}; end it, or give this one a name of its own: --device NAME"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> ServerAddress {
        format!("hongyan://{}@h:7300/default", "0a".repeat(32)).parse().unwrap()
    }

    #[test]
    fn every_device_of_a_user_has_a_file() {
        let lookup = |name: &str| (name == "XDG_DATA_HOME").then(|| "/data".to_owned());
        let folder = data_folder(lookup).unwrap();
        let file = store_in(&folder, &address(), "alice", "chat");
        assert_eq!(file, Path::new("/data/hongyan/CgoKCgoKCgoKCgoK/default~alice~chat.db"));
        assert_eq!(data_folder(|_| None), None);
    }

    #[test]
    fn names_do_not_lead_out_of_the_folder() {
        for name in ["..", ".", "a.b", "~visitor"] {
            assert!(is_name(name), "{name}");
            let file = store_in(Path::new("d"), &address(), name, "..");
            assert!(!file.components().any(|part| part == std::path::Component::ParentDir), "{}", file.display());
            assert_eq!(file.components().count(), 3);
        }
        for name in ["", "a/b", "a b", "名", "~", "a~b", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[tokio::test]
    async fn a_store_belongs_to_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("deep/alice.db");
        let lock = super::lock(&store, Wait::No).await.unwrap();
        let refused = super::lock(&store, Wait::No).await.unwrap_err();
        assert!(refused.to_string().contains("--device"), "{refused}");
        drop(lock);
        super::lock(&store, Wait::No).await.unwrap();
    }
}
