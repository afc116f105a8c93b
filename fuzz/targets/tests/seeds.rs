//! Every target over the inputs in `fuzz/seeds`: those that are made here out of the vectors of the protocol and out of
//! scripts, and those that once found something (`fixed-…`). With `HONGYAN_WRITE_SEEDS=1` the made ones are written first.
//! Looking for new inputs is `make fuzz`.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use hongyan_fuzz_targets::messages::KINDS;
use hongyan_fuzz_targets::{TARGETS, Target};
use serde_json::Value;

/// Inputs of one target: a fuzzer starts from a few good ones.
const SEEDS_MAX: usize = 280;
/// Scripts of turns that are drawn by lot.
const SCRIPTS: u64 = 12;
const SCRIPT_BYTES: usize = 600;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../seeds", target].iter().collect()
}

fn vectors(name: &str) -> Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../proto/vectors", name].iter().collect();
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// SplitMix64: a script is its seed.
fn script(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let word = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (word >> 31)
    };
    (0..SCRIPT_BYTES / 8).flat_map(|_| word().to_be_bytes()).collect()
}

/// The bytes that one end sends in a transcript.
fn said(transcript: &str, from: &str) -> Vec<u8> {
    let transcript = vectors(transcript);
    let steps = transcript["steps"].as_array().unwrap();
    steps.iter().filter(|step| step["from"] == from).flat_map(|step| unhex(&step["frame"])).collect()
}

/// What a target begins with, by name.
fn made(target: &str) -> BTreeMap<String, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    match target {
        "header" => {
            for (kind, limit) in [("valid", 1), ("invalid", 0), ("invalid", 1)] {
                for (number, header) in vectors("frames.json")[kind].as_array().unwrap().iter().enumerate() {
                    seeds.insert(format!("{kind}-{limit}-{number}"), [vec![limit], unhex(&header["hex"])].concat());
                }
            }
        }
        "messages" => {
            for (number, message) in vectors("messages.json")["messages"].as_array().unwrap().iter().enumerate() {
                let name = message["message"].as_str().unwrap();
                let kind = KINDS.iter().position(|kind| kind.name == name).unwrap();
                seeds.insert(format!("{number:02}-{name}"), [vec![kind as u8], unhex(&message["hex"])].concat());
            }
            // Lists of items that are nearly nothing, which once took many times their bytes.
            let kind = |name| KINDS.iter().position(|kind| kind.name == name).unwrap() as u8;
            let users = [vec![kind("ReceiptsRequest")], [0x12, 0].repeat(2_000)].concat();
            seeds.insert("fixed-users".to_owned(), users);
            let numbers = [&[kind("DeleteRequest"), 0x1A, 0xA3, 0x1F, 0x12, 0xA0, 0x1F][..], &[7; 4_000]].concat();
            seeds.insert("fixed-numbers".to_owned(), numbers);
            // Numbers that lie beyond the message which they say they are in.
            let beyond = [&[kind("DeleteRequest"), 0x1A, 3, 0x12, 0xA0, 0x1F][..], &[7; 4_000]].concat();
            seeds.insert("fixed-beyond".to_owned(), beyond);
        }
        "frames" => {
            // After the shape come 32 bytes that say where to cut.
            let shaped = |shape: u8, rest: &[u8]| [&[shape][..], &script(7)[..32], rest].concat();
            for transcript in ["login", "resume"] {
                for (shape, from) in [(0, "client"), (1, "server")] {
                    let said = said(&format!("{transcript}.json"), from);
                    seeds.insert(format!("{transcript}-{from}"), shaped(shape, &said));
                }
            }
            for number in 0..SCRIPTS {
                seeds.insert(format!("session-{number}"), shaped(2 + (number % 2) as u8, &script(number)));
            }
        }
        "handshake" => {
            for number in 0..2 * SCRIPTS {
                let scene = [number as u8 & 1, number as u8 >> 1 & 1];
                seeds.insert(format!("altered-{number}"), [&scene[..], &script(number)[..200]].concat());
            }
            for (transcript, resumes) in [("login.json", 0), ("resume.json", 1)] {
                for (from, server_reads) in [("client", 1), ("server", 0)] {
                    // No bodies; nothing is kept of the own transcript, and this one comes instead.
                    let head = [server_reads, resumes, 0, 1, 0, 0];
                    let seed = [&head[..], &said(transcript, from)].concat();
                    seeds.insert(format!("vector-{resumes}-{from}"), seed);
                }
            }
        }
        _ => {
            for number in 0..SCRIPTS {
                seeds.insert(format!("script-{number}"), script(number));
            }
        }
    }
    seeds
}

fn replay(target: &str) {
    let (_, run): (_, Target) = TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let write = std::env::var_os("HONGYAN_WRITE_SEEDS").is_some();
    for (name, seed) in made(target) {
        let path = folder(target).join(&name);
        if write {
            fs::create_dir_all(folder(target)).unwrap();
            fs::write(&path, &seed).unwrap();
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == seed, "{target}/{name}: HONGYAN_WRITE_SEEDS=1 cargo test -p hongyan-fuzz-targets");
    }
    let mut paths: Vec<_> = fs::read_dir(folder(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() <= SEEDS_MAX, "{} seeds are too many to be read by anybody", paths.len());
    for path in paths {
        let input = fs::read(&path).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| run(&input)));
        assert!(result.is_ok(), "{} does not hold", path.display());
    }
}

macro_rules! replay {
    ($($target:ident)*) => {
        $(#[test] fn $target() { replay(stringify!($target)); })*

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($target)),*]);
        }
    };
}

replay! { client frames gate handshake header messages requests ticket }
