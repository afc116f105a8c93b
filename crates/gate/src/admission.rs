//! Who may connect: a cap on all connections, and per network a cap and a rate (spec 20, reliability row 11).

use std::collections::HashMap;
use std::net::IpAddr;

use hongyan_wire::Millis;

use crate::bucket::{Bucket, Rate};
use crate::options::GateOptions;

/// Networks remembered without a connection; beyond it, those that have recovered are forgotten now and then.
const IDLE_NETWORKS_MAX: usize = 10_000;

/// The network of an address: IPv4 /24, IPv6 /56; what one party usually holds.
fn network(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => u64::from(u32::from(ip) >> 8) | 1 << 63,
        IpAddr::V6(ip) => (u128::from(ip) >> 72) as u64,
    }
}

struct Network {
    connections: usize,
    bucket: Bucket,
}

/// Counts of connections.
pub struct Admission {
    networks: HashMap<u64, Network>,
    /// Networks at which it is worth looking through all of them.
    look_at: usize,
    connections: usize,
}

impl Admission {
    /// Nobody is connected.
    pub fn new() -> Self {
        Self { networks: HashMap::new(), look_at: IDLE_NETWORKS_MAX, connections: 0 }
    }

    /// Counts a new connection; false if it must not be.
    pub fn admit(&mut self, ip: IpAddr, now: Millis, options: &GateOptions) -> bool {
        if self.connections >= options.connections_max {
            return false;
        }
        let rate = rate(options);
        self.forget_idle(rate, now);
        let network = self
            .networks
            .entry(network(ip))
            .or_insert_with(|| Network { connections: 0, bucket: Bucket::full(rate, now) });
        if network.connections >= options.connections_per_network_max || network.bucket.solvent_at(rate) > now {
            return false;
        }
        network.bucket.take(rate, now);
        network.connections += 1;
        self.connections += 1;
        true
    }

    /// A counted connection has closed.
    pub fn release(&mut self, ip: IpAddr) {
        self.connections -= 1;
        if let Some(network) = self.networks.get_mut(&network(ip)) {
            network.connections -= 1;
        }
    }

    /// Connections now.
    pub fn connections(&self) -> usize {
        self.connections
    }

    fn forget_idle(&mut self, rate: Rate, now: Millis) {
        if self.networks.len() > self.look_at {
            self.networks.retain(|_, network| network.connections > 0 || network.bucket.solvent_at(rate) > now);
            // Where many networks are really connected, not every connection may cost a look through all of them.
            self.look_at = (self.networks.len() * 2).max(IDLE_NETWORKS_MAX);
        }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::new()
    }
}

fn rate(options: &GateOptions) -> Rate {
    let per_second = options.connects_per_network_per_second;
    Rate { per_second, burst: per_second.saturating_mul(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_use_up_the_gate() {
        let options = GateOptions {
            connections_max: 5,
            connections_per_network_max: 3,
            connects_per_network_per_second: 100,
            ..GateOptions::default()
        };
        let mut admission = Admission::new();
        let ip = |last| IpAddr::from([192, 0, 2, last]);
        assert!((1..=3).all(|last| admission.admit(ip(last), Millis(0), &options)));
        assert!(!admission.admit(ip(4), Millis(0), &options), "same /24");
        let elsewhere = IpAddr::from([198, 51, 100, 1]);
        assert!(admission.admit(elsewhere, Millis(0), &options));
        assert!(admission.admit(elsewhere, Millis(0), &options));
        assert!(!admission.admit(IpAddr::from([203, 0, 113, 1]), Millis(0), &options), "full");
        admission.release(ip(1));
        assert!(admission.admit(ip(9), Millis(0), &options));
    }
}
