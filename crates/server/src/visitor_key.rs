//! `hongyan visitor-key rotate`: makes the next key that signs visitors' marks. Touches no running server: it reads its keys
//! when it starts.

use anyhow::Result;

use crate::arguments::VisitorKey;
use crate::config::Config;
use crate::data::{self, Data};

/// Makes the key, and says what to do with the older ones.
pub fn run(command: &VisitorKey, config: &Config) -> Result<()> {
    data::keep_files_private();
    let VisitorKey::Rotate { data } = command;
    let path = Data::open(data.as_ref().unwrap_or(&config.server.data))?.make_visitor_key()?;
    let days = config.logic.visitor_mark_days;
    println!("made {}; the server signs with it from its next start on", path.display());
    println!("marks of older keys still hold; remove those keys {days} days after that start");
    Ok(())
}
