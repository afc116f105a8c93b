//! Makes a failing plan shorter: leaves out steps, injections and kinds of weather as long as the same invariant breaks.

use crate::network::Weather;
use crate::plan::Plan;

/// Tries of one shrinking; what is reached by then is told.
const TRIES_MAX: u32 = 1_500;

/// The shortest plan that was found for which `fails` is true. It is true for the given one.
pub fn shrink(plan: &Plan, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut tries = 0;
    let mut best = plan.clone();
    let mut attempt = |candidate: Plan, best: &mut Plan| {
        tries += 1;
        let better = tries <= TRIES_MAX && fails(&candidate);
        if better {
            *best = candidate;
        }
        better
    };
    calm(&mut best, &mut attempt);
    let mut piece = best.steps.len().div_ceil(2).max(1);
    loop {
        let shorter = leave_out(&mut best, piece, &mut attempt);
        if piece > 1 {
            piece = piece.div_ceil(2);
        } else if !shorter {
            break;
        }
    }
    calm(&mut best, &mut attempt);
    best
}

/// Tries the plan without each so many steps in a row; whether any of it worked.
fn leave_out(best: &mut Plan, piece: usize, attempt: &mut impl FnMut(Plan, &mut Plan) -> bool) -> bool {
    let (mut at, mut shorter) = (0, false);
    while at < best.steps.len() {
        let mut candidate = best.clone();
        let end = (at + piece).min(candidate.steps.len());
        candidate.steps.drain(at..end);
        if attempt(candidate, best) {
            shorter = true;
        } else {
            at += piece;
        }
    }
    shorter
}

/// Tries the plan without each kind of bad weather, and without each injection.
fn calm(best: &mut Plan, attempt: &mut impl FnMut(Plan, &mut Plan) -> bool) {
    let calmer: [fn(Weather) -> Weather; 6] = [
        |weather| Weather { loss: 0, ..weather },
        |weather| Weather { reorder: 0, ..weather },
        |weather| Weather { split: 0, ..weather },
        |weather| Weather { tamper: 0, ..weather },
        |weather| Weather { reset: 0, ..weather },
        |weather| Weather { jitter_us: 0, ..weather },
    ];
    for change in calmer {
        let weather = change(best.weather);
        if weather != best.weather {
            attempt(Plan { weather, ..best.clone() }, best);
        }
    }
    for number in (0..best.injections.len()).rev() {
        let mut candidate = best.clone();
        candidate.injections.remove(number);
        attempt(candidate, best);
    }
    if best.disk.slow > 0 {
        let mut candidate = best.clone();
        candidate.disk.slow = 0;
        attempt(candidate, best);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::What;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let plan = Plan::new(7);
        let sends = |plan: &Plan| plan.steps.iter().filter(|step| matches!(step.what, What::Send { .. })).count();
        assert!(sends(&plan) > 10 && plan.steps.len() > sends(&plan));
        let shortest = shrink(&plan, |candidate| sends(candidate) >= 3);
        assert_eq!((sends(&shortest), shortest.steps.len()), (3, 3));
        assert_eq!((shortest.weather.loss, shortest.weather.tamper, shortest.injections.len()), (0, 0, 0));
    }
}
