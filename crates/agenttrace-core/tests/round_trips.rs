//! Round trips by property, against parsers and checksums that share no code with this crate.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use agenttrace_core::checksum::{crc32c, extend, from_hex, to_hex};
use agenttrace_core::compact::compact;
use agenttrace_core::event::{MAX_LINE_BYTES, format_ts, is_ts};
use agenttrace_core::expand::{Conversations, FindBase};
use agenttrace_core::json::validate;
use agenttrace_core::line;
use agenttrace_core::verify::{Rules, Status};
use agenttrace_core::writer::{Options, Writer};
use common::{all, event, scan, trace_id};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// CRC-32C bit by bit, as RFC 3720 describes it.
fn bitwise_crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| step(crc, byte))
}

/// The checksum agrees with the bitwise one for all lengths up to 9,000 at each place in a line of the cache, whichever of the
/// processor's ways a length is computed by.
#[test]
fn all_ways_to_the_checksum_agree() {
    let bytes: Vec<u8> = (0..9200_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let first = bytes.as_ptr().align_offset(64);
    for start in first..first + 64 {
        let mut crc = !0_u32;
        for len in 0..9000 {
            let piece = &bytes[start..start + len];
            assert_eq!(crc32c(piece), !crc, "{len} bytes from {start}");
            crc = step(crc, bytes[start + len]);
        }
    }
}

/// The bitwise checksum's state after one byte more.
fn step(crc: u32, byte: u8) -> u32 {
    (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
}

/// The check value, continued checksums, their digits.
#[test]
fn the_checksum_is_crc32c() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let bytes: Vec<u8> = (0..9200_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for len in (0..600).chain((600..9000).step_by(530)) {
        let start = len % 17;
        let piece = &bytes[start..start + len];
        assert_eq!(crc32c(piece), bitwise_crc32c(piece), "{len} bytes");
        assert_eq!(extend(crc32c(&piece[..len / 3]), &piece[len / 3..]), crc32c(piece));
    }
    assert_eq!(from_hex(&to_hex(0x0123_abcd)), Some(0x0123_abcd));
    assert_eq!((from_hex(b"0123ABCD"), from_hex(b"0123abc")), (None, None));
}

/// Any JSON, strings of all of Unicode included.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A history of conversations: for each request which messages are kept, and which new ones come.
fn requests() -> impl Strategy<Value = Vec<Value>> {
    let step = (0..3_usize, 0..100_usize, 0..4_usize, 0..500_usize, any::<bool>());
    prop::collection::vec(step, 1..40).prop_map(|steps| {
        let mut messages: Vec<Value> = Vec::new();
        let mut requests = Vec::new();
        for (action, place, count, len, has_tools) in steps {
            match action {
                0 => messages.truncate(place),
                1 if !messages.is_empty() => {
                    let place = place % messages.len();
                    messages[place] = json!({"edited": len});
                }
                _ => {}
            }
            for index in 0..count {
                messages.push(json!({"role": "user", "content": format!("{index}{}", "é\"\n".repeat(len / 3))}));
            }
            let mut request = json!({"model": "m", "messages": messages});
            if has_tools {
                request["tools"] = json!([{"description": "t".repeat(300)}]);
                request["long"] = json!("x".repeat(len));
            }
            requests.push(request);
        }
        requests
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Compact JSON means the same, has no white space outside strings, and is compact already.
    #[test]
    fn compact_json_means_the_same(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let compacted = compact(text.as_bytes(), 126).unwrap();
        prop_assert_eq!(&serde_json::from_slice::<Value>(&compacted).unwrap(), &serde_json::from_str::<Value>(&text).unwrap());
        prop_assert_eq!(compact(&compacted, 126).unwrap(), compacted.clone());
        // serde_json writes the fewest escapes too, DEL and Unicode as themselves.
        prop_assert_eq!(String::from_utf8(compacted).unwrap(), serde_json::to_string(&value).unwrap());
    }

    /// Escaped wholly as `\u`, a text comes out as if it had been written plainly.
    #[test]
    fn escapes_are_undone(text in any::<String>()) {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let compacted = compact(format!("\"{escaped}\"").as_bytes(), 126).unwrap();
        prop_assert_eq!(String::from_utf8(compacted).unwrap(), serde_json::to_string(&text).unwrap());
    }

    /// What is JSON for serde_json is JSON here, and the other way round, however a text is damaged.
    #[test]
    fn the_scanner_agrees_with_another_parser(value in value(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let place = place.index(text.len());
        text[place] = byte;
        // serde_json refuses lone surrogates and numbers out of range, which are grammatical.
        let other = serde_json::from_slice::<&serde_json::value::RawValue>(&text).is_ok();
        prop_assert_eq!(validate(&text, 126).is_ok(), other, "{}", String::from_utf8_lossy(&text));
    }

    /// No bytes at all make anything panic, and none that is no line comes out.
    #[test]
    fn noise_is_never_a_line(noise in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0e-.1 \ntrf\x28\xb5\x2f\xfd"[..]), 0..200)) {
        let verdict = scan(&noise, Rules { deep: true, ..all() }, 7);
        prop_assert!(verdict.lines.is_empty());
        let _ = compact(&noise, 5);
        let _ = line::open(&noise);
        let _ = line::seal(&noise);
    }

    /// What is sealed opens, with the same data.
    #[test]
    fn a_sealed_line_opens(value in value(), seq in 0..1_u64 << 53, ts_ns in any::<u64>()) {
        let ts = format_ts(i128::from(ts_ns));
        prop_assert!(is_ts(&ts));
        let data = serde_json::to_string(&json!({"value": value})).unwrap();
        let ts = String::from_utf8_lossy(&ts);
        let unsealed = format!(
            "{{\"v\":1,\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"ts\":\"{ts}\",\"seq\":{seq},\"kind\":\"log\",\"data\":{data}}}"
        );
        let sealed = line::seal(unsealed.as_bytes()).unwrap();
        let opened = line::open(&sealed).unwrap();
        prop_assert_eq!((opened.seq, opened.data_bytes(), opened.ts), (seq, data.as_bytes(), ts.as_bytes().try_into().unwrap()));
        let plain = line::open(unsealed.as_bytes()).unwrap();
        prop_assert_eq!((plain.seq, plain.data_bytes(), plain.seal), (seq, data.as_bytes(), None));
        prop_assert_eq!(plain.crc(), opened.crc());
        prop_assert!(line::seal(&sealed).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Requests that were shortened are expanded to what they were; the trace is intact, and no longer than in full.
    #[test]
    fn shortened_requests_expand_to_what_they_were(requests in requests()) {
        let mut writer = Writer::new(Vec::new(), trace_id(), Options::default()).unwrap();
        writer.write(&event("trace_start", b"{}")).unwrap();
        for request in &requests {
            let data = serde_json::to_vec(&json!({"provider": "p", "request": request, "stream": true})).unwrap();
            writer.write(&event("llm_request", &data)).unwrap();
        }
        writer.end(b"{}", 1).unwrap();
        let trace = writer.into_file();
        let verdict = scan(&trace, Rules { deep: true, ..all() }, 1000);
        prop_assert_eq!(verdict.status, Status::Intact, "{:?}", verdict.findings);
        let mut conversations = Conversations::new(FindBase::BySeal, MAX_LINE_BYTES);
        let mut expanded = Vec::new();
        for bytes in trace.split_inclusive(|byte| *byte == b'\n') {
            let whole = conversations.expand(bytes).unwrap().unwrap_or_else(|| bytes.to_vec());
            let opened = line::open(&whole).unwrap();
            if opened.kind == b"llm_request" {
                let data: Value = serde_json::from_slice(opened.data_bytes()).unwrap();
                prop_assert!(data.get("base").is_none());
                expanded.push(data["request"].clone());
            }
        }
        prop_assert_eq!(expanded, requests);
    }
}
