//! `targets/tar.rs` under libFuzzer.

#![no_main]

#[path = "../targets/tar.rs"]
mod tar;

libfuzzer_sys::fuzz_target!(|data: &[u8]| tar::run(data));
