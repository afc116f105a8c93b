//! What the process tells about itself: logs. Numbers follow the pattern of `hongyan_domain::measure`: each part keeps
//! its own `Measures`, and the `api` crate shows them; nothing is counted here.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// What an operator may set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogOptions {
    pub filter: String,
    pub format: LogFormat,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

/// Begins to log to standard error. Panics of any thread become a line, too.
pub fn start(options: &LogOptions) -> Result<()> {
    let filter = EnvFilter::try_new(&options.filter).with_context(|| format!("log.filter {:?}", options.filter))?;
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = match options.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    if json {
        lines.json().flatten_event(true).init()
    } else {
        lines.with_ansi(terminal).init()
    }
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task has panicked")));
    Ok(())
}
