//! `/apps/{app}/rooms`: make, list, remove.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use hongyan_domain::name::Name;
use hongyan_logic::OpenRoom;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Body, Names, name};
use crate::problem::Problem;

pub(super) fn routes() -> Router<super::State> {
    Router::new().route("/apps/{app}/rooms", get(list).post(add)).route("/apps/{app}/rooms/{room}", delete(remove))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
}

fn shown(room: &OpenRoom) -> Value {
    json!({
        "name": room.name.as_str(),
        "created_ms": room.created.0,
        "head_seq": room.head_seq,
        "members": room.members,
    })
}

async fn list(State(logic): State<super::State>, Names(app): Names<Name>) -> Result<Json<Value>, Problem> {
    let rooms: Vec<_> = logic.rooms(&app).await?.iter().map(shown).collect();
    Ok(Json(json!({ "rooms": rooms })))
}

async fn add(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Body(add): Body<Add>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let room = logic.create_room(&app, name("name", &add.name)?).await?;
    Ok((StatusCode::CREATED, Json(shown(&room))))
}

async fn remove(
    State(logic): State<super::State>,
    Names((app, room)): Names<(Name, Name)>,
) -> Result<StatusCode, Problem> {
    logic.remove_room(&app, &room).await?;
    Ok(StatusCode::NO_CONTENT)
}
