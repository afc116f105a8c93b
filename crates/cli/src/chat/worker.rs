//! Does what the model wants done, with the client. Messages leave one after the other, in the order of writing;
//! everything else at once. Decides nothing.
#![allow(clippy::disallowed_methods, reason = "a shell: requests run as tasks of the runtime")]

use hongyan_client::{Client, ClientError, HistoryPage, RequestError, SendError, new_message, proto};
use proto::change_group_request::What;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::intent::{Input, Intent, Problem};
use crate::failure::Failure;

/// Messages of a page.
const PAGE: u32 = 50;
/// Members of a page.
const MEMBERS: u32 = 200;
/// Intents that concern the outbox and wait for the one before.
const OUTBOX_INTENTS_MAX: usize = 256;
/// Results that wait for the screen.
const RESULTS_MAX: usize = 256;

/// The hands of the model.
pub struct Worker {
    client: Client,
    outbox: mpsc::Sender<Intent>,
    results: mpsc::Sender<Input>,
}

impl Worker {
    /// With a running client; results come from the receiver.
    pub fn start(client: Client) -> (Self, mpsc::Receiver<Input>) {
        let (results, receiver) = mpsc::channel(RESULTS_MAX);
        let (outbox, waiting) = mpsc::channel(OUTBOX_INTENTS_MAX);
        tokio::spawn(work_off(client.clone(), waiting, results.clone()));
        (Self { client, outbox, results }, receiver)
    }

    /// What the device knows at the start.
    pub async fn restored(&self) -> Result<Input, Failure> {
        let conversations = self.client.conversations().await?;
        let groups = self.client.groups().await?;
        let outbox = self.client.outbox().await?;
        Ok(Input::Restored { conversations, groups, outbox })
    }

    /// Begins to do it. What cannot even be begun is told at once.
    pub fn begin(&self, intent: Intent) -> Option<Input> {
        if matches!(intent, Intent::Send { .. } | Intent::Resend(_) | Intent::Discard(_)) {
            return match self.outbox.try_send(intent) {
                Ok(()) => None,
                Err(TrySendError::Full(intent) | TrySendError::Closed(intent)) => Some(match intent {
                    Intent::Send { client_message_id, .. } => {
                        Input::NotQueued { client_message_id, problem: Problem::TooMany }
                    }
                    intent => Input::NotDone(intent, Problem::TooMany),
                }),
            };
        }
        let (client, results) = (self.client.clone(), self.results.clone());
        tokio::spawn(async move {
            if let Some(result) = perform(&client, intent).await {
                // Nobody listens when the screen is closed.
                let _ = results.send(result).await;
            }
        });
        None
    }
}

async fn work_off(client: Client, mut waiting: mpsc::Receiver<Intent>, results: mpsc::Sender<Input>) {
    while let Some(intent) = waiting.recv().await {
        if let Some(result) = perform(&client, intent).await {
            let _ = results.send(result).await;
        }
    }
}

/// What there is to tell of it.
async fn perform(client: &Client, intent: Intent) -> Option<Input> {
    let result = match intent.clone() {
        Intent::Send { peer, client_message_id, text, reply_to, seen_seq } => {
            let message = proto::SendRequest {
                client_message_id: client_message_id.clone(),
                reply_to,
                seen_seq,
                ..new_message(peer, [0; 16], proto::BodyType::Text, text)
            };
            return Some(match client.send(message).await {
                Ok(row) => Input::Queued { client_message_id, local: row.local },
                Err(error) => Input::NotQueued { client_message_id, problem: problem_of(&error) },
            });
        }
        Intent::Load { peer, before_seq } => {
            let page = HistoryPage { before_seq, after_seq: 0, limit: PAGE };
            let result = client.history(&peer, page).await.map_err(|error| problem_of(&error));
            return Some(Input::Page { peer, before_seq, result });
        }
        Intent::Resend(local) => client.resend(local).await.map(drop),
        Intent::Discard(local) => client.discard(local).await.map(drop),
        // These are repeated by the client or not worth a word.
        Intent::MarkRead { peer, seq } => {
            let _ = client.mark_read(&peer, seq).await;
            return None;
        }
        Intent::Typing { peer, stopped } => {
            let _ = client.typing(&peer, stopped).await;
            return None;
        }
        Intent::Edit { peer, seq, text } => client.edit(&peer, seq, &text).await,
        Intent::Recall { peer, seq } => client.recall(&peer, seq).await,
        Intent::React { peer, seq, name, remove } => client.react(&peer, seq, &name, remove).await,
        Intent::Delete { peer, seq } => client.delete(&peer, proto::Deletion { up_to_seq: 0, seqs: vec![seq] }).await,
        Intent::Block { user, blocked } => client.block(&user, blocked).await,
        Intent::CreateGroup { group } => {
            let profile = Some(proto::GroupProfile { title: Some(group.clone()), ..Default::default() });
            client.create_group(proto::CreateGroupRequest { group, profile, ..Default::default() }).await.map(drop)
        }
        Intent::JoinGroup { group } => match client.join_group(&group, "", "").await {
            Ok(true) => return Some(Input::Asked(group)),
            result => result.map(drop),
        },
        Intent::Invite { group, users } => {
            let invite = What::Invite(proto::GroupUsers { users });
            client.change_group(&group, invite).await.map(drop)
        }
        Intent::LeaveGroup { group } => {
            client.change_group(&group, What::Leave(proto::GroupNothing {})).await.map(drop)
        }
        Intent::Members { group } => match client.group_members(&group, "", MEMBERS).await {
            Ok(proto::GroupMembersAnswer { members, more, .. }) => {
                return Some(Input::Members { group, members, more });
            }
            Err(error) => Err(error),
        },
        Intent::Reconnect => client.network_changed().await,
        Intent::Start => client.start().await,
        // The screen's.
        Intent::LogIn(_) | Intent::GiveUp | Intent::Ring | Intent::Quit => return None,
    };
    Some(match result {
        Ok(()) => Input::Done(intent),
        Err(error) => Input::NotDone(intent, problem_of(&error)),
    })
}

fn problem_of(error: &ClientError) -> Problem {
    match error {
        ClientError::Request(RequestError::Refused(refusal)) => Problem::Refused(refusal.code()),
        ClientError::Request(RequestError::Offline) => Problem::Offline,
        ClientError::Request(RequestError::TooMany) => Problem::TooMany,
        ClientError::Request(RequestError::NoAnswer) => Problem::NoAnswer,
        ClientError::NotSent(refusal) => super::talk::problem_of(refusal.as_ref().map(|refusal| refusal.code())),
        ClientError::Send(SendError::OutboxFull) => Problem::OutboxFull,
        ClientError::Send(SendError::Invalid) => Problem::Invalid,
        ClientError::Store(_) | ClientError::Randomness | ClientError::Ended => Problem::Ended,
    }
}
