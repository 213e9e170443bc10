//! The redactor as Python sees it.

use std::borrow::Cow;
use std::sync::Arc;

use agenttrace_core::redact::{self, Named, Rules, Shape};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::to_py;

/// (name, beginnings, expression).
type ShapeRule = (String, Vec<String>, String);
/// (name, what stands before, names, expression of what is behind).
type NamedRule = (String, Vec<String>, Vec<String>, String);

/// Puts placeholders where rules match.
#[pyclass(module = "agenttrace._native", frozen)]
pub(crate) struct Redactor(pub(crate) Arc<redact::Redactor>);

#[pymethods]
impl Redactor {
    #[new]
    #[pyo3(signature = (values, shapes, named, patterns))]
    fn new(
        values: Vec<(String, Vec<u8>)>,
        shapes: Vec<ShapeRule>,
        named: Vec<NamedRule>,
        patterns: Vec<(String, String)>,
    ) -> PyResult<Self> {
        let shapes = shapes.into_iter().map(|(name, starts, pattern)| Shape { name, starts, pattern });
        let named = named.into_iter().map(|(name, before, names, behind)| Named { name, before, names, behind });
        let rules = Rules { values, shapes: shapes.collect(), named: named.collect(), patterns };
        redact::Redactor::new(&rules).map(|redactor| Self(Arc::new(redactor))).map_err(to_py)
    }

    /// The cleaned data, and how many secrets there were; the same object where there were none.
    fn clean<'py>(&self, data: Bound<'py, PyBytes>) -> (Bound<'py, PyBytes>, usize) {
        match self.0.clean(data.as_bytes()) {
            (Cow::Owned(cleaned), count) => (PyBytes::new(data.py(), &cleaned), count),
            (Cow::Borrowed(_), _) => (data, 0),
        }
    }

    /// (start, end, name) of each secret.
    fn spans(&self, text: &Bound<'_, PyBytes>) -> Vec<(usize, usize, String)> {
        self.0.spans(text.as_bytes()).into_iter().map(|span| (span.start, span.end, span.name.to_owned())).collect()
    }

    /// How many of the last bytes wait for the next piece.
    fn held(&self, text: &Bound<'_, PyBytes>) -> usize {
        self.0.held(text.as_bytes())
    }
}
