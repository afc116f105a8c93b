//! libFuzzer's way into `hongyan_fuzz_targets::ticket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hongyan_fuzz_targets::ticket::run(input));
