//! The redactor as Python sees it.

use std::borrow::Cow;

use agenttrace_core::redact;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::to_py;

/// Puts placeholders where rules match.
#[pyclass(module = "agenttrace._native", frozen)]
pub(crate) struct Redactor(redact::Redactor);

#[pymethods]
impl Redactor {
    #[new]
    fn new(rules: Vec<(String, String)>) -> PyResult<Self> {
        redact::Redactor::new(&rules).map(Self).map_err(to_py)
    }

    /// The cleaned data, and how many matches there were; the same object where there were none.
    fn clean<'py>(&self, data: Bound<'py, PyBytes>) -> (Bound<'py, PyBytes>, usize) {
        match self.0.clean(data.as_bytes()) {
            (Cow::Owned(cleaned), count) => (PyBytes::new(data.py(), &cleaned), count),
            (Cow::Borrowed(_), _) => (data, 0),
        }
    }
}
