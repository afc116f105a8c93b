//! Whether texts that others can see may be seen (spec 73): the app's lists and settings, who writes how much to how many, and
//! what is kept of it. What a text is worth is decided in `hongyan_domain::spam`.
//!
//! Features call [`Logic::fit_text`], whatever the text is; messages have entrances of their own, because they can wait for a
//! review ([`crate::spam_review`]). An app without lists and with default settings pays one look at its cached row.

use std::sync::Arc;

use bytes::Bytes;
use hongyan_domain::id::{AppId, UserId};
use hongyan_domain::message::Draft;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::{
    Action, Class, Judgement, Lately, Likeness, Rule, SpamSettings, TextKind, WordList, WordsError, judge, normalise,
};
use hongyan_store::spam::Audit;
use hongyan_wire::proto;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, oneshot};

use crate::answer::unavailable;
use crate::cache::Cache;
use crate::directory::KnownApp;
use crate::rate::{Buckets, Rate};
use crate::send::{Outgoing, To};
use crate::service::Logic;

/// Apps whose lists are kept compiled.
const LISTS_MAX: usize = 256;
/// Audits of one app: so many at once, so many a minute. What is above leaves none, so that nobody fills the store with them.
const AUDITS_PER_APP: Rate = Rate { burst: 1_000, per_minute: 600 };

/// The lists of one app, ready for use.
#[derive(Clone)]
struct Compiled {
    version: u64,
    words: Arc<WordList>,
}

/// What is remembered about texts. All of it may be lost.
pub(crate) struct Spam {
    compiled: Cache<AppId, Compiled>,
    /// Held while lists are compiled that nothing is known of, so that it is done once.
    compiling: Mutex<()>,
    messages_by_user: Buckets<UserId>,
    lately: Cache<UserId, Arc<std::sync::Mutex<Lately>>>,
    audits_by_app: Buckets<AppId>,
}

impl Spam {
    /// Nothing is known; the rate of messages is each app's own.
    pub fn new(entries_max: usize) -> Self {
        Self {
            compiled: Cache::new(LISTS_MAX),
            compiling: Mutex::new(()),
            messages_by_user: Buckets::new(Rate { burst: 1, per_minute: 1 }, entries_max),
            lately: Cache::new(entries_max),
            audits_by_app: Buckets::new(AUDITS_PER_APP, LISTS_MAX * 16),
        }
    }
}

/// What texts of one app are judged by.
struct Guard {
    app: Arc<KnownApp>,
    words: Option<Arc<WordList>>,
}

impl Guard {
    fn settings(&self) -> &SpamSettings {
        &self.app.app.settings.spam
    }

    /// Nothing can happen to any text.
    fn is_idle(&self) -> bool {
        let settings = self.settings();
        self.words.is_none()
            && settings.advertising == Action::Pass
            && settings.same_text == Action::Pass
            && settings.messages_per_minute_max == 0
    }
}

impl Logic {
    /// What of a text may be seen by others: all of it, or with hidden parts. Every feature that shows a text of one person to
    /// another asks this before it is stored. Refuses with `SpamRejected`; nothing but a message waits for a review.
    pub(crate) async fn fit_text(&self, caller: &Caller, kind: TextKind, text: String) -> Result<String, Refusal> {
        let guard = self.guard(caller.app).await?;
        if guard.is_idle() {
            return Ok(text);
        }
        let Some(judgement) = judge(&text, guard.words.as_deref(), guard.settings(), false) else { return Ok(text) };
        let action = possible(judgement.action, kind, true);
        self.note(caller, kind, &text, action, &judgement).await;
        match (action, judgement.masked) {
            (Action::Mask, Some(masked)) => Ok(masked),
            (Action::Pass, _) => Ok(text),
            _ => Err(Refusal::SpamRejected),
        }
    }

    /// Judges what a message is changed to, and hides what must be hidden.
    pub(crate) async fn judge_edit(&self, caller: &Caller, draft: &mut Draft) -> Result<(), Refusal> {
        let guard = self.guard(caller.app).await?;
        if guard.is_idle() {
            return Ok(());
        }
        self.judge_draft(caller, &guard, TextKind::Edit, draft, false).await.map_err(|_| Refusal::SpamRejected)
    }

    /// Judges all messages of a batch. What speaks against one is kept with it, because whoever got in before must get the same
    /// answer again; a refusal is one of all of them.
    pub(crate) async fn judge_all(&self, caller: &Caller, waiting: &mut [Outgoing]) -> Result<(), Refusal> {
        if waiting.is_empty() {
            return Ok(());
        }
        let guard = self.guard(caller.app).await?;
        if guard.is_idle() {
            return Ok(());
        }
        for outgoing in waiting {
            outgoing.judged = match self.judge_message(caller, &guard, outgoing).await {
                Ok(()) => Ok(()),
                // What waits in a group would come behind answers to what nobody has seen: there it is rejected.
                Err(Against::Waits(_)) if matches!(outgoing.to, To::Group(_)) => Err(Refusal::SpamRejected),
                Err(Against::Waits(rule)) => {
                    outgoing.held_by = rule.name();
                    Err(Refusal::HeldForReview)
                }
                Err(Against::Rejected) => Err(Refusal::SpamRejected),
                Err(Against::Paced { retry_after_ms }) => Err(Refusal::RateLimited { retry_after_ms }),
            };
        }
        Ok(())
    }

    async fn judge_message(&self, caller: &Caller, guard: &Guard, outgoing: &mut Outgoing) -> Result<(), Against> {
        let now_ms = self.environment.monotonic_ms();
        let per_minute = guard.settings().messages_per_minute_max;
        if per_minute > 0 {
            let rate = Rate { burst: per_minute, per_minute };
            let taken = self.spam.messages_by_user.take_at(caller.user, rate, now_ms);
            taken.map_err(|retry_after_ms| Against::Paced { retry_after_ms })?;
        }
        let to_many = self.is_same_to_many(caller, guard.settings(), outgoing, now_ms);
        self.judge_draft(caller, guard, TextKind::Message, &mut outgoing.draft, to_many).await
    }

    /// Whether the sender has lately written this text to too many.
    fn is_same_to_many(&self, caller: &Caller, settings: &SpamSettings, outgoing: &Outgoing, now_ms: u64) -> bool {
        if settings.same_text == Action::Pass {
            return false;
        }
        let Some(likeness) = readable(&outgoing.draft).and_then(Likeness::of) else { return false };
        let window_ms = u64::from(settings.same_text_seconds) * 1_000;
        let targets_max = settings.same_text_targets_max as usize;
        let lately = self.spam.lately.with(caller.user, Arc::default, |lately| lately.clone());
        let mut lately = lately.lock().expect("nothing panics while it is held");
        lately.write(likeness, target_number(&outgoing.to), now_ms, window_ms, targets_max) > targets_max
    }

    /// Judges the parts of a message that can be read. What is hidden in a body that cannot be read would still be seen, so there
    /// a message is rejected that would be masked.
    async fn judge_draft(
        &self,
        caller: &Caller,
        guard: &Guard,
        kind: TextKind,
        draft: &mut Draft,
        to_many: bool,
    ) -> Result<(), Against> {
        let is_text = draft.body_type == proto::BodyType::Text as i32;
        if is_text {
            let body = std::str::from_utf8(&draft.body).map_err(|_| Against::Rejected)?;
            if let Some(masked) = self.judge_part(caller, guard, kind, body, to_many, true).await? {
                draft.body = Bytes::from(masked);
            }
        }
        if !draft.text.is_empty()
            && let Some(masked) =
                self.judge_part(caller, guard, kind, &draft.text, to_many && !is_text, is_text).await?
        {
            draft.text = masked;
        }
        Ok(())
    }

    /// What is to be shown instead of a text, if anything.
    async fn judge_part(
        &self,
        caller: &Caller,
        guard: &Guard,
        kind: TextKind,
        text: &str,
        to_many: bool,
        can_be_masked: bool,
    ) -> Result<Option<String>, Against> {
        let judgement = judge(text, guard.words.as_deref(), guard.settings(), to_many);
        let Some(judgement) = judgement else { return Ok(None) };
        let action = possible(judgement.action, kind, can_be_masked);
        self.note(caller, kind, text, action, &judgement).await;
        match action {
            Action::Pass => Ok(None),
            Action::Mask => Ok(judgement.masked),
            Action::Review => Err(Against::Waits(judgement.rule)),
            Action::Reject => Err(Against::Rejected),
        }
    }

    /// Keeps what became of a text; if the store cannot, or there is too much of it, that is counted.
    async fn note(&self, caller: &Caller, kind: TextKind, text: &str, action: Action, judgement: &Judgement) {
        self.measures.texts_judged.add(1);
        let audit = Audit {
            app: caller.app,
            user: caller.user,
            time: self.environment.wall_clock(),
            kind: kind.name().to_owned(),
            action: action.name().to_owned(),
            rule: judgement.rule.name().to_owned(),
            digest: text_digest(text),
            excerpt: judgement.excerpt.clone(),
        };
        let allowed = self.spam.audits_by_app.take(caller.app, self.environment.monotonic_ms());
        let kept = match allowed {
            Ok(()) => self.store.audit(vec![audit]).await.is_ok(),
            Err(_) => false,
        };
        if !kept {
            self.measures.audits_dropped.add(1);
        }
    }

    /// What texts of an app are judged by now. Lists that have changed are compiled beside the requests, which go on with those
    /// before; only where nothing is known yet, requests wait.
    async fn guard(&self, app: AppId) -> Result<Guard, Refusal> {
        let known = self.directory.app_of(app).await?;
        let version = known.app.words_version;
        let words = match self.spam.compiled.get(&app) {
            _ if version == 0 => None,
            Some(compiled) if compiled.version == version => Some(compiled.words),
            Some(compiled) => {
                self.refresh(app, version, compiled.words.clone());
                Some(compiled.words)
            }
            None => Some(self.first_words(app).await?),
        };
        Ok(Guard { app: known, words: words.filter(|words| words.words() > 0) })
    }

    /// Compiles beside the requests. The old list stands for this version meanwhile, so that this happens once.
    fn refresh(&self, app: AppId, version: u64, old: Arc<WordList>) {
        self.spam.compiled.insert(app, Compiled { version, words: old });
        let Some(logic) = self.me.upgrade() else { return };
        self.environment.spawn(Box::pin(async move {
            if let Err(refusal) = logic.load_words(app).await {
                tracing::warn!(app = app.0, %refusal, "new lists of words could not be loaded; the next request tries again");
                logic.spam.compiled.remove(&app);
            }
        }));
    }

    async fn first_words(&self, app: AppId) -> Result<Arc<WordList>, Refusal> {
        let _compiling = self.spam.compiling.lock().await;
        match self.spam.compiled.get(&app) {
            Some(compiled) => Ok(compiled.words),
            None => self.load_words(app).await,
        }
    }

    /// Reads the lists of an app and compiles them.
    pub(crate) async fn load_words(&self, app: AppId) -> Result<Arc<WordList>, Refusal> {
        let (version, lists) = self.store.words(app).await.map_err(unavailable)?;
        let words = self.compiled(lists).await?.map_err(|_| Refusal::Internal)?;
        self.keep_words(app, version, words.clone());
        Ok(words)
    }

    /// Lists of this version are ready; never goes back.
    pub(crate) fn keep_words(&self, app: AppId, version: u64, words: Arc<WordList>) {
        self.spam.compiled.with(
            app,
            || Compiled { version, words: words.clone() },
            |known| {
                if known.version <= version {
                    *known = Compiled { version, words: words.clone() };
                }
            },
        );
    }

    /// Compiles lists where it holds up nobody.
    pub(crate) async fn compiled(
        &self,
        lists: Vec<(Class, String)>,
    ) -> Result<Result<Arc<WordList>, WordsError>, Refusal> {
        let (done, words) = oneshot::channel();
        self.environment.aside(Box::new(move || {
            let compiled = WordList::compile(lists.iter().map(|(class, text)| (*class, text.as_str())));
            // Whoever wanted it may have gone.
            let _ = done.send(compiled.map(Arc::new));
        }));
        words.await.map_err(|_| Refusal::Internal)
    }
}

/// What speaks against a message.
enum Against {
    /// It waits for a review.
    Waits(Rule),
    /// It is not said.
    Rejected,
    /// There were too many.
    Paced { retry_after_ms: u32 },
}

/// What can be done instead of what should be.
fn possible(action: Action, kind: TextKind, can_be_masked: bool) -> Action {
    match action {
        Action::Mask if !can_be_masked || !kind.can_be_masked() => Action::Reject,
        Action::Review if !kind.can_wait() => Action::Reject,
        action => action,
    }
}

/// The text of a message, or what it says about itself.
fn readable(draft: &Draft) -> Option<&str> {
    if draft.body_type == proto::BodyType::Text as i32 {
        return std::str::from_utf8(&draft.body).ok();
    }
    (!draft.text.is_empty()).then_some(draft.text.as_str())
}

/// Tells targets apart.
fn target_number(to: &To) -> u64 {
    let kind: &[u8] = match to {
        To::User(_) => b"u",
        To::Room(_) => b"r",
        To::Group(_) => b"g",
    };
    first_bytes(&[kind, to.name().as_str().as_bytes()])
}

/// Of the folded text, so that the same one is recognised however it is written.
fn text_digest(text: &str) -> u64 {
    first_bytes(&[normalise::letters(text).as_bytes()])
}

fn first_bytes(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let sum: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(*sum.first_chunk().expect("it has 32 bytes"))
}
