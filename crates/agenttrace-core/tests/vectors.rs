//! The committed vectors, which share no code with this crate.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use agenttrace_core::event::MAX_LINE_BYTES;
use agenttrace_core::expand::{Conversations, FindBase};
use agenttrace_core::line;
use agenttrace_core::verify::{Rules, Status};
use common::{all, kinds, scan, vector, vectors};
use serde_json::Value;

/// Every vector gets its status and its findings, in pieces of any size.
#[test]
fn vectors_get_the_expected_verdict() {
    let expected: Value = serde_json::from_slice(&std::fs::read(vectors().join("expected.json")).unwrap()).unwrap();
    for (name, expected) in expected.as_object().unwrap() {
        for chunk in [1, 2, 64, 1000, 1 << 20] {
            let verdict = scan(&vector(name), all(), chunk);
            assert_eq!(verdict.status.as_str(), expected["status"], "{name}");
            for finding in expected["at_least"].as_array().unwrap() {
                let kind = finding[0].as_str().unwrap();
                assert!(kinds(&verdict).contains(&(kind, finding[1].as_u64())), "{name}: {:?}", kinds(&verdict));
            }
        }
    }
}

/// A line without seal is as good as one with, where that is allowed.
#[test]
fn an_unsealed_line_is_intact_where_allowed() {
    let verdict = scan(&vector("unsealed.jsonl"), Rules { allow_unsealed: true, ..all() }, 100);
    assert_eq!(verdict.status, Status::Intact);
}

/// The seventh line comes out whole, with a seal of its own, and every other line as it was.
#[test]
fn the_shortened_request_is_expanded() {
    let expected: Value = serde_json::from_slice(&vector("whole.seq6-expanded.json")).unwrap();
    let mut conversations = Conversations::new(FindBase::BySeal, MAX_LINE_BYTES);
    for (seq, bytes) in vector("whole.jsonl").split_inclusive(|byte| *byte == b'\n').enumerate() {
        let expanded = conversations.expand(bytes).unwrap();
        assert_eq!(expanded.is_some(), seq == 6);
        if let Some(expanded) = expanded {
            let opened = line::open(&expanded).unwrap();
            let data: Value = serde_json::from_slice(opened.data_bytes()).unwrap();
            assert_eq!(data["request"], expected);
            assert!(data.get("base").is_none());
        }
    }
}
