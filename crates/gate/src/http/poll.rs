//! `POST /v1/poll` and `POST /v1/frames`: HTTP around [`Polled`].
#![allow(clippy::disallowed_methods, reason = "a shell: it holds requests in real time")]

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hongyan_wire::Millis;

use super::later::Later;
use super::polled::{Begun, Found, Polled, Wrong};
use super::pool::Token;
use super::{Refused, Remote, Web};

const POLL: HeaderName = HeaderName::from_static("hongyan-poll");
const FRAMES: HeaderName = HeaderName::from_static("hongyan-frames");
const CONNECTION: HeaderName = HeaderName::from_static("hongyan-connection");

pub(super) async fn poll(
    State(web): State<Arc<Web>>,
    Extension(remote): Extension<Remote>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let number = number(&headers, &POLL)?;
    let (token, polled) = if headers.contains_key(AUTHORIZATION) {
        (None, known(&web, &headers)?)
    } else if number == 1 {
        let (token, polled) = web.pool.open(&web.gate, remote.address).ok_or(Refused::Crowded)?;
        (Some(token), polled)
    } else {
        return Err(Refused::Unknown);
    };
    let mut response = match polled.begin(number, &body)? {
        Begun::Again(answer) => Answer(answer).into_response(),
        Begun::Held(turn) => Later::new(hold(Held { web, polled, turn })).into_response(),
    };
    if let Some(token) = token {
        let token = URL_SAFE_NO_PAD.encode(token);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_str(&token).expect("base64 is a header"));
    }
    Ok(response)
}

pub(super) async fn frames(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    known(&web, &headers)?.frames(number(&headers, &FRAMES)?, &body)?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Number => Self::Number,
            Wrong::Full => Self::Full,
        }
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Refused> {
    let number = headers.get(name).and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    number.ok_or(Refused::Number)
}

fn known(web: &Web, headers: &HeaderMap) -> Result<Arc<Polled>, Refused> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refused::Unknown)?;
    let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| Refused::Unknown)?;
    let token = Token::try_from(token).map_err(|_| Refused::Unknown)?;
    web.pool.get(&token).ok_or(Refused::Unknown)
}

/// Holds a poll until there is an answer, or the time is over.
async fn hold(held: Held) -> Response {
    let (polled, turn) = (&held.polled, held.turn);
    let span = Duration::from_millis(held.web.options.poll_hold_ms);
    let found = tokio::time::timeout(span, wait(polled, turn)).await;
    answer(found.unwrap_or_else(|_| polled.look(turn, true))).into_response()
}

async fn wait(polled: &Polled, turn: u64) -> Found {
    loop {
        // Before looking: what changes in between is noticed.
        let changed = polled.changed.notified();
        match polled.look(turn, false) {
            Found::Nothing => changed.await,
            found => return found,
        }
    }
}

fn answer(found: Found) -> Result<Answer, Refused> {
    match found {
        Found::Frames(frames) => Ok(Answer(frames)),
        Found::Superseded | Found::Nothing => Ok(Answer(Bytes::new())),
        Found::Over => Err(Refused::Unknown),
    }
}

/// Frames, or none.
struct Answer(Bytes);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let no_store = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.0.is_empty() {
            return (StatusCode::NO_CONTENT, [no_store]).into_response();
        }
        ([no_store, (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], self.0).into_response()
    }
}

/// Notes when a poll is held no more, also when its request breaks off.
struct Held {
    web: Arc<Web>,
    polled: Arc<Polled>,
    turn: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.polled.release(self.turn, self.web.gate.now() + Millis(self.web.pool.gone_ms()));
    }
}
