//! What can be done to a message or a conversation, by key on the selected message or by a typed command on the newest
//! that fits. Only changes the model and asks.

use hongyan_client::Peer;
use hongyan_client::proto::{BodyType, Entry};

use super::command::Command;
use super::composer::Composer;
use super::intent::Intent;
use super::model::{Mode, Model, Question};
use super::talk::{Key, Outgoing};

impl Model {
    pub(super) fn command(&mut self, command: Command) {
        // No message has the number 0: the action says that there is none.
        let newest = |model: &Self, fits: fn(&Entry) -> bool| {
            let talk = model.talk()?;
            let key = talk.messages.values().rev().find(|entry| fits(entry)).map(|entry| Key::Seq(entry.seq));
            key.or(Some(Key::Seq(0)))
        };
        let failed = |model: &Self| {
            let talk = model.talk()?;
            let failed = talk.outgoing.iter().rev().find(|outgoing| outgoing.failure.is_some());
            failed.map(|outgoing| Key::Outgoing(outgoing.client_message_id.clone())).or(Some(Key::Seq(0)))
        };
        let theirs = |entry: &Entry| !entry.own && !entry.recalled;
        let own = |entry: &Entry| entry.own && !entry.recalled;
        let (key, act): (_, fn(&mut Self, &Key)) = match command {
            Command::To(user) => return self.to(&user),
            Command::Reconnect => return self.reconnect(),
            Command::Help => return self.mode = Mode::Help,
            Command::Quit => return self.intents.push(Intent::Quit),
            Command::Create(group) => return self.intents.push(Intent::CreateGroup { group }),
            Command::Join(group) => return self.intents.push(Intent::JoinGroup { group }),
            Command::Invite(users) => {
                return self.in_group(|group| Intent::Invite { group, users });
            }
            Command::Members => return self.in_group(|group| Intent::Members { group }),
            Command::Leave => return self.ask_leave(),
            Command::Block => return self.block(true),
            Command::Unblock => return self.block(false),
            Command::React(name) => {
                return match newest(self, theirs) {
                    Some(Key::Seq(seq)) if seq > 0 => self.react(seq, &name),
                    _ => self.tell(self.words().no_such_message),
                };
            }
            Command::Reply => (newest(self, theirs), Self::reply),
            Command::Edit => (newest(self, own), Self::edit),
            Command::Recall => (newest(self, own), Self::ask_recall),
            Command::Delete => (newest(self, |_| true), Self::ask_delete),
            Command::Resend => (failed(self), Self::resend),
            Command::Discard => (failed(self), Self::discard),
        };
        match key {
            Some(key) => act(self, &key),
            None => self.tell(self.words().open_first),
        }
    }

    /// Asks something about the group on screen.
    fn in_group(&mut self, intent: impl FnOnce(String) -> Intent) {
        match self.open.as_ref().and_then(Peer::group).map(str::to_owned) {
            Some(group) => self.intents.push(intent(group)),
            None => self.tell(self.words().open_group_first),
        }
    }

    fn ask_leave(&mut self) {
        match self.open.as_ref().and_then(Peer::group).map(str::to_owned) {
            Some(group) => self.mode = Mode::Confirm(Question::Leave, Box::new(Intent::LeaveGroup { group })),
            None => self.tell(self.words().open_group_first),
        }
    }

    /// The stored message of this name; says so if there is none.
    fn stored(&mut self, key: &Key) -> Option<(Peer, Entry)> {
        let words = self.words();
        let Key::Seq(seq) = key else {
            self.tell(words.not_yet_sent);
            return None;
        };
        let found = self.talk().and_then(|talk| {
            let entry = talk.messages.get(seq)?;
            Some((talk.peer.clone(), entry.clone()))
        });
        if found.is_none() {
            self.tell(words.no_such_message);
        }
        found
    }

    /// As [`Model::stored`], only one's own.
    fn own(&mut self, key: &Key) -> Option<(Peer, Entry)> {
        let (peer, entry) = self.stored(key)?;
        if !entry.own {
            self.tell(self.words().only_own);
        } else if entry.recalled {
            self.tell(self.words().no_such_message);
        }
        (entry.own && !entry.recalled).then_some((peer, entry))
    }

    pub(super) fn reply(&mut self, key: &Key) {
        let Some((_, entry)) = self.stored(key) else { return };
        self.mode = Mode::Compose;
        if let Some(talk) = self.open_talk_mut() {
            talk.reply_to = Some(entry.seq);
        }
    }

    pub(super) fn edit(&mut self, key: &Key) {
        let Some((_, entry)) = self.own(key) else { return };
        if entry.r#type() != BodyType::Text {
            return self.tell(self.words().only_text);
        }
        self.mode = Mode::Compose;
        let Some(talk) = self.open_talk_mut() else { return };
        let text = String::from_utf8_lossy(&entry.body).into_owned();
        let draft = std::mem::replace(&mut talk.composer, Composer::with(text));
        // The draft that waits for an earlier edit stays the one to return to.
        let draft = talk.editing.take().map_or(draft, |(_, draft)| draft);
        talk.editing = Some((entry.seq, draft));
        talk.reply_to = None;
    }

    pub(super) fn ask_reaction(&mut self, key: &Key) {
        if let Some((_, entry)) = self.stored(key)
            && !entry.recalled
        {
            self.mode = Mode::React { seq: entry.seq, name: Composer::default() };
        }
    }

    pub(super) fn ask_recall(&mut self, key: &Key) {
        if let Some((peer, entry)) = self.own(key) {
            self.mode = Mode::Confirm(Question::Recall, Box::new(Intent::Recall { peer, seq: entry.seq }));
        }
    }

    pub(super) fn ask_delete(&mut self, key: &Key) {
        if let Some((peer, entry)) = self.stored(key) {
            self.mode = Mode::Confirm(Question::Delete, Box::new(Intent::Delete { peer, seq: entry.seq }));
        }
    }

    fn block(&mut self, blocked: bool) {
        let user = self.open.as_ref().and_then(Peer::person).map(str::to_owned);
        let Some(user) = user else { return self.tell(self.words().open_first) };
        let intent = Intent::Block { user, blocked };
        if blocked {
            self.mode = Mode::Confirm(Question::Block, Box::new(intent));
        } else {
            self.intents.push(intent);
        }
    }

    fn failed_mut(&mut self, key: &Key) -> Option<&mut Outgoing> {
        let Key::Outgoing(id) = key else { return None };
        self.open_talk_mut()?.outgoing_mut(id).filter(|outgoing| outgoing.failure.is_some())
    }

    pub(super) fn resend(&mut self, key: &Key) {
        let Some(failed) = self.failed_mut(key) else { return self.tell(self.words().no_such_message) };
        failed.failure = None;
        let failed = failed.clone();
        self.mode = Mode::Compose;
        match failed.local {
            Some(local) => self.intents.push(Intent::Resend(local)),
            // It never got into the outbox.
            None => {
                let Some(peer) = self.open.clone() else { return };
                let Outgoing { client_message_id, text, reply_to, .. } = failed;
                self.intents.push(Intent::Send { peer, client_message_id, text, reply_to, seen_seq: 0 });
            }
        }
    }

    pub(super) fn discard(&mut self, key: &Key) {
        let Some(failed) = self.failed_mut(key) else { return self.tell(self.words().no_such_message) };
        let (id, local) = (failed.client_message_id.clone(), failed.local);
        if let Some(talk) = self.open_talk_mut() {
            talk.forget_outgoing(&id);
        }
        self.mode = Mode::Compose;
        self.intents.extend(local.map(Intent::Discard));
    }
}
