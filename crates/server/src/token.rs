//! `hongyan token mint`: signs a login token as an app's own server would, for development and tests.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::arguments::Token;
use crate::config::Config;
use crate::{data, secret};

/// Claims of a login token (PROTOCOL.md).
#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

/// Prints the token alone, so that scripts can use it.
pub fn run(command: &Token, config: &Config) -> Result<()> {
    let Token::Mint { user, app, key_id, key_file, data, expires_in } = command;
    let folder = data.as_ref().unwrap_or(&config.server.data);
    let path = key_file.clone().unwrap_or_else(|| data::app_key_path(folder, app, key_id));
    let secret = secret::read(&path)?;
    ensure!(*expires_in > 0, "a token must live for at least a second");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let claims = Claims { sub: user, aud: app, iat: now, exp: now.saturating_add(*expires_in) };
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(key_id.clone());
    println!("{}", jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret))?);
    Ok(())
}
