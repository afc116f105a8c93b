//! CLAIM_VISITOR: the account that is logged in was a visitor. What they said then becomes history of the account, once and
//! for all (spec 70).

use hongyan_cluster::service::Reply;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::visitors::{Claim, ClaimOutcome};
use hongyan_wire::proto;

use crate::answer::{plain, unavailable};
use crate::service::Logic;

impl Logic {
    /// `Unauthenticated`: the mark is not ours. `Conflict`: the visitor is history of another account. `NotFound`: they were
    /// never heard of, which a restored backup may do.
    pub(crate) async fn claim_visitor(
        &self,
        caller: &Caller,
        request: proto::ClaimVisitorRequest,
    ) -> Result<Reply, Refusal> {
        if caller.name.is_visitor() {
            return Err(Refusal::NotAllowed);
        }
        let app = self.directory.app_of(caller.app).await?;
        let visitor = self.verify_mark(&app, &request.mark)?;
        let claim = Claim {
            app: caller.app,
            visitor: visitor.clone(),
            account: caller.user,
            account_name: caller.name.clone(),
            session: caller.session,
            now: self.environment.wall_clock(),
        };
        // No login of the visitor may slip through.
        let _changing = self.directory.changing();
        match self.store.claim_visitor(claim).await.map_err(unavailable)? {
            ClaimOutcome::Claimed { ended } => self.tell_ended(ended.into_iter()),
            ClaimOutcome::Repeated => {}
            ClaimOutcome::Taken => return Err(Refusal::Conflict),
            ClaimOutcome::Unknown => return Err(Refusal::NotFound),
        }
        Ok(plain(&proto::ClaimVisitorAnswer { id: request.id, refusal: None, visitor: visitor.to_string() }))
    }
}
