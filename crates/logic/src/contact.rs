//! First contacts: whom a user addresses without having a conversation with them. They are counted, whether the name exists
//! or not, so that nobody can try out many names or write to everybody (reliability row 26).

use hongyan_domain::refusal::Refusal;
use hongyan_domain::session::Caller;
use hongyan_store::timeline::Direct;

use crate::directory::KnownUser;
use crate::service::Logic;

impl Logic {
    /// What is known of the caller and somebody they name, who may be a stranger or nobody.
    pub(crate) async fn contact(
        &self,
        caller: &Caller,
        known: Option<KnownUser>,
    ) -> Result<(KnownUser, Direct), Refusal> {
        let direct = match known {
            Some(user) => Some((user, self.directs.read(caller.app, caller.user, user.id).await?)),
            None => None,
        };
        if direct.as_ref().is_none_or(|(_, direct)| direct.conversation.is_none()) {
            self.count_first_contact(caller)?;
        }
        direct.ok_or(Refusal::NotFound)
    }

    /// Takes one from the caller's budget.
    pub(crate) fn count_first_contact(&self, caller: &Caller) -> Result<(), Refusal> {
        let visitor = caller.name.is_visitor();
        let buckets = if visitor { &self.visitors_first_contacts } else { &self.first_contacts };
        let taken = buckets.take(caller.user, self.environment.monotonic_ms());
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }
}
