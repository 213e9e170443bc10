//! .jsonl.zst: every flipped bit and every cut is found, and costs a frame.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use agenttrace_core::verify::Status;
use common::{all, kinds, scan, small_trace};
use zstd::zstd_safe::CParameter;

/// One frame with a content checksum.
fn frame(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

fn skippable(len: u8) -> Vec<u8> {
    let mut frame = vec![0x53, 0x2a, 0x4d, 0x18, len, 0, 0, 0];
    frame.resize(8 + usize::from(len), 0x28);
    frame
}

/// Joined and skippable frames are one stream, in pieces of any size.
#[test]
fn joined_and_skippable_frames_are_one_stream() {
    let trace = small_trace();
    let (head, tail) = trace.split_at(500);
    let packed = [skippable(3), frame(head), frame(b""), skippable(0), frame(tail), skippable(40)].concat();
    for chunk in [1, 2, 3, 5, 100, 1 << 20] {
        let verdict = scan(&packed, all(), chunk);
        assert_eq!((verdict.status, &verdict.lines), (Status::Intact, &trace), "{:?}", verdict.findings);
    }
}

/// Every flipped bit is found, or changes not a byte of what comes out (a bit of the header that means nothing);
/// never does a wrong line come out.
#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let trace = small_trace();
    let good: Vec<_> = trace.split_inclusive(|byte| *byte == b'\n').collect();
    let packed = frame(&trace);
    for place in 0..packed.len() {
        for bit in 0..8 {
            let mut damaged = packed.clone();
            damaged[place] ^= 1 << bit;
            let verdict = scan(&damaged, all(), 50);
            assert!(verdict.status != Status::Intact || verdict.lines == trace, "bit {bit} of byte {place}");
            for line in verdict.lines.split_inclusive(|byte| *byte == b'\n') {
                assert!(good.contains(&line), "bit {bit} of byte {place}");
            }
        }
    }
}

/// Cut at any length, the stream is incomplete, and what comes out is a beginning of the trace.
#[test]
fn every_cut_is_incomplete() {
    let trace = small_trace();
    let packed = [frame(&trace[..700]), frame(&trace[700..])].concat();
    for len in 0..packed.len() {
        let verdict = scan(&packed[..len], all(), 64);
        assert_eq!(verdict.status, Status::Incomplete, "cut at {len}: {:?}", verdict.findings);
        assert!(trace.starts_with(&verdict.lines));
    }
}

/// A damaged frame costs itself: the frames beside it are read, wherever it was hit.
#[test]
fn damage_costs_a_frame() {
    let trace = small_trace();
    let lines: Vec<_> = trace.split_inclusive(|byte| *byte == b'\n').collect();
    let frames: Vec<_> = lines.chunks(2).map(|lines| frame(&lines.concat())).collect();
    let last = lines[4..].concat();
    for place in 0..frames[1].len() {
        let mut damaged = frames.clone();
        damaged[1][place] ^= 0x55;
        let verdict = scan(&damaged.concat(), all(), 33);
        assert!(verdict.lines.starts_with(&lines[..2].concat()), "byte {place}");
        assert!(verdict.lines.ends_with(&last), "byte {place}: {:?}", kinds(&verdict));
        // Another window size in the header is no damage to what comes out.
        let is_told = kinds(&verdict).iter().any(|(kind, _)| *kind == "damaged_frame");
        assert!(is_told || verdict.lines == trace, "byte {place}: {:?}", kinds(&verdict));
    }
}

/// A frame of several blocks, as a writer leaves it that flushes each line, with its end.
fn flushed(lines: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.set_parameter(CParameter::ChecksumFlag(true)).unwrap();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        std::io::Write::write_all(&mut encoder, line).unwrap();
        std::io::Write::flush(&mut encoder).unwrap();
    }
    encoder.finish().unwrap()
}

/// A frame whose end is missing, wherever it was cut (between two blocks too), and another behind it: the second is read,
/// and of the first the whole lines that were flushed.
#[test]
fn a_cut_frame_in_the_middle_costs_itself() {
    let trace = small_trace();
    let lines: Vec<_> = trace.split_inclusive(|byte| *byte == b'\n').collect();
    let (head, tail) = (lines[..4].concat(), lines[4..].concat());
    for first in [frame(&head), flushed(&head)] {
        for len in 4..first.len() {
            for chunk in [1, 500] {
                let verdict = scan(&[&first[..len], &frame(&tail)].concat(), all(), chunk);
                assert!(verdict.lines.ends_with(&tail), "cut at {len}: {:?}", kinds(&verdict));
                assert!(head.starts_with(&verdict.lines[..verdict.lines.len() - tail.len()]), "cut at {len}");
                assert_eq!(verdict.status, Status::Corrupt);
            }
        }
    }
}

/// A window beyond 128 MiB is refused before memory is taken for it.
#[test]
fn a_huge_window_is_refused() {
    // Magic, a descriptor without single segment, a window of 2^41 bytes, one empty last block.
    let packed = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0];
    assert_eq!(kinds(&scan(&packed, all(), 100))[0].0, "damaged_frame");
}
