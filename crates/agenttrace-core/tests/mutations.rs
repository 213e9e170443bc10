//! A small trace, damaged in every way there is: never a panic, never a wrong event, always found.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use agenttrace_core::verify::{Rules, Status};
use common::{all, kinds, scan, small_trace};

fn lines(trace: &[u8]) -> Vec<&[u8]> {
    trace.split_inclusive(|byte| *byte == b'\n').collect()
}

/// What came out of `damaged` is lines of `trace` and nothing else, and something was found.
fn assert_found(trace: &[u8], damaged: &[u8], chunk: usize, what: &str) {
    let verdict = scan(damaged, all(), chunk);
    assert_ne!(verdict.status, Status::Intact, "{what}");
    assert!(!verdict.findings.is_empty(), "{what}");
    let good = lines(trace);
    for line in lines(&verdict.lines) {
        assert!(good.contains(&line), "{what}: {}", String::from_utf8_lossy(line));
    }
}

/// Every single flipped bit is found.
#[test]
fn every_flipped_bit_is_found() {
    let trace = small_trace();
    assert_eq!(scan(&trace, Rules { deep: true, ..all() }, 7).status, Status::Intact);
    for place in 0..trace.len() {
        for bit in 0..8 {
            let mut damaged = trace.clone();
            damaged[place] ^= 1 << bit;
            assert_found(&trace, &damaged, 1 + (place * 8 + bit) % 400, &format!("bit {bit} of byte {place}"));
        }
    }
}

/// Every single missing, doubled or foreign byte is found.
#[test]
fn every_byte_deleted_or_inserted_is_found() {
    let trace = small_trace();
    for place in 0..trace.len() {
        let mut damaged = trace.clone();
        let gone = damaged.remove(place);
        assert_found(&trace, &damaged, 97, &format!("byte {place} gone"));
        for byte in [b' ', b'\n', b'\r', 0, gone] {
            let mut damaged = trace.clone();
            damaged.insert(place, byte);
            assert_found(&trace, &damaged, 97, &format!("byte {byte} before {place}"));
        }
    }
}

/// Cut at any length, exactly the whole lines come out, and the trace is incomplete.
#[test]
fn every_cut_leaves_the_longest_whole_prefix() {
    let trace = small_trace();
    for len in 0..trace.len() {
        let whole = trace[..len].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for chunk in [1, 13, 4096] {
            let verdict = scan(&trace[..len], all(), chunk);
            assert_eq!(verdict.lines, trace[..whole], "cut at {len}");
            assert_eq!(verdict.status, Status::Incomplete, "cut at {len}");
        }
    }
}

/// Any part of the file that reads as zeros is found, and what is whole beside it comes out.
#[test]
fn every_run_of_zeros_is_found() {
    let trace = small_trace();
    for start in (0..trace.len()).step_by(3) {
        for len in [1, 64, 512] {
            let mut damaged = trace.clone();
            damaged.iter_mut().skip(start).take(len).for_each(|byte| *byte = 0);
            assert_found(&trace, &damaged, 100, &format!("{len} zeros at {start}"));
        }
    }
}

/// Any two lines welded at any place are found.
#[test]
fn every_weld_is_found() {
    let trace = small_trace();
    let lines = lines(&trace);
    for index in 0..lines.len() - 1 {
        for cut in 0..lines[index].len() {
            let mut damaged = lines[..index].concat();
            damaged.extend_from_slice(&lines[index][..cut]);
            damaged.extend_from_slice(&lines[index + 1..].concat());
            assert_found(&trace, &damaged, 200, &format!("line {index} cut at {cut}"));
        }
    }
}

/// Lines that are lost, doubled or exchanged are found, though each one's seal fits.
#[test]
fn lost_doubled_and_exchanged_lines_are_found() {
    let trace = small_trace();
    let lines = lines(&trace);
    for index in 0..lines.len() {
        let without = [&lines[..index], &lines[index + 1..]].concat().concat();
        assert_found(&trace, &without, 50, &format!("without {index}"));
        let doubled = [&lines[..=index], &lines[index..]].concat().concat();
        assert_found(&trace, &doubled, 50, &format!("{index} twice"));
        for other in index + 1..lines.len() {
            let mut exchanged = lines.clone();
            exchanged.swap(index, other);
            assert_found(&trace, &exchanged.concat(), 50, &format!("{index} and {other}"));
        }
    }
}

/// The size of the pieces that a stream comes in changes nothing.
#[test]
fn chunks_change_nothing() {
    let mut stream = small_trace();
    stream[300] ^= 1;
    stream.extend_from_slice(b"\nx\r\n\0\n{\"v\":1}\n{\"v\"");
    let whole = scan(&stream, all(), stream.len());
    for chunk in 1..stream.len() {
        let pieces = scan(&stream, all(), chunk);
        assert_eq!((&pieces.lines, &pieces.findings), (&whole.lines, &whole.findings), "{chunk}");
    }
}

/// The number of findings that are kept is limited, not the number that is counted.
#[test]
fn findings_are_counted_beyond_the_limit() {
    let verdict = scan(&b"x\n".repeat(50), Rules { max_findings: 3, ..all() }, 10);
    assert_eq!(kinds(&verdict), [("malformed", Some(1)), ("malformed", Some(2)), ("malformed", Some(3))]);
}
