//! Signing up: somebody makes an account of their own. Whether an app lets them is asked before, by who knows its
//! settings; administrators make accounts in [`crate::administration`].

use std::net::IpAddr;

use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;

use crate::login::network;
use crate::service::Logic;

impl Logic {
    /// Makes a user with a password. `Conflict`: the name is taken. `RateLimited`: this address has made too many.
    pub async fn sign_up(&self, app: &Name, name: Name, password: String, from: IpAddr) -> Result<(), Refusal> {
        let limited = |retry_after_ms| Refusal::RateLimited { retry_after_ms };
        self.sign_ups_by_address.take(network(from), self.environment.monotonic_ms()).map_err(limited)?;
        self.create_user(app, name, Some(password)).await.map(|_| ())
    }
}
