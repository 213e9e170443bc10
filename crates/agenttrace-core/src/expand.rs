//! `llm_request` lines made whole again for readers: what `base` left out is put back, and the line sealed anew.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::{Base, Parts, Window};
use crate::conversation::Request;
use crate::error::{Error, why};
use crate::event::{FORMAT_VERSION, TraceId};
use crate::json::{JsonError, Member};
use crate::line::{self, Line, SEAL_LEN};

/// How a base is found again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FindBase {
    /// By its number and its seal.
    #[default]
    BySeal,
    /// By its number alone: for lines that were edited since.
    ByNumber,
}

/// The requests of the traces of a stream, as far back as a base may point.
#[derive(Debug, Default)]
pub struct Conversations {
    windows: HashMap<TraceId, Window<Request>>,
    find_base: FindBase,
    max_line_bytes: usize,
}

impl Conversations {
    /// Knows no request yet; makes no line longer than `max_line_bytes`, the LF included.
    #[must_use]
    pub fn new(find_base: FindBase, max_line_bytes: usize) -> Self {
        Self { windows: HashMap::new(), find_base, max_line_bytes }
    }

    /// The next good line of the stream (in file order, traces may be interleaved), expanded where it is an `llm_request`
    /// with `base`; none where it is whole as it stands.
    ///
    /// # Errors
    /// [`Error::MissingBase`], [`Error::BadBase`], [`Error::TooLong`]; [`Error::Malformed`] where `line` isn't one.
    pub fn expand(&mut self, line: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let body = line.strip_suffix(b"\n").unwrap_or(line);
        let frame = Line::parse(body)?;
        let Some(id) = TraceId::new(frame.trace_id).filter(|_| is_request(&frame)) else { return Ok(None) };
        let window = self.windows.entry(id).or_default();
        let crc = frame.crc();
        let made = make(line, &frame, window, self.find_base, self.max_line_bytes);
        let (request, expanded) = match made {
            Ok((request, expanded)) => (request, Ok(expanded)),
            Err(error) => (None, Err(error)),
        };
        window.push(frame.seq, crc, request);
        expanded
    }
}

fn is_request(frame: &Line<'_>) -> bool {
    frame.kind == b"llm_request" && frame.v == FORMAT_VERSION
}

type Made = (Option<Request>, Option<Vec<u8>>);

/// The expanded request of a line, and the line with it where that is another.
fn make(
    line: &[u8],
    frame: &Line<'_>,
    window: &Window<Request>,
    find_base: FindBase,
    max_line_bytes: usize,
) -> Result<Made, Error> {
    let not_json = |_: JsonError| Error::malformed(why::DATA_NOT_JSON);
    let data = frame.data_bytes();
    let parts = Parts::of(data).map_err(not_json)?;
    let object = parts.request_object();
    let mut request = object.map(|object| Request::of(object.value)).transpose().map_err(not_json)?;
    let bad = || Error::BadBase { seq: frame.seq };
    let Some(base) = parts.base else {
        if let (Some(request), Some(latest)) = (&mut request, latest(window)) {
            request.share(latest);
        }
        return Ok((request, None));
    };
    let (Some(object), Some(mut request)) = (object, request) else { return Err(bad()) };
    let said = Base::parse(base.value).ok_or_else(bad)?;
    let crc = (find_base == FindBase::BySeal).then_some(said.crc);
    let on = window.find(said.seq, crc).and_then(|known| known.request.as_ref());
    let on = on.ok_or(Error::MissingBase { seq: said.seq })?;
    if !request.expand(&said, on) {
        return Err(bad());
    }
    let (gone, tail) = (without_base(data, &base), frame.seal.map_or(1, |_| SEAL_LEN) + 1);
    // Before the text is made: exact for a compact line, with its LF.
    let kept = data.len() - object.value.len() - gone.len();
    let len = frame.data.start + kept + request.len() + tail;
    if len > max_line_bytes {
        return Err(Error::TooLong { why: why::EXPANDED_TOO_LONG, expected: max_line_bytes, got: len });
    }
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(line.get(..frame.data.start).unwrap_or_default());
    push_data(&mut out, data, &request, &object, gone);
    push_end(&mut out, line, frame);
    Ok((Some(request), Some(out)))
}

fn latest(window: &Window<Request>) -> Option<&Request> {
    window.nearest_first().find_map(|known| known.request.as_ref())
}

/// What goes with `base`: the comma before it, or where it is the first member the one behind it.
fn without_base(data: &[u8], base: &Member<'_>) -> Range<usize> {
    let before = data.get(..base.start).unwrap_or_default();
    match before.iter().rposition(|&byte| byte == b',' || byte == b'{') {
        Some(at) if data.get(at) == Some(&b',') => at..base.end,
        _ => {
            let behind = data.get(base.end..).unwrap_or_default();
            let comma = behind.iter().position(|&byte| byte == b',').map_or(0, |at| at + 1);
            base.start..base.end + comma
        }
    }
}

/// `data` with the expanded `request`, without the bytes of `base`.
fn push_data(out: &mut Vec<u8>, data: &[u8], request: &Request, object: &Member<'_>, gone: Range<usize>) {
    let (request_start, request_end) = (object.end - object.value.len(), object.end);
    let piece = |from: usize, to: usize| data.get(from..to).unwrap_or_default();
    if gone.start < object.start {
        out.extend_from_slice(piece(0, gone.start));
        out.extend_from_slice(piece(gone.end, request_start));
        request.write(out);
        out.extend_from_slice(piece(request_end, data.len()));
    } else {
        out.extend_from_slice(piece(0, request_start));
        request.write(out);
        out.extend_from_slice(piece(request_end, gone.start));
        out.extend_from_slice(piece(gone.end, data.len()));
    }
}

/// What is behind the data of `line`: sealed anew if it was sealed, with LF if it had one.
fn push_end(out: &mut Vec<u8>, line: &[u8], frame: &Line<'_>) {
    if frame.seal.is_none() {
        out.extend_from_slice(line.get(frame.data.end..).unwrap_or_default());
        return;
    }
    let crc = crate::checksum::crc32c(out);
    line::push_seal(out, crc);
    if !line.ends_with(b"\n") {
        out.pop();
    }
}
