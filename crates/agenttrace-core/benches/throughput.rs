//! Speed of the judge (GB/s) and of the writer (ns an event). Run: `cargo bench -p agenttrace-core`.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may stop where it fails")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

use agenttrace_core::event::{MAX_LINE_BYTES, TraceId};
use agenttrace_core::output::Tail;
use agenttrace_core::reader::{Pass, Scanner};
use agenttrace_core::verify::{Rules, Scope};
use agenttrace_core::writer::{Flush, NewEvent, Options, Writer};

const TRACE_ID: &[u8] = b"4bf92f3577b34da6a3ce929d0e0e4736";

struct Null(File);

impl Write for Null {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tail for Null {
    fn cut_back(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn event<'a>(kind: &'a str, data: &'a [u8]) -> NewEvent<'a> {
    NewEvent { kind, data, span_id: Some("00f067aa0ba902b7"), ts_ns: 1_763_800_000_123_456_789, ..NewEvent::default() }
}

/// A run as agents have them: `turns` model calls, each with the whole conversation, streamed answers, a tool.
fn trace(turns: usize) -> Vec<u8> {
    let options = Options { flush: Flush::Batch, ..Options::default() };
    let mut writer = Writer::new(Vec::new(), TraceId::new(TRACE_ID).unwrap(), options).unwrap();
    writer.write(&event("trace_start", b"{\"name\":\"bench\"}")).unwrap();
    let mut messages = String::new();
    let words = "The quick brown fox jumps over the lazy dog, and then says \\\"so\\\". ".repeat(12);
    for turn in 0..turns {
        if turn % 100 == 0 {
            messages = "{\"role\":\"system\",\"content\":\"You help.\"}".to_owned();
        }
        messages.push_str(&format!(",{{\"role\":\"user\",\"content\":\"{turn} {words}\"}}"));
        let request = format!("{{\"request\":{{\"model\":\"m\",\"messages\":[{messages}],\"stream\":true}}}}");
        writer.write(&event("llm_request", request.as_bytes())).unwrap();
        for _ in 0..6 {
            let chunk = format!("{{\"text\":\"{}\",\"at_ns\":31000000}}", &words[..640]);
            writer.write(&event("llm_chunk", chunk.as_bytes())).unwrap();
        }
        let answer = format!("{{\"complete\":true,\"text\":\"{words}{words}\",\"usage\":{{\"input_tokens\":70}}}}");
        writer.write(&event("llm_response", answer.as_bytes())).unwrap();
    }
    writer.end(b"{\"status\":\"ok\"}", 0).unwrap();
    writer.into_file()
}

fn best_of<T>(times: usize, mut run: impl FnMut() -> T) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..times {
        let start = Instant::now();
        black_box(run());
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn verify(name: &str, trace: &[u8], rules: Rules, hands_on: bool) {
    let mut out = Vec::new();
    let seconds = best_of(7, || {
        let mut scanner = Scanner::new(rules, Pass::All, MAX_LINE_BYTES);
        for chunk in trace.chunks(1 << 20) {
            if hands_on {
                out.clear();
                scanner.feed(chunk, &mut out).unwrap();
            } else {
                scanner.judge_only(chunk).unwrap();
            }
        }
        scanner.finish(&mut out).unwrap();
        assert_eq!(scanner.verifier().status().as_str(), "intact");
    });
    println!("{name:<34} {:6.2} GB/s", trace.len() as f64 / seconds / 1e9);
}

fn write(name: &str, kind: &str, data: &[u8], options: Options) {
    const COUNT: u32 = 200_000;
    let seconds = best_of(3, || {
        let file = Null(File::options().write(true).open("/dev/null").unwrap());
        let mut writer = Writer::new(file, TraceId::new(TRACE_ID).unwrap(), options).unwrap();
        for _ in 0..COUNT {
            writer.write(&event(kind, data)).unwrap();
        }
        writer.flush().unwrap();
    });
    println!("{name:<34} {:6.0} ns an event", seconds / f64::from(COUNT) * 1e9);
}

fn main() {
    let trace = trace(14_000);
    let lines = trace.iter().filter(|byte| **byte == b'\n').count();
    println!("a trace of {} MB, {lines} lines of {} bytes on average", trace.len() / 1_000_000, trace.len() / lines);
    let rules = |scope| Rules { scope, ..Rules::default() };
    verify("judge lines", &trace, rules(Scope::Lines), false);
    verify("judge trace", &trace, rules(Scope::Trace), false);
    verify("judge trace, deep", &trace, Rules { deep: true, ..rules(Scope::Trace) }, false);
    verify("judge lines and hand on", &trace, rules(Scope::Lines), true);
    let (small, large) =
        (format!("{{\"text\":\"{}\"}}", "x".repeat(130)), format!("{{\"text\":\"{}\"}}", "x".repeat(1030)));
    write("write 300 bytes, /dev/null", "log", small.as_bytes(), Options::default());
    write("write 1200 bytes, /dev/null", "log", large.as_bytes(), Options::default());
    write("write 300 bytes, batch", "log", small.as_bytes(), Options { flush: Flush::Batch, ..Options::default() });
    write("write 300 bytes, zstd", "log", small.as_bytes(), Options { compress: true, ..Options::default() });
}
