//! Streams of one or more traces, harmed in every way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop where they fail")]

use agenttrace_core::event::TraceId;
use agenttrace_core::line;
use agenttrace_core::verify::{Rules, Scope};
use agenttrace_core::writer::{Options, Writer};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{TS_NS, small_trace, trace_id, write_events};

pub fn other_trace() -> Vec<u8> {
    let id = TraceId::new(b"0af7651916cd43dd8448eb211c80319c").unwrap();
    let mut writer = Writer::new(Vec::new(), id, Options::default()).unwrap();
    write_events(|event| writer.write(event).unwrap());
    writer.end(b"{\"status\":\"ok\"}", TS_NS).unwrap();
    writer.into_file()
}

pub fn long_trace() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), trace_id(), Options::default()).unwrap();
    for _ in 0..4 {
        write_events(|event| writer.write(event).unwrap());
    }
    writer.end(b"{\"status\":\"ok\"}", TS_NS).unwrap();
    writer.into_file()
}

pub fn lines_of(trace: &[u8]) -> Vec<Vec<u8>> {
    trace.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// What can happen to a stream.
#[derive(Clone, Debug)]
pub enum Harm {
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

pub fn harms() -> impl Strategy<Value = Vec<Harm>> {
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

pub fn edited(line: &[u8], edit: impl Fn(&str) -> String, seals: bool) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(line) else { return line.to_vec() };
    let Some((inside, _)) = text.rsplit_once(",\"crc32c\":\"") else { return line.to_vec() };
    let plain = edit(&format!("{inside}}}"));
    if seals { line::seal(plain.as_bytes()).unwrap() } else { format!("{plain}\n").into_bytes() }
}

pub fn harm(stream: &mut Vec<u8>, harm: &Harm, foreign: &[Vec<u8>]) {
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

pub fn rules() -> impl Strategy<Value = Rules> {
    let scope = prop_oneof![Just(Scope::Trace), Just(Scope::Trace), Just(Scope::Partial), Just(Scope::Lines)];
    (scope, any::<bool>(), any::<bool>(), prop_oneof![Just(100_usize), 0..3_usize])
        .prop_map(|(scope, allow_unsealed, deep, max_findings)| Rules { scope, allow_unsealed, deep, max_findings })
}

/// One or more traces, one after another or in turn, harmed.
pub fn streams() -> impl Strategy<Value = Vec<u8>> {
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

pub fn packed_and_harmed(mut stream: Vec<u8>, frame_bytes: Option<usize>, flip: Option<(Index, u8)>) -> Vec<u8> {
    if let Some(frame_bytes) = frame_bytes {
        let frames = stream.chunks(frame_bytes).map(|piece| zstd::encode_all(piece, 1).unwrap());
        stream = frames.collect::<Vec<_>>().concat();
        if let Some((at, bit)) = flip.filter(|_| !stream.is_empty()) {
            let at = at.index(stream.len());
            stream[at] ^= 1 << (bit % 8);
        }
    }
    stream
}
