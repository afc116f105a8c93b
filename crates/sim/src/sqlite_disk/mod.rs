//! A disk for real SQLite: what was not synced may be lost or torn when the power fails, a sync may fail or lie, there may
//! be no space left, and a process that was killed changes nothing any more.
//!
//! SQLite itself, its locks and its shared memory work as they do on the platform, over files in a temporary folder; only
//! what becomes of them is simulated. Reading never fails, and no bit rots. Which faults happen is decided by the caller.

mod content;
mod files;
mod vfs;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tempfile::TempDir;

use self::files::Files;
pub use self::files::{Counts, SyncFate, Unsynced};
pub use self::vfs::{NAME as VFS, seed_salts};

/// Where folders are made: memory, if there is such a place.
const MEMORY: &str = "/dev/shm";

/// All disks by their folders, because SQLite hands only a path to its file system.
static DISKS: Mutex<BTreeMap<PathBuf, Weak<Mutex<Files>>>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic halfway through a change runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The disk that a file belongs to.
fn disk_of(path: &Path) -> Option<Arc<Mutex<Files>>> {
    lock(&DISKS).get(path.parent()?)?.upgrade()
}

/// One folder on one disk. Stores reach it with [`VFS`] as their `vfs`.
pub struct SimulatedDisk {
    path: PathBuf,
    files: Arc<Mutex<Files>>,
    /// Removed with the disk.
    _folder: TempDir,
}

impl SimulatedDisk {
    /// An empty disk that is well.
    ///
    /// # Errors
    /// The real file system refuses a temporary folder.
    pub fn new() -> io::Result<Self> {
        vfs::register()?;
        let memory = Path::new(MEMORY);
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
        let path = folder.path().canonicalize()?;
        let files = Arc::new(Mutex::new(Files::default()));
        lock(&DISKS).insert(path.clone(), Arc::downgrade(&files));
        Ok(Self { path, files, _folder: folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// What becomes of the next sync for which nothing was said yet. All others succeed.
    pub fn next_sync(&self, fate: SyncFate) {
        lock(&self.files).expect_sync(fate);
    }

    /// From now on every sync says that it was done, and nothing is durable: what SQLite does with `synchronous=OFF`.
    pub fn lie(&self, lies: bool) {
        lock(&self.files).lie(lies);
    }

    /// Without space, writes that make a file longer fail; those into a file go on.
    pub fn full(&self, full: bool) {
        lock(&self.files).fill(full);
    }

    /// The machine dies at a change (write, truncation, sync, deletion) that comes after so many others. From then on its
    /// process can do nothing, and its files cannot be opened, until [`SimulatedDisk::power_cut`].
    pub fn die_after(&self, changes: u64) {
        lock(&self.files).die_after(changes);
    }

    /// The machine has died where [`SimulatedDisk::die_after`] said; what its process did since has not happened.
    pub fn is_dead(&self) -> bool {
        lock(&self.files).is_dead()
    }

    /// The process dies, the machine lives: all that was written stays, synced or not. What is open now changes nothing any
    /// more and is to be dropped before a store is opened again.
    pub fn kill(&self) {
        lock(&self.files).kill();
    }

    /// The power fails and comes back. What was not synced is kept, lost, or torn at a sector; a name whose folder was not
    /// synced is there or not. Each choice is a number below the one that `choose` is given. What is open is dead, as after
    /// [`SimulatedDisk::kill`].
    ///
    /// # Errors
    /// The real file system fails.
    pub fn power_cut(&self, choose: &mut dyn FnMut(u64) -> u64) -> io::Result<()> {
        let mut files = lock(&self.files);
        for (path, content) in files.power_cut(choose) {
            match content {
                Some(content) => std::fs::write(&path, content)?,
                None => remove(&path)?,
            }
            remove(&with_suffix(&path, "-shm"))?;
        }
        Ok(())
    }

    /// A file was written over itself and synced without SQLite, as a store does with its log before it opens it. Without
    /// the file nothing happens.
    ///
    /// # Errors
    /// The real file system fails.
    pub fn written_over(&self, path: &Path) -> io::Result<()> {
        match std::fs::read(path) {
            Ok(bytes) => lock(&self.files).written_over(path, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        lock(&self.files).counts()
    }
}

impl Drop for SimulatedDisk {
    fn drop(&mut self) {
        lock(&DISKS).remove(&self.path);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
