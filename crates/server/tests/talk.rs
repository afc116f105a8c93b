//! Two people talk through a real server, which dies in the middle.
#![allow(clippy::disallowed_methods, reason = "real processes take real time, and a test must end")]

mod process;

use std::path::Path;
use std::time::Duration;

use hongyan_client::{Client, Credential, Event, Events, HistoryPage, Options};
use process::{Server, hongyan};

/// Nothing here waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

async fn log_in(server: &Server, credential: Credential) -> (Client, Events) {
    let (client, events) = Client::connect(Options::new(server.address(), credential)).await.unwrap();
    patiently("a login", client.live()).await.unwrap().unwrap();
    (client, events)
}

fn password(user: &str) -> Credential {
    Credential::Password { user: user.to_owned(), password: format!("secret of {user}") }
}

async fn next_message(events: &mut Events) -> (String, String) {
    patiently("a message", async {
        loop {
            match events.next().await.expect("the client lives") {
                Event::Message(message) if !message.entry.own => {
                    return (message.peer.name().to_owned(), String::from_utf8(message.entry.body.to_vec()).unwrap());
                }
                _ => {}
            }
        }
    })
    .await
}

fn make_users(server: &Server) {
    for user in ["alice", "bob"] {
        server.done(&["user", "create", user], &format!("secret of {user}\n"));
    }
}

#[tokio::test]
async fn two_people_talk_and_the_server_is_killed_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    make_users(&server);
    let (alice, _alice_events) = log_in(&server, password("alice")).await;
    let (bob, mut bob_events) = log_in(&server, password("bob")).await;
    alice.send_text("bob", "你好").await.unwrap();
    assert_eq!(next_message(&mut bob_events).await, ("alice".to_owned(), "你好".to_owned()));

    let (tcp, http) = (server.ready("tcp").to_owned(), server.ready("http").to_owned());
    for number in 0..20 {
        alice.send_text("bob", &number.to_string()).await.unwrap();
    }
    server.kill();
    let server = Server::start_at(folder.path(), &tcp, &http);
    for number in 20..30 {
        alice.send_text("bob", &number.to_string()).await.unwrap();
    }
    for number in 0..30 {
        assert_eq!(next_message(&mut bob_events).await.1, number.to_string(), "in order, once, none lost");
    }
    let page = HistoryPage { limit: 100, ..HistoryPage::default() };
    let kept = patiently("the history", bob.history("alice", page)).await.unwrap();
    assert_eq!(kept.entries.len(), 31);
    assert!(kept.entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "numbered without a gap");
    drop((alice, bob));
    assert!(server.terminate().success());
}

#[tokio::test]
async fn tokens_open_sessions_until_their_key_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    make_users(&server);
    let mint = |folder: &Path| {
        let output = hongyan(folder).args(["token", "mint", "alice"]).output().unwrap();
        Credential::Token(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    let (alice, _events) = log_in(&server, mint(folder.path())).await;
    patiently("a send", alice.send_text("bob", "by token")).await.unwrap();
    server.done(&["key", "revoke", "main"], "");
    let (client, _events) = Client::connect(Options::new(server.address(), mint(folder.path()))).await.unwrap();
    assert!(patiently("a refusal", client.live()).await.unwrap().is_err());
}

#[tokio::test]
async fn a_disabled_user_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    make_users(&server);
    let (_alice, mut events) = log_in(&server, password("alice")).await;
    server.done(&["user", "disable", "alice"], "");
    patiently("the end of the session", async {
        loop {
            if let Some(Event::Link(hongyan_client::Link::Stopped(_))) = events.next().await {
                return;
            }
        }
    })
    .await;
    let (client, _events) = Client::connect(Options::new(server.address(), password("alice"))).await.unwrap();
    assert!(patiently("a refusal", client.live()).await.unwrap().is_err());
}

#[tokio::test]
async fn clients_leave_when_the_server_drains() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    make_users(&server);
    let (_alice, mut events) = log_in(&server, password("alice")).await;
    assert!(server.terminate().success());
    patiently("the loss of the link", async {
        loop {
            match events.next().await.expect("the client lives") {
                Event::Link(link) if !link.is_live() => return,
                _ => {}
            }
        }
    })
    .await;
}
