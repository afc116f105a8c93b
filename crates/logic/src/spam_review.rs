//! Messages that wait for a review, and what administrators do about texts (spec 73): lists of words, audits, releasing and
//! discarding. As in [`crate::administration`], the HTTP API knows who asks.
//!
//! A message that waits is in no log and has no number. Its sender is refused with `HeldForReview`, which is the truth: it is
//! not said. When it is released it is appended as any message, under the client id it had, so that it is its sender's own
//! everywhere and a repeat of the request gets its answer.

use hongyan_domain::id::SessionId;
use hongyan_domain::message::decide_direct;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::{Class, WordsError};
use hongyan_domain::time::UnixMillis;
use hongyan_store::rooms::{Say, SayOutcome};
use hongyan_store::spam::{Audit, HeldMessage, HeldPlace, HeldState, HoldOutcome, WordsHead};
use hongyan_store::timeline::{Append, Outcome, Target, What};
use smallvec::{SmallVec, smallvec};

use crate::answer::{BUSY_RETRY_MS, unavailable};
use crate::send::{Outgoing, To};
use crate::service::Logic;

/// Bytes of one list.
pub const LIST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Audits, or messages that wait, of one page.
pub const PAGE_MAX: u32 = 1_000;
/// Times that a release is decided before it is put off.
const DECISIONS_MAX: usize = 3;

/// An audit as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownAudit {
    /// Its number.
    pub number: u64,
    /// Who wrote the text.
    pub user: Name,
    /// The rest.
    pub audit: Audit,
}

/// A message that waits, as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownHeld {
    /// Its number.
    pub number: u64,
    /// Who wrote it.
    pub sender: Name,
    /// To whom or into which room.
    pub to: Name,
    /// The rest.
    pub message: HeldMessage,
}

/// What became of the lists of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListCounts {
    /// Words of all lists that are looked for.
    pub words: usize,
    /// Lines of all lists that can be no words.
    pub skipped: usize,
}

/// What was done with a message that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// It has this number in its conversation.
    Released {
        /// The number.
        seq: u64,
    },
    /// It is never said.
    Discarded,
}

impl Logic {
    /// The refusal of a message: if that is a review, the message waits from now on, or did already.
    pub(crate) async fn held_or(&self, caller: &Caller, outgoing: &Outgoing, refusal: Refusal) -> Refusal {
        if refusal != Refusal::HeldForReview {
            return refusal;
        }
        let place = match self.held_place(caller, &outgoing.to).await {
            Ok(place) => place,
            Err(refusal) => return refusal,
        };
        let message = HeldMessage {
            app: caller.app,
            sender: caller.user,
            place,
            client_id: outgoing.client_id,
            digest: outgoing.digest,
            time: self.environment.wall_clock(),
            rule: outgoing.held_by.to_owned(),
            draft: outgoing.draft.clone(),
        };
        match self.store.hold(caller.session, message).await {
            Ok(HoldOutcome::Held(HeldState::Waits | HeldState::Released)) => Refusal::HeldForReview,
            Ok(HoldOutcome::Held(HeldState::Discarded)) => Refusal::SpamRejected,
            Ok(HoldOutcome::Conflict) => Refusal::Conflict,
            Ok(HoldOutcome::Full) => Refusal::QuotaExceeded,
            Ok(HoldOutcome::SessionEnded) => self.why_ended(caller).await,
            Err(error) => unavailable(error),
        }
    }

    async fn held_place(&self, caller: &Caller, to: &To) -> Result<HeldPlace, Refusal> {
        match to {
            To::User(name) => {
                let user = self.directory.user(caller.app, name).await?.ok_or(Refusal::NotFound)?;
                Ok(HeldPlace::Direct(user.id))
            }
            To::Room(name) => {
                let room = self.room_id(caller.app, name.as_str()).await?;
                let from = self.bus.rooms().name_of(room, caller.session).ok_or(Refusal::NotInRoom)?;
                Ok(HeldPlace::Room { room, name: name.clone(), from })
            }
            // Nothing waits there.
            To::Group(_) => Err(Refusal::SpamRejected),
        }
    }

    /// Replaces the list of a class; an empty text removes it. It holds for what is judged from now on. `InvalidArgument`: too
    /// long, or too many words.
    pub async fn set_words(&self, app: &Name, class: Class, text: String) -> Result<(WordsHead, ListCounts), Refusal> {
        if text.len() > LIST_BYTES_MAX {
            return Err(Refusal::InvalidArgument("words"));
        }
        let id = self.app(app).await?.id;
        // Compiled before it is stored, so that what is stored can be used.
        let (before, mut lists) = self.store.words(id).await.map_err(unavailable)?;
        lists.retain(|(known, _)| *known != class);
        lists.push((class, text.clone()));
        let words = self.compiled(lists).await?;
        let words = words.map_err(|_: WordsError| Refusal::InvalidArgument("words"))?;
        let now = self.environment.wall_clock();
        let _changing = self.directory.changing();
        let head = self.store.set_words(id, class, text, now).await.map_err(unavailable)?.ok_or(Refusal::NotFound)?;
        self.directory.forget_app(app);
        let counts = ListCounts { words: words.words(), skipped: words.skipped() };
        if head.version == before + 1 {
            self.keep_words(id, head.version, words);
        } else {
            // Another list has changed meanwhile, which is not in what was compiled.
            self.load_words(id).await?;
        }
        Ok((head, counts))
    }

    /// All lists of an app.
    pub async fn word_heads(&self, app: &Name) -> Result<Vec<WordsHead>, Refusal> {
        let id = self.app(app).await?.id;
        self.store.word_heads(id).await.map_err(unavailable)
    }

    /// One list, one word a line.
    pub async fn words(&self, app: &Name, class: Class) -> Result<String, Refusal> {
        let id = self.app(app).await?.id;
        let (_, lists) = self.store.words(id).await.map_err(unavailable)?;
        lists.into_iter().find(|(known, _)| *known == class).map(|(_, text)| text).ok_or(Refusal::NotFound)
    }

    /// A page of audits, newest first, below a number (0 = from the newest).
    pub async fn audits(&self, app: &Name, before: u64, limit: u32) -> Result<Vec<ShownAudit>, Refusal> {
        let id = self.app(app).await?.id;
        let audits = self.store.audits(id, before, limit.clamp(1, PAGE_MAX)).await.map_err(unavailable)?;
        let names = self.directory.names(audits.iter().map(|(_, audit)| audit.user)).await?;
        let shown = audits.into_iter().map(|(number, audit)| {
            let user = names.get(&audit.user).cloned().ok_or(Refusal::Internal)?;
            Ok(ShownAudit { number, user, audit })
        });
        shown.collect()
    }

    /// A page of messages that wait, oldest first, above a number.
    pub async fn held(&self, app: &Name, after: u64, limit: u32) -> Result<Vec<ShownHeld>, Refusal> {
        let id = self.app(app).await?.id;
        let held = self.store.held(id, after, limit.clamp(1, PAGE_MAX)).await.map_err(unavailable)?;
        let users = held.iter().flat_map(|(_, message)| match message.place {
            HeldPlace::Direct(other) => [message.sender, other],
            HeldPlace::Room { .. } => [message.sender, message.sender],
        });
        let names = self.directory.names(users).await?;
        let name = |user| names.get(&user).cloned().ok_or(Refusal::Internal);
        let shown = held.into_iter().map(|(number, message)| {
            let to = match &message.place {
                HeldPlace::Direct(other) => name(*other)?,
                HeldPlace::Room { name, .. } => name.clone(),
            };
            Ok(ShownHeld { number, sender: name(message.sender)?, to, message })
        });
        shown.collect()
    }

    /// Says a message that waits, or sees to it that it is never said. `NotFound`: none of this number waits. Releasing refuses
    /// with `NotAllowed` what its addressee does not want any more; it goes on waiting then.
    pub async fn review(&self, app: &Name, number: u64, release: bool) -> Result<Reviewed, Refusal> {
        let id = self.app(app).await?.id;
        let message = self.store.held_message(id, number).await.map_err(unavailable)?.ok_or(Refusal::NotFound)?;
        if !release {
            let settled = self.store.settle_held(id, number, HeldState::Discarded).await.map_err(unavailable)?;
            return if settled { Ok(Reviewed::Discarded) } else { Err(Refusal::NotFound) };
        }
        let now = self.environment.wall_clock();
        let seq = match message.place.clone() {
            HeldPlace::Direct(_) => self.release_to_person(&message, now).await?,
            HeldPlace::Room { .. } => self.release_into_room(message, now).await?,
        };
        // If this fails the next release finds the message said already, and settles it.
        self.store.settle_held(id, number, HeldState::Released).await.map_err(unavailable)?;
        Ok(Reviewed::Released { seq })
    }

    async fn release_to_person(&self, message: &HeldMessage, now: UnixMillis) -> Result<u64, Refusal> {
        let HeldPlace::Direct(other) = message.place else { return Err(Refusal::Internal) };
        let names = self.directory.names([message.sender, other]).await?;
        let name = |user| names.get(&user).cloned().ok_or(Refusal::Internal);
        let own = Target { user: message.sender, about: name(other)? };
        let targets: SmallVec<[Target; 2]> = match other == message.sender {
            true => smallvec![own],
            false => smallvec![own, Target { user: other, about: name(message.sender)? }],
        };
        let app = self.directory.app_of(message.app).await?;
        for _ in 0..DECISIONS_MAX {
            let direct = self.directs.read(message.app, message.sender, other).await?;
            decide_direct(direct.facts, app.app.settings.strangers_write)?;
            let append = Append {
                app: message.app,
                sender: message.sender,
                other,
                session: SessionId::SERVER,
                client_id: message.client_id,
                digest: message.digest,
                access_version: direct.facts.access_version,
                seen_seq: 0,
                now,
                what: What::Message(message.draft.clone()),
                targets: targets.clone(),
            };
            let outcomes = self.store.append(vec![append]).await.map_err(unavailable)?;
            match outcomes.first() {
                Some(Outcome::Appended(answer) | Outcome::Duplicate(answer)) => return Ok(answer.seq),
                Some(Outcome::Stale) => {}
                Some(Outcome::Conflict) => return Err(Refusal::Conflict),
                _ => return Err(Refusal::Internal),
            }
        }
        Err(Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })
    }

    async fn release_into_room(&self, message: HeldMessage, now: UnixMillis) -> Result<u64, Refusal> {
        let HeldPlace::Room { room, name, from } = message.place else { return Err(Refusal::Internal) };
        let say = Say {
            app: message.app,
            room,
            room_name: name,
            sender: message.sender,
            session: SessionId::SERVER,
            client_id: message.client_id,
            digest: message.digest,
            from,
            now,
            draft: message.draft,
        };
        match self.store.say(vec![say]).await.map_err(unavailable)?.first() {
            Some(SayOutcome::Said(answer) | SayOutcome::Repeated(answer)) => Ok(answer.seq),
            Some(SayOutcome::Conflict) => Err(Refusal::Conflict),
            Some(SayOutcome::RoomGone) => Err(Refusal::NotAllowed),
            _ => Err(Refusal::Internal),
        }
    }
}
