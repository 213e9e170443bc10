//! The writer's side: one trace to one descriptor, from any thread.

use std::sync::{Mutex, OnceLock};

use agenttrace_core::compact;
use agenttrace_core::error::{Error, why};
use agenttrace_core::event::{MAX_LINE_BYTES, TraceId};
use agenttrace_core::writer::{self, Flush, NewEvent, Options};
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::convert::{bytes_of, lock, to_py};
use crate::descriptor::Descriptor;
use crate::redactor::Redactor;
use crate::text::Nanoseconds;
use crate::totals;

/// Numbers, seals and writes the lines of one trace to a file descriptor.
#[pyclass(frozen, module = "agenttrace._native")]
pub(crate) struct Writer {
    trace_id: String,
    inner: Mutex<writer::Writer<Descriptor>>,
    kinds: Kinds,
}

/// What the kinds that Python names are in UTF-8. Its stable interface before 3.10 makes an object to tell that; a
/// program names few kinds, by the same objects time and again.
#[derive(Default)]
struct Kinds([OnceLock<(Py<PyString>, String)>; 8]);

impl Kinds {
    fn with<T>(&self, kind: &Bound<'_, PyString>, act: impl FnOnce(&str) -> T) -> PyResult<T> {
        for slot in &self.0 {
            let (known, text) = match slot.get() {
                Some(known) => known,
                None => {
                    let new = (kind.clone().unbind(), kind.to_cow()?.into_owned());
                    slot.get_or_init(|| new)
                }
            };
            if known.is(kind) {
                return Ok(act(text));
            }
        }
        Ok(act(&kind.to_cow()?))
    }
}

#[pymethods]
impl Writer {
    #[new]
    #[pyo3(signature = (fd, trace_id, *, flush="event", compress=false, first_lf=false, max_line_bytes=MAX_LINE_BYTES,
                        redactor=None))]
    fn new(
        fd: i32,
        trace_id: String,
        flush: &str,
        compress: bool,
        first_lf: bool,
        max_line_bytes: usize,
        redactor: Option<&Bound<'_, Redactor>>,
    ) -> PyResult<Self> {
        let flush = match flush {
            "event" => Flush::Event,
            "batch" => Flush::Batch,
            "sync" => Flush::Sync,
            _ => return Err(PyValueError::new_err("flush is \"event\", \"batch\" or \"sync\"")),
        };
        let id = TraceId::new(trace_id.as_bytes()).ok_or_else(|| to_py(Error::Invalid { why: why::BAD_TRACE_ID }))?;
        let file = Descriptor::new(fd).ok_or_else(|| PyOverflowError::new_err("a descriptor is not negative"))?;
        let options = Options { flush, compress, first_lf, max_line_bytes };
        let mut inner = writer::Writer::new(file, id, options).map_err(to_py)?;
        if let Some(redactor) = redactor {
            inner = inner.with_redactor(redactor.get().0.clone());
        }
        Ok(Self { trace_id, inner: Mutex::new(inner), kinds: Kinds::default() })
    }

    /// Writes an event; returns its `seq`.
    #[pyo3(signature = (kind, data, span_id=None, parent_span_id=None, ts_ns=Nanoseconds(0)),
           text_signature = "($self, kind, data, span_id=None, parent_span_id=None, ts_ns=0)")]
    fn write(
        &self,
        py: Python<'_>,
        kind: &str,
        data: &Bound<'_, PyAny>,
        span_id: Option<&str>,
        parent_span_id: Option<&str>,
        ts_ns: Nanoseconds,
    ) -> PyResult<u64> {
        let bytes = bytes_of(data)?;
        let event = NewEvent { kind, data: bytes.as_bytes(), span_id, parent_span_id, ts_ns: ts_ns.0 };
        py.detach(|| lock(&self.inner).write(&event)).map_err(to_py)
    }

    /// As `write`, now; false, and nothing is written, where `data` may hold a null or may nest deeper than `depth`.
    #[pyo3(signature = (kind, data, span_id, parent_span_id, depth))]
    fn write_sure(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyString>,
        data: &Bound<'_, PyBytes>,
        span_id: Option<&str>,
        parent_span_id: Option<&str>,
        depth: usize,
    ) -> PyResult<bool> {
        let data = data.as_bytes();
        if compact::may_surprise(data, depth) {
            return Ok(false);
        }
        self.kinds.with(kind, |kind| {
            let event = NewEvent { kind, data, span_id, parent_span_id, ts_ns: 0 };
            py.detach(|| lock(&self.inner).write(&event)).map_err(to_py)
        })??;
        Ok(true)
    }

    /// Writes `trace_end`: `data` with `events` and `chain` behind its members; flushes.
    #[pyo3(signature = (data, ts_ns=Nanoseconds(0)), text_signature = "($self, data, ts_ns=0)")]
    fn end(&self, py: Python<'_>, data: &Bound<'_, PyAny>, ts_ns: Nanoseconds) -> PyResult<u64> {
        let bytes = bytes_of(data)?;
        let data = bytes.as_bytes();
        py.detach(|| lock(&self.inner).end(data, ts_ns.0)).map_err(to_py)
    }

    /// Hands on to the system what has gathered.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| lock(&self.inner).flush()).map_err(to_py)
    }

    /// What the events so far add up to.
    fn totals<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let totals = py.detach(|| lock(&self.inner).totals().clone());
        totals::to_dict(py, &totals)
    }

    /// How many placeholders were put in.
    #[getter]
    fn redactions(&self, py: Python<'_>) -> u64 {
        py.detach(|| lock(&self.inner).redactions())
    }

    /// The trace.
    #[getter]
    fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// How many events were written.
    #[getter]
    fn events(&self, py: Python<'_>) -> u64 {
        py.detach(|| lock(&self.inner).events())
    }

    /// Whether `trace_end` was written.
    #[getter]
    fn ended(&self, py: Python<'_>) -> bool {
        py.detach(|| lock(&self.inner).has_ended())
    }
}
