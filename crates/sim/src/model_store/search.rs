//! Searching: a look at every row that the asker may see. There is no index that could be behind.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_store::Result;
use hongyan_store::search::{Search, SearchHit, SearchPage, SearchQuery, searchable};

use super::ModelStore;
use super::conversation::{Conversation, Row};
use super::state::{Place, State};

fn page(state: &State, query: &SearchQuery) -> SearchPage {
    let mut hits: Vec<SearchHit> = Vec::new();
    for (id, log) in state.conversations.iter().filter(|(_, log)| log.has(query.user)) {
        if query.other.is_none_or(|other| log.other(query.user) == other) {
            hits.extend(in_conversation(state, *id, log, query));
        }
    }
    // From the oldest on, so that a place stays one when more is written.
    hits.sort_by_key(|hit| (hit.entry.time, hit.conversation, hit.entry.seq));
    if query.before > 0 {
        hits.truncate(usize::try_from(query.before - 1).unwrap_or(usize::MAX));
    }
    let mut page = SearchPage::default();
    let mut bytes = 0;
    for (place, mut hit) in hits.into_iter().enumerate().rev() {
        bytes += Row::size(&hit.entry);
        if page.hits.len() >= query.limit as usize || (bytes > query.bytes_max && !page.hits.is_empty()) {
            page.next = place as u64 + 2;
            break;
        }
        hit.place = place as u64 + 1;
        page.hits.push(hit);
    }
    page
}

fn in_conversation<'s>(
    state: &'s State,
    id: ConversationId,
    log: &'s Conversation,
    query: &'s SearchQuery,
) -> impl Iterator<Item = SearchHit> + 's {
    let untouched = Place::default();
    let mine = state.place(query.user, id).cloned().unwrap_or(untouched);
    let visible = log.rows(1, log.head_seq).iter().filter(move |row| mine.shows(row.seq()));
    visible.filter(|row| row.entry.change_of == 0 && !row.entry.recalled).filter_map(move |row| {
        let ranges = query.words.ranges(searchable(&row.entry))?;
        Some(SearchHit {
            place: 0,
            conversation: id,
            other: log.other(query.user),
            entry: (*row.entry).clone(),
            ranges,
        })
    })
}

fn correspondents(state: &State, user: UserId, limit: u32) -> Result<Vec<UserId>> {
    let places = state.person(user)?.places.iter().filter(|(_, mine)| mine.activity > 0);
    let mut places: Vec<_> = places.map(|(id, mine)| (mine.activity, *id)).collect();
    places.sort_unstable_by_key(|(activity, _)| std::cmp::Reverse(*activity));
    places.truncate(limit as usize);
    let mut others = Vec::new();
    for (_, id) in places {
        let log = state.conversation(id)?;
        if log.has(user) {
            others.push(log.other(user));
        }
    }
    Ok(others)
}

impl Search for ModelStore {
    fn search(&self, query: SearchQuery) -> Pending<'_, Result<SearchPage>> {
        self.read(move |state| Ok(page(state, &query)))
    }

    fn correspondents(&self, user: UserId, limit: u32) -> Pending<'_, Result<Vec<UserId>>> {
        self.read(move |state| correspondents(state, user, limit))
    }
}
