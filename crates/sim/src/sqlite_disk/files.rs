//! What is on the simulated disk, and what is only on its way there. Knows nothing of SQLite, nor of real files.

use std::collections::{BTreeMap, VecDeque};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use super::content::{Change, Content};

/// What becomes of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncFate {
    /// Everything written before is durable.
    Succeeds,
    /// EIO.
    Fails(Unsynced),
}

/// What has become of everything that a failed sync was to make durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// It is durable; only the answer was wrong.
    Reached,
    /// Another sync may still make it durable.
    Waiting,
    /// The operating system takes it for written, so no other sync will write it: so does Linux.
    Forgotten,
}

/// How often what has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writes and truncations.
    pub writes: u64,
    /// Syncs that made something durable, or said so.
    pub syncs: u64,
    /// Syncs that failed.
    pub syncs_failed: u64,
    /// Writes that found no space.
    pub writes_refused: u64,
    /// Processes that were killed alone.
    pub kills: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Unsynced writes that survived a power cut.
    pub kept: u64,
    /// Unsynced writes that did not.
    pub lost: u64,
    /// Unsynced writes of which a part did.
    pub torn: u64,
    /// Names that a power cut brought back or took away.
    pub names_lost: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.syncs += other.syncs;
        self.syncs_failed += other.syncs_failed;
        self.writes_refused += other.writes_refused;
        self.kills += other.kills;
        self.power_cuts += other.power_cuts;
        self.kept += other.kept;
        self.lost += other.lost;
        self.torn += other.torn;
        self.names_lost += other.names_lost;
    }
}

/// Why the disk does not do what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The process or the machine is dead.
    Dead,
    /// No space left.
    Full,
    /// The sync failed.
    Sync,
}

/// Number of a file, whatever its name is.
pub(super) type FileId = u64;

/// Which process: what an earlier one has opened is dead.
pub(super) type Life = u64;

/// Which file has a name, for the operating system and on the disk.
#[derive(Clone, Copy, Default)]
struct Name {
    now: Option<FileId>,
    durable: Option<FileId>,
}

/// The files of one folder.
#[derive(Default)]
pub(super) struct Files {
    contents: BTreeMap<FileId, Content>,
    names: BTreeMap<PathBuf, Name>,
    next_id: FileId,
    life: Life,
    dead: bool,
    /// Something was opened in this life.
    opened: bool,
    changes_left: Option<u64>,
    full: bool,
    lies: bool,
    fates: VecDeque<SyncFate>,
    counts: Counts,
}

impl Files {
    pub(super) fn expect_sync(&mut self, fate: SyncFate) {
        self.fates.push_back(fate);
    }

    pub(super) fn lie(&mut self, lies: bool) {
        self.lies = lies;
    }

    pub(super) fn fill(&mut self, full: bool) {
        self.full = full;
    }

    pub(super) fn die_after(&mut self, changes: u64) {
        self.changes_left = Some(changes);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether a file that was opened in this life is of use.
    pub(super) fn is_alive(&self, life: Life) -> bool {
        self.life == life && !self.dead
    }

    pub(super) fn kill(&mut self) {
        if !self.dead {
            self.counts.kills += 1;
            self.begin_life();
        }
    }

    /// What is open is dead; what is opened from now on is not.
    fn begin_life(&mut self) {
        self.life += 1;
        (self.dead, self.opened, self.changes_left) = (false, false, None);
    }

    /// Whether a name was ever used here.
    pub(super) fn knows(&self, path: &Path) -> bool {
        self.names.contains_key(path)
    }

    /// A file was opened, and made if it has no name yet. One that the disk has never seen is `present`, or new. With
    /// `syncs_folder` its next sync makes the names in its folder durable, too.
    pub(super) fn open(
        &mut self,
        path: &Path,
        present: Option<Vec<u8>>,
        syncs_folder: bool,
    ) -> Result<(Life, FileId), Refused> {
        if self.dead {
            return Err(Refused::Dead);
        }
        self.opened = true;
        if !self.knows(path)
            && let Some(present) = present
        {
            let id = self.make(Content::present(present));
            self.names.insert(path.to_owned(), Name { now: Some(id), durable: Some(id) });
        }
        let id = match self.names.get(path).and_then(|name| name.now) {
            Some(id) => id,
            None => self.make(Content::default()),
        };
        if let Some(content) = self.contents.get_mut(&id) {
            content.opened(syncs_folder);
        }
        self.names.entry(path.to_owned()).or_default().now = Some(id);
        Ok((self.life, id))
    }

    /// A file was written once more and synced, and its folder, too.
    pub(super) fn written_over(&mut self, path: &Path, bytes: Vec<u8>) {
        let Some(name) = self.names.get_mut(path) else { return };
        name.durable = name.now;
        if let Some(content) = name.now.and_then(|id| self.contents.get_mut(&id)) {
            content.written_over(bytes);
        }
    }

    fn make(&mut self, content: Content) -> FileId {
        self.next_id += 1;
        self.contents.insert(self.next_id, content);
        self.next_id
    }

    /// A name was taken away, durably or not. Who deletes does not say who it is, but has opened something.
    pub(super) fn delete(&mut self, path: &Path, durably: bool) -> Result<(), Refused> {
        if !self.opened {
            return Err(Refused::Dead);
        }
        self.change(self.life)?;
        if let Some(name) = self.names.get_mut(path) {
            name.now = None;
        }
        if durably {
            self.sync_folder();
        }
        Ok(())
    }

    /// Counts down to the death of the machine.
    fn change(&mut self, life: Life) -> Result<(), Refused> {
        if !self.is_alive(life) {
            return Err(Refused::Dead);
        }
        match &mut self.changes_left {
            Some(0) => self.dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        if self.dead { Err(Refused::Dead) } else { Ok(()) }
    }

    pub(super) fn write(&mut self, life: Life, id: FileId, at: u64, bytes: &[u8]) -> Result<(), Refused> {
        let was_alive = self.is_alive(life);
        let changed = self.change(life);
        let Some(content) = self.contents.get_mut(&id).filter(|_| was_alive) else { return Err(Refused::Dead) };
        let end = at + bytes.len() as u64;
        if self.full && end > content.length() {
            self.counts.writes_refused += 1;
            return Err(Refused::Full);
        }
        // The write during which the machine dies may have reached the disk.
        content.change(Change::Write { at, bytes: bytes.to_vec() });
        changed?;
        self.counts.writes += 1;
        Ok(())
    }

    pub(super) fn truncate(&mut self, life: Life, id: FileId, length: u64) -> Result<(), Refused> {
        self.change(life)?;
        let Some(content) = self.contents.get_mut(&id) else { return Err(Refused::Dead) };
        content.change(Change::Truncate { length });
        self.counts.writes += 1;
        Ok(())
    }

    pub(super) fn sync(&mut self, life: Life, id: FileId) -> Result<(), Refused> {
        self.change(life)?;
        let Some(content) = self.contents.get_mut(&id) else { return Err(Refused::Dead) };
        let fate = self.fates.pop_front().unwrap_or(SyncFate::Succeeds);
        if let SyncFate::Fails(unsynced) = fate {
            self.counts.syncs_failed += 1;
            match unsynced {
                Unsynced::Reached => content.settle(),
                Unsynced::Waiting => {}
                Unsynced::Forgotten => content.forget(),
            }
            return Err(Refused::Sync);
        }
        self.counts.syncs += 1;
        if self.lies {
            return Ok(());
        }
        content.settle();
        if content.takes_folder_along() {
            self.sync_folder();
        }
        Ok(())
    }

    fn sync_folder(&mut self) {
        for name in self.names.values_mut() {
            name.durable = name.now;
        }
        self.names.retain(|_, name| name.now.is_some());
        self.forget_nameless();
    }

    /// A file without a name is gone.
    fn forget_nameless(&mut self) {
        let names: Vec<_> = self.names.values().flat_map(|name| [name.now, name.durable]).flatten().collect();
        self.contents.retain(|id, _| names.contains(id));
    }

    /// What is left under each name; `None` if the name is gone.
    pub(super) fn power_cut(&mut self, choose: &mut dyn FnMut(u64) -> u64) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        self.counts.power_cuts += 1;
        self.begin_life();
        for name in self.names.values_mut() {
            if name.now != name.durable && choose(2) == 0 {
                self.counts.names_lost += 1;
                name.now = name.durable;
            }
            name.durable = name.now;
        }
        self.forget_nameless();
        for content in self.contents.values_mut() {
            content.lose(choose, &mut self.counts);
        }
        let contents = &self.contents;
        let left = |name: &Name| name.now.and_then(|id| contents.get(&id)).map(|content| content.durable().to_vec());
        let files = self.names.iter().map(|(path, name)| (path.clone(), left(name))).collect();
        self.names.retain(|_, name| name.now.is_some());
        files
    }
}
