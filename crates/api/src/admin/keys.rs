//! `/apps/{app}/keys`: the keys with which an app's own server signs tokens. A secret is shown once, when the server has
//! made it, and never again.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use hongyan_domain::app::{AppKey, KeyAlgorithm};
use hongyan_domain::name::Name;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Body, Names, name};
use crate::problem::Problem;

pub(super) fn routes() -> Router<super::State> {
    Router::new().route("/apps/{app}/keys", get(list).post(add)).route("/apps/{app}/keys/{key}", delete(revoke))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    key_id: String,
    #[serde(default)]
    algorithm: Algorithm,
    /// Hexadecimal; the server makes a secret if it is missing.
    material: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Algorithm {
    #[default]
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

fn shown(key: &AppKey) -> Value {
    let algorithm = match key.algorithm {
        KeyAlgorithm::Hs256 => "HS256",
        KeyAlgorithm::EdDsa => "EdDSA",
    };
    json!({
        "key_id": key.key_id.as_str(),
        "algorithm": algorithm,
        "created_ms": key.created.0,
        "revoked_ms": key.revoked.map(|time| time.0),
    })
}

async fn list(State(logic): State<super::State>, Names(app): Names<Name>) -> Result<Json<Value>, Problem> {
    let keys: Vec<_> = logic.keys(&app).await?.iter().map(shown).collect();
    Ok(Json(json!({ "keys": keys })))
}

async fn add(
    State(logic): State<super::State>,
    Names(app): Names<Name>,
    Body(add): Body<Add>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let key_id = name("key_id", &add.key_id)?;
    let answer = match (add.algorithm, add.material) {
        (Algorithm::Hs256, None) => {
            let key = logic.create_key(&app, key_id).await?;
            let mut answer = shown(&key);
            answer["secret"] = hex(&key.material).into();
            answer
        }
        (Algorithm::EdDsa, None) => return Err(Problem::Invalid("material must be the public key".to_owned())),
        (algorithm, Some(material)) => {
            let algorithm = match algorithm {
                Algorithm::Hs256 => KeyAlgorithm::Hs256,
                Algorithm::EdDsa => KeyAlgorithm::EdDsa,
            };
            let bytes = parse_hex(&material).ok_or_else(|| Problem::Invalid("material must be hexadecimal".to_owned()));
            shown(&logic.add_key(&app, key_id, algorithm, bytes?).await?)
        }
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn revoke(
    State(logic): State<super::State>,
    Names((app, key_id)): Names<(Name, Name)>,
) -> Result<StatusCode, Problem> {
    logic.revoke_key(&app, key_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(pairs.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_survives() {
        assert_eq!(parse_hex(&hex(&[0, 1, 0x7f, 0xff])), Some(vec![0, 1, 0x7f, 0xff]));
        assert_eq!(parse_hex("0"), None);
        assert_eq!(parse_hex("0g"), None);
        assert_eq!(parse_hex("é"), None);
    }
}
