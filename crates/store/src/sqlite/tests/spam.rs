//! What only the embedded store promises of audits and reviews: retention.

use hongyan_domain::spam::SpamSettings;

use super::*;
use crate::Spam;
use crate::spam::{Audit, HeldMessage, HeldPlace, HeldState, HoldOutcome};

#[tokio::test]
async fn retention_removes_old_audits_and_what_waited() {
    let folder = Folder::new();
    let store = folder.open(Arc::new(Deaf));
    let settings =
        AppSettings { spam: SpamSettings { audit_days: 7, ..SpamSettings::default() }, ..AppSettings::default() };
    let pair = Pair::new(&store, settings).await;
    let at = |day: u64| UnixMillis(NOW.0 + day * DAY);
    for day in [0, 5] {
        let audit = Audit {
            app: pair.app,
            user: pair.users[0],
            time: at(day),
            kind: "message".into(),
            action: "review".into(),
            rule: "porn".into(),
            digest: day,
            excerpt: String::new(),
        };
        store.audit(vec![audit; 300]).await.expect("stored");
        let message = HeldMessage {
            app: pair.app,
            sender: pair.users[0],
            place: HeldPlace::Direct(pair.users[1]),
            client_id: ClientId([day as u8; 16]),
            digest: day,
            time: at(day),
            rule: "porn".into(),
            draft: Draft::default(),
        };
        let held = store.hold(pair.sessions[0], message).await;
        assert_eq!(held, Ok(HoldOutcome::Held(HeldState::Waits)));
    }
    let report = store.retention(at(8), RetentionOptions::default()).await.expect("done");
    assert_eq!(report, RetentionReport { spam: 301, ..RetentionReport::default() });
    let left = store.audits(pair.app, 0, 1_000).await.expect("read");
    assert!(left.len() == 300 && left.iter().all(|(_, audit)| audit.time == at(5)));
    let left = store.held(pair.app, 0, 10).await.expect("read");
    assert_eq!(left.iter().map(|(_, message)| message.digest).collect::<Vec<_>>(), [5]);
}
