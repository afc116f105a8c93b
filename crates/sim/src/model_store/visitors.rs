//! Visitors' rows, and how a visitor becomes history of an account.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::{ConversationId, UserId};
use hongyan_domain::name::Name;
use hongyan_domain::session::EndReason;
use hongyan_domain::visitor::Visitor;
use hongyan_store::Result;
use hongyan_store::feed::{Committed, CommittedWhat};
use hongyan_store::timeline::About;
use hongyan_store::visitors::{Claim, ClaimOutcome, Visit, Visited, Visitors};

use super::state::{Batch, Reference, State, missing};
use super::{ModelStore, accounts, sessions};

fn visit(state: &mut State, visit: &Visit) -> Result<Visited> {
    let Visit { app, name, page, referrer, now } = visit;
    let user = match accounts::user(state, *app, name) {
        Some(user) if user.disabled => return Ok(Visited::Disabled),
        Some(user) => Some(user),
        None => accounts::create_user(state, *app, name, None, *now),
    };
    let user = user.ok_or_else(|| missing("visitor"))?.id;
    let known = &mut state.person_mut(user)?.visitor;
    match known {
        Some(Visitor { account: Some(_), .. }) => return Ok(Visited::Claimed),
        Some(visitor) => visitor.came_again(page.clone(), referrer.clone(), *now),
        None => *known = Some(Visitor::new(page.clone(), referrer.clone(), *now)),
    }
    Ok(Visited::User(user))
}

fn claim(batch: &mut Batch<'_>, claim: &Claim) -> Result<ClaimOutcome> {
    let Some(user) = accounts::user(batch.state, claim.app, &claim.visitor) else { return Ok(ClaimOutcome::Unknown) };
    // What fails must have changed nothing.
    batch.state.person(claim.account)?;
    let person = batch.state.person_mut(user.id)?;
    let Some(visitor) = &mut person.visitor else { return Ok(ClaimOutcome::Unknown) };
    match visitor.account {
        Some(account) if account == claim.account => return Ok(ClaimOutcome::Repeated),
        Some(_) => return Ok(ClaimOutcome::Taken),
        None => visitor.account = Some(claim.account),
    }
    person.access_version += 1;
    let conversations: Vec<_> =
        person.places.iter().filter(|(_, place)| place.activity > 0).map(|(conversation, _)| *conversation).collect();
    let ended = sessions::end_all(batch, user.id, EndReason::Revoked);
    for conversation in conversations {
        let correspondent = batch.state.conversation(conversation)?.other(user.id);
        tell(batch, claim, conversation, user.id, correspondent, &claim.visitor)?;
        if correspondent != claim.account {
            let name = batch.state.person(correspondent)?.user.name.clone();
            tell(batch, claim, conversation, user.id, claim.account, &name)?;
        }
    }
    Ok(ClaimOutcome::Claimed { ended })
}

fn tell(
    batch: &mut Batch<'_>,
    claim: &Claim,
    conversation: ConversationId,
    visitor: UserId,
    reader: UserId,
    about: &Name,
) -> Result<()> {
    let inbox_seq = batch.refer(reader, conversation, Reference::Claimed { visitor, account: claim.account })?;
    batch.tell(Committed {
        app: claim.app,
        user: reader,
        inbox_seq,
        conversation,
        about: About::Person(about.clone()),
        origin: claim.session,
        what: CommittedWhat::Claimed { visitor: claim.visitor.clone(), account: claim.account_name.clone() },
    });
    Ok(())
}

impl Visitors for ModelStore {
    fn claim_visitor(&self, claim: Claim) -> Pending<'_, Result<ClaimOutcome>> {
        self.write_as(claim.session, move |batch| self::claim(batch, &claim))
    }

    fn visit(&self, visit: Visit) -> Pending<'_, Result<Visited>> {
        self.write(move |batch| self::visit(batch.state, &visit))
    }

    fn visitor(&self, user: UserId) -> Pending<'_, Result<Option<Visitor>>> {
        self.read(move |state| Ok(state.people.get(&user).and_then(|person| person.visitor.clone())))
    }
}
