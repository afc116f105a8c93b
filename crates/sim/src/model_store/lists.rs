//! What has changed in a user's lists for a device that knows an earlier state.

use hongyan_domain::friend::Tie;
use hongyan_domain::id::UserId;
use hongyan_store::Result;
use hongyan_store::friends::{ListedRelation, Lists};
use hongyan_store::profiles::KnownProfile;

use super::state::State;

/// Bytes that an item takes beside its texts.
const ITEM_BYTES: usize = 128;

/// What is new after two numbers; both 0 for a device that knows nothing.
pub(super) fn page(state: &State, user: UserId, lists: u64, details: u64, bytes_max: usize) -> Result<Lists> {
    let (person, newest) = (state.person(user)?, state.people_version);
    let reset = lists > newest || details > newest;
    let (lists, details) = if reset { (0, 0) } else { (lists, details) };
    let details = if lists == 0 { newest } else { details };
    let own = (person.profile.version > lists).then(|| KnownProfile { user, of: person.profile.clone() });
    let groupings = (person.groupings.version > lists).then(|| person.groupings.clone());
    let names = groupings.iter().flat_map(|groupings| &groupings.list).map(|it| it.name.len() + 16);
    let mut left = bytes_max.saturating_sub(own.as_ref().map_or(0, profile_bytes) + names.sum::<usize>());
    let mut page = Lists { reset, own, groupings, lists, details, ..Lists::default() };

    let mut rows: Vec<_> = person.relations.iter().filter(|(_, row)| row.version > lists).collect();
    rows.sort_unstable_by_key(|(_, row)| row.version);
    for (other, row) in rows.into_iter().filter(|(_, row)| lists > 0 || !row.relation.is_empty()) {
        let profile = if row.befriended > lists { known_profile(state, *other) } else { None };
        let texts = row.relation.remark.len() + row.relation.text.len() + profile.as_ref().map_or(0, profile_bytes);
        if ITEM_BYTES + texts > left && !page.relations.is_empty() {
            page.more = true;
            return Ok(page);
        }
        left = left.saturating_sub(ITEM_BYTES + texts);
        page.relations.push(ListedRelation { other: *other, relation: row.relation.clone(), profile });
        page.lists = row.version;
    }
    page.lists = newest;

    let friends = person.relations.iter().filter(|(_, row)| row.relation.tie == Tie::Friend && row.befriended <= lists);
    let mut profiles: Vec<_> = friends.filter_map(|(other, _)| known_profile(state, *other)).collect();
    profiles.retain(|known| known.of.version > details);
    profiles.sort_unstable_by_key(|known| known.of.version);
    for known in profiles {
        if profile_bytes(&known) > left && !(page.relations.is_empty() && page.profiles.is_empty()) {
            page.more = true;
            return Ok(page);
        }
        left = left.saturating_sub(profile_bytes(&known));
        page.details = known.of.version;
        page.profiles.push(known);
    }
    page.details = newest;
    Ok(page)
}

fn known_profile(state: &State, user: UserId) -> Option<KnownProfile> {
    let of = &state.people.get(&user)?.profile;
    (of.version > 0).then(|| KnownProfile { user, of: of.clone() })
}

fn profile_bytes(known: &KnownProfile) -> usize {
    let profile = &known.of.profile;
    ITEM_BYTES + profile.nickname.len() + profile.avatar.len() + profile.intro.len()
}
