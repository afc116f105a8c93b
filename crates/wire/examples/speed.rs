//! What the wire costs: nanoseconds per frame, microseconds per handshake. Run it with
//! `cargo run --release -p hongyan-wire --example speed`; the figures are CPU-bound and single-threaded. `--features aws-lc`
//! measures the arithmetic that servers use.

#![allow(clippy::disallowed_methods, reason = "a measurement owns its clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use hongyan_wire::command::Operation;
use hongyan_wire::noise::{ResumeProof, StaticKey};
use hongyan_wire::{Command, Connection, Event, Millis, proto};

const NOW: Millis = Millis(0);
const TICKET: &[u8] = &[5; 97];
const SECRET: &[u8; 32] = &[4; 32];
const PROOF: ResumeProof<'_> = ResumeProof { ticket: TICKET, epoch: 1, secret: SECRET };

fn main() {
    for body_bytes in [20, 113, 1_000, 16_000] {
        frames(body_bytes);
    }
    logins();
    resumes();
}

/// The shortest of several runs: the least disturbed one.
fn shortest(runs: u32, mut run: impl FnMut() -> Duration) -> Duration {
    (0..runs).map(|_| run()).min().expect("there are runs")
}

fn report(what: &str, unit: Duration, count: u32) {
    println!("{what:<52} {:>9.0} ns", unit.as_nanos() as f64 / f64::from(count));
}

fn pair(key: &StaticKey) -> (Connection, Connection) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut client = Connection::client_login(key.public(), [2; 32], NOW, &mut up);
    let mut server = Connection::server(key.clone(), [3; 32], NOW);
    assert!(matches!(server.receive(NOW, &mut &up[..], &mut down), Ok(None)));
    assert!(matches!(client.receive(NOW, &mut &down[..], &mut Vec::new()), Ok(Some(Event::Ready))));
    client.set_authenticated();
    server.set_authenticated();
    (client, server)
}

fn frames(body_bytes: usize) {
    const COUNT: u32 = 20_000;
    let (mut client, mut server) = pair(&StaticKey::new([1; 32]));
    let (command, body) = (Command::request(Operation::Send), vec![7; body_bytes]);
    let mut out = Vec::with_capacity((body_bytes + 64) * COUNT as usize);
    let mut decrypting = Duration::MAX;
    let encrypting = shortest(5, || {
        out.clear();
        let start = Instant::now();
        for _ in 0..COUNT {
            client.write(command, &body, NOW, &mut out).expect("keys are agreed");
        }
        let elapsed = start.elapsed();
        let (start, mut input) = (Instant::now(), &out[..]);
        while let Some(event) = server.receive(NOW, &mut input, &mut Vec::new()).expect("the frames are right") {
            black_box(event);
        }
        decrypting = decrypting.min(start.elapsed());
        elapsed
    });
    report(&format!("write a frame of {} bytes", body_bytes + 37), encrypting, COUNT);
    report(&format!("receive a frame of {} bytes", body_bytes + 37), decrypting, COUNT);
}

fn logins() {
    const COUNT: u32 = 500;
    let key = StaticKey::new([1; 32]);
    let mut up = Vec::new();
    Connection::client_login(key.public(), [2; 32], NOW, &mut up);
    let elapsed = shortest(5, || {
        let start = Instant::now();
        for _ in 0..COUNT {
            let mut server = Connection::server(key.clone(), [3; 32], NOW);
            let mut down = Vec::with_capacity(128);
            assert!(matches!(server.receive(NOW, &mut &up[..], &mut down), Ok(None)));
            black_box(down);
        }
        start.elapsed()
    });
    report("server's side of a login handshake", elapsed, COUNT);
    let elapsed = shortest(5, || {
        let start = Instant::now();
        for _ in 0..COUNT {
            black_box(Connection::client_login(key.public(), [2; 32], NOW, &mut Vec::with_capacity(128)));
        }
        start.elapsed()
    });
    report("client's first half of a login handshake", elapsed, COUNT);
}

fn resumes() {
    const COUNT: u32 = 500;
    let key = StaticKey::new([1; 32]);
    let offer = proto::ResumeOffer { inbox_cursor: 9, log_epoch: 1, limit: 200 };
    let mut up = Vec::new();
    Connection::client_resume(key.public(), PROOF, &offer, [2; 32], NOW, &mut up);
    let result = proto::ResumeResult { ticket: TICKET.into(), ..Default::default() };
    let elapsed = shortest(5, || {
        let start = Instant::now();
        for _ in 0..COUNT {
            let mut server = Connection::server(key.clone(), [3; 32], NOW);
            let mut down = Vec::with_capacity(512);
            let event = server.receive(NOW, &mut &up[..], &mut down);
            let Ok(Some(Event::Resume { id, noise, .. })) = event else { panic!("no resume") };
            server.accept_resume(PROOF, &noise).expect("the proof is right");
            server.answer_resume(id, &result, NOW, &mut down).expect("it was accepted");
            black_box(down);
        }
        start.elapsed()
    });
    report("server's side of a resume", elapsed, COUNT);
}
