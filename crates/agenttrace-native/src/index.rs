//! `Index` for Python.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use agenttrace_core::event::TraceId;
use agenttrace_core::index;
use agenttrace_core::seek::Wanted;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Where the good lines of a stream are, and what they are; filled by the Scanner that it is given to.
#[pyclass(frozen, module = "agenttrace._native")]
pub(crate) struct Index {
    pub(crate) inner: Arc<RwLock<index::Index>>,
}

impl Index {
    fn read(&self) -> RwLockReadGuard<'_, index::Index> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Others run meanwhile: a search may take milliseconds.
    fn with<T: Send>(&self, py: Python<'_>, ask: impl FnOnce(&index::Index) -> T + Send) -> T {
        py.detach(|| ask(&self.read()))
    }
}

fn no_row() -> PyErr {
    PyIndexError::new_err("no such row")
}

fn trace_of(id: Option<&str>) -> PyResult<Option<TraceId>> {
    let one = |id: &str| TraceId::new(id.as_bytes()).ok_or_else(|| PyValueError::new_err("no trace id"));
    id.map(one).transpose()
}

fn span_of(id: &str) -> PyResult<u64> {
    let number = u64::from_str_radix(id, 16).ok().filter(|_| id.len() == 16);
    number.ok_or_else(|| PyValueError::new_err("no span id"))
}

type Spans<'py> = (Vec<String>, Vec<Bound<'py, PyBytes>>);

#[pymethods]
impl Index {
    #[new]
    #[pyo3(signature = (*, spooled=false))]
    fn new(spooled: bool) -> Self {
        Self { inner: Arc::new(RwLock::new(index::Index::new(spooled))) }
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.with(py, index::Index::len)
    }

    /// (offset, length) of a row's line.
    fn place(&self, py: Python<'_>, row: usize) -> PyResult<(u64, u64)> {
        self.with(py, |index| index.place(row)).ok_or_else(no_row)
    }

    /// (offset, bytes, rows) of the rows from `first` on that stand end to end.
    fn stretch(&self, py: Python<'_>, first: usize, limit_bytes: u64) -> PyResult<(u64, u64, usize)> {
        self.with(py, |index| index.stretch(first, limit_bytes)).ok_or_else(no_row)
    }

    /// (trace_id, seq, kind, span_id) of a row.
    fn row(&self, py: Python<'_>, row: usize) -> PyResult<(String, u64, String, Option<String>)> {
        let told = self.with(py, |index| {
            let found = index.row(row)?;
            let span = (found.span != 0).then(|| format!("{:016x}", found.span));
            let kind = String::from_utf8_lossy(found.kind).into_owned();
            Some((found.trace_id.as_str().to_owned(), found.seq, kind, span))
        });
        told.ok_or_else(no_row)
    }

    /// The row's span, by its place in `spans()`.
    fn span_of(&self, py: Python<'_>, row: usize) -> PyResult<u32> {
        self.with(py, |index| index.spans_of_rows().get(row).copied()).ok_or_else(no_row)
    }

    /// The first row with this number.
    #[pyo3(signature = (seq, trace_id=None))]
    fn row_of(&self, py: Python<'_>, seq: u64, trace_id: Option<&str>) -> PyResult<Option<usize>> {
        let trace = trace_of(trace_id)?;
        Ok(self.with(py, |index| index.row_of(seq, trace.as_ref())))
    }

    /// The nearest row from `start` on (`step` 1) or before it (-1) with what is wanted.
    #[pyo3(signature = (start, step=1, *, kinds=None, trace_id=None, span_id=None, errors=false))]
    #[allow(clippy::too_many_arguments, reason = "most go by name in Python")]
    fn find(
        &self,
        py: Python<'_>,
        start: usize,
        step: i32,
        kinds: Option<Vec<String>>,
        trace_id: Option<&str>,
        span_id: Option<&str>,
        errors: bool,
    ) -> PyResult<Option<usize>> {
        let wanted = Wanted { kinds, trace_id: trace_of(trace_id)?, span: span_id.map(span_of).transpose()?, errors };
        Ok(self.with(py, |index| index.find(start, step < 0, &wanted)))
    }

    /// How many rows are errors.
    #[getter]
    fn errors(&self, py: Python<'_>) -> usize {
        self.with(py, |index| index.errors().len())
    }

    /// The spans, as arrays.
    fn spans<'py>(&self, py: Python<'py>) -> Spans<'py> {
        let (traces, arrays) = self.with(py, |index| {
            let spans = || index.spans().iter();
            let arrays = [
                spans().flat_map(|span| span.trace.to_ne_bytes()).collect::<Vec<u8>>(),
                spans().flat_map(|span| span.id.to_ne_bytes()).collect(),
                spans().flat_map(|span| span.parent.to_ne_bytes()).collect(),
                spans().flat_map(|span| span.title_row.to_ne_bytes()).collect(),
                spans().flat_map(|span| span.first_ns.to_ne_bytes()).collect(),
                spans().flat_map(|span| span.last_ns.to_ne_bytes()).collect(),
            ];
            (index.traces().iter().map(|id| id.as_str().to_owned()).collect(), arrays)
        });
        (traces, arrays.map(|array| PyBytes::new(py, &array)).into())
    }

    /// For each span where its rows begin in the second, and all rows before `end` by span.
    fn rows_by_span<'py>(&self, py: Python<'py>, end: usize) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let numbers = |numbers: Vec<u32>| numbers.into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<u8>>();
        let (starts, rows) = self.with(py, |index| {
            let (starts, rows) = index.rows_by_span(end);
            (numbers(starts), numbers(rows))
        });
        (PyBytes::new(py, &starts), PyBytes::new(py, &rows))
    }
}
