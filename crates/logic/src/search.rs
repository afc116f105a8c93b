//! SEARCH: messages of the asker's conversations, and people with whom they have one (spec 54). Nobody is found with whom the
//! asker has no conversation: a search must not tell who exists.

use hongyan_cluster::service::Reply;
use hongyan_domain::id::UserId;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::search::Query;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::normalise;
use hongyan_store::search::{SearchHit, SearchQuery};
use hongyan_wire::proto;
use prost::Message;

use crate::answer::{plain, unavailable};
use crate::entry::entry_for;
use crate::page::{LIST_ITEM_BYTES, PAGE_ENTRY_BYTES_MAX};
use crate::rate::Rate;
use crate::service::{Logic, STORED_MAX};

/// What one user may look for.
pub(crate) const SEARCH_RATE: Rate = Rate { burst: 20, per_minute: 60 };
/// Messages of one page, at most and by default.
const LIMIT_MAX: u32 = 50;
const LIMIT_DEFAULT: u32 = 20;
/// Conversations, the newest, whose people are looked at.
const CORRESPONDENTS_MAX: u32 = 1_000;
/// People of one answer.
const PEOPLE_MAX: usize = 20;

impl Logic {
    pub(crate) async fn search(&self, caller: &Caller, request: proto::SearchRequest) -> Result<Reply, Refusal> {
        let allowed = self.searches_by_user.take(caller.user, self.environment.monotonic_ms());
        allowed.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        let words = Query::parse(&request.query).ok_or(Refusal::InvalidArgument("query"))?;
        let other = match request.user.as_str() {
            "" => None,
            name => Some(self.directory.other(caller.app, name).await?.0.id),
        };
        let query = SearchQuery {
            user: caller.user,
            other,
            words,
            before: request.before.min(STORED_MAX),
            limit: if request.limit == 0 { LIMIT_DEFAULT } else { request.limit.min(LIMIT_MAX) },
            bytes_max: PAGE_ENTRY_BYTES_MAX,
        };
        let page = self.store.search(query).await.map_err(unavailable)?;
        let people = if other.is_none() && request.before == 0 {
            self.people(caller, &request.query).await?
        } else {
            Vec::new()
        };
        let mut answer = proto::SearchAnswer { id: request.id, next: page.next, people, ..Default::default() };
        let names = self.directory.names(page.hits.iter().map(|hit| hit.other)).await?;
        let mut bytes = answer.encoded_len();
        let mut last = 0;
        for hit in &page.hits {
            let user = names.get(&hit.other).ok_or(Refusal::Internal)?.as_str().to_owned();
            let found = found(caller.user, user, hit);
            bytes += found.encoded_len() + LIST_ITEM_BYTES;
            if bytes > PAGE_ENTRY_BYTES_MAX && last > 0 {
                answer.next = last;
                break;
            }
            last = hit.place;
            answer.messages.push(found);
        }
        Ok(plain(&answer))
    }

    /// People whose names have what was typed in them, those written with last first.
    async fn people(&self, caller: &Caller, typed: &str) -> Result<Vec<String>, Refusal> {
        let wanted = normalise::letters(typed);
        let others = self.store.correspondents(caller.user, CORRESPONDENTS_MAX).await.map_err(unavailable)?;
        let names = self.directory.names(others.iter().copied()).await?;
        let in_order = others.iter().filter_map(|user| names.get(user)).filter(|name| !name.is_visitor());
        let matching = in_order.filter(|name| normalise::letters(name.as_str()).contains(&wanted));
        Ok(matching.take(PEOPLE_MAX).map(|name| name.as_str().to_owned()).collect())
    }
}

fn found(reader: UserId, user: String, hit: &SearchHit) -> proto::FoundMessage {
    let range = |(start, end): &(usize, usize)| proto::TextRange { start: *start as u32, length: (end - start) as u32 };
    proto::FoundMessage {
        user,
        entry: Some(entry_for(reader, &hit.entry, None)),
        ranges: hit.ranges.iter().map(range).collect(),
    }
}
