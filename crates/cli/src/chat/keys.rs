//! What keys do, by mode. Only changes the model.

use hongyan_client::Peer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::command::{self, Line};
use super::composer::Composer;
use super::intent::{Intent, Password};
use super::model::{Mode, Model, Question};
use super::talk::{Key, Outgoing, Place};
use crate::peer;

/// Typing is told at most so often (PROTOCOL.md §11).
const TYPING_EVERY_MS: u64 = 3_000;
/// Reactions that one key gives.
pub const REACTIONS: [&str; 6] = ["👍", "💖", "😂", "😮", "😢", "🎉"];
/// Longest name of a reaction.
const REACTION_BYTES_MAX: usize = 32;
/// Suggestions of the prompt for a new conversation.
pub const SUGGESTIONS_MAX: usize = 6;

impl Model {
    pub(super) fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') if control => return self.quit(),
            KeyCode::Char('r') if control => return self.reconnect(),
            KeyCode::F(1) if !matches!(self.mode, Mode::Help | Mode::Password(_)) => return self.mode = Mode::Help,
            _ => {}
        }
        match self.mode.clone() {
            Mode::Compose => self.compose_key(key),
            Mode::Select(selected) => self.select_key(key, &selected),
            Mode::Confirm(_, intent) => self.confirm_key(key, *intent),
            Mode::NewTalk { name, picked } => self.new_talk_key(key, name, picked),
            Mode::React { seq, name } => self.react_key(key, seq, name),
            Mode::Password(password) => self.password_key(key, password),
            Mode::Help | Mode::Members { .. } => self.mode = Mode::Compose,
        }
    }

    fn password_key(&mut self, key: KeyEvent, mut password: Composer) {
        match key.code {
            KeyCode::Esc => return self.mode = Mode::Compose,
            KeyCode::Enter => {
                self.mode = Mode::Compose;
                return self.intents.push(Intent::LogIn(Password(password.take())));
            }
            _ => drop(edit(&mut password, key, false)),
        }
        self.mode = Mode::Password(password);
    }

    pub(super) fn paste(&mut self, text: &str) {
        let one_line = || text.lines().next().unwrap_or_default().trim().to_owned();
        match &mut self.mode {
            Mode::Compose | Mode::Select(_) => {
                self.mode = Mode::Compose;
                if let Some(talk) = self.open_talk_mut() {
                    talk.composer.insert(text);
                    self.tell_typing();
                }
            }
            Mode::NewTalk { name, .. } | Mode::React { name, .. } | Mode::Password(name) => name.insert(&one_line()),
            Mode::Confirm(..) | Mode::Help | Mode::Members { .. } => {}
        }
    }

    fn quit(&mut self) {
        let is_asked = matches!(self.mode, Mode::Confirm(Question::Quit, _));
        if self.unsent() > 0 && !is_asked {
            self.mode = Mode::Confirm(Question::Quit, Box::new(Intent::Quit));
        } else {
            self.intents.push(Intent::Quit);
        }
    }

    pub(super) fn reconnect(&mut self) {
        let stopped = matches!(self.link, hongyan_client::Link::Stopped(_));
        self.intents.push(if stopped { Intent::Start } else { Intent::Reconnect });
    }

    fn compose_key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let empty = self.talk().is_none_or(|talk| talk.composer.is_empty());
        let page = self.page_rows();
        match key.code {
            KeyCode::Char('n') if control => self.mode = Mode::NewTalk { name: Composer::default(), picked: None },
            KeyCode::Char('c') if control && empty => self.quit(),
            KeyCode::Char('d') if control && empty => self.quit(),
            KeyCode::Char('?') if empty => self.mode = Mode::Help,
            KeyCode::Up if alt => self.step(-1),
            KeyCode::Down if alt => self.step(1),
            KeyCode::Tab if empty => self.next_unread(),
            KeyCode::PageUp => self.scroll(1 - page),
            KeyCode::PageDown => self.scroll(page - 1),
            KeyCode::End if control => self.set_place(Place::Bottom),
            KeyCode::Esc => self.escape(),
            KeyCode::Up if !alt && empty => self.select(-1),
            // Without a conversation there is nothing to write, but commands may be typed after opening one.
            _ if self.talk().is_none() => {}
            KeyCode::Enter if !alt && !key.modifiers.contains(KeyModifiers::SHIFT) => self.enter(),
            KeyCode::Tab => self.complete(),
            _ => {
                if let Some(talk) = self.open_talk_mut()
                    && edit(&mut talk.composer, key, true)
                {
                    self.tell_typing();
                }
            }
        }
    }

    fn escape(&mut self) {
        let Some(talk) = self.open_talk_mut() else { return };
        if let Some((_, draft)) = talk.editing.take() {
            talk.composer = draft;
        } else if talk.reply_to.take().is_none() {
            talk.place = Place::Bottom;
        }
    }

    fn complete(&mut self) {
        let Some(talk) = self.open_talk_mut() else { return };
        if let Some(completed) = command::completed(talk.composer.text()) {
            talk.composer = Composer::with(completed);
        }
    }

    fn enter(&mut self) {
        let Some(talk) = self.open_talk_mut() else { return };
        if talk.editing.is_some() {
            return self.enter_edit();
        }
        if talk.composer.text().trim().is_empty() {
            return;
        }
        match command::parse(talk.composer.text()) {
            Line::Text(text) => {
                talk.composer.take();
                self.send(text);
            }
            Line::Command(command) => {
                talk.composer.take();
                self.command(command);
            }
            Line::Unknown(_) => self.tell(self.words().unknown_command),
        }
    }

    fn send(&mut self, text: String) {
        let (client_message_id, written_ms) = (self.fresh_id(), self.now_ms);
        let Some(talk) = self.open_talk_mut() else { return };
        let seen_seq = if talk.place == Place::Bottom { talk.newest_seq() } else { 0 };
        let reply_to = talk.reply_to.take().unwrap_or(0);
        let peer = talk.peer.clone();
        talk.note_outgoing(Outgoing {
            client_message_id: client_message_id.clone(),
            local: None,
            text: text.clone(),
            reply_to,
            written_ms,
            failure: None,
        });
        talk.place = Place::Bottom;
        talk.new_after = None;
        talk.typing_told_ms = 0;
        self.intents.push(Intent::Send { peer, client_message_id, text, reply_to, seen_seq });
    }

    fn enter_edit(&mut self) {
        let Some(talk) = self.open_talk_mut() else { return };
        if talk.composer.text().trim().is_empty() {
            return;
        }
        let Some((seq, draft)) = talk.editing.take() else { return };
        let text = std::mem::replace(&mut talk.composer, draft).take();
        let same = talk.messages.get(&seq).is_some_and(|entry| entry.body == text.as_bytes());
        let peer = talk.peer.clone();
        if !same {
            self.intents.push(Intent::Edit { peer, seq, text });
        }
    }

    /// The other person learns that something is written, or not any more.
    fn tell_typing(&mut self) {
        let now_ms = self.now_ms;
        let Some(talk) = self.open_talk_mut() else { return };
        let writes = !talk.composer.is_empty() && !talk.composer.text().starts_with('/') && talk.editing.is_none();
        let due = now_ms >= talk.typing_told_ms + TYPING_EVERY_MS;
        let was_told = talk.typing_told_ms > 0;
        if writes && due {
            talk.typing_told_ms = now_ms;
        } else if talk.composer.is_empty() && was_told {
            talk.typing_told_ms = 0;
        } else {
            return;
        }
        let peer = talk.peer.clone();
        self.intents.push(Intent::Typing { peer, stopped: !writes });
    }

    /// To the conversation above or below in the list.
    fn step(&mut self, by: isize) {
        let order = self.order();
        let at = self.open.as_ref().and_then(|open| order.iter().position(|peer| *peer == open));
        let next = at.map_or(0, |at| at.saturating_add_signed(by).min(order.len().saturating_sub(1)));
        if let Some(peer) = order.get(next).map(|peer| (*peer).clone()) {
            self.open(&peer);
        }
    }

    fn next_unread(&mut self) {
        let unread = |peer: &&Peer| self.talks[*peer].summary.unread > 0 && self.open.as_ref() != Some(*peer);
        let next = self.order().into_iter().find(unread).cloned();
        if let Some(peer) = next {
            self.open(&peer);
        }
    }

    /// Selects the message above or below; below the last one is none.
    pub(super) fn select(&mut self, by: isize) {
        let (Some((timeline, height)), Some(talk)) = (self.timeline(), self.talk()) else { return };
        let count = timeline.items().len();
        let at = match &self.mode {
            Mode::Select(key) => timeline.index_of(key),
            _ => None,
        };
        let next = at.unwrap_or(count).checked_add_signed(by).unwrap_or(0);
        let Some(item) = timeline.items().get(next) else {
            self.mode = Mode::Compose;
            return self.set_place(Place::Bottom);
        };
        let key = item.key();
        let place = timeline.revealed(&talk.place, height, &key);
        self.mode = Mode::Select(key);
        self.set_place(place);
    }

    fn select_key(&mut self, key: KeyEvent, selected: &Key) {
        let page = self.page_rows();
        match key.code {
            KeyCode::Up if key.modifiers.contains(KeyModifiers::ALT) => self.step(-1),
            KeyCode::Down if key.modifiers.contains(KeyModifiers::ALT) => self.step(1),
            KeyCode::Up => self.select(-1),
            KeyCode::Down => self.select(1),
            KeyCode::PageUp => self.scroll(1 - page),
            KeyCode::PageDown => self.scroll(page - 1),
            KeyCode::Esc | KeyCode::Char('q') | KeyCode::Tab => self.mode = Mode::Compose,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => self.mode = Mode::Compose,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('r') | KeyCode::Enter => self.reply(selected),
            KeyCode::Char('e') => self.edit(selected),
            KeyCode::Char('+') => self.ask_reaction(selected),
            KeyCode::Char('x') => self.ask_recall(selected),
            KeyCode::Char('d') | KeyCode::Delete => self.ask_delete(selected),
            KeyCode::Char('s') => self.resend(selected),
            KeyCode::Char('k') => self.discard(selected),
            _ => {}
        }
    }

    fn confirm_key(&mut self, key: KeyEvent, intent: Intent) {
        match key.code {
            KeyCode::Char('y' | 'Y') | KeyCode::Enter => {
                self.intents.push(intent);
                self.mode = Mode::Compose;
            }
            KeyCode::Char('n' | 'N') | KeyCode::Esc => self.mode = Mode::Compose,
            _ => {}
        }
    }

    /// Known people and groups whose names contain what was typed.
    pub fn suggestions(&self, typed: &str) -> Vec<String> {
        let typed = typed.trim().to_lowercase();
        let names = self.order().into_iter().map(peer::shown);
        let matching = names.filter(|name| name.to_lowercase().contains(&typed));
        matching.take(SUGGESTIONS_MAX).collect()
    }

    fn new_talk_key(&mut self, key: KeyEvent, mut name: Composer, mut picked: Option<usize>) {
        let count = self.suggestions(name.text()).len();
        match key.code {
            KeyCode::Esc => return self.mode = Mode::Compose,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return self.mode = Mode::Compose,
            KeyCode::Down => picked = (count > 0).then(|| picked.map_or(0, |at| (at + 1).min(count - 1))),
            KeyCode::Up => picked = picked.and_then(|at| at.checked_sub(1)),
            KeyCode::Enter | KeyCode::Tab => {
                let suggestion =
                    picked.and_then(|at| self.suggestions(name.text()).get(at).map(|user| user.to_string()));
                let user = suggestion.unwrap_or_else(|| name.text().trim().to_owned());
                return self.to(&user);
            }
            _ => {
                edit(&mut name, key, false);
                picked = None;
            }
        }
        self.mode = Mode::NewTalk { name, picked };
    }

    /// Opens a conversation by what was typed.
    pub(super) fn to(&mut self, typed: &str) {
        match peer::typed(typed) {
            Some(peer) => {
                self.open(&peer);
                self.mode = Mode::Compose;
            }
            None => self.tell(self.words().bad_name),
        }
    }

    fn react_key(&mut self, key: KeyEvent, seq: u64, mut name: Composer) {
        let picked = match key.code {
            KeyCode::Char(digit @ '1'..='6') if name.is_empty() => {
                digit.to_digit(10).and_then(|digit| REACTIONS.get(digit as usize - 1)).map(|name| (*name).to_owned())
            }
            KeyCode::Enter => Some(name.text().trim().to_owned()),
            KeyCode::Esc => return self.mode = Mode::Compose,
            _ => {
                edit(&mut name, key, false);
                None
            }
        };
        match picked {
            Some(picked) => self.react(seq, &picked),
            None => self.mode = Mode::React { seq, name },
        }
    }

    pub(super) fn react(&mut self, seq: u64, name: &str) {
        self.mode = Mode::Compose;
        if name.is_empty() || name.len() > REACTION_BYTES_MAX {
            return self.tell(self.words().bad_reaction);
        }
        let Some(talk) = self.talk() else { return };
        let is_given = |entry: &hongyan_client::proto::Entry| {
            entry.reactions.iter().any(|reaction| reaction.own && reaction.name == name)
        };
        let remove = talk.messages.get(&seq).is_some_and(is_given);
        let peer = talk.peer.clone();
        self.intents.push(Intent::React { peer, seq, name: name.to_owned(), remove });
    }
}

/// Editing keys that every text has. False if the key does not change the text.
fn edit(composer: &mut Composer, key: KeyEvent, lines: bool) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let before = composer.text().len();
    match key.code {
        KeyCode::Enter if lines => composer.insert("\n"),
        KeyCode::Char('j') if control && lines => composer.insert("\n"),
        KeyCode::Char('a') if control => composer.home(),
        KeyCode::Char('e') if control => composer.end(),
        KeyCode::Char('b') if control => composer.left(),
        KeyCode::Char('f') if control => composer.right(),
        KeyCode::Char('b') if alt => composer.word_left(),
        KeyCode::Char('f') if alt => composer.word_right(),
        KeyCode::Char('d') if control => composer.delete(),
        KeyCode::Char('h') if control => composer.backspace(),
        KeyCode::Char('w') if control => composer.delete_word(),
        KeyCode::Char('u') if control => composer.delete_to_start(),
        KeyCode::Char('k') if control => composer.delete_to_end(),
        KeyCode::Char('c') if control => drop(composer.take()),
        KeyCode::Char(char) if !control && !alt => composer.insert(char.encode_utf8(&mut [0; 4])),
        KeyCode::Backspace if alt || control => composer.delete_word(),
        KeyCode::Backspace => composer.backspace(),
        KeyCode::Delete => composer.delete(),
        KeyCode::Left if alt || control => composer.word_left(),
        KeyCode::Right if alt || control => composer.word_right(),
        KeyCode::Left => composer.left(),
        KeyCode::Right => composer.right(),
        KeyCode::Home => composer.home(),
        KeyCode::End => composer.end(),
        KeyCode::Up => drop(composer.up()),
        KeyCode::Down => drop(composer.down()),
        _ => {}
    }
    composer.text().len() != before
}
