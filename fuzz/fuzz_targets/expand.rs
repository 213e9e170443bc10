//! See `agenttrace_fuzz::expand`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agenttrace_fuzz::expand(data));
