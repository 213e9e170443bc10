//! See `agenttrace_fuzz::line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agenttrace_fuzz::line(data));
