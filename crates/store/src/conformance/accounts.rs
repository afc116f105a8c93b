//! Apps, keys, users.

use hongyan_domain::app::{AppKey, AppSettings, KeyAlgorithm};
use hongyan_domain::session::EndReason;

use super::Fixture;
use super::world::{NOW, World, name};
use crate::{Accounts, Sessions};

/// The same name in two apps is two users; a name is taken once; look-ups make nothing.
pub async fn names_belong_to_one_app<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let store = &world.store;
    assert_eq!(store.create_app(name("app"), AppSettings::default(), NOW).await, Ok(None));
    let settings = AppSettings { recall_seconds_max: 7, ..AppSettings::default() };
    let other = store.create_app(name("Other"), settings.clone(), NOW).await.expect("stored").expect("new");
    assert_eq!(store.app(name("Other")).await, Ok(Some(other.clone())));
    assert_eq!(store.app(name("other")).await, Ok(None), "names are case-sensitive");
    assert_eq!(store.apps().await.expect("read").iter().map(|app| app.id).collect::<Vec<_>>(), [other.id, world.app]);
    assert_eq!(store.set_app_settings(other.id, AppSettings::default()).await, Ok(true));
    assert_eq!(store.app(name("Other")).await.expect("read").expect("there").settings, AppSettings::default());

    let hash = Some("hash".to_owned());
    let li = store.create_user(world.app, name("li"), hash.clone(), NOW).await.expect("stored").expect("new");
    assert_eq!(store.create_user(world.app, name("li"), None, NOW).await, Ok(None));
    let namesake = store.create_user(other.id, name("li"), None, NOW).await.expect("stored").expect("new");
    assert_ne!(li.id, namesake.id);
    assert_eq!(store.user(world.app, name("li")).await, Ok(Some(li.clone())));
    assert_eq!((li.password_hash.clone(), li.disabled, li.created), (hash, false, NOW));
    assert_eq!(store.user(world.app, name("nobody")).await, Ok(None));
    assert_eq!(store.user(world.app, name("nobody")).await, Ok(None), "not made by asking");
    let unknown = hongyan_domain::id::UserId(li.id.0 + (999 << 10));
    let names = store.user_names(vec![li.id, unknown, namesake.id]).await;
    assert_eq!(names, Ok(vec![(li.id, name("li")), (namesake.id, name("li"))]));
    assert_eq!(store.set_password(li.id, "new".to_owned()).await, Ok(true));
    assert_eq!(store.set_password(unknown, "new".to_owned()).await, Ok(false));
    assert_eq!(
        store.user(world.app, name("li")).await.expect("read").expect("there").password_hash.as_deref(),
        Some("new")
    );

    for text in ["a", "b", "c"] {
        store.create_user(world.app, name(text), None, NOW).await.expect("stored").expect("new");
    }
    let page = |after: Option<&str>, limit| {
        let users = store.users(world.app, after.map(name), limit);
        async { users.await.expect("read").into_iter().map(|user| user.name.to_string()).collect::<Vec<_>>() }
    };
    assert_eq!(page(None, 2).await, ["a", "b"]);
    assert_eq!(page(Some("b"), 9).await, ["c", "li"]);
    fixture.close(world.store);
}

/// A key id is used once per app, revoked or not; a revocation keeps its first time.
pub async fn keys_are_kept_when_revoked<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let other = world.store.create_app(name("other"), AppSettings::default(), NOW).await.expect("stored").expect("new");
    let key = AppKey {
        app: world.app,
        key_id: name("key1"),
        algorithm: KeyAlgorithm::Hs256,
        material: vec![1, 2, 3],
        created: NOW,
        revoked: None,
    };
    assert_eq!(world.store.add_key(key.clone()).await, Ok(true));
    assert_eq!(world.store.add_key(AppKey { material: vec![9], ..key.clone() }).await, Ok(false));
    let elsewhere = AppKey { app: other.id, algorithm: KeyAlgorithm::EdDsa, ..key.clone() };
    assert_eq!(world.store.add_key(elsewhere.clone()).await, Ok(true));
    assert_eq!(world.store.keys(world.app).await, Ok(vec![key.clone()]));
    assert_eq!(world.store.keys(other.id).await, Ok(vec![elsewhere]));
    let later = hongyan_domain::time::UnixMillis(NOW.0 + 1);
    assert_eq!(world.store.revoke_key(world.app, name("key1"), NOW).await, Ok(true));
    assert_eq!(world.store.revoke_key(world.app, name("key1"), later).await, Ok(true));
    assert_eq!(world.store.revoke_key(world.app, name("key2"), NOW).await, Ok(false));
    assert_eq!(world.store.keys(world.app).await, Ok(vec![AppKey { revoked: Some(NOW), ..key.clone() }]));
    assert_eq!(world.store.add_key(key).await, Ok(false));
    fixture.close(world.store);
}

/// Who is disabled has no live session any more.
pub async fn disabling_ends_sessions<F: Fixture>(fixture: &F) {
    let world = World::new(fixture).await;
    let a = world.person("a").await;
    assert_eq!(world.store.set_disabled(a.user, true, NOW).await, Ok(true));
    let session = world.store.resume(a.session, 0, 1).await.expect("read").session;
    assert_eq!(session, Some(Err(EndReason::Revoked)));
    assert!(world.store.user(world.app, name("a")).await.expect("read").expect("there").disabled);
    assert_eq!(world.store.set_disabled(a.user, false, NOW).await, Ok(true));
    assert!(matches!(world.store.resume(a.session, 0, 1).await.expect("read").session, Some(Err(_))), "stays dead");
    let unknown = hongyan_domain::id::UserId(a.user.0 + (999 << 10));
    assert_eq!(world.store.set_disabled(unknown, true, NOW).await, Ok(false));
    fixture.close(world.store);
}
