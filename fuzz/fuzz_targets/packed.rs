//! See `agenttrace_fuzz::packed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| agenttrace_fuzz::packed(data));
