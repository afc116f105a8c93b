//! A real server that is killed at many points, whose disk is full, and whose disk cannot sync (reliability.md §3).
#![allow(clippy::disallowed_methods, reason = "real processes take real time, and a test must end")]

mod process;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hongyan_client::{Client, Credential, Event, Events, HistoryPage, Options, SendState};
use process::{Server, hongyan, serve};

/// Nothing here waits so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(120);
/// Times that the server is killed while messages are on their way.
const KILLS: u64 = 20;
/// Messages that each of the two sends between two kills.
const MESSAGES_PER_LIFE: u64 = 40;

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

async fn log_in(server: &Server, user: &str) -> (Client, Events) {
    let credential = Credential::Password { user: user.to_owned(), password: format!("secret of {user}") };
    let (client, events) = Client::connect(Options::new(server.address(), credential)).await.unwrap();
    patiently("a login", client.live()).await.unwrap().unwrap();
    (client, events)
}

fn make_users(server: &Server) {
    for user in ["alice", "bob"] {
        server.done(&["user", "create", user], &format!("secret of {user}\n"));
    }
}

/// What one person was shown and told until everything sent has arrived and is known to be stored.
async fn collect(events: &mut Events, expected: u64) -> (Vec<String>, BTreeMap<u64, u64>) {
    let (mut shown, mut stored) = (Vec::new(), BTreeMap::new());
    while (shown.len() as u64) < expected || (stored.len() as u64) < expected {
        match patiently("messages and answers", events.next()).await.expect("the client lives") {
            Event::Message(message) if !message.entry.own => {
                shown.push(String::from_utf8(message.entry.body.to_vec()).unwrap());
            }
            Event::Outgoing(outgoing) => match outgoing.state {
                SendState::Stored { seq, .. } => {
                    let before = stored.insert(outgoing.local, seq);
                    assert!(before.is_none_or(|before| before == seq), "a message has one number");
                }
                SendState::Queued => {}
                state => panic!("nothing may fail within the time of a restart: {state:?}"),
            },
            _ => {}
        }
    }
    (shown, stored)
}

/// K1-K12, without aiming at one of them: wherever the kill falls, what was sent arrives once, in order, and keeps its number.
#[tokio::test]
async fn killed_at_many_points_nothing_is_lost_doubled_or_reordered() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    make_users(&server);
    let (tcp, http) = (server.ready("tcp").to_owned(), server.ready("http").to_owned());
    let (alice, mut alice_events) = log_in(&server, "alice").await;
    let (bob, mut bob_events) = log_in(&server, "bob").await;
    let expected = (KILLS + 1) * MESSAGES_PER_LIFE;
    let alices = tokio::spawn(async move { collect(&mut alice_events, expected).await });
    let bobs = tokio::spawn(async move { collect(&mut bob_events, expected).await });

    for life in 0..=KILLS {
        for number in 0..MESSAGES_PER_LIFE {
            let text = format!("{:05}", life * MESSAGES_PER_LIFE + number);
            alice.send_text("bob", &text).await.unwrap();
            bob.send_text("alice", &text).await.unwrap();
        }
        if life < KILLS {
            // Each time at another depth of the outbox: messages are being received, committed, answered, pushed.
            let left = (MESSAGES_PER_LIFE * life / KILLS) as usize;
            while patiently("the outbox", alice.outbox()).await.unwrap().len() > left {
                tokio::task::yield_now().await;
            }
            server.kill();
            server = Server::start_at(folder.path(), &tcp, &http);
            // As a phone does that has found a network: no waiting for the back-off.
            alice.network_changed().await.unwrap();
            bob.network_changed().await.unwrap();
        }
    }
    let wanted: Vec<String> = (0..expected).map(|number| format!("{number:05}")).collect();
    for (task, name) in [(alices, "alice"), (bobs, "bob")] {
        let (shown, stored) = patiently("everything", task).await.unwrap();
        assert_eq!(shown, wanted, "what {name} saw");
        let seqs: Vec<u64> = stored.into_values().collect();
        assert!(seqs.is_sorted_by(|a, b| a < b), "what {name} wrote was kept in the order of writing");
    }
    let mut before_seq = 2 * expected + 1;
    while before_seq > 1 {
        let page = HistoryPage { before_seq, limit: 100, ..HistoryPage::default() };
        let range = patiently("the history", bob.history("alice", page)).await.unwrap();
        let seqs: Vec<u64> = range.entries.iter().map(|entry| entry.seq).collect();
        let wanted: Vec<u64> = (before_seq.saturating_sub(100).max(1)..before_seq).collect();
        assert_eq!(seqs, wanted, "numbered without a gap");
        before_seq = seqs[0];
    }
    let newest =
        patiently("the newest", bob.history("alice", HistoryPage { limit: 1, ..HistoryPage::default() })).await;
    assert_eq!(newest.unwrap().entries[0].seq, 2 * expected, "nothing is there twice");
}

/// Row "disk full": sends are put off, reads, logins and marks go on.
#[tokio::test]
async fn without_free_space_sends_wait_while_reads_and_logins_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    make_users(&server);
    let (tcp, http) = (server.ready("tcp").to_owned(), server.ready("http").to_owned());
    let (alice, _events) = log_in(&server, "alice").await;
    let first = hongyan_client::new_message("bob", [1; 16], hongyan_client::proto::BodyType::Text, "before".to_owned());
    patiently("a send", alice.send_stored(first)).await.unwrap();
    drop(alice);
    server.kill();

    // A reserve that no disk has: all space counts as used up.
    let mut command = hongyan(folder.path());
    command.args(["serve", "--web", "127.0.0.1:0", "--listen", &tcp, "--http", &http, "--ready-file", "ready.json"]);
    command.env("HONGYAN_STORE_DISK_RESERVE_BYTES", "1000000000000000");
    let server = Server::run(command, folder.path());
    let (bob, mut events) = log_in(&server, "bob").await;
    let page = HistoryPage { limit: 10, ..HistoryPage::default() };
    assert_eq!(patiently("the history", bob.history("alice", page)).await.unwrap().entries.len(), 1);
    patiently("a mark", bob.mark_read("alice", 1)).await.unwrap();
    let row = bob.send_text("alice", "while full").await.unwrap();
    let (alice, _events) = log_in(&server, "alice").await;
    patiently("the refusal", async {
        while !sends_were_refused(&server) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let page = HistoryPage { limit: 10, ..HistoryPage::default() };
    assert_eq!(patiently("the history", alice.history("bob", page)).await.unwrap().entries.len(), 1);
    server.kill();

    let server = Server::start_at(folder.path(), &tcp, &http);
    patiently("the message that waited", async {
        loop {
            match events.next().await.expect("the client lives") {
                Event::Outgoing(outgoing)
                    if outgoing.local == row.local && matches!(outgoing.state, SendState::Stored { .. }) =>
                {
                    return;
                }
                _ => {}
            }
        }
    })
    .await;
    drop((alice, bob));
    assert!(server.terminate().success());
}

fn sends_were_refused(server: &Server) -> bool {
    let page = ureq::get(format!("http://{}/metrics", server.ready("http"))).call().unwrap().into_body();
    let text = page.into_reader();
    let lines = BufReader::new(text).lines().map_while(Result::ok);
    lines
        .filter_map(|line| line.strip_prefix("hongyan_logic_sends_refused_total ")?.parse::<u64>().ok())
        .any(|count| count > 0)
}

fn build_fault(folder: &Path) -> std::path::PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/disk.c");
    let library = folder.join("disk.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(built.expect("SQLite was built by a C compiler").success());
    library
}

/// Row "fsync EIO": nobody is answered, the process stops, and what it had promised is there after the restart.
#[tokio::test]
async fn a_disk_that_cannot_sync_stops_the_server_without_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let trigger = folder.path().join("sync fails");
    let mut command = serve(folder.path());
    command.env("LD_PRELOAD", build_fault(folder.path())).env("FAULT_SYNC", &trigger);
    let server = Server::run(command, folder.path());
    make_users(&server);
    let (tcp, http) = (server.ready("tcp").to_owned(), server.ready("http").to_owned());
    let (alice, _alice_events) = log_in(&server, "alice").await;
    let (_bob, mut bob_events) = log_in(&server, "bob").await;
    let message = |id: u8, text: &str| {
        hongyan_client::new_message("bob", [id; 16], hongyan_client::proto::BodyType::Text, text.to_owned())
    };
    patiently("a send", alice.send_stored(message(1, "kept"))).await.unwrap();
    std::fs::write(&trigger, "").unwrap();
    let row = patiently("a send", alice.send(message(2, "in doubt"))).await.unwrap();
    assert!(!server.ended().success(), "it stops by itself");
    let outbox = alice.outbox().await.unwrap();
    assert!(outbox.iter().any(|kept| kept.local == row.local), "the client was told nothing");

    std::fs::remove_file(&trigger).unwrap();
    let _server = Server::start_at(folder.path(), &tcp, &http);
    let mut shown = Vec::new();
    while shown.len() < 2 {
        if let Event::Message(message) = patiently("a message", bob_events.next()).await.expect("the client lives") {
            shown.push(String::from_utf8(message.entry.body.to_vec()).unwrap());
        }
    }
    assert_eq!(shown, ["kept", "in doubt"]);
}
