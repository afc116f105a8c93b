//! What requests carry: names in paths and bodies, JSON bodies. Mistakes become [`Problem`]s.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use hongyan_domain::name::Name;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Checks a name.
pub fn name(what: &str, text: &str) -> Result<Name, Problem> {
    Name::parse(text).ok_or_else(|| Problem::Invalid(format!("{what} must be 1-64 of A-Z a-z 0-9 . _ - @")))
}

/// Checks a name of somebody who may be a visitor.
pub fn anybody(what: &str, text: &str) -> Result<Name, Problem> {
    Name::parse_anybody(text).ok_or_else(|| Problem::Invalid(format!("{what} must be 1-64 of A-Z a-z 0-9 . _ - @")))
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Json::from_request(request, state).await;
        body.map(|Json(body)| Self(body)).map_err(|error: JsonRejection| Problem::Invalid(error.body_text()))
    }
}

/// The variable parts of a path: names.
pub struct Names<T>(pub T);

impl<S: Send + Sync> FromRequestParts<S> for Names<Name> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text): Path<String> = path(parts, state).await?;
        Ok(Self(name("the name in the path", &text)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Names<(Name, Name)> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((one, other)): Path<(String, String)> = path(parts, state).await?;
        Ok(Self((name("the first name in the path", &one)?, anybody("the second name in the path", &other)?)))
    }
}

async fn path<S: Send + Sync, T: DeserializeOwned + Send>(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
    Path::from_request_parts(parts, state).await.map_err(|error: PathRejection| Problem::Invalid(error.body_text()))
}

/// What follows the question mark.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let asked = Query::from_request_parts(parts, state).await;
        asked.map(|Query(asked)| Self(asked)).map_err(|error: QueryRejection| Problem::Invalid(error.body_text()))
    }
}
