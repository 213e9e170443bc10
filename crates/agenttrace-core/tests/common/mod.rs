//! What the tests share: a small trace, a scan, the vectors.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod harm;

use std::path::PathBuf;

use agenttrace_core::error::Finding;
use agenttrace_core::event::{MAX_LINE_BYTES, TraceId};
use agenttrace_core::reader::{Pass, Scanner};
use agenttrace_core::verify::{Rules, Scope, Status};
use agenttrace_core::writer::{NewEvent, Options, Writer};

pub const TS_NS: i128 = 1_763_800_000_123_456_789;

pub fn trace_id() -> TraceId {
    TraceId::new(b"4bf92f3577b34da6a3ce929d0e0e4736").unwrap()
}

pub fn event<'a>(kind: &'a str, data: &'a [u8]) -> NewEvent<'a> {
    NewEvent { kind, data, ts_ns: TS_NS, ..NewEvent::default() }
}

/// A trace of six lines, the last but one with a base.
pub fn small_trace() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), trace_id(), Options::default()).unwrap();
    write_events(|event| writer.write(event).unwrap());
    writer.end(b"{\"status\":\"ok\"}", TS_NS).unwrap();
    writer.into_file()
}

pub fn write_events(mut write: impl FnMut(&NewEvent<'_>) -> u64) {
    let tools = format!("\"tools\":[\"{}\"]", "t".repeat(260));
    let first = format!("{{\"request\":{{\"messages\":[1,2],{tools}}}}}");
    let second = format!("{{\"request\":{{\"messages\":[1,2,3],{tools}}},\"stream\":true}}");
    write(&event("trace_start", b"{\"name\":\"small\"}"));
    write(&event("user_input", "{\"text\":\"Zürich \\\",\\\"crc32c\\\":\\\"00000000\\\"}\"}".as_bytes()));
    write(&NewEvent { span_id: Some("00f067aa0ba902b7"), ..event("llm_request", first.as_bytes()) });
    write(&event("clock", b"{}"));
    write(&event("llm_request", second.as_bytes()));
}

pub struct Verdict {
    pub lines: Vec<u8>,
    pub findings: Vec<Finding>,
    pub status: Status,
}

pub fn scan(stream: &[u8], rules: Rules, chunk: usize) -> Verdict {
    let mut scanner = Scanner::new(rules, Pass::All, MAX_LINE_BYTES);
    let mut lines = Vec::new();
    for piece in stream.chunks(chunk) {
        scanner.feed(piece, &mut lines).unwrap();
    }
    scanner.finish(&mut lines).unwrap();
    let findings = scanner.take_findings();
    Verdict { lines, findings, status: scanner.verifier().status() }
}

pub fn all() -> Rules {
    Rules { scope: Scope::Trace, ..Rules::default() }
}

pub fn kinds(verdict: &Verdict) -> Vec<(&'static str, Option<u64>)> {
    verdict.findings.iter().map(|finding| (finding.kind.as_str(), finding.line)).collect()
}

pub fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors")
}

pub fn vector(name: &str) -> Vec<u8> {
    std::fs::read(vectors().join(name)).unwrap()
}
