//! A writer whose file refuses: short writes, a full disk, interruptions, a failed sync, at every call.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod common;

use std::io::{self, Write};

use agenttrace_core::error::Error;
use agenttrace_core::output::Tail;
use agenttrace_core::verify::Status;
use agenttrace_core::writer::{Flush, Options, Writer};
use common::{all, event, kinds, scan, trace_id, write_events};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Part of the bytes, then nothing more fits until it is tried again.
    Short(usize),
    /// Part of the bytes, and the rest at the next call.
    InPieces(usize),
    Full,
    Interrupted,
}

/// A file whose `at`-th call to write goes wrong.
struct Faulty {
    bytes: Vec<u8>,
    calls: usize,
    at: usize,
    fault: Fault,
    is_pipe: bool,
    sync_fails: bool,
}

fn faulty(at: usize, fault: Fault, is_pipe: bool) -> Faulty {
    Faulty { bytes: Vec::new(), calls: 0, at, fault, is_pipe, sync_fails: false }
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let call = self.calls;
        self.calls += 1;
        let len = match self.fault {
            Fault::Full if call == self.at => return Err(io::ErrorKind::StorageFull.into()),
            Fault::Interrupted if call == self.at => return Err(io::ErrorKind::Interrupted.into()),
            Fault::Short(_) if call == self.at + 1 => return Err(io::ErrorKind::StorageFull.into()),
            Fault::Short(len) | Fault::InPieces(len) if call == self.at => len.min(bytes.len()),
            _ => bytes.len(),
        };
        self.bytes.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tail for Faulty {
    fn cut_back(&mut self, len_bytes: u64) -> io::Result<()> {
        if self.is_pipe {
            return Err(io::ErrorKind::NotSeekable.into());
        }
        self.bytes.truncate(self.bytes.len() - len_bytes as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.sync_fails { Err(io::Error::other("no disk")) } else { Ok(()) }
    }
}

/// Writes the small trace, each event again until it is in; returns the file and how often it was refused.
fn write_stubbornly(file: Faulty, options: Options) -> (Vec<u8>, usize) {
    let mut refused = 0;
    let mut writer = Writer::new(file, trace_id(), options).unwrap();
    write_events(|event| {
        loop {
            let before = writer.events();
            match writer.write(event) {
                Ok(seq) => return seq,
                Err(Error::Io(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            assert_eq!(writer.events(), before, "what failed doesn't count");
        }
    });
    while let Err(error) = writer.end(b"{}", 1) {
        assert!(matches!(error, Error::Io(_)), "{error}");
        refused += 1;
        if writer.has_ended() {
            break;
        }
    }
    (writer.into_file().bytes, refused)
}

const FLUSHES: [Flush; 3] = [Flush::Event, Flush::Batch, Flush::Sync];

/// On a file that can be cut back, nothing is to be seen of a failed write.
#[test]
fn a_failed_write_leaves_no_trace_in_a_file() {
    for flush in FLUSHES {
        for at in 0..8 {
            for fault in [
                Fault::Full,
                Fault::Interrupted,
                Fault::Short(0),
                Fault::Short(1),
                Fault::Short(200),
                Fault::InPieces(50),
            ] {
                let options = Options { flush, ..Options::default() };
                let (bytes, refused) = write_stubbornly(faulty(at, fault, false), options);
                let verdict = scan(&bytes, all(), 100);
                assert_eq!(verdict.status, Status::Intact, "{flush:?} {fault:?} at {at}: {:?}", verdict.findings);
                if matches!(fault, Fault::Interrupted | Fault::InPieces(_)) {
                    assert_eq!(refused, 0, "{fault:?} is no failure");
                }
            }
        }
    }
}

/// On a pipe the torn piece stays, closed by LF: one malformed line, and every event is there.
#[test]
fn a_failed_write_costs_a_pipe_one_malformed_line() {
    for flush in FLUSHES {
        for at in 0..7 {
            for len in [1, 50, 200] {
                let options = Options { flush, ..Options::default() };
                let (bytes, refused) = write_stubbornly(faulty(at, Fault::Short(len), true), options);
                let verdict = scan(&bytes, all(), 100);
                let found = kinds(&verdict);
                assert!(
                    found.len() <= 1 && found.iter().all(|(kind, _)| *kind == "malformed"),
                    "{flush:?} {at}: {found:?}"
                );
                assert!(found.len() <= refused);
                assert_eq!(verdict.lines.iter().filter(|byte| **byte == b'\n').count(), 6);
            }
        }
    }
}

/// In a packed file too nothing is to be seen of a failed write: the frame is closed as far as it is good.
#[test]
fn a_failed_write_leaves_no_trace_in_a_packed_file() {
    for flush in FLUSHES {
        for at in 0..8 {
            for fault in [Fault::Full, Fault::Interrupted, Fault::Short(0), Fault::Short(9), Fault::InPieces(5)] {
                let options = Options { flush, compress: true, ..Options::default() };
                let (bytes, _) = write_stubbornly(faulty(at, fault, false), options);
                let verdict = scan(&bytes, all(), 100);
                assert_eq!(verdict.status, Status::Intact, "{flush:?} {fault:?} at {at}: {:?}", verdict.findings);
                assert_eq!(zstd::decode_all(&bytes[..]).unwrap(), verdict.lines, "zstd reads the same");
            }
        }
    }
}

/// After a failed sync the line doesn't count, and nothing more is written to that file.
#[test]
fn a_failed_sync_is_never_tried_again() {
    let mut file = faulty(usize::MAX, Fault::Full, false);
    file.sync_fails = true;
    let options = Options { flush: Flush::Sync, ..Options::default() };
    let mut writer = Writer::new(file, trace_id(), options).unwrap();
    assert!(matches!(writer.write(&event("trace_start", b"{}")), Err(Error::Io(_))));
    assert!(matches!(writer.write(&event("trace_start", b"{}")), Err(Error::Io(_))));
    assert_eq!((writer.events(), writer.file().calls, writer.file().bytes.len()), (0, 1, 0));
}

/// One write call a line, LF in it.
#[test]
fn a_line_is_one_write() {
    let mut writer = Writer::new(faulty(usize::MAX, Fault::Full, false), trace_id(), Options::default()).unwrap();
    for count in 1..20 {
        writer.write(&event("log", b"{}")).unwrap();
        assert_eq!(writer.file().calls, count);
        assert!(writer.file().bytes.ends_with(b"\"}\n"));
    }
}

/// A torn tail is closed before the first line.
#[test]
fn a_torn_tail_gets_its_lf_first() {
    let mut file = faulty(usize::MAX, Fault::Full, false);
    file.bytes.extend_from_slice(b"{\"v\":1,\"tra");
    let mut writer = Writer::new(file, trace_id(), Options { first_lf: true, ..Options::default() }).unwrap();
    writer.write(&event("trace_start", b"{}")).unwrap();
    writer.end(b"{}", 1).unwrap();
    assert_eq!(kinds(&scan(&writer.into_file().bytes, all(), 10)), [("malformed", Some(1))]);
}

/// What can't be a line is refused, and changes nothing.
#[test]
fn what_is_no_event_is_refused() {
    let options = Options { max_line_bytes: 200, ..Options::default() };
    let mut writer = Writer::new(Vec::new(), trace_id(), options).unwrap();
    for (kind, data) in
        [("Log", "{}"), ("", "{}"), ("1a", "{}"), ("log", "[]"), ("log", "{"), ("log", "{\n}"), ("log", "")]
    {
        assert!(matches!(writer.write(&event(kind, data.as_bytes())), Err(Error::Invalid { .. })), "{kind} {data}");
    }
    let zero = Some("0000000000000000");
    let bad_span = agenttrace_core::writer::NewEvent { span_id: zero, ..event("log", b"{}") };
    assert!(matches!(writer.write(&bad_span), Err(Error::Invalid { .. })));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    assert!(matches!(writer.write(&event("log", long.as_bytes())), Err(Error::TooLong { .. })));
    writer.end(b"{}", 1).unwrap();
    assert!(matches!(writer.write(&event("log", b"{}")), Err(Error::Invalid { .. })));
    assert!(matches!(writer.end(b"{}", 1), Err(Error::Invalid { .. })));
}
