//! A network between server and clients that can be cut, thinned out and delayed: the server has a namespace of its own
//! behind a pair of virtual cables. Root only.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Rig, Struck};
use crate::interrupt;
use crate::server::{self, Place};
use crate::stage::Stage;
use crate::system;

/// The server must have noticed that nobody is there after so long: silence ends a connection after 90 s, and bytes
/// that nobody confirms after 30 s.
const NOTICED_MAX: Duration = Duration::from_secs(95);
const CONNECTED: &str = "hongyan_gate_sessions_connected";
const LOOK_EVERY: Duration = Duration::from_millis(500);
const QUEUE: &str = "7";

/// A namespace with one cable to this machine.
struct Cable {
    namespace: String,
    here: String,
    there: Ipv4Addr,
}

impl Cable {
    /// Lays it. Numbers of this process keep several runs apart.
    fn lay() -> Result<Self> {
        let number = std::process::id() % 250;
        let cable = Self {
            namespace: format!("hychaos{number}"),
            here: format!("hych{number}"),
            there: Ipv4Addr::new(10, 213, number as u8, 2),
        };
        let (namespace, here) = (cable.namespace.as_str(), cable.here.as_str());
        let peer = format!("{here}p");
        system::run(&["ip", "netns", "add", namespace])?;
        system::run(&["ip", "link", "add", here, "type", "veth", "peer", "name", &peer, "netns", namespace])?;
        system::run(&["ip", "addr", "add", &format!("10.213.{number}.1/24"), "dev", here])?;
        system::run(&["ip", "-n", namespace, "addr", "add", &format!("{}/24", cable.there), "dev", &peer])?;
        system::run(&["ip", "link", "set", here, "up"])?;
        system::run(&["ip", "-n", namespace, "link", "set", &peer, "up"])?;
        system::run(&["ip", "-n", namespace, "link", "set", "lo", "up"])?;
        cable.iptables(&["-L"])?;
        Ok(cable)
    }

    /// Rules inside the namespace; nobody else sees them.
    fn iptables(&self, rule: &[&str]) -> Result<()> {
        let line = [&["ip", "netns", "exec", &self.namespace, "iptables", "-w"], rule].concat();
        system::run(&line)
    }

    /// For packets of clients in both directions.
    fn everywhere(&self, port: u16, rule: &[&str]) -> Result<()> {
        let port = port.to_string();
        self.iptables(&[&["-A", "INPUT", "-p", "tcp", "--dport", &port], rule].concat())?;
        self.iptables(&[&["-A", "OUTPUT", "-p", "tcp", "--sport", &port], rule].concat())
    }

    fn repair(&self) -> Result<()> {
        self.iptables(&["-F"])
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // A namespace is taken down some time after it was deleted, and would keep the name of its cable until then.
        let _ = system::run(&["ip", "link", "del", &self.here]);
        let _ = system::run(&["ip", "netns", "del", &self.namespace]);
    }
}

/// How a link is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Badness {
    /// Nothing gets through, and nobody is told.
    HalfOpen,
    /// Some packets are lost.
    Loss,
    /// Packets are late, overtake each other, and some are lost.
    Delay,
}

/// A server behind a bad link.
pub struct BadLink {
    badness: Badness,
    cable: Option<Cable>,
    strikes: u32,
}

impl BadLink {
    /// Always bad in the same way.
    pub fn new(badness: Badness) -> Self {
        Self { badness, cable: None, strikes: 0 }
    }

    fn make(&mut self) -> Result<()> {
        let cable = Cable::lay()?;
        if self.badness == Badness::Delay {
            // Says whether this kernel has queues.
            let rule = ["-p", "tcp", "--dport", "1", "-j", "NFQUEUE", "--queue-num", QUEUE, "--queue-bypass"];
            cable.iptables(&[&["-A", "INPUT"], &rule[..]].concat())?;
            cable.repair()?;
        }
        self.cable = Some(cable);
        Ok(())
    }
}

impl Rig for BadLink {
    fn prepare(&mut self, place: &mut Place) -> Result<Option<String>> {
        let unfit = system::unfit(self.make());
        if let Some(cable) = &self.cable {
            place.namespace = Some(cable.namespace.clone());
            place.ip = cable.there.into();
        }
        Ok(unfit)
    }

    fn strike(&mut self, stage: &mut Stage) -> Result<Struck> {
        stage.breathe(100, 600)?;
        self.strikes += 1;
        let cable = self.cable.as_ref().context("the cable was laid")?;
        let port = stage.server.tcp()?.port();
        match self.badness {
            Badness::HalfOpen => half_open(cable, port, stage, self.strikes == 1)?,
            Badness::Loss => {
                let share = format!("0.{:02}", stage.random.between(1, 40));
                let rule = ["-m", "statistic", "--mode", "random", "--probability", &share, "-j", "DROP"];
                cable.everywhere(port, &rule)?;
                stage.breathe(2000, 5000)?;
            }
            Badness::Delay => delay(cable, port, stage)?,
        }
        cable.repair()?;
        let healed = Instant::now();
        stage.crowd.dial_now();
        stage.recover(healed)?;
        Ok(Struck::Hit)
    }
}

fn half_open(cable: &Cable, port: u16, stage: &mut Stage, long: bool) -> Result<()> {
    cable.everywhere(port, &["-j", "DROP"])?;
    let cut = Instant::now();
    if !long {
        return stage.breathe(1000, 8000);
    }
    while stage.server.metric(CONNECTED)? > 0.0 {
        if cut.elapsed() > NOTICED_MAX {
            let left = stage.server.metric(CONNECTED)?;
            stage.complain(format!("the server believed in {left} dead links for {} s", NOTICED_MAX.as_secs()));
            break;
        }
        interrupt::pause(LOOK_EVERY)?;
    }
    Ok(())
}

/// A process that holds packets back; see [`crate::bend`].
struct Bender(Child);

impl Drop for Bender {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn delay(cable: &Cable, port: u16, stage: &mut Stage) -> Result<()> {
    let (loss, delay, jitter) = (stage.random.below(10), stage.random.below(200), stage.random.below(300));
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &cable.namespace]).arg(server::beside_this("hongyan-chaos")?);
    command.args(["bend", QUEUE, &loss.to_string(), &delay.to_string(), &jitter.to_string()]);
    let _bender = Bender(command.stdin(Stdio::null()).spawn().context("starting the delay")?);
    cable.everywhere(port, &["-j", "NFQUEUE", "--queue-num", QUEUE, "--queue-bypass"])?;
    stage.breathe(3000, 6000)?;
    cable.repair()
}
