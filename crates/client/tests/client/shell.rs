//! The tokio shell over loopback: the same tiny server behind a real socket, real time, and a store in a file.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use hongyan_client::{
    Client, ClientError, Credential, Event, Events, HistoryPage, Link, Millis, Options, ServerAddress, StopReason,
    StoreError,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::Instant;

use crate::server::Server;

/// The server of the other tests, behind a socket.
#[derive(Clone)]
struct House {
    server: Rc<RefCell<Server>>,
    moved: Rc<Notify>,
    clock: Instant,
    address: ServerAddress,
}

impl House {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::new();
        let (key, port) = (server.public_key(), listener.local_addr().unwrap().port());
        let house = Self {
            server: Rc::new(RefCell::new(server)),
            moved: Rc::new(Notify::new()),
            clock: Instant::now(),
            address: ServerAddress { key, host: "127.0.0.1".into(), port, app: "app".into() },
        };
        let guests = house.clone();
        spawn_local(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                spawn_local(guests.clone().serve(socket));
            }
        });
        house
    }

    fn now(&self) -> Millis {
        Millis(self.clock.elapsed().as_millis() as u64)
    }

    async fn serve(self, socket: TcpStream) {
        let line = self.server.borrow_mut().accept(self.now());
        let mut buffer = vec![0; 4096];
        loop {
            let moved = self.moved.notified();
            let (bytes, open) = self.server.borrow_mut().take_output(line);
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                socket.writable().await.unwrap();
                rest = &rest[socket.try_write(rest).unwrap_or(0)..];
            }
            if !open {
                return;
            }
            tokio::select! {
                () = moved => {}
                _ = socket.readable() => match socket.try_read(&mut buffer) {
                    Ok(0) => break,
                    Ok(length) => {
                        self.server.borrow_mut().receive(self.now(), line, &buffer[..length]);
                        self.moved.notify_waiters();
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                },
            }
        }
        self.server.borrow_mut().close(line);
    }

    /// All connections break at once.
    fn cut(&self) {
        self.server.borrow_mut().cut_all();
        self.moved.notify_waiters();
    }

    async fn client(&self, user: &str, store: Option<&Path>) -> Result<(Client, Events), ClientError> {
        let options = Options {
            store: store.map(Path::to_owned),
            ..Options::new(self.address.clone(), Credential::Token(user.into()))
        };
        Client::connect(options).await
    }
}

async fn next_message(events: &mut Events) -> String {
    loop {
        if let Event::Message(message) = events.next().await.expect("the client runs") {
            return String::from_utf8(message.entry.body.to_vec()).unwrap();
        }
    }
}

fn play(scene: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(scene));
}

#[test]
fn two_clients_talk_through_sockets_and_a_cut() {
    play(async {
        let house = House::open().await;
        let (alice, mut alice_hears) = house.client("alice", None).await.unwrap();
        let (bob, mut bob_hears) = house.client("bob", None).await.unwrap();
        alice.live().await.unwrap().unwrap();
        bob.live().await.unwrap().unwrap();
        alice.send_text("bob", "hello").await.unwrap();
        assert_eq!(next_message(&mut bob_hears).await, "hello");
        house.cut();
        let message = hongyan_client::new_message("alice", [5; 16], Default::default(), "hello yourself");
        let stored = bob.send_stored(message).await.unwrap();
        assert_eq!(stored.seq, 2);
        assert_eq!(next_message(&mut alice_hears).await, "hello yourself");
        bob.mark_read("alice", 2).await.unwrap();
        while !matches!(alice_hears.next().await, Some(Event::Receipt { read_seq: 2, .. })) {}
        let list = alice.conversations().await.unwrap();
        assert_eq!((list.len(), list[0].conversation.unread), (1, 1));
        let page = HistoryPage { limit: 10, ..Default::default() };
        let history = alice.history("bob", page).await.unwrap();
        assert!(history.complete);
        assert_eq!(history.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
    });
}

#[test]
fn a_client_goes_on_from_its_file_and_shows_what_it_has_while_offline() {
    play(async {
        let house = House::open().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alice.sqlite");
        let (alice, mut events) = house.client("alice", Some(&path)).await.unwrap();
        alice.live().await.unwrap().unwrap();
        for number in 0..5 {
            let message = hongyan_client::new_message("bob", [number; 16], Default::default(), vec![b'0' + number]);
            alice.send_stored(message).await.unwrap();
        }
        assert!(matches!(house.client("alice", Some(&path)).await, Err(ClientError::Store(StoreError::Sqlite(_)))));
        drop(alice);
        while events.next().await.is_some() {}

        let mut nowhere = house.clone();
        nowhere.address.port = 1;
        let (alice, _events) = nowhere.client("alice", Some(&path)).await.unwrap();
        alice.send_text("bob", "later").await.unwrap();
        let page = |before_seq| HistoryPage { before_seq, limit: 2, ..Default::default() };
        let history = alice.history("bob", page(4)).await.unwrap();
        assert!(history.complete);
        assert_eq!(history.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 3]);
        assert!(matches!(alice.recall("bob", 1).await, Err(ClientError::Request(_))));
        drop((alice, _events));

        // The file is free a moment after the last handle is gone.
        let (alice, mut events) = loop {
            match house.client("alice", Some(&path)).await {
                Ok(client) => break client,
                Err(ClientError::Store(StoreError::Sqlite(_))) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        alice.live().await.unwrap().unwrap();
        while !matches!(events.next().await.unwrap(), Event::Outgoing(outgoing) if matches!(outgoing.state, hongyan_client::SendState::Stored { .. }))
        {
        }
        assert_eq!(house.server.borrow().texts("alice", "bob").last().unwrap().1, "later");
        assert_eq!(house.server.borrow().logins, 1, "the session was resumed");
        let other = Options {
            store: Some(path.clone()),
            ..Options::new(
                ServerAddress { app: "other".into(), ..house.address.clone() },
                Credential::Token("alice".into()),
            )
        };
        drop((alice, events));
        loop {
            match Client::connect(other.clone()).await {
                Err(ClientError::Store(StoreError::Foreign)) => break,
                Err(ClientError::Store(StoreError::Sqlite(_))) => tokio::task::yield_now().await,
                _ => panic!("the file belongs to another app"),
            }
        }
    });
}

#[test]
fn logout_and_refusals_are_typed() {
    play(async {
        let house = House::open().await;
        let (alice, _events) = house.client("alice", None).await.unwrap();
        alice.live().await.unwrap().unwrap();
        let refusal = hongyan_client::proto::Refusal { code: 14, text: "blocked".into(), ..Default::default() };
        house.server.borrow_mut().refuse_sends = vec![refusal.clone()];
        let message = hongyan_client::new_message("bob", [1; 16], Default::default(), "no");
        let Err(ClientError::NotSent(reason)) = alice.send_stored(message).await else { panic!("it was refused") };
        assert_eq!(reason, Some(refusal));
        alice.logout().await.unwrap();
        assert_eq!(alice.live().await.unwrap(), Err(StopReason::LoggedOut));
        alice.start().await.unwrap();
        alice.live().await.unwrap().unwrap();
    });
}

#[test]
fn a_refused_token_can_be_replaced_without_a_new_client() {
    play(async {
        let house = House::open().await;
        let refusal = hongyan_client::proto::Refusal { code: 6, text: "expired".into(), ..Default::default() };
        house.server.borrow_mut().refuse_login = Some(refusal.clone());
        let (client, mut events) = house.client("expired", None).await.unwrap();
        assert_eq!(client.live().await.unwrap(), Err(StopReason::LoginRefused(refusal)));
        house.server.borrow_mut().refuse_login = None;
        client.set_credential(Credential::Token("alice".into())).await.unwrap();
        client.start().await.unwrap();
        client.live().await.unwrap().unwrap();
        loop {
            if let Event::LoggedIn { user, .. } = events.next().await.unwrap() {
                return assert_eq!(user, "alice");
            }
        }
    });
}

#[test]
fn a_wrong_server_key_gets_no_login() {
    play(async {
        let house = House::open().await;
        let mut impostor = house.clone();
        impostor.address.key = [7; 32];
        // The tiny server panics at what the real one refuses; here only the client matters.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        impostor.address.port = listener.local_addr().unwrap().port();
        let (_alice, mut events) = impostor.client("alice", None).await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut server =
            hongyan_wire::Connection::server(hongyan_wire::noise::StaticKey::new([42; 32]), [3; 32], Millis(0));
        let mut buffer = vec![0; 4096];
        let length = socket.read(&mut buffer).await.unwrap();
        let mut out = Vec::new();
        assert!(server.receive(Millis(0), &mut &buffer[..length], &mut out).is_err());
        drop(socket);
        loop {
            match events.next().await.unwrap() {
                Event::Link(Link::Broken { .. }) => return,
                Event::Link(Link::Authing | Link::Live) => panic!("it talked to a stranger"),
                _ => {}
            }
        }
    });
}
