//! What the built-in web chat needs besides its connection: its pages, and accounts for whoever may sign up
//! (PROTOCOL.md §18). Frames do not pass here.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::routing::{get, post};
use axum::{Json, Router};
use hongyan_domain::name::Name;
use hongyan_logic::Logic;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::input::{Body, name};
use crate::bridge;
use crate::pages;
use crate::problem::Problem;

/// Longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 4_096;

/// The app of the chat, and whether strangers may join it.
#[derive(Clone, Debug)]
pub struct WebChat {
    /// The app.
    pub app: Name,
    /// Accounts may be made by whoever comes.
    pub sign_up: bool,
    /// Pages of these origins may act for whoever is signed in at the chat's own (see [`bridge`]).
    pub bridge_origins: Vec<bridge::Origin>,
}

struct Web {
    logic: Arc<Logic>,
    chat: WebChat,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignUp {
    app: String,
    user: String,
    password: String,
}

/// `/v1/web`, `/v1/web/sign-up`, `/bridge`, and the pages. Every request needs a `ConnectInfo<SocketAddr>` as extension.
pub fn routes(logic: Arc<Logic>, chat: WebChat) -> Router {
    let bridges = get(bridge::page).with_state(Arc::from(chat.bridge_origins.as_slice()));
    let web = Arc::new(Web { logic, chat });
    Router::new()
        .route("/bridge", bridges)
        .route("/v1/web", get(about))
        .route("/v1/web/sign-up", post(sign_up))
        .fallback(pages::page)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(pages::protect))
        .with_state(web)
}

async fn about(State(web): State<Arc<Web>>) -> Json<Value> {
    let WebChat { app, sign_up, .. } = &web.chat;
    Json(json!({ "app": app.as_str(), "sign_up": sign_up, "version": env!("CARGO_PKG_VERSION") }))
}

async fn sign_up(
    State(web): State<Arc<Web>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Body(asked): Body<SignUp>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (app, user) = (name("app", &asked.app)?, name("user", &asked.user)?);
    if !web.chat.sign_up || app != web.chat.app {
        return Err(Problem::NotAllowed);
    }
    web.logic.sign_up(&app, user.clone(), asked.password, from.ip()).await?;
    Ok((StatusCode::CREATED, Json(json!({ "user": user.as_str() }))))
}
