//! `/apps/{app}/words`: the lists of words of an app (spec 73), each as a text with one word a line.

use axum::extract::rejection::StringRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use hongyan_domain::name::Name;
use hongyan_domain::spam::Class;
use hongyan_logic::spam_review::LIST_BYTES_MAX;
use hongyan_store::spam::WordsHead;
use serde_json::{Value, json};

use super::input::Names;
use crate::problem::Problem;

pub(super) fn routes() -> Router<super::State> {
    let list = get(show).put(replace).delete(remove).layer(DefaultBodyLimit::max(LIST_BYTES_MAX));
    Router::new().route("/apps/{app}/words", get(heads)).route("/apps/{app}/words/{class}", list)
}

/// The longest body of a request, where it is a list of words.
pub(crate) fn body_bytes_max(method: &Method, path: &str) -> Option<usize> {
    let mut parts = path.trim_start_matches('/').split('/');
    let is_list = parts.by_ref().take(3).eq(["v1", "admin", "apps"]) && parts.nth(1) == Some("words");
    (*method == Method::PUT && is_list).then_some(LIST_BYTES_MAX)
}

fn class(name: &Name) -> Result<Class, Problem> {
    Class::parse(name.as_str()).ok_or(Problem::NotFound)
}

fn shown(head: &WordsHead) -> Value {
    json!({
        "class": head.class.name(),
        "version": head.version,
        "words": head.words,
        "changed_ms": head.changed.0,
    })
}

async fn heads(State(logic): State<super::State>, Names(app): Names<Name>) -> Result<Json<Value>, Problem> {
    let lists: Vec<_> = logic.word_heads(&app).await?.iter().map(shown).collect();
    Ok(Json(json!({ "lists": lists })))
}

async fn show(State(logic): State<super::State>, Names((app, name)): Names<(Name, Name)>) -> Result<String, Problem> {
    Ok(logic.words(&app, class(&name)?).await?)
}

async fn replace(
    State(logic): State<super::State>,
    Names((app, name)): Names<(Name, Name)>,
    text: Result<String, StringRejection>,
) -> Result<Json<Value>, Problem> {
    let text = text.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooBig,
        _ => Problem::Invalid(rejection.body_text()),
    })?;
    let (head, counts) = logic.set_words(&app, class(&name)?, text).await?;
    let mut answer = shown(&head);
    answer["used"] = counts.words.into();
    answer["skipped"] = counts.skipped.into();
    Ok(Json(answer))
}

async fn remove(
    State(logic): State<super::State>,
    Names((app, name)): Names<(Name, Name)>,
) -> Result<StatusCode, Problem> {
    logic.set_words(&app, class(&name)?, String::new()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_may_be_long() {
        let of = |method, path| body_bytes_max(&method, path).is_some();
        assert!(of(Method::PUT, "/v1/admin/apps/one/words/porn"));
        for path in ["/v1/admin/apps/one/users/words", "/v1/admin/apps/words/rooms", "/v1/words", "/", ""] {
            assert!(!of(Method::PUT, path), "{path}");
        }
        assert!(!of(Method::POST, "/v1/admin/apps/one/words/porn"));
    }
}
