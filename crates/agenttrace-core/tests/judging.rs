//! The judge's rules that the vectors don't reach: order of findings, scopes, `--deep`, limits, bases; and conditions.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use agenttrace_core::error::Error;
use agenttrace_core::event::{MAX_LINE_BYTES, TraceId, format_ts, is_kind, is_ts};
use agenttrace_core::line;
use agenttrace_core::reader::{Pass, Scanner};
use agenttrace_core::select::Selection;
use agenttrace_core::verify::{Rules, Scope, Status};
use common::{all, kinds, scan, small_trace};

/// An unsealed line.
fn plain(v: u64, seq: u64, kind: &str, data: &str) -> String {
    format!(
        "{{\"v\":{v},\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"ts\":\"2026-11-22T06:40:00.123456789Z\",\"seq\":{seq},\"kind\":\"{kind}\",\"data\":{data}}}"
    )
}

fn sealed(v: u64, seq: u64, kind: &str, data: &str) -> Vec<u8> {
    line::seal(plain(v, seq, kind, data).as_bytes()).unwrap()
}

fn found(lines: &[Vec<u8>], rules: Rules) -> Vec<(&'static str, Option<u64>)> {
    let verdict = scan(&lines.concat(), rules, 100);
    let found = kinds(&verdict);
    found.into_iter().filter(|(kind, _)| *kind != "no_end").collect()
}

fn start() -> Vec<u8> {
    sealed(1, 0, "trace_start", "{}")
}

/// Data that isn't JSON is malformed with `deep`, and only then; before the seal is looked at.
#[test]
fn deep_judges_data() {
    for data in ["{\"a\":}", "{} {}", "{\"a\":1},\"x\":{}", "{\"a\":\"\u{1}\"}"] {
        let lines = [start(), sealed(1, 1, "log", data)];
        assert_eq!(found(&lines, all()), []);
        assert_eq!(found(&lines, Rules { deep: true, ..all() }), [("malformed", Some(2))], "{data}");
    }
    let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let deep = Rules { deep: true, ..all() };
    assert_eq!(found(&[start(), sealed(1, 1, "log", &nested(126))], deep), []);
    assert_eq!(found(&[start(), sealed(1, 1, "log", &nested(127))], deep), [("malformed", Some(2))]);
}

/// White space and nothing else may differ in an unsealed line.
#[test]
fn unsealed_lines_are_parsed() {
    let allow = Rules { allow_unsealed: true, ..all() };
    let judged = |line: &str| found(&[start(), format!("{line}\n").into_bytes()], allow);
    let good = plain(1, 1, "log", "{\"a\":[1, 2]}");
    assert_eq!(judged(&good), []);
    assert_eq!(judged(&format!(" {}\t", good.replace(",\"", " ,\t\"").replace("\":", "\" : "))), []);
    for (from, to) in [
        ("\"v\":1", "\"v\":0"),
        ("\"v\":1", "\"v\":1.0"),
        ("\"seq\":1", "\"seq\":01"),
        ("\"seq\":1", "\"seq\":9007199254740992"),
        ("\"kind\":\"log\"", "\"kind\":\"Log\""),
        ("T06", "T24"),
        ("4bf9", "4BF9"),
        ("\"data\":", "\"x\":1,\"data\":"),
        ("\"data\":{\"a\":[1, 2]}", "\"data\":[]"),
        ("[1, 2]}}", "[1, 2]},\"crc32c\":\"12\"}"),
        ("[1, 2]}}", "[1, 2]},\"data\":{}}"),
        ("[1, 2]", "[1, 2,]"),
        ("{\"v\"", "\u{feff}{\"v\""),
    ] {
        assert_eq!(judged(&good.replace(from, to)), [("malformed", Some(2))], "{from} -> {to}");
    }
    assert_eq!(judged(&plain(2, 1, "log", "{}")), [("unsupported_version", Some(2))]);
}

/// One finding a line: the first that holds.
#[test]
fn a_line_gets_its_first_finding() {
    let gap = [start(), format!("{}\n", plain(1, 5, "log", "{}")).into_bytes()];
    assert_eq!(found(&gap, all()), [("unsealed", Some(2))]);
    assert_eq!(found(&gap, Rules { allow_unsealed: true, ..all() }), [("sequence_gap", Some(2))]);
    assert_eq!(found(&[start(), sealed(2, 7, "log", "{}")], all()), [("unsupported_version", Some(2))]);
    assert_eq!(found(&[sealed(1, 3, "log", "{}"), sealed(1, 4, "log", "{}")], all()), [("no_start", Some(1))]);
}

/// The end's counts must be there, of their types, and right.
#[test]
fn the_end_is_compared_with_the_lines() {
    for data in
        ["{}", "{\"events\":1}", "{\"events\":\"1\",\"chain\":\"00000000\"}", "{\"events\":1,\"chain\":\"0000000G\"}"]
    {
        assert_eq!(found(&[start(), sealed(1, 1, "trace_end", data)], all()), [("malformed", Some(2))], "{data}");
    }
    let wrong = [start(), sealed(1, 1, "trace_end", "{\"events\":2,\"chain\":\"00000000\"}")];
    assert_eq!(found(&wrong, all()), [("count_mismatch", Some(2)), ("chain_mismatch", Some(2))]);
    assert_eq!(found(&wrong, Rules { scope: Scope::Partial, ..all() }), []);
}

/// A partial trace may lack lines; it may not repeat or damage them.
#[test]
fn partial_waives_what_a_filter_leaves_out() {
    let partial = Rules { scope: Scope::Partial, ..all() };
    let lines = [sealed(1, 3, "log", "{}"), sealed(1, 7, "log", "{}")];
    assert_eq!(scan(&lines.concat(), partial, 9).status, Status::Intact);
    assert_eq!(scan(b"", partial, 9).status, Status::Intact);
    let repeated = [sealed(1, 7, "log", "{}"), sealed(1, 7, "log", "{}")];
    assert_eq!(found(&repeated, partial), [("sequence_repeat", Some(2))]);
}

/// What is wrong with a base is told from what is missing.
#[test]
fn bases_are_judged() {
    let first = sealed(1, 1, "llm_request", "{\"request\":{\"m\":[1,2],\"t\":{}}}");
    let seal = String::from_utf8_lossy(&first[first.len() - 11..first.len() - 3]).into_owned();
    let judged = |request: &str, base: &str| {
        let data = format!("{{\"request\":{request},\"base\":{}}}", base.replace("SEAL", &seal));
        found(&[start(), first.clone(), sealed(1, 2, "llm_request", &data)], all())
    };
    let bad = [("bad_base", Some(3))];
    assert_eq!(judged("{\"m\":[]}", "{\"seq\":1,\"crc32c\":\"SEAL\",\"same\":[\"t\"],\"prefix\":{\"m\":2}}"), []);
    assert_eq!(judged("{\"m\":[]}", "{\"seq\":1,\"crc32c\":\"SEAL\",\"prefix\":{\"m\":3}}"), bad);
    assert_eq!(judged("{\"m\":{}}", "{\"seq\":1,\"crc32c\":\"SEAL\",\"prefix\":{\"m\":1}}"), bad);
    assert_eq!(judged("{\"t\":1}", "{\"seq\":1,\"crc32c\":\"SEAL\",\"same\":[\"t\"]}"), bad);
    assert_eq!(judged("{}", "{\"seq\":1,\"crc32c\":\"SEAL\",\"same\":[\"x\"]}"), bad);
    assert_eq!(judged("{}", "{\"seq\":\"1\",\"crc32c\":\"SEAL\"}"), bad);
    assert_eq!(judged("[]", "{\"seq\":1,\"crc32c\":\"SEAL\"}"), bad);
    assert_eq!(judged("{}", "{\"seq\":0,\"crc32c\":\"SEAL\"}"), [("missing_base", Some(3))]);
    assert_eq!(judged("{}", "{\"seq\":1,\"crc32c\":\"00000000\"}"), [("missing_base", Some(3))]);
}

/// A line over the limit is dropped as it streams by, and the next one is read.
#[test]
fn a_long_line_is_dropped() {
    let stream = [start(), vec![b'x'; 5000], b"\n".to_vec(), sealed(1, 1, "log", "{}")].concat();
    for chunk in [1, 100, 10_000] {
        let mut scanner = Scanner::new(all(), Pass::All, 400);
        let mut out = Vec::new();
        stream.chunks(chunk).for_each(|piece| scanner.feed(piece, &mut out).unwrap());
        assert_eq!(out.len(), stream.len() - 5001);
        assert_eq!(scanner.take_findings()[0].offset, Some(start().len() as u64));
    }
}

/// Lines after the end, traces that are still open: what `cat -f` waits for.
#[test]
fn a_scanner_knows_when_all_have_ended() {
    let trace = small_trace();
    let mut scanner = Scanner::new(Rules::default(), Pass::All, MAX_LINE_BYTES);
    assert!(!scanner.verifier().have_all_ended());
    scanner.judge_only(&trace[..trace.len() - 1]).unwrap();
    assert!(!scanner.verifier().have_all_ended());
    scanner.judge_only(b"\n").unwrap();
    assert!(scanner.verifier().have_all_ended());
}

/// Opening a line tells damage from forgery-free newer versions.
#[test]
fn opening_says_what_is_wrong() {
    let good = sealed(1, 1, "log", "{}");
    assert!(line::open(&good).is_ok() && line::open(good.strip_suffix(b"\n").unwrap()).is_ok());
    let flipped = String::from_utf8_lossy(&good).replace("\"seq\":1", "\"seq\":3").into_bytes();
    assert!(matches!(line::open(&flipped), Err(Error::Checksum { .. })));
    assert!(matches!(line::open(&sealed(9, 1, "log", "{}")), Err(Error::UnsupportedVersion { got: 9 })));
    for bad in [&b""[..], b"\n", b"{}", b"x\0", b"a\nb\n", b"{\"v\":1}\r\n"] {
        assert!(matches!(line::open(bad), Err(Error::Malformed { .. })), "{}", String::from_utf8_lossy(bad));
    }
}

/// Ids, kinds and times have their exact form.
#[test]
fn values_have_their_form() {
    assert!(TraceId::new(b"00000000000000000000000000000000").is_none());
    assert!(is_kind(b"a_kind_nobody_knows2") && !is_kind(b"_a") && !is_kind(b"2a") && !is_kind(b""));
    assert_eq!(&format_ts(0), b"1970-01-01T00:00:00.000000000Z");
    assert_eq!(&format_ts(951_782_400_000_000_001), b"2000-02-29T00:00:00.000000001Z");
    assert_eq!((&format_ts(i128::MAX), &format_ts(-1)), (b"9999-12-31T23:59:59.999999999Z", &format_ts(0)));
    assert!(!is_ts(b"2026-13-22T06:40:00.123456789Z") && !is_ts(b"2026-12-22T06:40:61.123456789Z"));
}

/// Every condition, on sealed and unsealed lines.
#[test]
fn conditions_select() {
    let line = sealed(1, 1, "log", "{\"text\":\"find me\"}");
    let list = |one: &str| Some(vec!["x".to_owned(), one.to_owned()]);
    let matches = |selection: Selection| selection.matches(&line);
    assert!(matches(Selection::default()));
    assert!(matches(Selection {
        kinds: list("log"),
        trace_ids: list("4bf92f3577b34da6a3ce929d0e0e4736"),
        ..Selection::default()
    }));
    assert!(!matches(Selection { kinds: Some(Vec::new()), ..Selection::default() }));
    assert!(!matches(Selection { span_ids: list("00f067aa0ba902b7"), ..Selection::default() }));
    let at = |ts: &str| Some(ts.to_owned());
    assert!(matches(Selection { since: at("2026-11-22T06:40:00.123456789Z"), ..Selection::default() }));
    assert!(!matches(Selection { until: at("2026-11-22T06:40:00.123456789Z"), ..Selection::default() }));
    assert!(matches(Selection::default().with_grep("find +m[e]\"").unwrap()));
    assert!(!matches(Selection::default().with_grep("FIND").unwrap()));
    assert!(matches!(Selection::default().with_grep("("), Err(Error::Pattern { .. })));
}

/// An error is what FORMAT.md calls one.
#[test]
fn errors_are_recognised() {
    let errors = Selection { errors: true, ..Selection::default() };
    for (kind, data, is_error) in [
        ("error", "{}", true),
        ("log", "{\"is_error\":true}", true),
        ("log", "{\"is_error\":false,\"error\":null}", false),
        ("llm_response", "{\"error\":{\"type\":\"x\"}}", true),
        ("llm_chunk", "{\"http\":{\"status\":404}}", true),
        ("llm_chunk", "{\"http\":{\"status\":200}}", false),
        ("http_response", "{\"status\":500}", true),
        ("log", "{\"status\":500}", false),
        ("process_end", "{\"exit_code\":1}", true),
        ("process_end", "{\"exit_code\":0,\"signal\":null}", false),
        ("trace_end", "{\"signal\":\"SIGTERM\"}", true),
        ("log", "{\"exit_code\":1}", false),
    ] {
        assert_eq!(errors.matches(&sealed(1, 1, kind, data)), is_error, "{kind} {data}");
        assert_eq!(
            errors.matches(plain(1, 1, kind, data).replace(":", ": ").replace("06: 40: 00", "06:40:00").as_bytes()),
            is_error
        );
    }
}
