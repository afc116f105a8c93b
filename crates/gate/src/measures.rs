//! What a gate counts about itself.

use hongyan_domain::measure::{Counter, Gauge, Measure, Measured, Value};

macro_rules! measures {
    ($($kind:ident $name:ident $help:literal,)*) => {
        /// Counters and gauges of a gate.
        #[derive(Debug, Default)]
        pub struct Measures { $(#[doc = $help] pub $name: $kind,)* }

        impl Measured for Measures {
            fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
                $(see(Measure {
                    name: concat!("gate_", stringify!($name)),
                    help: $help,
                    label: None,
                    value: Value::$kind(self.$name.get()),
                });)*
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
