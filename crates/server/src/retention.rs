//! Removes what has had its time, again and again, beside everything else. What that is the store decides.

use std::sync::Arc;

use anyhow::{Result, ensure};
use hongyan_domain::environment::Environment;
use hongyan_store::sqlite::{RetentionOptions, RetentionReport, SqliteStore};
use serde::{Deserialize, Serialize};

const MINUTE_MS: u64 = 60_000;
/// Keys of de-duplication must be kept for so many days (spec 41).
const KEY_DAYS_MIN: u32 = 30;

/// What an operator may set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    pub interval_minutes: u64,
    pub inbox_days: u32,
    pub inbox_entries_max: u64,
    pub key_days: u32,
    pub session_days: u32,
}

impl RetentionSettings {
    /// What keeps promises made elsewhere: a ticket must not outlive the memory of its session's end.
    pub fn check(&self, ticket_days: u32) -> Result<()> {
        ensure!(self.interval_minutes > 0, "retention.interval_minutes must be at least 1");
        ensure!(self.key_days >= KEY_DAYS_MIN, "retention.key_days must be at least {KEY_DAYS_MIN}");
        ensure!(self.session_days > ticket_days, "retention.session_days must be more than gate.ticket_days");
        Ok(())
    }

    /// As the store takes them.
    pub fn options(&self) -> RetentionOptions {
        RetentionOptions {
            inbox_days: self.inbox_days,
            inbox_entries_max: self.inbox_entries_max,
            key_days: self.key_days,
            session_days: self.session_days,
        }
    }
}

/// Never ends. A run that fails is made good by the next.
pub async fn keep(store: Arc<SqliteStore>, environment: Arc<dyn Environment>, settings: RetentionSettings) {
    loop {
        environment.sleep_ms(settings.interval_minutes.saturating_mul(MINUTE_MS)).await;
        match store.retention(environment.wall_clock(), settings.options()).await {
            Ok(report) if report == RetentionReport::default() => {}
            Ok(report) => tracing::info!(
                messages = report.messages,
                inbox_entries = report.inbox_entries,
                keys = report.keys,
                sessions = report.sessions,
                spam = report.spam,
                "removed what was too old"
            ),
            Err(error) => tracing::warn!(%error, "what is too old was not removed; the next run tries again"),
        }
    }
}
