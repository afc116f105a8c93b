//! Blocks that come between decision and commit (design §5, stale decisions; reliability.md row 39).

use hongyan_store::Timeline;
use hongyan_wire::command::Operation;
use hongyan_wire::proto;
use hongyan_wire::proto::RefusalCode;

use crate::world::{Device, World, code};

async fn block(world: &World, device: &Device, user: &str, blocked: bool) -> RefusalCode {
    let request = proto::BlockRequest { id: 1, user: user.into(), blocked };
    let answer: proto::BlockAnswer = world.ask(device, Operation::Block, request).await;
    code(&answer.refusal)
}

async fn send_code(world: &World, device: &Device, to: &str) -> RefusalCode {
    code(&world.send(device, &[world.text(to, "x")]).await[0].refusal)
}

const DONE: RefusalCode = RefusalCode::Unspecified;

#[tokio::test]
async fn a_block_works_both_ways_until_it_is_lifted() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(send_code(&world, &ann, "bob").await, DONE);
    assert_eq!(block(&world, &bob, "ann", true).await, DONE);
    assert_eq!(send_code(&world, &ann, "bob").await, RefusalCode::NotAllowed);
    assert_eq!(send_code(&world, &bob, "ann").await, RefusalCode::NotAllowed);
    let lines = world.conversations(&bob).await;
    assert!(lines[0].blocked);
    assert!(!world.conversations(&ann).await[0].blocked, "nobody sees that they are blocked");
    assert_eq!(block(&world, &bob, "ann", false).await, DONE);
    assert_eq!(send_code(&world, &ann, "bob").await, DONE);
}

#[tokio::test]
async fn a_block_before_the_first_message_counts() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(block(&world, &bob, "ann", true).await, DONE);
    assert_eq!(send_code(&world, &ann, "bob").await, RefusalCode::NotAllowed);
    assert_eq!(block(&world, &bob, "nobody", true).await, RefusalCode::NotFound);
    assert_eq!(block(&world, &bob, "bob", true).await, RefusalCode::InvalidArgument);
}

#[tokio::test]
async fn a_block_behind_the_back_of_the_cache_is_noticed_by_the_writer() {
    let world = World::new().await;
    let (ann, bob) = (world.phone("ann").await, world.phone("bob").await);
    assert_eq!(send_code(&world, &ann, "bob").await, DONE);
    let (app, one, other) = (ann.caller.app, ann.caller.user, bob.caller.user);
    let session = bob.caller.session;
    // As another process would do it: this logic's cache is not told.
    world.store.set_blocked(app, session, other, one, true).await.unwrap();
    assert_eq!(send_code(&world, &ann, "bob").await, RefusalCode::NotAllowed);
    assert_eq!(world.measures.sends_stale.get(), 1);
    world.store.set_blocked(app, session, other, one, false).await.unwrap();
    assert_eq!(send_code(&world, &ann, "bob").await, DONE);
}
