//! See `agenttrace_fuzz::pieces`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agenttrace_fuzz::pieces(data));
