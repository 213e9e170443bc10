//! Cleans, numbers, seals, writes and adds up the lines of one trace.

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::{memchr3, memrchr};

use crate::base::{Parts, Window};
use crate::checksum::{Chain, crc32c};
use crate::conversation::Request;
use crate::error::{Error, why};
use crate::event::{self, INTEGER_LIMIT, MAX_LINE_BYTES, TraceId};
use crate::head::Head;
use crate::line::{SEAL_LEN, push_seal};
use crate::output::{Output, Tail, Unwritten};
use crate::pack::{Last, Packer};
use crate::redact::Redactor;
use crate::totals::Totals;

/// A batch is written when it would grow beyond this.
const BATCH_BYTES: usize = 64 << 10;
/// ... or when an event comes this long after the last write.
const BATCH_LIMIT: Duration = Duration::from_millis(100);
/// Room that is kept between lines; a longer line's is given back.
const KEPT_BYTES: usize = 1 << 20;

/// When lines reach the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flush {
    /// Each at once.
    #[default]
    Event,
    /// When 64 KiB have gathered, with an event that comes 100 ms after the last write, or on [`Writer::flush`].
    Batch,
    /// Each at once, and on to the disk.
    Sync,
}

/// How a trace is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When lines reach the system.
    pub flush: Flush,
    /// Whether the file is a zstd stream.
    pub compress: bool,
    /// Whether the file ends in a piece of a line, so that LF must come first.
    pub first_lf: bool,
    /// The longest line, its LF included.
    pub max_line_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { flush: Flush::Event, compress: false, first_lf: false, max_line_bytes: MAX_LINE_BYTES }
    }
}

/// What an event says, beside its trace and number.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewEvent<'a> {
    /// What happened: `[a-z][a-z0-9_]*`.
    pub kind: &'a str,
    /// One compact JSON object.
    pub data: &'a [u8],
    /// The piece of work, 16 hex digits.
    pub span_id: Option<&'a str>,
    /// What that is part of.
    pub parent_span_id: Option<&'a str>,
    /// Nanoseconds since 1970 UTC; 0 is now.
    pub ts_ns: i128,
}

/// Writes one trace to `W`, numbered and sealed; what fails is taken back, so that the file holds whole lines only.
pub struct Writer<W> {
    output: Output<W>,
    trace_id: TraceId,
    options: Options,
    chain: Chain,
    has_ended: bool,
    sync_failed: bool,
    /// Lines that count and are not written yet.
    batch: Vec<u8>,
    line: Vec<u8>,
    head: Head,
    requests: Window<Request>,
    flushed: Instant,
    redactor: Option<Arc<Redactor>>,
    redactions: u64,
    totals: Totals,
}

impl<W: Write + Tail> Writer<W> {
    /// A writer of the trace `trace_id`, which must be a fresh one.
    ///
    /// # Errors
    /// [`Error::Io`] where there is no memory to pack with.
    pub fn new(file: W, trace_id: TraceId, options: Options) -> Result<Self, Error> {
        let packer = if options.compress { Some(Packer::new()?) } else { None };
        Ok(Self {
            output: Output::new(file, packer, options.first_lf),
            trace_id,
            options,
            chain: Chain::default(),
            has_ended: false,
            sync_failed: false,
            batch: Vec::new(),
            line: Vec::new(),
            head: Head::new(&trace_id),
            requests: Window::default(),
            flushed: Instant::now(),
            redactor: None,
            redactions: 0,
            totals: Totals::default(),
        })
    }

    /// Has it put placeholders where secrets are, in all data.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Arc<Redactor>) -> Self {
        self.redactor = Some(redactor);
        self
    }

    /// Writes an event; returns its number.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::TooLong`] for what can't be a line, [`Error::Io`] where the system refuses:
    /// then the event does not count, and the next one may succeed.
    pub fn write(&mut self, event: &NewEvent<'_>) -> Result<u64, Error> {
        check(event)?;
        if event.kind == "trace_end" {
            return Err(Error::Invalid { why: why::END_BY_END });
        }
        let seq = self.next_seq()?;
        let (data, redactions) = cleaned(self.redactor.as_deref(), event.data);
        let event = &NewEvent { data: &data, ..*event };
        let mut shortened = None;
        let mut request = None;
        if event.kind == "llm_request" {
            (request, shortened) = self.shorten(event.data);
        }
        let crc = self.build(event, seq, shortened.as_deref().unwrap_or(event.data))?;
        self.put_line()?;
        if event.kind == "llm_request" {
            self.requests.push(seq, crc, request);
        }
        self.chain.push(crc);
        self.redactions += redactions;
        self.totals.count(event.kind, event.data);
        Ok(seq)
    }

    /// Writes `trace_end`: `data` (one compact JSON object) with `events` and `chain` behind its members. Nothing can follow.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn end(&mut self, data: &[u8], ts_ns: i128) -> Result<u64, Error> {
        let (data, redactions) = cleaned(self.redactor.as_deref(), data);
        let data = data.as_ref();
        let event = NewEvent { kind: "trace_end", data, ts_ns, ..NewEvent::default() };
        check(&event)?;
        let seq = self.next_seq()?;
        let inside = data.strip_suffix(b"}").unwrap_or(data);
        let comma = if inside.len() > 1 { "," } else { "" };
        let (events, chain) = (self.chain.events(), self.chain.value());
        let mut whole = inside.to_vec();
        whole.extend_from_slice(format!("{comma}\"events\":{events},\"chain\":\"{chain:08x}\"}}").as_bytes());
        let crc = self.build(&event, seq, &whole)?;
        self.flush_batch()?;
        self.put_now(Last::Yes)?;
        self.chain.push(crc);
        self.redactions += redactions;
        self.has_ended = true;
        Ok(seq)
    }

    /// Hands on to the system what has gathered.
    ///
    /// # Errors
    /// [`Error::Io`]; what could not be written stays gathered.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.flush_batch()
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> &TraceId {
        &self.trace_id
    }

    /// How many events were written.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.chain.events()
    }

    /// What the events so far add up to.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// How many placeholders were put in.
    #[must_use]
    pub fn redactions(&self) -> u64 {
        self.redactions
    }

    /// Whether `trace_end` was written.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Where the lines go.
    #[must_use]
    pub fn file(&self) -> &W {
        self.output.file()
    }

    /// Where the lines went; what has gathered and was not flushed is dropped.
    #[must_use]
    pub fn into_file(self) -> W {
        self.output.into_file()
    }

    fn next_seq(&self) -> Result<u64, Error> {
        match self.chain.events() {
            _ if self.has_ended => Err(Error::Invalid { why: why::ENDED }),
            _ if self.sync_failed => Err(Error::Io(std::io::Error::other(why::SYNC_FAILED))),
            seq if seq >= INTEGER_LIMIT => Err(Error::Invalid { why: why::SEQ_USED_UP }),
            seq => Ok(seq),
        }
    }

    /// The request of an `llm_request`, and its data where that can be shortened.
    fn shorten(&self, data: &[u8]) -> (Option<Request>, Option<Vec<u8>>) {
        // What can't be read as a request with its parts is written as it is, and no base for others.
        let Ok(parts) = Parts::of(data) else { return (None, None) };
        let Some(object) = parts.request_object().filter(|_| parts.base.is_none()) else { return (None, None) };
        let Ok(mut request) = Request::of(object.value) else { return (None, None) };
        if let Some(latest) = self.requests.nearest_first().find_map(|known| known.request.as_ref()) {
            request.share(latest);
        }
        let shortened = request.shorten(&self.requests).map(|mut shortened| {
            let mut out = data.get(..object.end - object.value.len()).unwrap_or_default().to_vec();
            out.append(&mut shortened.request);
            out.extend_from_slice(b",\"base\":");
            out.append(&mut shortened.base);
            out.extend_from_slice(data.get(object.end..).unwrap_or_default());
            out
        });
        (Some(request), shortened)
    }

    /// Makes the line in `self.line`; returns its checksum. With `event.data` instead of `data` it must fit as well:
    /// that is the line expanded.
    fn build(&mut self, event: &NewEvent<'_>, seq: u64, data: &[u8]) -> Result<u32, Error> {
        let line = &mut self.line;
        line.clear();
        let ts_ns = if event.ts_ns == 0 { event::now_ns() } else { event.ts_ns };
        self.head.push(line, ts_ns, seq);
        line.extend_from_slice(b",\"kind\":\"");
        line.extend_from_slice(event.kind.as_bytes());
        line.push(b'"');
        for (name, id) in [(",\"span_id\":\"", event.span_id), (",\"parent_span_id\":\"", event.parent_span_id)] {
            if let Some(id) = id {
                line.extend_from_slice(name.as_bytes());
                line.extend_from_slice(id.as_bytes());
                line.push(b'"');
            }
        }
        line.extend_from_slice(b",\"data\":");
        let (got, expected) =
            (line.len() + data.len().max(event.data.len()) + SEAL_LEN + 1, self.options.max_line_bytes);
        if got > expected {
            return Err(Error::TooLong { why: why::TOO_LONG, expected, got });
        }
        line.extend_from_slice(data);
        let crc = crc32c(line);
        push_seal(line, crc);
        Ok(crc)
    }

    #[inline]
    fn put_line(&mut self) -> Result<(), Error> {
        if self.options.flush != Flush::Batch {
            return self.put_now(Last::No);
        }
        let is_late = self.flushed.elapsed() >= BATCH_LIMIT;
        if is_late || self.batch.len() + self.line.len() > BATCH_BYTES {
            self.flush_batch()?;
        }
        if is_late || self.line.len() >= BATCH_BYTES {
            self.flushed = Instant::now();
            return self.put_now(Last::No);
        }
        self.batch.extend_from_slice(&self.line);
        Ok(())
    }

    #[inline]
    fn put_now(&mut self, last: Last) -> Result<(), Error> {
        let result = self.output.put(&self.line, last).map_err(|Unwritten { error, .. }| Error::Io(error));
        let len = self.line.len();
        if len > KEPT_BYTES {
            self.line = Vec::new();
        }
        result?;
        if self.options.flush == Flush::Sync {
            let synced = self.sync();
            // A line that may never reach the disk must not count; where it can't be taken back it stays, and counts.
            if synced.is_err() && self.output.take_back(len).is_ok() {
                return synced;
            }
        }
        Ok(())
    }

    /// After a failed sync the system has dropped what it could not write, and a second one would wrongly succeed.
    fn sync(&mut self) -> Result<(), Error> {
        self.output.sync().map_err(|error| {
            self.sync_failed = true;
            Error::Io(error)
        })
    }

    fn flush_batch(&mut self) -> Result<(), Error> {
        self.flushed = Instant::now();
        if self.batch.is_empty() {
            return Ok(());
        }
        match self.output.put(&self.batch, Last::No) {
            Ok(()) => {
                self.batch.clear();
                Ok(())
            }
            Err(Unwritten { error, kept_bytes }) => {
                self.batch.drain(..kept_bytes.min(self.batch.len()));
                debug_assert!(memrchr(b'\n', &self.batch).is_none_or(|at| at + 1 == self.batch.len()));
                Err(Error::Io(error))
            }
        }
    }
}

/// The data without secrets, and how many there were.
fn cleaned<'a>(redactor: Option<&Redactor>, data: &'a [u8]) -> (Cow<'a, [u8]>, u64) {
    redactor.map_or((Cow::Borrowed(data), 0), |redactor| {
        let (data, count) = redactor.clean(data);
        (data, count as u64)
    })
}

fn check(event: &NewEvent<'_>) -> Result<(), Error> {
    let refuse = |why| Err(Error::Invalid { why });
    if !event::is_kind(event.kind.as_bytes()) {
        return refuse(why::BAD_KIND);
    }
    for id in [event.span_id, event.parent_span_id].into_iter().flatten() {
        if !<&[u8; 16]>::try_from(id.as_bytes()).is_ok_and(event::is_hex_id) {
            return refuse(why::BAD_SPAN_ID);
        }
    }
    let data = event.data;
    let is_object = data.len() >= 2 && data.starts_with(b"{") && data.ends_with(b"}");
    // A line feed inside would make two lines of it, the others a malformed one.
    if !is_object || memchr3(b'\n', b'\r', 0, data).is_some() {
        return refuse(why::BAD_DATA);
    }
    Ok(())
}
