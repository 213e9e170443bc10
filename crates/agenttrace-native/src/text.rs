//! The functions on single lines and texts.

use agenttrace_core::{checksum, compact, event, line};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};

use crate::convert::{bytes_of, to_py};

/// CRC-32C (Castagnoli, RFC 3720) of `data`, going on from `value`. b"123456789" -> 0xe3069283.
#[pyfunction]
#[pyo3(signature = (data, value = 0))]
pub(crate) fn crc32c(py: Python<'_>, data: &Bound<'_, PyAny>, value: u32) -> PyResult<u32> {
    let data = bytes_of(data)?;
    let data = data.as_bytes();
    // Letting go of the lock costs more than a short checksum.
    if data.len() < 64 << 10 {
        return Ok(checksum::extend(value, data));
    }
    Ok(py.detach(|| checksum::extend(value, data)))
}

/// `text`, one JSON value, spelled as a line holds it. ValueError for what is not JSON or barred by the format.
#[pyfunction]
#[pyo3(signature = (text, max_depth = 126))]
pub(crate) fn compact_json<'py>(
    py: Python<'py>,
    text: &Bound<'py, PyAny>,
    max_depth: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let text = bytes_of(text)?;
    let compact = compact::compact(text.as_bytes(), max_depth).map_err(|error| to_py(error.into()))?;
    Ok(PyBytes::new(py, &compact))
}

/// Whether `text`, JSON, may hold a null or may nest deeper than `depth`.
#[pyfunction]
pub(crate) fn may_surprise(text: &Bound<'_, PyBytes>, depth: usize) -> bool {
    compact::may_surprise(text.as_bytes(), depth)
}

/// An unsealed line in compact form -> the sealed line with its LF.
#[pyfunction]
pub(crate) fn seal<'py>(py: Python<'py>, line: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let line = bytes_of(line)?;
    let sealed = line::seal(line.as_bytes()).map_err(to_py)?;
    Ok(PyBytes::new(py, &sealed))
}

/// A line's beginning and its data, `text[start..end]` -> the sealed line with its LF.
#[pyfunction]
pub(crate) fn seal_event<'py>(
    py: Python<'py>,
    head: &Bound<'py, PyBytes>,
    text: &Bound<'py, PyBytes>,
    start: usize,
    end: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let (head, text) = (head.as_bytes(), text.as_bytes());
    let data = text.get(start..end.min(text.len())).unwrap_or_default();
    let sealed = py.detach(|| line::seal_event(head, data));
    Ok(PyBytes::new(py, &sealed))
}

type Opened = (u64, String, String, u64, String, Option<String>, Option<String>, usize, usize, Option<String>);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One line -> (v, trace_id, ts, seq, kind, span_id, parent_span_id, data_start, data_end, crc32c).
#[pyfunction]
pub(crate) fn open_line(line: &Bound<'_, PyAny>) -> PyResult<Opened> {
    let bytes = bytes_of(line)?;
    let line = line::open(bytes.as_bytes()).map_err(to_py)?;
    Ok((
        line.v,
        text(line.trace_id),
        text(line.ts),
        line.seq,
        text(line.kind),
        line.span_id.map(|id| text(id)),
        line.parent_span_id.map(|id| text(id)),
        line.data.start,
        line.data.end,
        line.seal.map(|seal| text(&checksum::to_hex(seal))),
    ))
}

/// An integer of any size as nanoseconds, clamped to what any clock can mean.
pub(crate) struct Nanoseconds(pub(crate) i128);

impl FromPyObject<'_, '_> for Nanoseconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let value = object.cast::<PyInt>()?;
        Ok(Self(match value.extract::<i64>() {
            Ok(value) => i128::from(value),
            Err(_) if value.lt(0)? => i128::MIN,
            Err(_) => value.extract::<u128>().map_or(i128::MAX, |value| i128::try_from(value).unwrap_or(i128::MAX)),
        }))
    }
}

/// Nanoseconds since 1970 UTC -> RFC 3339 with nine fraction digits; years 1970 to 9999, clamped.
#[pyfunction]
pub(crate) fn format_ts(ts_ns: Nanoseconds) -> String {
    text(&event::format_ts(ts_ns.0))
}
