//! libFuzzer's way into `hongyan_fuzz_targets::requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hongyan_fuzz_targets::requests::run(input));
