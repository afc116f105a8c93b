//! BLOCK: refuses, or accepts again, what a person sends.

use hongyan_cluster::service::Reply;
use hongyan_domain::name::Name;
use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_wire::proto;

use crate::answer::{plain, unavailable};
use crate::service::Logic;

impl Logic {
    pub(crate) async fn block(&self, caller: &Caller, request: proto::BlockRequest) -> Result<Reply, Refusal> {
        let name = Name::parse_anybody(&request.user).ok_or(Refusal::NotFound)?;
        let (other, direct) = self.contact(caller, self.directory.user(caller.app, &name).await?).await?;
        direct.facts.meeting.decide_known()?;
        if other.id == caller.user {
            return Err(Refusal::InvalidArgument("user"));
        }
        let blocked = self.store.set_blocked(caller.app, caller.session, caller.user, other.id, request.blocked).await;
        blocked.map_err(unavailable)?;
        self.directs.forget(caller.user, other.id);
        if request.blocked {
            self.part(caller.user, other.id);
        }
        Ok(plain(&proto::BlockAnswer { id: request.id, refusal: None }))
    }
}
