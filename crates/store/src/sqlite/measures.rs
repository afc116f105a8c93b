//! What the embedded store counts about itself.

use hongyan_domain::measure::{Counter, Histogram, ITEMS, LATENCY_US, Measure, Measured, Value};

use super::SqliteStore;

/// Numbers of the writer.
#[derive(Debug)]
pub(super) struct Measures {
    /// Transactions that became durable.
    pub(super) commits: Counter,
    /// Transactions that were rolled back.
    pub(super) rollbacks: Counter,
    /// Jobs of a transaction.
    pub(super) batch_items: Histogram,
    /// Microseconds from BEGIN to COMMIT, without it.
    pub(super) apply_us: Histogram,
    /// Microseconds of COMMIT, which syncs the disk.
    pub(super) commit_us: Histogram,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            commits: Counter::default(),
            rollbacks: Counter::default(),
            batch_items: Histogram::new(ITEMS),
            apply_us: Histogram::new(LATENCY_US),
            commit_us: Histogram::new(LATENCY_US),
        }
    }
}

impl Measured for SqliteStore {
    fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
        let mut show = |name, help, value| see(Measure { name, help, label: None, value });
        let writer = &self.measures;
        let (writes, reads) = (self.writes_waiting() as i64, self.reads_waiting() as i64);
        show("store_writes_waiting", "Entries and other writes that wait for the writer.", Value::Gauge(writes));
        show("store_reads_waiting", "Reads that wait for a reader.", Value::Gauge(reads));
        show("store_commits", "Transactions that became durable.", Value::Counter(writer.commits.get()));
        show("store_rollbacks", "Transactions that were rolled back.", Value::Counter(writer.rollbacks.get()));
        show("store_batch_items", "Jobs of one transaction.", Value::Histogram(&writer.batch_items));
        show("store_apply_us", "Time for the statements of one transaction.", Value::Histogram(&writer.apply_us));
        show("store_commit_us", "Time of one COMMIT with its disk sync.", Value::Histogram(&writer.commit_us));
    }
}
