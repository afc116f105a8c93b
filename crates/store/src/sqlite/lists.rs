//! What has changed in a user's lists for a device that knows an earlier state: one read at one instant.
//!
//! Every change takes a number above all earlier ones within its commit, so whoever knows everything up to the newest number
//! of an instant misses nothing: what is committed later has a higher one. Profiles are found from the side that is shorter:
//! those that have changed at all, or those of the user's friends.

use hongyan_domain::friend::{Relation, Tie};
use hongyan_domain::id::UserId;
use rusqlite::Connection;

use super::fault::Result;
use super::{groupings, profiles, relations};
use crate::friends::{ListedRelation, Lists};
use crate::profiles::KnownProfile;

/// Bytes that an item takes beside its texts: a name and its fields.
const ITEM_BYTES: usize = 128;

/// Changed profiles, of whomever, from which on a user's friends are gone through instead.
const CHANGED_PROFILES_MAX: usize = 256;

/// What is new after two numbers; both 0 for a device that knows nothing.
pub(super) fn page(connection: &Connection, user: UserId, lists: u64, details: u64, bytes_max: usize) -> Result<Lists> {
    let newest = relations::newest(connection)?;
    let reset = lists > newest || details > newest;
    let (lists, details) = if reset { (0, 0) } else { (lists, details) };
    let mut page = Lists { reset, lists, details, ..Lists::default() };
    if lists == 0 {
        // Whoever knows nobody knows all their profiles.
        page.details = newest;
    }
    page.own = profiles::load(connection, user)?.filter(|own| own.of.version > lists);
    page.groupings = Some(groupings::load(connection, user)?).filter(|groupings| groupings.version > lists);
    let own_bytes = page.own.as_ref().map_or(0, profile_bytes);
    let names = page.groupings.iter().flat_map(|groupings| &groupings.list);
    let mut room =
        Room { left: bytes_max.saturating_sub(own_bytes + names.map(|it| it.name.len() + 16).sum::<usize>()) };
    add_relations(connection, user, &mut page, &mut room)?;
    if !page.more {
        add_profiles(connection, user, lists, &mut page, &mut room)?;
        page.lists = newest;
        if !page.more {
            page.details = newest;
        }
    }
    Ok(page)
}

/// What a page still takes.
struct Room {
    left: usize,
}

impl Room {
    /// Whether so much more fits; the first item of a page always does.
    fn takes(&mut self, bytes: usize, is_first: bool) -> bool {
        let fits = bytes <= self.left || is_first;
        self.left = self.left.saturating_sub(bytes);
        fits
    }
}

fn profile_bytes(known: &KnownProfile) -> usize {
    let profile = &known.of.profile;
    ITEM_BYTES + profile.nickname.len() + profile.avatar.len() + profile.intro.len()
}

fn add_relations(connection: &Connection, user: UserId, page: &mut Lists, room: &mut Room) -> Result<()> {
    let (known, from_nothing) = (page.lists, page.lists == 0);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT other, version, befriended, {} FROM relation WHERE user = ?1 AND version > ?2 ORDER BY version",
        relations::COLUMNS
    ))?;
    let mut rows = statement.query((user.0, known))?;
    while let Some(row) = rows.next()? {
        let (other, version, befriended): (_, u64, u64) = (UserId(row.get(0)?), row.get(1)?, row.get(2)?);
        let relation = relations::from_row(row, 3)?;
        if from_nothing && relation.is_empty() {
            continue;
        }
        let profile = if befriended > known { profiles::load(connection, other)? } else { None };
        if !room.takes(item_bytes(&relation, profile.as_ref()), page.relations.is_empty()) {
            page.more = true;
            break;
        }
        page.relations.push(ListedRelation { other, relation, profile });
        page.lists = version;
    }
    Ok(())
}

fn item_bytes(relation: &Relation, profile: Option<&KnownProfile>) -> usize {
    ITEM_BYTES + relation.remark.len() + relation.text.len() + profile.map_or(0, profile_bytes)
}

/// Of friends whom the device knows already; the others come with their items.
fn add_profiles(connection: &Connection, user: UserId, known: u64, page: &mut Lists, room: &mut Room) -> Result<()> {
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM (SELECT 1 FROM profile WHERE version > ?1 LIMIT ?2)")?;
    let changed: usize = count.query_row((page.details, CHANGED_PROFILES_MAX), |row| row.get(0))?;
    let tables = match changed {
        0 => return Ok(()),
        CHANGED_PROFILES_MAX.. => "relation CROSS JOIN profile",
        _ => "profile CROSS JOIN relation",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {} FROM {tables} WHERE relation.user = ?1 AND relation.other = profile.user AND tie = ?2 \
         AND befriended <= ?3 AND profile.version > ?4 ORDER BY profile.version",
        profiles::COLUMNS
    ))?;
    let mut rows = statement.query((user.0, relations::tie_number(Tie::Friend), known, page.details))?;
    while let Some(row) = rows.next()? {
        let profile = profiles::from_row(row)?;
        let is_first = page.relations.is_empty() && page.profiles.is_empty();
        if !room.takes(profile_bytes(&profile), is_first) {
            page.more = true;
            break;
        }
        page.details = profile.of.version;
        page.profiles.push(profile);
    }
    Ok(())
}
