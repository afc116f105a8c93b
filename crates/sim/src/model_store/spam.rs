//! Lists of words, audits, messages that wait for a review.

use std::collections::BTreeMap;

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{AppId, ClientId, SessionId, UserId};
use hongyan_domain::spam::Class;
use hongyan_domain::time::UnixMillis;
use hongyan_store::Result;
use hongyan_store::spam::{
    Audit, HELD_PER_APP_MAX, HELD_PER_SENDER_MAX, HeldMessage, HeldPlace, HeldState, HoldOutcome, Spam, WordsHead,
};

use super::ModelStore;
use super::state::State;

/// All rows of this kind.
#[derive(Clone, Debug, Default)]
pub(super) struct SpamRows {
    words: BTreeMap<(AppId, &'static str), (WordsHead, String)>,
    /// By number, which counts from 1.
    audits: Vec<Audit>,
    held: Vec<(HeldMessage, HeldState)>,
}

fn set_words(state: &mut State, app: AppId, class: Class, text: &str, changed: UnixMillis) -> Option<WordsHead> {
    let found = state.apps.values_mut().find(|found| found.id == app)?;
    found.words_version += 1;
    let version = found.words_version;
    let words = text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    let head = WordsHead { class, version, words, changed };
    state.spam.words.remove(&(app, class.name()));
    if words > 0 {
        state.spam.words.insert((app, class.name()), (head, text.to_owned()));
    }
    Some(head)
}

fn key(message: &HeldMessage) -> (i64, UserId, ClientId) {
    let place = match &message.place {
        HeldPlace::Direct(other) => other.0,
        HeldPlace::Room { room, .. } => room.0,
    };
    (place, message.sender, message.client_id)
}

fn hold(state: &mut State, session: SessionId, message: &HeldMessage) -> HoldOutcome {
    if !state.may_write(session) {
        return HoldOutcome::SessionEnded;
    }
    let held = &mut state.spam.held;
    if let Some((earlier, known)) = held.iter().find(|(earlier, _)| key(earlier) == key(message)) {
        return if earlier.digest == message.digest { HoldOutcome::Held(*known) } else { HoldOutcome::Conflict };
    }
    let waiting = || held.iter().filter(|(_, state)| *state == HeldState::Waits).map(|(message, _)| message);
    let of_sender = waiting().filter(|earlier| earlier.sender == message.sender).count();
    let of_app = waiting().filter(|earlier| earlier.app == message.app).count();
    if of_sender >= HELD_PER_SENDER_MAX || of_app >= HELD_PER_APP_MAX {
        return HoldOutcome::Full;
    }
    held.push((message.clone(), HeldState::Waits));
    HoldOutcome::Held(HeldState::Waits)
}

fn waiting(state: &State, app: AppId) -> impl Iterator<Item = (u64, &HeldMessage)> {
    let numbered = state.spam.held.iter().zip(1..);
    numbered
        .filter(move |((message, state), _)| message.app == app && *state == HeldState::Waits)
        .map(|((message, _), number)| (number, message))
}

fn settle_held(state: &mut State, app: AppId, number: u64, to: HeldState) -> bool {
    let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match place.and_then(|place| state.spam.held.get_mut(place)) {
        Some((message, state)) if message.app == app && *state == HeldState::Waits => {
            *state = to;
            true
        }
        _ => false,
    }
}

impl Spam for ModelStore {
    fn set_words(
        &self,
        app: AppId,
        class: Class,
        text: String,
        now: UnixMillis,
    ) -> Pending<'_, Result<Option<WordsHead>>> {
        self.write(move |batch| Ok(set_words(batch.state, app, class, &text, now)))
    }

    fn word_heads(&self, app: AppId) -> Pending<'_, Result<Vec<WordsHead>>> {
        self.read(move |state| {
            let of_app = state.spam.words.iter().filter(|((of, _), _)| *of == app);
            Ok(of_app.map(|(_, (head, _))| *head).collect())
        })
    }

    fn words(&self, app: AppId) -> Pending<'_, Result<(u64, Vec<(Class, String)>)>> {
        self.read(move |state| {
            let version = state.apps.values().find(|found| found.id == app).map_or(0, |found| found.words_version);
            let of_app = state.spam.words.iter().filter(|((of, _), _)| *of == app);
            Ok((version, of_app.map(|(_, (head, text))| (head.class, text.clone())).collect()))
        })
    }

    fn audit(&self, audits: Vec<Audit>) -> Pending<'_, Result<()>> {
        self.write_items(audits.len(), false, move |batch| {
            batch.state.spam.audits.extend(audits.iter().cloned());
            Ok(())
        })
    }

    fn audits(&self, app: AppId, before: u64, limit: u32) -> Pending<'_, Result<Vec<(u64, Audit)>>> {
        self.read(move |state| {
            let numbered = (1..).zip(&state.spam.audits).collect::<Vec<(u64, &Audit)>>();
            let wanted = numbered.into_iter().rev().filter(|(number, _)| before == 0 || *number < before);
            let of_app = wanted.filter(|(_, audit)| audit.app == app).take(limit as usize);
            Ok(of_app.map(|(number, audit)| (number, audit.clone())).collect())
        })
    }

    fn hold(&self, session: SessionId, message: HeldMessage) -> Pending<'_, Result<HoldOutcome>> {
        self.write_items(1, false, move |batch| Ok(hold(batch.state, session, &message)))
    }

    fn held(&self, app: AppId, after: u64, limit: u32) -> Pending<'_, Result<Vec<(u64, HeldMessage)>>> {
        self.read(move |state| {
            let wanted = waiting(state, app).filter(|(number, _)| *number > after).take(limit as usize);
            Ok(wanted.map(|(number, message)| (number, message.clone())).collect())
        })
    }

    fn held_message(&self, app: AppId, number: u64) -> Pending<'_, Result<Option<HeldMessage>>> {
        self.read(move |state| {
            Ok(waiting(state, app).find(|(found, _)| *found == number).map(|(_, message)| message.clone()))
        })
    }

    fn settle_held(&self, app: AppId, number: u64, to: HeldState) -> Pending<'_, Result<bool>> {
        self.write(move |batch| Ok(settle_held(batch.state, app, number, to)))
    }
}
