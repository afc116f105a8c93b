//! An answer that is long in coming, as a poll's is. A route gives the promise of it at once, so that whoever serves the
//! routes need not keep the request, its layers and its buffers for as long as it is awaited. What waits is not known here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};

/// What will be answered.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// The promise, in a response that is never sent. Whoever serves the routes sends what [`Later::of`] makes of it.
#[derive(Clone)]
pub struct Later(Arc<Mutex<Option<Answer>>>);

impl Later {
    /// Of this answer.
    pub fn new(answer: impl Future<Output = Response> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::pin(answer)))))
    }

    /// The answer that a response promises, with what was added to its head on the way; `None` if it is an answer itself.
    pub fn of(response: &mut Response) -> Option<Answer> {
        let promised = response.extensions_mut().remove::<Self>()?;
        let answer = promised.0.lock().expect("nothing panics while it is held").take()?;
        let mut head = std::mem::take(response.headers_mut());
        // That of the promise.
        head.remove(CONTENT_LENGTH);
        if head.is_empty() {
            return Some(answer);
        }
        Some(Box::pin(async move {
            let mut response = answer.await;
            response.headers_mut().extend(head);
            response
        }))
    }
}

impl IntoResponse for Later {
    fn into_response(self) -> Response {
        // Should anybody send it after all, it says that it went wrong.
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
