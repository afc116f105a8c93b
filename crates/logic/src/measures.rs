//! What logic counts about itself.

use hongyan_domain::measure::{Counter, Histogram, ITEMS, Measure, Measured, Value};

/// Numbers of one [`crate::Logic`] and its [`crate::Announcer`].
#[derive(Debug)]
pub struct Measures {
    /// Logins that opened a session.
    pub logins: Counter,
    /// Logins that were refused, for whatever reason.
    pub logins_refused: Counter,
    /// Resumes that found a living session.
    pub resumes: Counter,
    /// Messages that became durable.
    pub sends: Counter,
    /// Sends that were durable already.
    pub sends_repeated: Counter,
    /// Sends that were refused.
    pub sends_refused: Counter,
    /// Sends that were decided again because rights had changed.
    pub sends_stale: Counter,
    /// Sends of one batch.
    pub send_batch_items: Histogram,
    /// Entries of one page of SYNC or RESUME.
    pub page_entries: Histogram,
    /// Other requests that were refused.
    pub requests_refused: Counter,
    /// Notifications that were given to the bus.
    pub pushes: Counter,
    /// Inbox entries that nobody was told of because too much waited; the change feed heals that.
    pub pushes_dropped: Counter,
    /// Notifications of what was said that were published in rooms.
    pub room_publishes: Counter,
    /// Texts that were masked, rejected or held for a review.
    pub texts_judged: Counter,
    /// Of these, how many left no audit because there were too many.
    pub audits_dropped: Counter,
    /// Look-ups that a cache answered.
    pub cache_hits: Counter,
    /// Look-ups that went to the store.
    pub cache_misses: Counter,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            logins: Counter::default(),
            logins_refused: Counter::default(),
            resumes: Counter::default(),
            sends: Counter::default(),
            sends_repeated: Counter::default(),
            sends_refused: Counter::default(),
            sends_stale: Counter::default(),
            send_batch_items: Histogram::new(ITEMS),
            page_entries: Histogram::new(ITEMS),
            requests_refused: Counter::default(),
            pushes: Counter::default(),
            pushes_dropped: Counter::default(),
            room_publishes: Counter::default(),
            texts_judged: Counter::default(),
            audits_dropped: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
        }
    }
}

impl Measured for Measures {
    fn visit(&self, see: &mut dyn FnMut(Measure<'_>)) {
        let mut counter = |name, help, counter: &Counter| {
            see(Measure { name, help, label: None, value: Value::Counter(counter.get()) });
        };
        counter("logic_logins", "Logins that opened a session.", &self.logins);
        counter("logic_logins_refused", "Logins that were refused.", &self.logins_refused);
        counter("logic_resumes", "Resumes that found a living session.", &self.resumes);
        counter("logic_sends", "Messages that became durable.", &self.sends);
        counter("logic_sends_repeated", "Sends that were durable already.", &self.sends_repeated);
        counter("logic_sends_refused", "Sends that were refused.", &self.sends_refused);
        counter("logic_sends_stale", "Sends decided again because rights had changed.", &self.sends_stale);
        counter(
            "logic_requests_refused",
            "Requests other than SEND and LOGIN that were refused.",
            &self.requests_refused,
        );
        counter("logic_pushes", "Notifications given to the bus.", &self.pushes);
        counter("logic_pushes_dropped", "Inbox entries not pushed because too much waited.", &self.pushes_dropped);
        counter("logic_room_publishes", "What was said, published in rooms.", &self.room_publishes);
        counter("logic_texts_judged", "Texts that were masked, rejected or held for a review.", &self.texts_judged);
        counter("logic_audits_dropped", "Judged texts without an audit, because too many were.", &self.audits_dropped);
        counter("logic_cache_hits", "Look-ups that a cache answered.", &self.cache_hits);
        counter("logic_cache_misses", "Look-ups that went to the store.", &self.cache_misses);
        let mut histogram = |name, help, histogram: &Histogram| {
            see(Measure { name, help, label: None, value: Value::Histogram(histogram) });
        };
        histogram("logic_send_batch_items", "Sends of one batch.", &self.send_batch_items);
        histogram("logic_page_entries", "Entries of one page of the inbox.", &self.page_entries);
    }
}
