//! `targets/xbcrypt.rs` under libFuzzer.

#![no_main]

#[path = "../targets/xbcrypt.rs"]
mod xbcrypt;

libfuzzer_sys::fuzz_target!(|data: &[u8]| xbcrypt::run(data));
