//! How many connections each network has at the port for browsers. What they do there is not known here.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hongyan_gate::GateOptions;
use hongyan_gate::admission::Admission;
use hongyan_wire::Millis;

/// Everybody who is connected.
pub struct Crowd {
    admission: Mutex<Admission>,
    limits: GateOptions,
    begun: Instant,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(limits: GateOptions) -> Self {
        Self { admission: Mutex::default(), limits, begun: Instant::now() }
    }

    /// A place for one more, if there is one for its network.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let now = Millis(self.begun.elapsed().as_millis() as u64);
        let mut admission = self.admission.lock().expect("nothing panics while it is held");
        admission.admit(address, now, &self.limits).then(|| Place { crowd: self.clone(), address })
    }
}

/// A place, until it is dropped.
pub struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.admission.lock().expect("nothing panics while it is held").release(self.address);
    }
}
