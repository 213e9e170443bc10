//! What must hold for any bytes: one function a decoder. They panic where it does not.
//!
//! `cargo test` runs them over the seeds and, for two seconds each, over changes of these; for longer, with coverage:
//! `cargo +nightly fuzz run --features libfuzzer pieces fuzz/corpus/pieces fuzz/seeds` (`cargo install cargo-fuzz`).

use agenttrace_core::error::Finding;
use agenttrace_core::expand::{Conversations, FindBase};
use agenttrace_core::line::{self, Line};
use agenttrace_core::reader::{Pass, Scanner};
use agenttrace_core::unpack::{Unpacked, Unpacker};
use agenttrace_core::verify::{Rules, Scope, Status};
use agenttrace_core::{checksum, json};

/// No line or request is longer: what is bounded by it is reached quickly.
const MAX_LINE_BYTES: usize = 4096;

/// A line opens only if its seal fits; what opens is made of its own bytes, and seals again to itself.
pub fn line(data: &[u8]) {
    let Ok(opened) = line::open(data) else { return };
    let body = data.strip_suffix(b"\n").unwrap_or(data);
    assert!(opened.data_bytes().starts_with(b"{") && opened.data_bytes().ends_with(b"}"));
    if let Some(seal) = opened.seal {
        let (covered, _) = body.split_at(body.len() - 21);
        assert_eq!(seal, checksum::crc32c(covered));
        let again = line::seal(&[covered, b"}"].concat()).expect("it was sealed once");
        assert_eq!(again.strip_suffix(b"\n"), Some(body));
    } else {
        json::validate(body, json_depth()).expect("an unsealed line is parsed whole");
    }
}

fn json_depth() -> usize {
    agenttrace_core::event::MAX_DEPTH
}

type Said = (Vec<u8>, Vec<Finding>, Status, u64, u64, u64);

fn said(data: &[u8], rules: Rules, piece: usize, hands_on: bool) -> Said {
    let mut scanner = Scanner::new(rules, Pass::All, MAX_LINE_BYTES);
    let mut out = Vec::new();
    for piece in data.chunks(piece.max(1)) {
        if hands_on {
            scanner.feed(piece, &mut out).expect("there is memory");
        } else {
            scanner.judge_only(piece).expect("there is memory");
        }
    }
    scanner.finish(&mut out).expect("there is memory");
    let findings = scanner.take_findings();
    let judge = scanner.verifier();
    (
        out,
        findings,
        judge.status(),
        judge.events(),
        judge.sealed(),
        scanner.bytes(),
    )
}

/// The pieces that a stream comes in change nothing, nor does whether its lines are handed on; and what is handed on are
/// lines of the stream, each of which opens. The first two bytes choose the size of the pieces and the rules.
pub fn pieces(data: &[u8]) {
    let [size, rule, data @ ..] = data else {
        return;
    };
    let scope = [Scope::Lines, Scope::Trace, Scope::Partial][usize::from(rule % 3)];
    let rules = Rules {
        scope,
        allow_unsealed: rule & 4 != 0,
        deep: rule & 8 != 0,
        max_findings: 50,
    };
    let whole = said(data, rules, data.len(), true);
    assert_eq!(whole, said(data, rules, usize::from(*size), true));
    let judged = said(data, rules, usize::from(*size), false);
    assert_eq!(
        (&whole.1, whole.2, whole.3, whole.4, whole.5),
        (&judged.1, judged.2, judged.3, judged.4, judged.5)
    );
    let is_packed = agenttrace_core::unpack::is_packed(data) == Some(true);
    for line in whole.0.split_inclusive(|byte| *byte == b'\n') {
        line::open(line).expect("a good line opens");
        assert!(is_packed || data.windows(line.len()).any(|window| window == line));
    }
}

/// A zstd stream unpacks to the same in any pieces, frames are told at rising places, and no more comes of a byte than the
/// format allows.
pub fn packed(data: &[u8]) {
    let unpacked = |size: usize| {
        let mut unpacker = Unpacker::new().expect("there is memory");
        let (mut bytes, mut marks) = (Vec::new(), Vec::new());
        let mut take = |part: Unpacked<'_>| match part {
            // A few bytes may unpack to gigabytes: their sum is enough.
            Unpacked::Bytes(more) => bytes.push((more.len(), checksum::crc32c(more))),
            Unpacked::FrameStart(at) => marks.push(Some(at)),
            Unpacked::Damaged => marks.push(None),
        };
        for piece in data.chunks(size.max(1)) {
            unpacker.push(piece, &mut take);
        }
        let is_cut = unpacker.finish(&mut take);
        (bytes, marks, is_cut)
    };
    let whole = unpacked(data.len());
    assert_eq!(whole, unpacked(1 + data.len() % 7));
    let frames: Vec<u64> = whole.1.iter().flatten().copied().collect();
    assert!(frames.iter().all(|at| *at <= data.len() as u64));
}

/// A request that is expanded is a line that opens, of the same event, without `base`; and it fits the limit.
pub fn expand(data: &[u8]) {
    let mut conversations = Conversations::new(FindBase::BySeal, MAX_LINE_BYTES);
    let mut edited = Conversations::new(FindBase::ByNumber, MAX_LINE_BYTES);
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        for conversations in [&mut conversations, &mut edited] {
            let Ok(Some(expanded)) = conversations.expand(line) else {
                continue;
            };
            assert!(expanded.len() <= MAX_LINE_BYTES);
            let was =
                Line::parse(line.strip_suffix(b"\n").unwrap_or(line)).expect("it was expanded");
            let is = line::open(expanded.strip_suffix(b"\n").unwrap_or(&expanded))
                .expect("it is sealed anew");
            assert_eq!(
                (was.seq, was.kind, was.trace_id, was.ts),
                (is.seq, is.kind, is.trace_id, is.ts)
            );
            let members = json::members(is.data_bytes()).expect("its data is JSON");
            // A name that stands twice is not within the format; then the other one stays.
            let bases = json::members(was.data_bytes()).map_or(0, |all| {
                all.iter().filter(|one| one.name == b"base").count()
            });
            assert!(json::find(&members, b"base").is_none() || bases > 1);
        }
    }
}
