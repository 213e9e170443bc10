//! Several threads say of a file what one says, wherever it is cut into pieces, whatever is wrong with it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use std::io::{self, IoSlice, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agenttrace_core::error::Finding;
use agenttrace_core::parallel::{PassError, ReadAt, Sharing};
use agenttrace_core::reader::{Pass, Scanner};
use agenttrace_core::select::Selection;
use agenttrace_core::verify::{Rules, Status};
use common::harm::{lines_of, long_trace, packed_and_harmed, rules, streams};
use proptest::prelude::*;
use proptest::sample::Index;

/// A file in memory that gives at most `at_once` bytes a call.
struct Memory<'a> {
    bytes: &'a [u8],
    at_once: usize,
}

impl ReadAt for Memory<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len()).min(self.at_once);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// A pipe that takes at most `at_once` bytes a call, and breaks behind `room` bytes.
struct Pipe {
    bytes: Vec<u8>,
    at_once: usize,
    room: usize,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.at_once).min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..count]);
        if count == 0 { Err(io::Error::other("the pipe is broken")) } else { Ok(count) }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.write(&bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Said = (Vec<Finding>, u64, Status, usize, u64, u64, u64);

fn said(mut scanner: Scanner) -> Said {
    scanner.finish(&mut Vec::new()).unwrap();
    let findings = scanner.take_findings();
    let judge = scanner.verifier();
    let counts = (judge.traces(), judge.events(), judge.sealed(), scanner.bytes());
    (findings, judge.findings_total(), judge.status(), counts.0, counts.1, counts.2, counts.3)
}

/// Line by line, as `cat` reads.
fn by_line(stream: &[u8], rules: Rules, max_line_bytes: usize) -> Said {
    let mut scanner = Scanner::new(rules, Pass::All, max_line_bytes);
    scanner.feed(stream, &mut Vec::new()).unwrap();
    said(scanner)
}

/// In pieces, by one thread.
fn pushed(stream: &[u8], rules: Rules, max_line_bytes: usize, piece_bytes: usize) -> Said {
    let mut scanner = Scanner::new(rules, Pass::All, max_line_bytes);
    for piece in stream.chunks(piece_bytes) {
        scanner.judge_only(piece).unwrap();
    }
    said(scanner)
}

/// In place, by several, in several goes; the first bytes are pushed.
fn shared(stream: &[u8], rules: Rules, max_line_bytes: usize, pushed: usize, sharing: Sharing, go: Duration) -> Said {
    let mut scanner = Scanner::new(rules, Pass::All, max_line_bytes);
    let file = Memory { bytes: stream, at_once: 1 + sharing.piece_bytes / 2 };
    let (mut at, end) = (pushed.min(stream.len()), stream.len() as u64);
    scanner.judge_only(&stream[..at]).unwrap();
    while at < stream.len() {
        let count = scanner.judge_file(&file, (at as u64, end), Instant::now() + go, sharing).unwrap();
        if count == 0 {
            break;
        }
        at += usize::try_from(count).unwrap();
    }
    scanner.judge_only(&stream[at..]).unwrap();
    said(scanner)
}

/// What is handed on by one thread, with what it says.
fn passed_by_one(stream: &[u8], rules: Rules, max_line_bytes: usize, pass: Pass) -> (Vec<u8>, u64, Said) {
    let (mut scanner, mut out) = (Scanner::new(rules, pass, max_line_bytes), Vec::new());
    scanner.feed(stream, &mut out).unwrap();
    scanner.finish(&mut out).unwrap();
    (out, scanner.passed(), said(scanner))
}

/// In place, by several; the first bytes are fed.
fn passed_by_several(
    stream: &[u8],
    mut scanner: Scanner,
    fed: usize,
    sharing: Sharing,
    go: Duration,
) -> (Vec<u8>, u64, Said) {
    let file = Memory { bytes: stream, at_once: 1 + sharing.piece_bytes / 2 };
    let (mut at, end) = (fed.min(stream.len()), stream.len() as u64);
    let mut out = Pipe { bytes: Vec::new(), at_once: 1 + sharing.piece_bytes, room: usize::MAX };
    scanner.feed(&stream[..at], &mut out.bytes).unwrap();
    while at < stream.len() {
        let count = scanner.pass_file(&file, (at as u64, end), Instant::now() + go, sharing, &mut out).unwrap();
        if count == 0 {
            break;
        }
        at += usize::try_from(count).unwrap();
    }
    scanner.feed(&stream[at..], &mut out.bytes).unwrap();
    scanner.finish(&mut out.bytes).unwrap();
    (out.bytes, scanner.passed(), said(scanner))
}

fn passes() -> impl Strategy<Value = Pass> {
    let of = |kinds: &[&str]| Selection {
        kinds: Some(kinds.iter().map(|kind| (*kind).to_owned()).collect()),
        ..Selection::default()
    };
    let requests = of(&["llm_request"]);
    let many = of(&["clock", "llm_request", "trace_end"]);
    let text = Selection::default().with_grep("[02468]\"\\}$").unwrap();
    prop_oneof![
        Just(Pass::All),
        Just(Pass::Matching(requests)),
        Just(Pass::Matching(many.clone())),
        Just(Pass::NotMatching(many)),
        Just(Pass::Matching(text.clone())),
        Just(Pass::NotMatching(text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_threads_hand_on_what_one_does(
        stream in streams(),
        packed in prop_oneof![Just(None), Just(Some(100_usize)), Just(Some(5000))],
        flip in any::<Option<(Index, u8)>>(),
        rules in rules(),
        pass in passes(),
        limit in prop_oneof![Just(64 << 20_usize), 100..1200_usize],
        piece_bytes in prop_oneof![1..40_usize, 40..4000_usize],
        beginning in 0..300_usize,
        threads in 1..5_usize,
        in_one_go in any::<bool>(),
    ) {
        let stream = packed_and_harmed(stream, packed, flip);
        let expected = passed_by_one(&stream, rules, limit, pass.clone());
        let sharing = Sharing { threads: threads * 8, piece_bytes };
        let go = Duration::from_millis(if in_one_go { 10_000 } else { 0 });
        let scanner = Scanner::new(rules, pass, limit);
        prop_assert_eq!(&passed_by_several(&stream, scanner, beginning, sharing, go), &expected);
    }

    #[test]
    fn several_threads_say_what_one_says(
        stream in streams(),
        packed in prop_oneof![Just(None), Just(Some(100_usize)), Just(Some(5000))],
        flip in any::<Option<(Index, u8)>>(),
        rules in rules(),
        limit in prop_oneof![Just(64 << 20_usize), 100..1200_usize],
        piece_bytes in prop_oneof![1..40_usize, 40..4000_usize],
        beginning in 0..300_usize,
        threads in 1..5_usize,
        in_one_go in any::<bool>(),
    ) {
        let stream = packed_and_harmed(stream, packed, flip);
        let expected = by_line(&stream, rules, limit);
        prop_assert_eq!(&pushed(&stream, rules, limit, piece_bytes), &expected);
        let sharing = Sharing { threads: threads * 8, piece_bytes };
        let go = Duration::from_millis(if in_one_go { 10_000 } else { 0 });
        prop_assert_eq!(&shared(&stream, rules, limit, beginning, sharing, go), &expected);
    }
}

/// A file that got shorter since it was measured is judged as far as it goes; nothing behind the gap is taken in.
#[test]
fn a_file_that_was_cut_is_judged_as_far_as_it_goes() {
    let trace = long_trace();
    let whole = trace.len() as u64;
    let file = Memory { bytes: &trace[..1000], at_once: usize::MAX };
    let mut scanner = Scanner::new(common::all(), Pass::All, 1 << 20);
    scanner.judge_only(&trace[..10]).unwrap();
    let sharing = Sharing { threads: 16, piece_bytes: 64 };
    let count = scanner.judge_file(&file, (10, whole), Instant::now() + Duration::from_secs(9), sharing).unwrap();
    assert_eq!(count, 990);
    assert_eq!(said(scanner), by_line(&trace[..1000], common::all(), 1 << 20));
}

/// A disk that fails is an error, from whichever thread; no thread hangs.
#[test]
fn a_read_error_is_told() {
    struct Failing<'a>(Memory<'a>, AtomicUsize);
    impl ReadAt for Failing<'_> {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.1.fetch_add(1, Ordering::Relaxed) == 30 {
                return Err(io::Error::other("the disk is broken"));
            }
            self.0.read_at(buffer, offset)
        }
    }
    for packed in [false, true] {
        let mut trace = long_trace();
        if packed {
            trace = trace.chunks(50).flat_map(|piece| zstd::encode_all(piece, 1).unwrap()).collect();
        }
        let file = Failing(Memory { bytes: &trace, at_once: 20 }, AtomicUsize::new(0));
        let mut scanner = Scanner::new(common::all(), Pass::All, 1 << 20);
        scanner.judge_only(&trace[..10]).unwrap();
        let sharing = Sharing { threads: 16, piece_bytes: 64 };
        let end = trace.len() as u64;
        let error = scanner.judge_file(&file, (10, end), Instant::now() + Duration::from_secs(9), sharing).unwrap_err();
        assert_eq!(error.to_string(), "the disk is broken");
    }
}

/// Where the reader is gone nothing more is tried; no thread hangs, and what was written are whole good lines up to there.
#[test]
fn a_write_error_is_told() {
    for packed in [false, true] {
        let trace = long_trace();
        let frames = || trace.chunks(50).flat_map(|piece| zstd::encode_all(piece, 1).unwrap()).collect();
        let stream: Vec<u8> = if packed { frames() } else { trace.clone() };
        for room in [0, 1, 777, 2000] {
            let file = Memory { bytes: &stream, at_once: 100 };
            let mut scanner = Scanner::new(common::all(), Pass::All, 1 << 20);
            let mut out = Pipe { bytes: Vec::new(), at_once: 300, room };
            scanner.judge_only(&stream[..10]).unwrap();
            let (sharing, until) = (Sharing { threads: 16, piece_bytes: 64 }, Instant::now() + Duration::from_secs(9));
            let result = scanner.pass_file(&file, (10, stream.len() as u64), until, sharing, &mut out);
            let Err(PassError::Write(error)) = result else { panic!("{result:?}") };
            assert_eq!(error.to_string(), "the pipe is broken");
            assert_eq!(out.bytes, trace[..room]);
        }
    }
}

/// Of a disk that fails, what was read before is handed on.
#[test]
fn what_was_read_before_an_error_is_handed_on() {
    struct Torn<'a>(Memory<'a>, u64);
    impl ReadAt for Torn<'_> {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let len = usize::try_from(self.1.saturating_sub(offset)).unwrap().min(buffer.len());
            if len == 0 {
                Err(io::Error::other("the disk is broken"))
            } else {
                self.0.read_at(&mut buffer[..len], offset)
            }
        }
    }
    let trace = long_trace();
    let lines = lines_of(&trace);
    for good in [100, 1000, 2000] {
        let file = Torn(Memory { bytes: &trace, at_once: usize::MAX }, good);
        let mut scanner = Scanner::new(common::all(), Pass::All, 1 << 20);
        let mut out = Pipe { bytes: Vec::new(), at_once: 300, room: usize::MAX };
        scanner.judge_only(&trace[..10]).unwrap();
        let (sharing, until) = (Sharing { threads: 16, piece_bytes: 64 }, Instant::now() + Duration::from_secs(9));
        let result = scanner.pass_file(&file, (10, trace.len() as u64), until, sharing, &mut out);
        assert!(matches!(result, Err(PassError::Read(_))), "{result:?}");
        let mut whole = 0;
        let whole = lines
            .iter()
            .map(|line| {
                whole += line.len();
                whole
            })
            .take_while(|end| *end as u64 <= good)
            .last();
        assert_eq!(out.bytes.len(), whole.unwrap_or(0));
    }
}
