//! Several threads say of a file what one says, wherever it is cut into pieces, whatever is wrong with it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agenttrace_core::error::Finding;
use agenttrace_core::event::TraceId;
use agenttrace_core::line;
use agenttrace_core::parallel::{ReadAt, Sharing};
use agenttrace_core::reader::{Pass, Scanner};
use agenttrace_core::verify::{Rules, Scope, Status};
use agenttrace_core::writer::{Options, Writer};
use common::{TS_NS, small_trace, write_events};
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

fn other_trace() -> Vec<u8> {
    let id = TraceId::new(b"0af7651916cd43dd8448eb211c80319c").unwrap();
    let mut writer = Writer::new(Vec::new(), id, Options::default()).unwrap();
    write_events(|event| writer.write(event).unwrap());
    writer.end(b"{\"status\":\"ok\"}", TS_NS).unwrap();
    writer.into_file()
}

fn long_trace() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), common::trace_id(), Options::default()).unwrap();
    for _ in 0..4 {
        write_events(|event| writer.write(event).unwrap());
    }
    writer.end(b"{\"status\":\"ok\"}", TS_NS).unwrap();
    writer.into_file()
}

fn lines_of(trace: &[u8]) -> Vec<Vec<u8>> {
    trace.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// What can happen to a stream.
#[derive(Clone, Debug)]
enum Harm {
    Flip(Index, u8),
    Delete(Index),
    Insert(Index, u8),
    Cut(Index),
    LineGone(Index),
    LineTwice(Index),
    LinesSwapped(Index, Index),
    ForeignLine(Index, Index),
    Unseal(Index),
    Version(Index),
    Renumber(Index, u64),
}

fn harms() -> impl Strategy<Value = Vec<Harm>> {
    let place = any::<Index>;
    let byte = prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), Just(b' '), any::<u8>()];
    let one = prop_oneof![
        (place(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        place().prop_map(Harm::Delete),
        (place(), byte).prop_map(|(at, byte)| Harm::Insert(at, byte)),
        place().prop_map(Harm::Cut),
        place().prop_map(Harm::LineGone),
        place().prop_map(Harm::LineTwice),
        (place(), place()).prop_map(|(one, other)| Harm::LinesSwapped(one, other)),
        (place(), place()).prop_map(|(from, to)| Harm::ForeignLine(from, to)),
        place().prop_map(Harm::Unseal),
        place().prop_map(Harm::Version),
        (place(), 0..30_u64).prop_map(|(at, seq)| Harm::Renumber(at, seq)),
    ];
    prop::collection::vec(one, 0..4)
}

fn edited(line: &[u8], edit: impl Fn(&str) -> String, seals: bool) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(line) else { return line.to_vec() };
    let Some((inside, _)) = text.rsplit_once(",\"crc32c\":\"") else { return line.to_vec() };
    let plain = edit(&format!("{inside}}}"));
    if seals { line::seal(plain.as_bytes()).unwrap() } else { format!("{plain}\n").into_bytes() }
}

fn harm(stream: &mut Vec<u8>, harm: &Harm, foreign: &[Vec<u8>]) {
    let mut lines = lines_of(stream);
    if lines.is_empty() {
        return;
    }
    let (bytes, count) = (stream.len(), lines.len());
    match harm {
        Harm::Flip(at, bit) => stream[at.index(bytes)] ^= 1 << bit,
        Harm::Delete(at) => drop(stream.remove(at.index(bytes))),
        Harm::Insert(at, byte) => stream.insert(at.index(bytes), *byte),
        Harm::Cut(at) => stream.truncate(at.index(bytes)),
        Harm::LineGone(at) => drop(lines.remove(at.index(count))),
        Harm::LineTwice(at) => lines.insert(at.index(count), lines[at.index(count)].clone()),
        Harm::LinesSwapped(one, other) => lines.swap(one.index(count), other.index(count)),
        Harm::ForeignLine(from, to) => lines.insert(to.index(count), foreign[from.index(foreign.len())].clone()),
        Harm::Unseal(at) => lines[at.index(count)] = edited(&lines[at.index(count)], str::to_owned, false),
        Harm::Version(at) => {
            lines[at.index(count)] =
                edited(&lines[at.index(count)], |line| line.replacen("{\"v\":1,", "{\"v\":2,", 1), true);
        }
        Harm::Renumber(at, seq) => {
            let renumber = |line: &str| match (line.find("\"seq\":"), line.find(",\"kind\"")) {
                (Some(from), Some(to)) if from < to => format!("{}\"seq\":{seq}{}", &line[..from], &line[to..]),
                _ => line.to_owned(),
            };
            lines[at.index(count)] = edited(&lines[at.index(count)], renumber, true);
        }
    }
    if !matches!(harm, Harm::Flip(..) | Harm::Delete(_) | Harm::Insert(..) | Harm::Cut(_)) {
        *stream = lines.concat();
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let scope = prop_oneof![Just(Scope::Trace), Just(Scope::Trace), Just(Scope::Partial), Just(Scope::Lines)];
    (scope, any::<bool>(), any::<bool>(), prop_oneof![Just(100_usize), 0..3_usize])
        .prop_map(|(scope, allow_unsealed, deep, max_findings)| Rules { scope, allow_unsealed, deep, max_findings })
}

/// One or more traces, one after another or in turn, harmed.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    (0..4_usize, harms()).prop_map(|(kind, harms)| {
        let (one, foreign) = (long_trace(), other_trace());
        let mut stream = match kind {
            0 => small_trace(),
            1 => one,
            2 => [one, foreign.clone()].concat(),
            _ => {
                let (left, right) = (lines_of(&one), lines_of(&foreign));
                left.chunks(4)
                    .zip(right.chunks(1))
                    .flat_map(|(left, right)| [left.concat(), right.concat()])
                    .flatten()
                    .collect()
            }
        };
        for one in &harms {
            harm(&mut stream, one, &lines_of(&foreign));
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

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
        let mut stream = stream;
        if let Some(frame_bytes) = packed {
            let frames = stream.chunks(frame_bytes).map(|piece| zstd::encode_all(piece, 1).unwrap());
            stream = frames.collect::<Vec<_>>().concat();
            if let Some((at, bit)) = flip.filter(|_| !stream.is_empty()) {
                let at = at.index(stream.len());
                stream[at] ^= 1 << (bit % 8);
            }
        }
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
