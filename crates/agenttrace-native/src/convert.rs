//! The one place where the core's errors become Python's, and bytes-like objects become slices.

use std::sync::{Mutex, MutexGuard, PoisonError};

use agenttrace_core::error::{Error, Finding};
use pyo3::exceptions::{PyMemoryError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::io::Errno;

mod python {
    pyo3::import_exception!(agenttrace.errors, TraceFormatError);
    pyo3::import_exception!(agenttrace.errors, ChecksumError);
    pyo3::import_exception!(agenttrace.errors, UnsupportedVersionError);
}

/// The Python exception for an error of the core.
pub(crate) fn to_py(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Io(error) => os_error(&error),
        Error::Checksum { .. } => python::ChecksumError::new_err(message),
        Error::UnsupportedVersion { .. } => python::UnsupportedVersionError::new_err(message),
        Error::Malformed { .. } | Error::MissingBase { .. } | Error::BadBase { .. } => {
            python::TraceFormatError::new_err(message)
        }
        // Json, TooLong, Invalid, Pattern, and what the core may add: an argument that can't be used.
        _ => PyValueError::new_err(message),
    }
}

/// As [`to_py`], where what is too long is a trace's doing and not the caller's.
pub(crate) fn to_py_of_trace(error: Error) -> PyErr {
    match error {
        Error::TooLong { .. } => python::TraceFormatError::new_err(error.to_string()),
        error => to_py(error),
    }
}

/// `OSError` with its number, so that Python picks the subclass.
fn os_error(error: &std::io::Error) -> PyErr {
    let message = message_of(error);
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, message)),
        None if error.kind() == std::io::ErrorKind::OutOfMemory => PyMemoryError::new_err(message),
        None => PyOSError::new_err(message),
    }
}

fn message_of(error: &std::io::Error) -> String {
    let message = error.to_string();
    let suffix = error.raw_os_error().map(|number| format!(" (os error {number})"));
    suffix.and_then(|suffix| message.strip_suffix(&suffix)).unwrap_or(&message).to_owned()
}

/// `OSError` whose `filename` is the descriptor, as with functions of Python's `os` that are given one.
pub(crate) fn os_error_of(error: &std::io::Error, fd: i32) -> PyErr {
    let number = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
    PyOSError::new_err((number, message_of(error), fd))
}

/// `OSError`, from the few core functions that fail in no other way.
pub(crate) fn io_to_py(error: std::io::Error) -> PyErr {
    os_error(&error)
}

/// A bytes-like object as `bytes`: itself, or a copy. (The buffer protocol is not in the stable ABI before Python 3.11.)
pub(crate) fn bytes_of<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    // Through memoryview, since bytes(5) would be five zeros.
    let py = object.py();
    let view = pyo3::types::PyMemoryView::from(object)?;
    Ok(py.get_type::<PyBytes>().call1((view,))?.cast_into::<PyBytes>()?)
}

/// A finding as it crosses the border.
pub(crate) type FindingTuple =
    (&'static str, Option<String>, Option<u64>, Option<u64>, Option<u64>, Option<String>, Option<String>, String);

pub(crate) fn finding_tuple(finding: Finding) -> FindingTuple {
    let trace_id = finding.trace_id.map(|id| id.as_str().to_owned());
    let Finding { kind, seq, line, offset, expected, got, message, .. } = finding;
    (kind.as_str(), trace_id, seq, line, offset, expected, got, message)
}

/// The lock, also after a panic of another thread: the core leaves no half-made state that would be unsafe to read.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
