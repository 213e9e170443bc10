//! `agenttrace._native`: the core as Python sees it. Converts, calls, converts back; decides nothing.
//! What it offers is written down in `agenttrace/_native.pyi`.

mod convert;
mod descriptor;
mod index;
mod outlet;
mod redactor;
mod scanner;
mod sign;
mod text;
mod totals;
mod unpacker;
mod writer;

use pyo3::prelude::*;

/// The native half of agenttrace: seals, the judge, the writer.
#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use super::index::Index;
    #[pymodule_export]
    use super::redactor::Redactor;
    #[pymodule_export]
    use super::scanner::{Conversations, Projection, Scanner, Selection};
    #[pymodule_export]
    use super::sign::{ed25519_is_signed, ed25519_sign};
    #[pymodule_export]
    use super::text::{compact_json, crc32c, format_ts, may_surprise, open_line, seal, seal_event};
    #[pymodule_export]
    use super::totals::Totals;
    #[pymodule_export]
    use super::unpacker::ZstdUnpacker;
    #[pymodule_export]
    use super::writer::Writer;
    use agenttrace_core::event;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("BACKEND", "native")?;
        module.add("FORMAT_VERSION", event::FORMAT_VERSION)?;
        module.add("MAX_LINE_BYTES", event::MAX_LINE_BYTES)?;
        module.add("MAX_DEPTH", event::MAX_DEPTH)
    }
}
