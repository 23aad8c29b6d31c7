//! `targets/quicklz.rs` under libFuzzer.

#![no_main]

#[path = "../targets/quicklz.rs"]
mod quicklz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| quicklz::run(data));
