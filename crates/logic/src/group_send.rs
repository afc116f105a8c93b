//! SEND to groups, and RECALL, EDIT, REACT there (spec 47-49): the same promises as [`crate::send`] gives in direct
//! conversations. Whether it may be done is decided by the writer, so nothing here can be stale.

use std::sync::Arc;

use hongyan_domain::app::AppSettings;
use hongyan_domain::group::Mentions;
use hongyan_domain::id::{AppId, ClientId, ConversationId};
use hongyan_domain::message::{Alteration, Entry};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::groups::{Asker, GroupAppend, GroupOutcome};
use hongyan_store::timeline::{Answer, HistoryQuery, What};

use crate::answer::{BUSY_RETRY_MS, unavailable};
use crate::say::answered;
use crate::send::{Answers, Outgoing, check_content};
use crate::service::{Logic, STORED_MAX};

/// Milliseconds for which a send waits for its turn before it is refused for now.
const WAIT_MS_MAX: u64 = 2_000;
/// Entries of one group that may wait to be handed to its members; who sends more waits.
const GROUP_WAITING_MAX: usize = 64;
/// Milliseconds between two looks at that.
const GROUP_WAITING_LOOK_MS: u64 = 5;

impl Logic {
    /// Answers everything of a batch that goes to groups.
    pub(crate) async fn send_to_groups(&self, caller: &Caller, waiting: Vec<Outgoing>, answers: &mut Answers) {
        let mut admitted = Vec::with_capacity(waiting.len());
        let mut appends = Vec::with_capacity(waiting.len());
        for outgoing in waiting {
            match self.group_append(caller, &outgoing).await {
                Ok(append) => {
                    appends.push(append);
                    admitted.push(outgoing);
                }
                Err(refusal) => self.refuse(caller, &outgoing, refusal, answers),
            }
        }
        if appends.is_empty() {
            return;
        }
        match self.store.append_to_groups(appends).await {
            Ok(outcomes) => {
                debug_assert_eq!(admitted.len(), outcomes.len(), "one outcome each");
                for (outgoing, outcome) in admitted.into_iter().zip(outcomes) {
                    match self.group_answer(caller, outcome).await {
                        Ok(answer) => self.sent_to_group(caller, &outgoing, answer, answers),
                        Err(refusal) => self.refuse(caller, &outgoing, refusal, answers),
                    }
                }
            }
            Err(error) => {
                let refusal = unavailable(error);
                admitted.iter().for_each(|outgoing| self.refuse(caller, outgoing, refusal.clone(), answers));
            }
        }
    }

    fn sent_to_group(&self, caller: &Caller, outgoing: &Outgoing, answer: Answer, answers: &mut Answers) {
        self.measures.sends.add(1);
        tracing::debug!(trace = ?outgoing.client_id, session = ?caller.session, seq = answer.seq, "sent to a group");
        let now_ms = self.environment.monotonic_ms();
        self.holds.settled(caller.session, &outgoing.to, outgoing.client_id, now_ms);
        answers.give(outgoing.index, answered(outgoing, answer));
    }

    async fn group_append(&self, caller: &Caller, outgoing: &Outgoing) -> Result<GroupAppend, Refusal> {
        let now_ms = self.environment.monotonic_ms();
        self.holds.check(caller.session, &outgoing.to, outgoing.client_id, now_ms)?;
        let group = self.group_id(caller.app, outgoing.to.name()).await?;
        if let Err(refusal) = &outgoing.judged {
            // Whoever got in before is answered by the store, as before.
            let known = self.known_answer(caller, group, outgoing.client_id, outgoing.digest).await?;
            known.ok_or_else(|| refusal.clone())?;
        }
        self.wait_for_turn(caller, group).await?;
        let mut draft = outgoing.draft.clone();
        if outgoing.mention_all || !outgoing.mentions.is_empty() {
            let mut mentions = Mentions { users: Vec::new(), all: outgoing.mention_all };
            for name in &outgoing.mentions {
                // Whoever is no member is not mentioned; who does not exist is none.
                mentions.users.extend(self.directory.user(caller.app, name).await?.map(|user| user.id.0));
            }
            draft.mentions = Some(Box::new(mentions));
        }
        let settings = self.settings(caller).await?;
        let by = self.asker(caller, outgoing.client_id, outgoing.digest);
        Ok(GroupAppend { by, group, seen_seq: outgoing.seen_seq, what: What::Message(draft), settings })
    }

    /// Waits until the rates and the members' connections take one more (design §5: rates on sends delay).
    async fn wait_for_turn(&self, caller: &Caller, group: ConversationId) -> Result<(), Refusal> {
        let until_ms = self.environment.monotonic_ms() + WAIT_MS_MAX;
        let wait = async |span_ms: u64| {
            if self.environment.monotonic_ms() + span_ms > until_ms {
                return Err(Refusal::RateLimited { retry_after_ms: BUSY_RETRY_MS.max(span_ms as u32) });
            }
            self.environment.sleep_ms(span_ms).await;
            Ok(())
        };
        while let Err(span_ms) = self.group_sends_by_session.take(caller.session, self.environment.monotonic_ms()) {
            wait(span_ms.into()).await?;
        }
        // Whoever does not even listen, and may be no member, uses up nobody's share.
        if !self.bus.follows(caller.session, group) {
            return Ok(());
        }
        while let Err(span_ms) = self.sends_by_group.take(group, self.environment.monotonic_ms()) {
            wait(span_ms.into()).await?;
        }
        while self.bus.waiting_in(group) > GROUP_WAITING_MAX {
            wait(GROUP_WAITING_LOOK_MS).await?;
        }
        Ok(())
    }

    /// RECALL, EDIT or REACT in a group.
    pub(crate) async fn alter_in_group(
        &self,
        caller: &Caller,
        group: &str,
        seq: u64,
        alteration: Alteration,
        key: (ClientId, u64),
    ) -> Result<Answer, Refusal> {
        let group = self.group_named(caller.app, group).await?;
        let (client_id, digest) = key;
        if let Some(answer) = self.known_answer(caller, group, client_id, digest).await? {
            return Ok(answer);
        }
        let target = seq.min(STORED_MAX);
        let mut body_type = 0;
        if let Alteration::Edit { body, text } = &alteration {
            body_type = self.seen_in_group(caller, group, target).await?.draft.body_type;
            check_content(body_type, body, text)?;
        }
        let alteration = self.fit_to_be_seen(caller, &alteration, body_type).await?;
        self.wait_for_turn(caller, group).await?;
        let (by, settings) = (self.asker(caller, client_id, digest), self.settings(caller).await?);
        let append = GroupAppend { by, group, seen_seq: 0, what: What::Alter { target, alteration }, settings };
        let outcomes = self.store.append_to_groups(vec![append]).await.map_err(unavailable)?;
        self.group_answer(caller, outcomes.into_iter().next().ok_or(Refusal::Internal)?).await
    }

    /// An entry that the caller may see.
    async fn seen_in_group(&self, caller: &Caller, group: ConversationId, seq: u64) -> Result<Entry, Refusal> {
        let after_seq = Some(seq.checked_sub(1).ok_or(Refusal::NotFound)?);
        let query = HistoryQuery { before_seq: None, after_seq, changed_after: None, limit: 1, bytes_max: usize::MAX };
        let page = self.store.group_history(group, caller.user, query).await.map_err(unavailable)?;
        let entry = page.and_then(|page| page.entries.into_iter().next());
        entry.filter(|entry| entry.seq == seq).ok_or(Refusal::NotFound)
    }

    /// What became of a request to a group.
    pub(crate) async fn group_answer(&self, caller: &Caller, outcome: GroupOutcome) -> Result<Answer, Refusal> {
        match outcome {
            GroupOutcome::Done(answer) => Ok(answer),
            GroupOutcome::Repeated(answer) => {
                self.measures.sends_repeated.add(1);
                Ok(answer)
            }
            GroupOutcome::Conflict => Err(Refusal::Conflict),
            GroupOutcome::Refused(refusal) => Err(refusal),
            GroupOutcome::SessionEnded => Err(self.why_ended(caller).await),
        }
    }

    pub(crate) fn asker(&self, caller: &Caller, client_id: ClientId, digest: u64) -> Asker {
        Asker {
            app: caller.app,
            user: caller.user,
            name: caller.name.clone(),
            session: caller.session,
            client_id,
            digest,
            now: self.environment.wall_clock(),
        }
    }

    async fn settings(&self, caller: &Caller) -> Result<Arc<AppSettings>, Refusal> {
        Ok(Arc::new(self.directory.app_of(caller.app).await?.app.settings.clone()))
    }

    /// The id of a group that a request names.
    pub(crate) async fn group_named(&self, app: AppId, name: &str) -> Result<ConversationId, Refusal> {
        self.group_id(app, &Name::parse(name).ok_or(Refusal::NotFound)?).await
    }

    /// The id of a group, whoever asks: what they may know of it, the store decides.
    async fn group_id(&self, app: AppId, name: &Name) -> Result<ConversationId, Refusal> {
        let key = (app, name.clone());
        if let Some(known) = self.group_ids.get(&key) {
            return Ok(known);
        }
        let found = self.store.group_id(app, name.clone()).await.map_err(unavailable)?.ok_or(Refusal::NotFound)?;
        self.group_ids.insert(key, found);
        Ok(found)
    }
}
