//! LOGIN of a visitor: who has no account is known again by a mark (spec 70, 71). Nothing is written for visitors who
//! never log in.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::visitor::ADDRESS_BYTES_MAX;
use hongyan_store::visitors::{Visit, Visited};
use hongyan_wire::proto;

use crate::answer::unavailable;
use crate::directory::KnownApp;
use crate::login::{Means, Proof, Proven, network};
use crate::service::Logic;

impl Logic {
    /// `NotAllowed`: the app takes no visitors. `Conflict`: the visitor turned out to be an account.
    pub(crate) async fn prove_by_mark(
        &self,
        app: Option<Arc<KnownApp>>,
        credential: proto::VisitorCredential,
        from: IpAddr,
    ) -> Result<Proven, Refusal> {
        let proto::VisitorCredential { mark, page, referrer } = credential;
        check_address(&page, "page")?;
        check_address(&referrer, "referrer")?;
        let app = app.ok_or(Refusal::Unauthenticated)?;
        if !app.app.settings.visitors {
            return Err(Refusal::NotAllowed);
        }
        let name = if mark.is_empty() { self.new_visitor(from)? } else { self.known_visitor(&app, &mark)? };
        let now = self.environment.wall_clock();
        let visit = Visit { app: app.app.id, name: name.clone(), page, referrer, now };
        match self.store.visit(visit).await.map_err(unavailable)? {
            Visited::User(user) => Ok(Proven { app, user, name, proof: Proof::Mark }),
            Visited::Disabled => Err(Refusal::Unauthenticated),
            Visited::Claimed => Err(Refusal::Conflict),
        }
    }

    fn new_visitor(&self, from: IpAddr) -> Result<Name, Refusal> {
        let taken = self.visitors_by_address.take(network(from), self.environment.monotonic_ms());
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })?;
        let mut id = [0; 16];
        self.environment.random(&mut id);
        Name::of_visitor(&URL_SAFE_NO_PAD.encode(id)).ok_or(Refusal::Internal)
    }

    fn known_visitor(&self, app: &KnownApp, mark: &str) -> Result<Name, Refusal> {
        let name = self.verify_mark(app, mark)?;
        self.limit_account(app.app.id, &name, Means::Mark)?;
        Ok(name)
    }

    /// Whose mark it is, in this app.
    pub(crate) fn verify_mark(&self, app: &KnownApp, mark: &str) -> Result<Name, Refusal> {
        let now = self.environment.wall_clock();
        self.visitor_keys.verify(mark, &app.app.name, now, self.visitor_mark_days).map_err(|fault| {
            tracing::debug!(app = %app.app.name, ?fault, "a visitor's mark was refused");
            Refusal::Unauthenticated
        })
    }
}

fn check_address(address: &str, field: &'static str) -> Result<(), Refusal> {
    let good = address.len() <= ADDRESS_BYTES_MAX && !address.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Refusal::InvalidArgument(field)) }
}
