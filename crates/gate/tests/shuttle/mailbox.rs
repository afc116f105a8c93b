//! The mailbox of a connection: nothing that is put in is lost, doubled or swapped, and its owner is always woken.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use hongyan_cluster::bus::{Delivery, Ending};
use hongyan_domain::UnixMillis;
use hongyan_domain::session::EndReason;
use hongyan_gate::link::Link;
use hongyan_wire::command::Operation;
use shuttle::{future, thread};

use crate::try_orders;

const ROOM: usize = 1 << 20;

fn delivery(sender: u8, number: u8) -> Delivery {
    let body = Bytes::copy_from_slice(&[sender, number]);
    Delivery { operation: Operation::Receipt, body, reference: None }
}

#[test]
fn whoever_waits_for_mail_is_woken_and_gets_all_of_it_in_order() {
    try_orders(|| {
        let link = Arc::new(Link::new(1));
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let link = link.clone();
                thread::spawn(move || {
                    for number in 0..3 {
                        assert!(link.deliver(delivery(sender, number), ROOM));
                        link.tell(|mail| mail.behind = Some(u64::from(number)));
                    }
                })
            })
            .collect();
        let owner = link.clone();
        // If it were not woken, shuttle would see that nobody can go on.
        let got = future::block_on(async move {
            let mut got = Vec::new();
            while got.len() < 6 {
                poll_fn(|context| owner.poll_mail(context)).await;
                got.extend(owner.take().deliveries.into_iter().map(|delivery| (delivery.body[0], delivery.body[1])));
            }
            got
        });
        senders.into_iter().for_each(|thread| thread.join().unwrap());
        for sender in 0..2 {
            let of_sender = got.iter().filter(|(by, _)| *by == sender).map(|(_, number)| *number);
            assert!(of_sender.eq(0..3), "{got:?}");
        }
    });
}

#[test]
fn what_an_owner_leaves_in_the_mailbox_is_still_there_later() {
    try_orders(|| {
        let link = Arc::new(Link::new(1));
        let sender = {
            let link = link.clone();
            thread::spawn(move || {
                for number in 0..3 {
                    link.deliver(delivery(0, number), ROOM);
                }
                link.tell(|mail| mail.timer = true);
            })
        };
        let mut timers = 0;
        for _ in 0..2 {
            let mail = link.take_but_pushes();
            assert!(mail.deliveries.is_empty());
            timers += usize::from(mail.timer);
        }
        sender.join().unwrap();
        let mail = link.take();
        assert!(mail.deliveries.iter().map(|delivery| delivery.body[1]).eq(0..3));
        assert_eq!(timers + usize::from(mail.timer), 1);
    });
}

#[test]
fn after_an_ending_nothing_is_delivered_and_the_ending_is_told() {
    try_orders(|| {
        let link = Arc::new(Link::new(1));
        let ending = Ending { reason: EndReason::Revoked, by_term: None, time: UnixMillis(1) };
        let ender = {
            let link = link.clone();
            thread::spawn(move || link.end(ending))
        };
        let sender = {
            let link = link.clone();
            thread::spawn(move || {
                let silent_before = link.is_silent();
                let kept = link.deliver(delivery(0, 0), ROOM);
                assert!(!(silent_before && kept), "nothing gets in once it is silent");
            })
        };
        let early = link.take();
        ender.join().unwrap();
        sender.join().unwrap();
        let late = link.take();
        assert_eq!(early.ending.or(late.ending), Some(ending));
        assert!(early.ending.is_none() || late.ending.is_none(), "told once");
        assert!(late.deliveries.is_empty(), "what was there is thrown away");
        assert!(early.ending.is_none() || early.deliveries.is_empty());
    });
}

#[test]
fn a_full_mailbox_says_so_exactly_if_something_was_dropped() {
    try_orders(|| {
        let link = Arc::new(Link::new(1));
        // Room for two of three.
        let room = 2 * (size_of::<Delivery>() + 2);
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let link = link.clone();
                thread::spawn(move || link.deliver(delivery(sender, 0), room))
            })
            .collect();
        let first = link.take();
        let kept =
            senders.into_iter().filter(|_| true).map(|thread| thread.join().unwrap()).filter(|kept| *kept).count();
        let second = link.take();
        assert_eq!(first.deliveries.len() + second.deliveries.len(), kept);
        assert_eq!(first.dropped || second.dropped, kept < 3);
    });
}
