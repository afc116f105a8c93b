//! The polled connections of this gate, by their tokens.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, Weak};

use super::polled::{Polled, PolledStream};
use crate::driver::Driver;
use crate::gate::Gate;
use crate::peer::Protection;

/// Interval in which connections that nobody polls are looked for.
const SWEEP_MS: u64 = 1_000;

/// 256 random bits: who knows them speaks for the connection.
pub(super) type Token = [u8; 32];

pub(super) struct Pool {
    connections: Mutex<HashMap<Token, Arc<Polled>>>,
    gone_ms: u64,
}

impl Pool {
    /// An empty pool; it is swept from now on.
    pub(super) fn start(gate: Arc<Gate>, gone_ms: u64) -> Arc<Self> {
        let pool = Arc::new(Self { connections: Mutex::default(), gone_ms });
        gate.environment.clone().spawn(Box::pin(sweep(Arc::downgrade(&pool), gate)));
        pool
    }

    /// A new connection, served from now on; `None` if the gate is full.
    pub(super) fn open(&self, gate: &Arc<Gate>, ip: IpAddr) -> Option<(Token, Arc<Polled>)> {
        let link = gate.admit(ip)?;
        let mut token = [0; 32];
        gate.environment.random(&mut token);
        let polled = Arc::new(Polled::default());
        let driver = Driver::new(gate.clone(), PolledStream(polled.clone()), link, ip, Protection::Polls);
        gate.environment.spawn(Box::pin(driver.run()));
        self.connections.lock().expect("nothing panics while it is held").insert(token, polled.clone());
        Some((token, polled))
    }

    /// The connection of a token.
    pub(super) fn get(&self, token: &Token) -> Option<Arc<Polled>> {
        self.connections.lock().expect("nothing panics while it is held").get(token).cloned()
    }

    /// How long a connection lives without a poll, in milliseconds.
    pub(super) fn gone_ms(&self) -> u64 {
        self.gone_ms
    }
}

async fn sweep(pool: Weak<Pool>, gate: Arc<Gate>) {
    loop {
        gate.environment.sleep_ms(SWEEP_MS).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = gate.now();
        pool.connections.lock().expect("nothing panics while it is held").retain(|_, polled| !polled.is_over(now));
    }
}
