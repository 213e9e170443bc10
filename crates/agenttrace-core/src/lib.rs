//! The trace format of AgentTrace: JSON Lines, each line sealed with CRC-32C.
//!
//! Bytes go up from [`checksum`] and [`json`] over [`line`] (one line) and [`scan`] (lines of a stream) to [`verify`] (the
//! judge) and [`reader`] (a stream, packed or not); [`writer`] goes the other way. Nothing here touches a file system.
//!
//! ```
//! use agenttrace_core::event::TraceId;
//! use agenttrace_core::reader::{Pass, Scanner};
//! use agenttrace_core::verify::{Rules, Scope, Status};
//! use agenttrace_core::writer::{NewEvent, Options, Writer};
//! use agenttrace_core::{event, line};
//!
//! // Write a trace: here to a memory, elsewhere to anything that is `Write` and `Tail`.
//! let trace_id = TraceId::new(b"4bf92f3577b34da6a3ce929d0e0e4736").ok_or("no trace id")?;
//! let mut writer = Writer::new(Vec::new(), trace_id, Options::default())?;
//! writer.write(&NewEvent { kind: "trace_start", data: b"{}", ..NewEvent::default() })?;
//! writer.write(&NewEvent { kind: "user_input", data: br#"{"text":"Hello"}"#, ..NewEvent::default() })?;
//! writer.end(br#"{"status":"ok"}"#, 0)?;
//! let mut trace = writer.into_file();
//!
//! // Read it: the good lines come out as they are, whatever the pieces are that go in.
//! let rules = Rules { scope: Scope::Trace, ..Rules::default() };
//! let mut scanner = Scanner::new(rules, Pass::All, event::MAX_LINE_BYTES);
//! let mut lines = Vec::new();
//! for chunk in trace.chunks(100) {
//!     scanner.feed(chunk, &mut lines)?;
//! }
//! scanner.finish(&mut lines)?;
//! assert_eq!(scanner.verifier().status(), Status::Intact);
//! assert_eq!(lines, trace);
//!
//! // Open a line.
//! let second = lines.split_inclusive(|byte| *byte == b'\n').nth(1).ok_or("no second line")?;
//! let opened = line::open(second)?;
//! assert_eq!((opened.seq, opened.kind), (1, b"user_input".as_slice()));
//! assert_eq!(opened.data_bytes(), br#"{"text":"Hello"}"#);
//!
//! // A single flipped bit is found, and told with its place.
//! let place = trace.len() / 2;
//! if let Some(byte) = trace.get_mut(place) {
//!     *byte ^= 1;
//! }
//! let mut scanner = Scanner::new(rules, Pass::All, event::MAX_LINE_BYTES);
//! scanner.judge_only(&trace)?;
//! scanner.finish(&mut lines)?;
//! assert_eq!(scanner.verifier().status(), Status::Corrupt);
//! assert_eq!(scanner.take_findings()[0].line, Some(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod base;
pub mod checksum;
pub mod compact;
pub mod compare;
mod conversation;
pub mod error;
pub mod event;
mod examine;
pub mod expand;
mod finder;
mod head;
pub mod index;
pub mod json;
pub mod line;
mod marks;
mod members;
mod names;
mod needles;
mod order;
pub mod output;
mod pack;
pub mod parallel;
mod parallel_unpack;
mod plain;
pub mod project;
mod quotes;
pub mod reader;
pub mod redact;
mod rule;
pub mod scan;
mod search;
pub mod seek;
pub mod select;
pub mod sign;
pub mod totals;
pub mod unpack;
pub mod verify;
pub mod writer;
