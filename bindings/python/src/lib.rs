//! The native half of the Python module `xbkit`; its other half, `python/xbkit`, gives the types
//! and the documentation that users see.
//!
//! What holds everywhere here: xbkit's own work runs detached from the interpreter; user code
//! runs on the thread that called, attached, and what it raises leaves the call unchanged; and
//! every wait ends within 100 ms of a signal whose Python handler raises.

mod call;
mod errors;
mod jobs;
mod lock;
mod reader;
mod server;
mod sink;
mod source;
mod writer;

use pyo3::prelude::*;
use xbkit_core as core;

/// Cancels the jobs it was given to.
#[pyclass(frozen, module = "xbkit._xbkit")]
struct CancelToken(core::CancelToken);

#[pymethods]
impl CancelToken {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        core::CancelToken::new().map(Self).map_err(|error| errors::to_python(py, &error))
    }

    /// Sets the token.
    fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether the token was set.
    #[getter]
    fn cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn __repr__(&self) -> String {
        let state = if self.0.is_cancelled() { "cancelled" } else { "not cancelled" };
        format!("<xbkit.CancelToken, {state}>")
    }
}

/// The token inside, for what keeps a copy.
fn token(token: Option<&Bound<'_, CancelToken>>) -> Option<core::CancelToken> {
    token.map(|token| token.get().0.clone())
}

#[pymodule(gil_used = false)]
mod _xbkit {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::CancelToken;
    #[pymodule_export]
    use crate::errors::error_kinds;
    #[pymodule_export]
    use crate::jobs::{
        backup, cat, check, convert, create, extract, info, info_of_dir, list, verify,
    };
    #[pymodule_export]
    use crate::reader::Reader;
    #[pymodule_export]
    use crate::server::{Server, backup_server, prepare, put_back, restore};
    #[pymodule_export]
    use crate::writer::{Entry, Writer};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        module.add("DEBUG", cfg!(debug_assertions))
    }
}
