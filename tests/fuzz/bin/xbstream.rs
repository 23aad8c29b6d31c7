//! `targets/xbstream.rs` under libFuzzer.

#![no_main]

#[path = "../targets/xbstream.rs"]
mod xbstream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| xbstream::run(data));
