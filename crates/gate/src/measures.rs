//! What a gate counts about itself.

use hongyan_domain::measure::{Counter, Gauge, Histogram, LATENCY_US, Measure, Measured, Value};

use crate::call::Call;

macro_rules! measures {
    ($($kind:ident $name:ident $help:literal,)*) => {
        /// Counters and gauges of a gate, and how long logic takes.
        #[derive(Debug, Default)]
        pub struct Measures {
            $(#[doc = $help] pub $name: $kind,)*
            calls: CallTimes,
        }

        impl Measured for Measures {
            fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
                $(see(Measure {
                    name: concat!("gate_", stringify!($name)),
                    help: $help,
                    label: None,
                    value: Value::$kind(self.$name.get()),
                });)*
                self.calls.visit(see);
            }
        }
    };
}

measures! {
    Gauge connections "Open connections, authenticated or not.",
    Gauge sessions_connected "Sessions with a connection here.",
    Counter connections_accepted "Connections that were let in.",
    Counter connections_refused "Connections that were refused by a cap or a rate.",
    Counter violations "Connections closed because the client broke the protocol or was silent.",
    Counter frames_in "Frames received.",
    Counter frames_out "Frames sent.",
    Counter bytes_in "Bytes received.",
    Counter bytes_out "Bytes sent.",
    Counter logins "Sessions opened.",
    Counter resumes "Sessions continued on a new connection.",
    Counter sessions_ended "Live connections cut because their session had ended.",
    Counter pushes "Deliveries queued for a connection.",
    Counter pushes_dropped "Deliveries dropped because too many bytes waited.",
    Counter hints "Clients told to sync.",
    Counter reads_delayed "Times that reading paused because a client was too fast.",
    Counter write_stalls "Connections closed because nothing could be written for too long.",
}

impl Measures {
    /// How long calls of this kind take, from the frame to the answer.
    pub fn call_time(&self, call: &Call) -> &Histogram {
        match call {
            Call::Login(..) => &self.calls.login,
            Call::Resume(..) | Call::Head(_) => &self.calls.resume,
            Call::Send(..) => &self.calls.send,
            Call::Request(..) | Call::Logout(..) => &self.calls.request,
        }
    }
}

#[derive(Debug)]
struct CallTimes {
    login: Histogram,
    resume: Histogram,
    send: Histogram,
    request: Histogram,
}

impl Default for CallTimes {
    fn default() -> Self {
        let histogram = || Histogram::new(LATENCY_US);
        Self { login: histogram(), resume: histogram(), send: histogram(), request: histogram() }
    }
}

impl CallTimes {
    fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
        let kinds =
            [("login", &self.login), ("resume", &self.resume), ("send", &self.send), ("request", &self.request)];
        for (kind, histogram) in kinds {
            see(Measure {
                name: "gate_call_us",
                help: "From a frame to logic's answer; for sends, of a whole batch.",
                label: Some(("call", kind)),
                value: Value::Histogram(histogram),
            });
        }
    }
}
