//! RECALL, EDIT, REACT: what happens to a message later (design §5). Each changes the row in place and appends an entry
//! that announces the change.

use bytes::Bytes;
use hongyan_cluster::service::Reply;
use hongyan_domain::id::{ClientId, ConversationId, UserId};
use hongyan_domain::message::{Alteration, Draft, decide_alteration, decide_direct};
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_domain::spam::TextKind;
use hongyan_store::timeline::{Answer, Append, Direct, Outcome, What};
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use prost::Message;

use crate::answer::{BUSY_RETRY_MS, unavailable};
use crate::digest::digest;
use crate::send::{check_content, targets};
use crate::service::{Logic, STORED_MAX, decoded};

/// Times that a request is decided before it is put off.
const DECISIONS_MAX: usize = 3;
/// Longest name of a reaction, in bytes.
const REACTION_BYTES_MAX: usize = 32;

/// A request to alter a message, whichever of the three.
struct Wanted {
    id: u32,
    user: String,
    group: String,
    seq: u64,
    client_id: ClientId,
    digest: u64,
    alteration: Alteration,
}

/// The conversation that a request is about.
struct Place {
    other: UserId,
    other_name: Name,
    conversation: ConversationId,
}

impl Logic {
    pub(crate) async fn recall(&self, caller: &Caller, body: Bytes) -> Result<Reply, Refusal> {
        let digest = digest(Operation::Recall, &body).map_err(|_| Refusal::Malformed)?;
        let request: proto::RecallRequest = decoded(body)?;
        let client_id = client_request_id(&request.client_request_id)?;
        let (id, user, group, seq) = (request.id, request.user, request.group, request.seq);
        self.alter(caller, Wanted { id, user, group, seq, client_id, digest, alteration: Alteration::Recall }).await
    }

    pub(crate) async fn edit(&self, caller: &Caller, body: Bytes) -> Result<Reply, Refusal> {
        let digest = digest(Operation::Edit, &body).map_err(|_| Refusal::Malformed)?;
        let request: proto::EditRequest = decoded(body)?;
        let client_id = client_request_id(&request.client_request_id)?;
        // Sizes hold for every type; whether it is text is known with the message.
        check_content(proto::BodyType::Custom as i32, &request.body, &request.text)?;
        let alteration = Alteration::Edit { body: request.body, text: request.text };
        let (id, user, group, seq) = (request.id, request.user, request.group, request.seq);
        self.alter(caller, Wanted { id, user, group, seq, client_id, digest, alteration }).await
    }

    pub(crate) async fn react(&self, caller: &Caller, body: Bytes) -> Result<Reply, Refusal> {
        let digest = digest(Operation::React, &body).map_err(|_| Refusal::Malformed)?;
        let request: proto::ReactRequest = decoded(body)?;
        let client_id = client_request_id(&request.client_request_id)?;
        let name = request.name;
        if name.is_empty() || name.len() > REACTION_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Refusal::InvalidArgument("name"));
        }
        let alteration = Alteration::React { name, remove: request.remove };
        let (id, user, group, seq) = (request.id, request.user, request.group, request.seq);
        self.alter(caller, Wanted { id, user, group, seq, client_id, digest, alteration }).await
    }

    async fn alter(&self, caller: &Caller, wanted: Wanted) -> Result<Reply, Refusal> {
        if !wanted.group.is_empty() {
            let (alteration, key) = (wanted.alteration.clone(), (wanted.client_id, wanted.digest));
            let answer = self.alter_in_group(caller, &wanted.group, wanted.seq, alteration, key).await?;
            return Ok(changed(&wanted, answer));
        }
        let (other, other_name) = self.directory.other(caller.app, &wanted.user).await?;
        for _ in 0..DECISIONS_MAX {
            let direct = self.directs.read(caller.app, caller.user, other.id).await?;
            let conversation = direct.conversation.ok_or(Refusal::NotFound)?;
            let known = self.known_answer(caller, conversation, wanted.client_id, wanted.digest).await?;
            if let Some(answer) = known {
                return Ok(changed(&wanted, answer));
            }
            let place = Place { other: other.id, other_name: other_name.clone(), conversation };
            let target = self.decide_alter(caller, &wanted, &place, &direct).await?;
            let alteration = self.fit_to_be_seen(caller, &wanted.alteration, target).await?;
            let append = self.alter_append(caller, &wanted, &place, &direct, alteration);
            let outcomes = self.store.append(vec![append]).await.map_err(unavailable)?;
            match outcomes.first().copied().ok_or(Refusal::Internal)? {
                Outcome::Appended(answer) | Outcome::Duplicate(answer) => return Ok(changed(&wanted, answer)),
                Outcome::Stale => {}
                Outcome::Conflict => return Err(Refusal::Conflict),
                Outcome::TargetGone => return Err(Refusal::TooLate),
                Outcome::SessionEnded => return Err(self.why_ended(caller).await),
            }
        }
        Err(Refusal::TryLater { retry_after_ms: BUSY_RETRY_MS })
    }

    /// Taking back is allowed to whoever is blocked; writing and reacting is not. Where a visitor turned out to be an
    /// account, nothing is. Answers the type of the message's body.
    async fn decide_alter(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        place: &Place,
        direct: &Direct,
    ) -> Result<i32, Refusal> {
        direct.facts.meeting.decide_write()?;
        let seq = wanted.seq.min(STORED_MAX);
        let target = self.store.entry(place.conversation, seq).await.map_err(unavailable)?;
        let target = target.ok_or(Refusal::NotFound)?;
        let app = self.directory.app_of(caller.app).await?;
        let now = self.environment.wall_clock();
        decide_alteration(&wanted.alteration, &target, caller.user, now, &app.app.settings)?;
        match &wanted.alteration {
            Alteration::Recall => {}
            Alteration::Edit { body, text } => {
                decide_direct(direct.facts, app.app.settings.strangers_write)?;
                check_content(target.draft.body_type, body, text)?;
            }
            Alteration::React { .. } => decide_direct(direct.facts, app.app.settings.strangers_write)?,
        }
        Ok(target.draft.body_type)
    }

    /// What others see of it, perhaps with hidden parts.
    pub(crate) async fn fit_to_be_seen(
        &self,
        caller: &Caller,
        alteration: &Alteration,
        body_type: i32,
    ) -> Result<Alteration, Refusal> {
        match alteration {
            Alteration::Recall | Alteration::React { remove: true, .. } => Ok(alteration.clone()),
            Alteration::Edit { body, text } => {
                let mut draft = Draft { body_type, body: body.clone(), text: text.clone(), ..Draft::default() };
                self.judge_edit(caller, &mut draft).await?;
                Ok(Alteration::Edit { body: draft.body, text: draft.text })
            }
            Alteration::React { name, remove } => {
                let name = self.fit_text(caller, TextKind::Reaction, name.clone()).await?;
                Ok(Alteration::React { name, remove: *remove })
            }
        }
    }

    fn alter_append(
        &self,
        caller: &Caller,
        wanted: &Wanted,
        place: &Place,
        direct: &Direct,
        alteration: Alteration,
    ) -> Append {
        Append {
            app: caller.app,
            sender: caller.user,
            other: place.other,
            session: caller.session,
            client_id: wanted.client_id,
            digest: wanted.digest,
            access_version: direct.facts.access_version,
            seen_seq: 0,
            now: self.environment.wall_clock(),
            what: What::Alter { target: wanted.seq, alteration },
            targets: targets(caller, place.other, &place.other_name),
        }
    }
}

pub(crate) fn client_request_id(bytes: &[u8]) -> Result<ClientId, Refusal> {
    ClientId::from_slice(bytes).ok_or(Refusal::InvalidArgument("client_request_id"))
}

fn changed(wanted: &Wanted, answer: Answer) -> Reply {
    let body = proto::ChangeAnswer {
        id: wanted.id,
        refusal: None,
        seq: answer.seq,
        inbox_seq: answer.inbox_seq,
        server_time_ms: answer.time.0,
    };
    // What is in a group is in nobody's inbox: that number is 0.
    Reply { body: body.encode_to_vec().into(), written: Some(answer.inbox_seq), ..Reply::default() }
}
