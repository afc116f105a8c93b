//! `/apps/{app}/users`: make, list, show, set a password, disable, let visitors write to them, end sessions.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use hongyan_domain::name::Name;
use hongyan_logic::administration::Account;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Asked, Body, Names, anybody, name};
use crate::problem::Problem;

/// Users of a page if the request names no number.
const PAGE: u32 = 100;

pub(super) fn routes() -> Router<super::State> {
    Router::new()
        .route("/apps/{app}/users", get(list).post(create))
        .route("/apps/{app}/users/{user}", get(show))
        .route("/apps/{app}/users/{user}/password", put(set_password))
        .route("/apps/{app}/users/{user}/disabled", put(set_disabled))
        .route("/apps/{app}/users/{user}/takes_visitors", put(set_takes_visitors))
        .route("/apps/{app}/users/{user}/sessions", delete(end_sessions))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    /// Without it the user logs in by tokens only.
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disabled {
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TakesVisitors {
    takes_visitors: bool,
}

fn shown(account: &Account) -> Value {
    json!({
        "name": account.name.as_str(),
        "has_password": account.has_password,
        "disabled": account.disabled,
        "takes_visitors": account.takes_visitors,
        "created_ms": account.created.0,
        "sessions_connected": account.sessions_connected,
    })
}

async fn list(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Asked(page): Asked<Page>,
) -> Result<Json<Value>, Problem> {
    let after = page.after.map(|after| anybody("after", &after)).transpose()?;
    let users = logic.users(&app, after, page.limit.unwrap_or(PAGE)).await?;
    Ok(Json(json!({ "users": users.iter().map(shown).collect::<Vec<_>>() })))
}

async fn create(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Body(create): Body<Create>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let account = logic.create_user(&app, name("name", &create.name)?, create.password).await?;
    Ok((StatusCode::CREATED, Json(shown(&account))))
}

async fn show(
    State(logic): State<super::State>,
    Names((app, user)): Names<(Name, Name)>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&logic.user(&app, &user).await?)))
}

async fn set_password(
    State(logic): State<super::State>,
    Names((app, user)): Names<(Name, Name)>,
    Body(password): Body<Password>,
) -> Result<Json<Value>, Problem> {
    let ended = logic.set_password(&app, &user, password.password).await?;
    Ok(Json(json!({ "sessions_ended": ended })))
}

async fn set_disabled(
    State(logic): State<super::State>,
    Names((app, user)): Names<(Name, Name)>,
    Body(Disabled { disabled }): Body<Disabled>,
) -> Result<Json<Value>, Problem> {
    let ended = logic.set_disabled(&app, &user, disabled).await?;
    Ok(Json(json!({ "sessions_ended": ended })))
}

async fn set_takes_visitors(
    State(logic): State<super::State>,
    Names((app, user)): Names<(Name, Name)>,
    Body(TakesVisitors { takes_visitors }): Body<TakesVisitors>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&logic.set_takes_visitors(&app, &user, takes_visitors).await?)))
}

async fn end_sessions(
    State(logic): State<super::State>,
    Names((app, user)): Names<(Name, Name)>,
) -> Result<Json<Value>, Problem> {
    let ended = logic.revoke_sessions(&app, &user).await?;
    Ok(Json(json!({ "sessions_ended": ended })))
}
