//! `hongyan chat`: the arguments, and the loop that connects keyboard, client and screen. What the screen shows is the
//! model's; nothing is lost if this process dies, because the client keeps everything first.
#![allow(clippy::disallowed_methods, reason = "a shell: asks the clock and the system's randomness")]

mod actions;
mod command;
mod composer;
mod intent;
mod keys;
mod model;
mod screen;
mod talk;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod timeline;
mod view;
mod words;
mod worker;

use std::io::IsTerminal;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use hongyan_client::{Client, Credential, Events, proto};
use jiff::tz::TimeZone;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::account::Account;
use crate::failure::Failure;
use crate::place::Wait;
use intent::{Input, Intent, Password};
use model::{Model, Settings};
use terminal::Terminal;
use words::Language;
use worker::Worker;

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  hongyan chat --user alice
  hongyan chat hongyan://KEY@chat.example.org:7300/default --user alice --lang zh
  HONGYAN_TOKEN=… hongyan chat --to bob
  hongyan chat --user alice --to '#spring'

Groups are in the list among the conversations, with a # before their names: /create GROUP makes one, /invite NAME… takes
people in, /members shows them, /leave goes out.

The password is asked for at the first use; later the device's session is resumed. F1 explains the keys.";

/// The screen is drawn again so often while something on it changes by itself.
const TICK: Duration = Duration::from_millis(500);

/// The arguments.
#[derive(Args, Debug)]
pub struct Chat {
    /// The server, instead of --server
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// Open the conversation with this person, or with the group #NAME
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Language of the screen [default: that of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, value_enum)]
    lang: Option<Language>,
    #[command(flatten)]
    account: Account,
}

/// Inputs handled before the screen is drawn again.
const INPUTS_PER_FRAME: usize = 512;
/// A client that is told to end has ended after so long.
const END: Duration = Duration::from_secs(20);
/// A user who quits waits at most so long for what was just written to be kept.
const QUIT: Duration = Duration::from_secs(1);

/// Why the client is no longer wanted.
enum Left {
    Quit,
    LogIn(String),
    GiveUp,
}

impl Chat {
    /// Runs until the user quits.
    pub async fn run(&self) -> Result<(), Failure> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(Failure::other(
                "`hongyan chat` needs a terminal; for scripts there are send, tail and history",
            ));
        }
        let mut account = self.account.clone();
        account.server = self.address.clone().or(account.server);
        let ready = account.ready(proto::Term::Pc, "chat", Wait::No).await?;
        let language = self.lang.unwrap_or_else(|| Language::of_environment(|name| std::env::var(name).ok()));
        let words = language.words();
        let mut credential = match ready.credential()? {
            Some(credential) => credential,
            // Before the screen is taken over, so that password managers and pipes of terminals work as usual.
            None => ready.ask(&format!("{} {}: ", words.password, ready.user))?,
        };
        let by_password = !matches!(credential, Credential::Token(_));
        let mut model = Model::new(&ready.user, settings(language, by_password)?);
        let mut screen = Screen { terminal: Terminal::take()?, keys: terminal::read_keys()?, ending: ending()? };
        let mut to = self.to.as_deref();
        loop {
            let (client, mut events) = ready.connect(credential).await?;
            match screen.show(&mut model, client, &mut events, to.take()).await? {
                Left::Quit => {
                    // What was sent with the last keys still gets into the outbox; what waits for the server is not waited for.
                    let ended = async { while events.next().await.is_some() {} };
                    let _ = tokio::time::timeout(QUIT, ended).await;
                    return Ok(());
                }
                Left::LogIn(password) => {
                    credential = Credential::Password { user: ready.user.clone(), password };
                }
                Left::GiveUp => {
                    let why = words.refusal(proto::RefusalCode::Unauthenticated);
                    return Err(Failure::NotLoggedIn(format!("{} {why}", words.login_refused)));
                }
            }
            // Its store can be opened again once it has ended; what it still tells is not lost on the screen.
            let ended = async {
                while let Some(event) = events.next().await {
                    model.handle(now_ms(), Input::Told(Box::new(event)));
                }
            };
            if tokio::time::timeout(END, ended).await.is_err() {
                return Err(Failure::other("the client does not end"));
            }
        }
    }
}

struct Screen {
    terminal: Terminal,
    keys: mpsc::Receiver<Input>,
    /// Tells when the process is asked to end.
    ending: mpsc::Receiver<()>,
}

impl Screen {
    async fn show(
        &mut self,
        model: &mut Model,
        client: Client,
        events: &mut Events,
        to: Option<&str>,
    ) -> Result<Left, Failure> {
        let (worker, results) = Worker::start(client);
        let mut intents = model.handle(now_ms(), self.terminal.size()?);
        for input in restored(&worker, events).await? {
            intents.extend(model.handle(now_ms(), input));
        }
        if let Some(user) = to {
            intents.extend(model.open_typed(now_ms(), user));
        }
        Loop { model, worker, results, events, events_ended: false, screen: self }.run(intents).await
    }
}

/// What the device knows at the start, then what was told meanwhile: events must be taken, or the client does nothing.
async fn restored(worker: &Worker, events: &mut Events) -> Result<Vec<Input>, Failure> {
    let restored = worker.restored();
    tokio::pin!(restored);
    let mut told = Vec::new();
    loop {
        tokio::select! {
            input = &mut restored => {
                told.insert(0, input?);
                return Ok(told);
            }
            event = events.next() => match event {
                Some(event) => told.push(Input::Told(Box::new(event))),
                None => return Err(Failure::other("the client has ended")),
            },
        }
    }
}

struct Loop<'a> {
    model: &'a mut Model,
    worker: Worker,
    results: mpsc::Receiver<Input>,
    events: &'a mut Events,
    events_ended: bool,
    screen: &'a mut Screen,
}

impl Loop<'_> {
    async fn run(&mut self, mut intents: Vec<Intent>) -> Result<Left, Failure> {
        let mut title = String::new();
        loop {
            if let Some(left) = self.act(&mut intents)? {
                return Ok(left);
            }
            let wanted = title_of(self.model);
            if wanted != title {
                self.screen.terminal.title(&wanted)?;
                title = wanted;
            }
            self.screen.terminal.draw(|frame| view::draw(frame, self.model))?;
            let Some(mut input) = self.next().await? else { return Ok(Left::Quit) };
            for _ in 0..INPUTS_PER_FRAME {
                intents.extend(self.model.handle(now_ms(), input));
                match self.at_once().await {
                    Some(next) => input = next,
                    None => break,
                }
            }
        }
    }

    fn act(&mut self, intents: &mut Vec<Intent>) -> Result<Option<Left>, Failure> {
        while !intents.is_empty() {
            match intents.remove(0) {
                Intent::Quit => return Ok(Some(Left::Quit)),
                Intent::LogIn(Password(password)) => return Ok(Some(Left::LogIn(password))),
                Intent::GiveUp => return Ok(Some(Left::GiveUp)),
                Intent::Ring => self.screen.terminal.ring()?,
                intent => {
                    if let Some(result) = self.worker.begin(intent) {
                        intents.extend(self.model.handle(now_ms(), result));
                    }
                }
            }
        }
        Ok(None)
    }

    /// What happens next; `None` if the process is asked to end.
    async fn next(&mut self) -> Result<Option<Input>, Failure> {
        let restless = self.model.is_restless();
        let input = tokio::select! {
            key = self.screen.keys.recv() => key.ok_or_else(|| Failure::other("the keyboard is gone"))?,
            result = self.results.recv() => result.ok_or_else(|| Failure::other("the client has ended"))?,
            event = self.events.next(), if !self.events_ended => match event {
                Some(event) => Input::Told(Box::new(event)),
                // Its last event says why.
                None => {
                    self.events_ended = true;
                    Input::Tick
                }
            },
            () = tokio::time::sleep(TICK), if restless => Input::Tick,
            _ = self.screen.ending.recv() => return Ok(None),
        };
        Ok(Some(input))
    }

    /// What has happened already, so that a burst is drawn once.
    async fn at_once(&mut self) -> Option<Input> {
        tokio::select! {
            biased;
            Some(key) = self.screen.keys.recv() => Some(key),
            Some(result) = self.results.recv() => Some(result),
            Some(event) = self.events.next(), if !self.events_ended => Some(Input::Told(Box::new(event))),
            () = std::future::ready(()) => None,
        }
    }
}

/// Watches for the signals that ask a process to end, so that the terminal is given back in order.
fn ending() -> Result<mpsc::Receiver<()>, Failure> {
    let (sender, receiver) = mpsc::channel(1);
    #[cfg(unix)]
    for kind in [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()] {
        let (mut signals, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                let _ = sender.send(()).await;
            }
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        // Without a signal the sender waits for ever.
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = sender.send(()).await;
        }
    });
    Ok(receiver)
}

fn settings(language: Language, by_password: bool) -> Result<Settings, Failure> {
    let mut probe = [0; 16];
    getrandom::fill(&mut probe).map_err(|_| Failure::other("the system gives no randomness"))?;
    let ids = Box::new(|| {
        let mut id = [0; 16];
        getrandom::fill(&mut id).expect("the system gave randomness when the program started");
        id
    });
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Ok(Settings { language, zone: TimeZone::system(), colours, by_password, ids })
}

fn title_of(model: &Model) -> String {
    match model.unread() {
        0 => format!("{} · Hongyan", model.me),
        unread => format!("({unread}) {} · Hongyan", model.me),
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
