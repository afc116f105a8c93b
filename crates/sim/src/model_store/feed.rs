//! The change feed: one record per commit that moved a head.

use std::collections::VecDeque;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{SessionId, UserId};
use hongyan_fault::mutant;
use hongyan_store::Result;
use hongyan_store::feed::{Change, Changes, Feed, Since};

use super::ModelStore;

/// Most commits of one page, whatever is asked for.
const PAGE_COMMITS_MAX: u32 = 1_000;

/// The commits that are kept, without gaps; never empty. The first number of an epoch is far above those of earlier
/// epochs, so that no token means two things.
#[derive(Clone, Debug)]
pub(super) struct FeedLog {
    first: u64,
    commits: VecDeque<Vec<Change>>,
}

impl FeedLog {
    /// Of a new epoch, with an empty commit.
    pub(super) fn new(epoch: u32) -> Self {
        Self { first: u64::from(epoch) << 31, commits: VecDeque::from([Vec::new()]) }
    }

    /// The number of the newest commit.
    pub(super) fn newest(&self) -> u64 {
        self.first + self.commits.len() as u64 - 1
    }

    /// A commit, and the oldest goes if there are too many.
    pub(super) fn push(&mut self, changes: Vec<Change>, commits_max: usize) {
        self.commits.push_back(changes);
        while self.commits.len() > commits_max.max(1) {
            self.commits.pop_front();
            self.first += 1;
        }
    }

    /// The commits after a token; `None` if some of them are not kept, or are of another history.
    fn after(&self, token: u64) -> Option<impl Iterator<Item = &Vec<Change>>> {
        let skip = token.checked_add(1)?.checked_sub(self.first)?;
        (token <= self.newest()).then(|| self.commits.range(skip as usize..))
    }

    fn page(&self, token: u64, limit: u32) -> Changes {
        let now = |truncated| Changes { changes: Vec::new(), token: self.newest(), truncated };
        if token == 0 {
            return now(false);
        }
        let Some(commits) = self.after(token) else { return now(true) };
        let mut page = Changes { changes: Vec::new(), token, truncated: false };
        for changes in commits.take(limit.clamp(1, PAGE_COMMITS_MAX) as usize) {
            page.changes.extend(changes.iter().copied().filter(is_named));
            page.token += 1;
        }
        page
    }

    fn since(&self, token: u64, user: UserId, session: SessionId) -> Option<Since> {
        let mut since = Since::default();
        for change in self.after(token)?.flatten().copied().filter(is_named) {
            match change {
                Change::Inbox { user: whose, head } if whose == user => since.head = Some(head),
                Change::SessionEnded { session: which, reason } if which == session => since.ended = Some(reason),
                _ => {}
            }
        }
        Some(since)
    }
}

/// The feed names every change.
fn is_named(change: &Change) -> bool {
    !(mutant!("feed forgets") && matches!(change, Change::Inbox { .. }))
}

impl Feed for ModelStore {
    fn changes(&self, token: u64, limit: u32) -> Pending<'_, Result<Changes>> {
        self.read(move |state| Ok(state.feed.page(token, limit)))
    }

    fn token(&self) -> u64 {
        self.disk.read(self.process, |state| state.feed.newest()).unwrap_or(self.opened_at)
    }

    fn since(&self, token: u64, user: UserId, session: SessionId) -> Option<Since> {
        // What an earlier process committed is not in the memory of this one.
        if token < self.opened_at {
            return None;
        }
        self.disk.read(self.process, |state| state.feed.since(token, user, session)).flatten()
    }

    fn log_epoch(&self) -> u32 {
        self.log_epoch
    }

    fn inbox_heads(&self, users: Vec<UserId>) -> Pending<'_, Result<Vec<(UserId, u64)>>> {
        self.read(move |state| {
            let head = |user| Some((user, state.people.get(&user)?.inbox.head));
            Ok(users.into_iter().filter_map(head).collect())
        })
    }
}
