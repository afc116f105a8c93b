//! Groupings: the folders into which a user sorts friends (spec 36), a small document that is replaced as a whole. Whom a
//! grouping holds is said at each friend; whoever is in one that does not exist is in the default, so that removing one
//! touches nobody.

use serde::{Deserialize, Serialize};

use crate::friend::is_legal_line;
use crate::refusal::Refusal;

/// Groupings of one user.
pub const GROUPINGS_MAX: usize = 100;
/// Longest name of a grouping, in characters.
pub const GROUPING_NAME_CHARACTERS_MAX: usize = 32;

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouping {
    /// Never 0, and never given twice to one user. In a wish, 0 is one that is to be made.
    pub id: u32,
    /// As the user sees it.
    pub name: String,
}

/// All folders of one user, in the user's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groupings {
    /// Raised by every change; 0 before the first.
    pub version: u64,
    /// The highest id that was ever given.
    pub last_id: u32,
    /// In order.
    pub list: Vec<Grouping>,
}

impl Groupings {
    /// Whether a friend may be put there; 0 is the default.
    pub fn has(&self, id: u32) -> bool {
        id == 0 || self.list.iter().any(|grouping| grouping.id == id)
    }

    /// The document that replaces this one, if it is still the one that the wish was made on. The version is the store's.
    pub fn changed(&self, version: u64, wanted: Vec<Grouping>) -> Result<Self, Refusal> {
        if version != self.version {
            return Err(Refusal::Outdated);
        }
        if wanted.len() > GROUPINGS_MAX {
            return Err(Refusal::QuotaExceeded);
        }
        let mut changed = Self { list: Vec::with_capacity(wanted.len()), ..*self };
        for Grouping { id, name } in wanted {
            if name.is_empty() || !is_legal_line(&name, GROUPING_NAME_CHARACTERS_MAX) {
                return Err(Refusal::InvalidArgument("name"));
            }
            let twice = changed.list.iter().any(|known| known.id == id);
            let id = match id {
                0 => {
                    changed.last_id = changed.last_id.checked_add(1).ok_or(Refusal::QuotaExceeded)?;
                    changed.last_id
                }
                id if self.has(id) && !twice => id,
                _ => return Err(Refusal::InvalidArgument("id")),
            };
            changed.list.push(Grouping { id, name });
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouping(id: u32, name: &str) -> Grouping {
        Grouping { id, name: name.to_owned() }
    }

    #[test]
    fn a_document_is_replaced_by_who_knows_it() {
        let empty = Groupings::default();
        let two = empty.changed(0, vec![grouping(0, "family"), grouping(0, "work")]).unwrap();
        assert_eq!((two.list.as_slice(), two.last_id), (&[grouping(1, "family"), grouping(2, "work")][..], 2));
        let two = Groupings { version: 7, ..two };
        assert_eq!(two.changed(6, Vec::new()), Err(Refusal::Outdated));
        let other = two.changed(7, vec![grouping(2, "office"), grouping(0, "school")]).unwrap();
        assert_eq!(other.list, [grouping(2, "office"), grouping(3, "school")], "renamed, ordered, removed, made");
        assert!(other.has(0) && other.has(3) && !other.has(1));
        assert_eq!(
            other.changed(7, vec![grouping(1, "back")]),
            Err(Refusal::InvalidArgument("id")),
            "no id comes back"
        );
    }

    #[test]
    fn wishes_that_make_no_sense_are_refused() {
        let one = Groupings { version: 1, last_id: 1, list: vec![grouping(1, "a")] };
        for (wanted, refusal) in [
            (vec![grouping(1, "a"), grouping(1, "b")], Refusal::InvalidArgument("id")),
            (vec![grouping(9, "a")], Refusal::InvalidArgument("id")),
            (vec![grouping(0, "")], Refusal::InvalidArgument("name")),
            (vec![grouping(0, &"x".repeat(GROUPING_NAME_CHARACTERS_MAX + 1))], Refusal::InvalidArgument("name")),
            (vec![grouping(0, "x"); GROUPINGS_MAX + 1], Refusal::QuotaExceeded),
        ] {
            assert_eq!(one.changed(1, wanted), Err(refusal));
        }
    }
}
