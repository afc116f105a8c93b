//! Visitors' rows.

use hongyan_domain::environment::Pending;
use hongyan_domain::id::UserId;
use hongyan_domain::visitor::Visitor;
use hongyan_store::Result;
use hongyan_store::visitors::{Visit, Visited, Visitors};

use super::state::{State, missing};
use super::{ModelStore, accounts};

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

impl Visitors for ModelStore {
    fn visit(&self, visit: Visit) -> Pending<'_, Result<Visited>> {
        self.write(move |batch| self::visit(batch.state, &visit))
    }

    fn visitor(&self, user: UserId) -> Pending<'_, Result<Option<Visitor>>> {
        self.read(move |state| Ok(state.people.get(&user).and_then(|person| person.visitor.clone())))
    }
}
