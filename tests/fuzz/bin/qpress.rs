//! `targets/qpress.rs` under libFuzzer.

#![no_main]

#[path = "../targets/qpress.rs"]
mod qpress;

libfuzzer_sys::fuzz_target!(|data: &[u8]| qpress::run(data));
