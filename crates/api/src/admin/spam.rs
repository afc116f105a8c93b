//! `/apps/{app}/spam`: what became of texts, and messages that wait for a review (spec 73).

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hongyan_domain::name::Name;
use hongyan_logic::spam_review::{Reviewed, ShownAudit, ShownHeld};
use hongyan_store::spam::HeldPlace;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Asked, Body, Names};
use crate::problem::Problem;

/// Rows of a page if the request names no number.
const PAGE: u32 = 100;

pub(super) fn routes() -> Router<super::State> {
    Router::new()
        .route("/apps/{app}/spam/audits", get(audits))
        .route("/apps/{app}/spam/held", get(held))
        .route("/apps/{app}/spam/held/{number}", post(review))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    before: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Review {
    release: bool,
}

fn shown_audit(shown: &ShownAudit) -> Value {
    let audit = &shown.audit;
    json!({
        "number": shown.number,
        "user": shown.user.as_str(),
        "time_ms": audit.time.0,
        "kind": audit.kind,
        "action": audit.action,
        "rule": audit.rule,
        "digest": format!("{:016x}", audit.digest),
        "excerpt": audit.excerpt,
    })
}

fn shown_held(shown: &ShownHeld) -> Value {
    let message = &shown.message;
    let body = match std::str::from_utf8(&message.draft.body) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": STANDARD.encode(&message.draft.body) }),
    };
    let (place, from) = match &message.place {
        HeldPlace::Direct(_) => ("user", None),
        HeldPlace::Room { from, .. } => ("room", Some(from.as_str())),
    };
    json!({
        "number": shown.number,
        "sender": shown.sender.as_str(),
        "to": { place: shown.to.as_str() },
        "room_name": from,
        "time_ms": message.time.0,
        "rule": message.rule,
        "type": message.draft.body_type,
        "body": body,
        "text": message.draft.text,
    })
}

async fn audits(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Asked(asked): Asked<Before>,
) -> Result<Json<Value>, Problem> {
    let audits = logic.audits(&app, asked.before.unwrap_or(0), asked.limit.unwrap_or(PAGE)).await?;
    Ok(Json(json!({ "audits": audits.iter().map(shown_audit).collect::<Vec<_>>() })))
}

async fn held(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Asked(asked): Asked<After>,
) -> Result<Json<Value>, Problem> {
    let held = logic.held(&app, asked.after.unwrap_or(0), asked.limit.unwrap_or(PAGE)).await?;
    Ok(Json(json!({ "held": held.iter().map(shown_held).collect::<Vec<_>>() })))
}

async fn review(
    State(logic): State<super::State>,
    Names((app, number)): Names<(Name, Name)>,
    Body(review): Body<Review>,
) -> Result<Json<Value>, Problem> {
    let number = number.as_str().parse().map_err(|_| Problem::NotFound)?;
    Ok(Json(match logic.review(&app, number, review.release).await? {
        Reviewed::Released { seq } => json!({ "released": true, "seq": seq }),
        Reviewed::Discarded => json!({ "released": false }),
    }))
}
