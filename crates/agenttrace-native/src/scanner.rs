//! The readers' side: conditions, the scanner, conversations made whole.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agenttrace_core::compare::Comparison;
use agenttrace_core::event::MAX_LINE_BYTES;
use agenttrace_core::expand::{self, FindBase};
use agenttrace_core::parallel::{PassError, Sharing};
use agenttrace_core::project;
use agenttrace_core::reader::{self, Pass};
use agenttrace_core::select;
use agenttrace_core::verify::{Rules, Scope};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{FindingTuple, bytes_of, finding_tuple, io_to_py, lock, os_error_of, to_py, to_py_of_trace};
use crate::descriptor::Descriptor;
use crate::index::Index;
use crate::outlet::Outlet;

/// A condition on raw lines; all that are given must hold.
#[pyclass(frozen, module = "agenttrace._native")]
pub(crate) struct Selection {
    inner: select::Selection,
}

#[pymethods]
impl Selection {
    #[new]
    #[pyo3(signature = (*, kinds=None, span_ids=None, trace_ids=None, since=None, until=None, grep=None, errors=false,
                        holding=Vec::new(), comparing=Vec::new()))]
    #[allow(clippy::too_many_arguments, reason = "they go by name in Python")]
    fn new(
        kinds: Option<Vec<String>>,
        span_ids: Option<Vec<String>>,
        trace_ids: Option<Vec<String>>,
        since: Option<String>,
        until: Option<String>,
        grep: Option<&str>,
        errors: bool,
        holding: Vec<Vec<String>>,
        comparing: Vec<(Vec<String>, String, String)>,
    ) -> PyResult<Self> {
        let mut inner =
            select::Selection { kinds, span_ids, trace_ids, since, until, errors, ..select::Selection::default() };
        if let Some(pattern) = grep {
            inner = inner.with_grep(pattern).map_err(to_py)?;
        }
        for literals in holding {
            inner = inner.with_one_of(&literals).map_err(to_py)?;
        }
        for (keys, mark, constant) in comparing {
            let comparison = Comparison::new(&keys, &mark, &constant);
            inner.comparing.push(comparison.ok_or_else(|| PyValueError::new_err("an operator of jq is wanted"))?);
        }
        Ok(Self { inner })
    }

    /// Whether the condition holds for `line`, a good one.
    fn matches(&self, line: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.inner.matches(bytes_of(line)?.as_bytes()))
    }
}

fn descriptor(fd: i32) -> PyResult<Descriptor> {
    Descriptor::new(fd).ok_or_else(|| PyValueError::new_err("no file descriptor"))
}

fn until(seconds: f64) -> PyResult<Instant> {
    let time = Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Instant::now() + time)
}

fn sharing(threads: Option<usize>, piece_bytes: Option<usize>) -> Sharing {
    let usual = Sharing::default();
    Sharing { threads: threads.unwrap_or(usual.threads), piece_bytes: piece_bytes.unwrap_or(usual.piece_bytes).max(1) }
}

/// What is copied out of lines.
#[pyclass(frozen, module = "agenttrace._native")]
pub(crate) struct Projection {
    inner: project::Projection,
}

#[pymethods]
impl Projection {
    #[new]
    fn new(whole: Vec<Vec<String>>, stepped: Vec<Vec<String>>) -> Self {
        let mut inner = project::Projection::default();
        for (paths, is_whole) in [(whole, true), (stepped, false)] {
            for keys in paths {
                inner.want(&keys, is_whole);
            }
        }
        Self { inner }
    }

    /// What is wanted of each of `lines`, an LF between them.
    fn copy<'py>(&self, py: Python<'py>, lines: Vec<Bound<'py, PyBytes>>) -> Bound<'py, PyBytes> {
        let mut out = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            if place > 0 {
                out.push(b'\n');
            }
            self.inner.copy(line.as_bytes(), &mut out);
        }
        PyBytes::new(py, &out)
    }
}

struct ScannerState {
    scanner: reader::Scanner,
    out: Vec<u8>,
}

/// Judges the lines of one byte stream, pushed in pieces of any size; hands on the good ones.
#[pyclass(frozen, module = "agenttrace._native")]
pub(crate) struct Scanner {
    state: Mutex<ScannerState>,
}

/// Room for output that is kept between calls.
const KEPT_BYTES: usize = 4 << 20;

#[pymethods]
impl Scanner {
    #[new]
    #[pyo3(signature = (*, judge="lines", allow_unsealed=false, deep=false, selection=None, invert=false,
                        max_findings=100, max_line_bytes=MAX_LINE_BYTES, index=None))]
    #[allow(clippy::too_many_arguments, reason = "they go by name in Python")]
    fn new(
        judge: &str,
        allow_unsealed: bool,
        deep: bool,
        selection: Option<&Bound<'_, Selection>>,
        invert: bool,
        max_findings: usize,
        max_line_bytes: usize,
        index: Option<&Bound<'_, Index>>,
    ) -> PyResult<Self> {
        let scope = match judge {
            "lines" => Scope::Lines,
            "trace" => Scope::Trace,
            "partial" => Scope::Partial,
            _ => return Err(PyValueError::new_err("judge is \"lines\", \"trace\" or \"partial\"")),
        };
        let selection = selection.map(|selection| selection.get().inner.clone());
        let pass = match (selection, invert) {
            (None, false) => Pass::All,
            (Some(selection), false) => Pass::Matching(selection),
            (selection, true) => Pass::NotMatching(selection.unwrap_or_default()),
        };
        let rules = Rules { scope, allow_unsealed, deep, max_findings };
        let mut scanner = reader::Scanner::new(rules, pass, max_line_bytes);
        if let Some(index) = index {
            scanner = scanner.with_index(Arc::clone(&index.get().inner));
        }
        Ok(Self { state: Mutex::new(ScannerState { scanner, out: Vec::new() }) })
    }

    /// The good lines that became complete (and match), as they came, concatenated.
    fn feed<'py>(&self, py: Python<'py>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let chunk = bytes_of(chunk)?;
        let chunk = chunk.as_bytes();
        let out = py.detach(|| {
            let mut state = lock(&self.state);
            let ScannerState { scanner, out } = &mut *state;
            let mut out = std::mem::take(out);
            out.clear();
            scanner.feed(chunk, &mut out).map(|()| out)
        });
        let mut out = out.map_err(io_to_py)?;
        let bytes = PyBytes::new(py, &out);
        out.clear();
        out.shrink_to(KEPT_BYTES);
        py.detach(|| lock(&self.state).out = out);
        Ok(bytes)
    }

    /// As `feed`, without handing anything on.
    fn judge_only(&self, py: Python<'_>, chunk: &Bound<'_, PyAny>) -> PyResult<()> {
        let chunk = bytes_of(chunk)?;
        let chunk = chunk.as_bytes();
        py.detach(|| lock(&self.state).scanner.judge_only(chunk)).map_err(io_to_py)
    }

    /// As `judge_only` of what a file holds between two places, for about so long; how many bytes that were.
    #[allow(clippy::too_many_arguments, reason = "most go by name in Python")]
    #[pyo3(signature = (fd, start, end, *, seconds=0.1, threads=None, piece_bytes=None))]
    fn judge_file(
        &self,
        py: Python<'_>,
        fd: i32,
        start: u64,
        end: u64,
        seconds: f64,
        threads: Option<usize>,
        piece_bytes: Option<usize>,
    ) -> PyResult<u64> {
        let file = descriptor(fd)?;
        let (until, sharing) = (until(seconds)?, sharing(threads, piece_bytes));
        py.detach(|| lock(&self.state).scanner.judge_file(&file, (start, end), until, sharing)).map_err(io_to_py)
    }

    /// As `judge_file`; what `feed` would return is written to `out`. The error's `filename` is the descriptor that failed.
    #[allow(clippy::too_many_arguments, reason = "most go by name in Python")]
    #[pyo3(signature = (fd, start, end, out, *, seconds=0.1, threads=None, piece_bytes=None))]
    fn pass_file(
        &self,
        py: Python<'_>,
        fd: i32,
        start: u64,
        end: u64,
        out: i32,
        seconds: f64,
        threads: Option<usize>,
        piece_bytes: Option<usize>,
    ) -> PyResult<u64> {
        let (file, mut outlet) = (descriptor(fd)?, Outlet::new(descriptor(out)?));
        let (until, sharing) = (until(seconds)?, sharing(threads, piece_bytes));
        let taken = py.detach(|| lock(&self.state).scanner.pass_file(&file, (start, end), until, sharing, &mut outlet));
        match (outlet.raised, taken) {
            (Some(raised), _) => Err(raised),
            (None, Ok(count)) => Ok(count),
            (None, Err(PassError::Read(error))) => Err(os_error_of(&error, fd)),
            (None, Err(PassError::Write(error))) => Err(os_error_of(&error, out)),
        }
    }

    /// The stream is over.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        py.detach(|| lock(&self.state).scanner.finish(&mut out)).map_err(io_to_py)?;
        Ok(PyBytes::new(py, &out))
    }

    /// Findings since the last call (of those kept).
    fn take_findings(&self, py: Python<'_>) -> Vec<FindingTuple> {
        let findings = py.detach(|| lock(&self.state).scanner.take_findings());
        findings.into_iter().map(finding_tuple).collect()
    }

    /// What the end would add if the stream were over here: status, findings_total, new findings.
    fn peek_end(&self, py: Python<'_>) -> (&'static str, u64, Vec<FindingTuple>) {
        let (status, total, findings) = py.detach(|| lock(&self.state).scanner.peek_end());
        (status.as_str(), total, findings.into_iter().map(finding_tuple).collect())
    }

    /// Whether every trace seen so far has its trace_end.
    #[getter]
    fn all_ended(&self, py: Python<'_>) -> bool {
        py.detach(|| lock(&self.state).scanner.verifier().have_all_ended())
    }

    /// How many findings there were.
    #[getter]
    fn findings_total(&self, py: Python<'_>) -> u64 {
        py.detach(|| lock(&self.state).scanner.verifier().findings_total())
    }

    /// Lines handed on so far.
    #[getter]
    fn passed(&self, py: Python<'_>) -> u64 {
        py.detach(|| lock(&self.state).scanner.passed())
    }

    /// (status, traces, events, bytes, sealed, findings_total)
    fn report(&self, py: Python<'_>) -> (&'static str, usize, u64, u64, u64, u64) {
        py.detach(|| {
            let state = lock(&self.state);
            let judge = state.scanner.verifier();
            let (bytes, total) = (state.scanner.bytes(), judge.findings_total());
            (judge.status().as_str(), judge.traces(), judge.events(), bytes, judge.sealed(), total)
        })
    }
}

/// Expands `llm_request` lines that hold only what is new.
#[pyclass(frozen, module = "agenttrace._native")]
pub(crate) struct Conversations {
    inner: Mutex<expand::Conversations>,
}

#[pymethods]
impl Conversations {
    #[new]
    #[pyo3(signature = (*, check_seal=true, max_line_bytes=MAX_LINE_BYTES))]
    fn new(check_seal: bool, max_line_bytes: usize) -> Self {
        let find_base = if check_seal { FindBase::BySeal } else { FindBase::ByNumber };
        Self { inner: Mutex::new(expand::Conversations::new(find_base, max_line_bytes)) }
    }

    /// The line itself, or the same event with the whole `request`.
    fn expand<'py>(&self, py: Python<'py>, line: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let given = bytes_of(line)?;
        let bytes = given.as_bytes();
        let expanded = py.detach(|| lock(&self.inner).expand(bytes)).map_err(to_py_of_trace)?;
        Ok(expanded.map_or(given, |expanded| PyBytes::new(py, &expanded)))
    }
}
