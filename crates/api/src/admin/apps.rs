//! `/apps`: make, list, show, change settings.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use hongyan_domain::app::{App, AppSettings};
use hongyan_domain::name::Name;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Body, Names, name};
use crate::problem::Problem;

pub(super) fn routes() -> Router<super::State> {
    Router::new().route("/apps", get(list).post(create)).route("/apps/{app}", get(show).put(change))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    #[serde(default)]
    settings: AppSettings,
}

fn shown(app: &App) -> Value {
    json!({ "name": app.name.as_str(), "settings": app.settings })
}

async fn list(State(logic): State<super::State>) -> Result<Json<Value>, Problem> {
    let apps: Vec<_> = logic.apps().await?.iter().map(shown).collect();
    Ok(Json(json!({ "apps": apps })))
}

async fn create(
    State(logic): State<super::State>,
    Body(create): Body<Create>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let app = logic.create_app(name("name", &create.name)?, create.settings).await?;
    Ok((StatusCode::CREATED, Json(shown(&app))))
}

async fn show(State(logic): State<super::State>, Names(app): Names<Name>) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&logic.app(&app).await?)))
}

async fn change(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Body(settings): Body<AppSettings>,
) -> Result<Json<Value>, Problem> {
    logic.set_app_settings(&app, settings).await?;
    show(State(logic), Names(app)).await
}
