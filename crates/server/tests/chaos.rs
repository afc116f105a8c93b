//! The rig of `make chaos`, small: one kill -9 under four talking clients, judged by the checker. All other faults are
//! `make chaos`'s; here it is only shown that the rig works with the server of this tree.

use std::path::PathBuf;

use hongyan_chaos::crowd::Size;
use hongyan_chaos::run::{Options, run};
use hongyan_chaos::scenario::SCENARIOS;
use hongyan_chaos::stage::Cast;

#[test]
fn a_killed_server_loses_nothing_that_its_clients_saw() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        server: PathBuf::from(env!("CARGO_BIN_EXE_hongyan")),
        faults: None,
        parent: folder.path().to_owned(),
        times: Some(1),
        cast: Cast { size: Size { users: 4, second_devices: 0, stores: 2 }, acts_per_second: 60, seed: 1 },
        keep: false,
    };
    let kill = SCENARIOS.iter().find(|scenario| scenario.name == "kill").unwrap();
    let row = run(kill, &options);
    assert_eq!((&row.broken, &row.skipped, row.times), (&None, &None, 1));
    assert!(row.acknowledged > 0 && row.recoveries.len() == 1, "{row:?}");
    assert!(row.is_sound(), "{row:?}");
}
