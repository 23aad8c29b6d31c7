//! Reading items. `xbkit._reader` makes members of them.

use std::io::Read;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use xbkit_core::{Item, StreamReader};

use crate::call::{Failure, Raised};
use crate::errors;
use crate::jobs::to_key;
use crate::lock::Lock;
use crate::source::{Source, SourceSpec};
use crate::{CancelToken, token};

/// How an item is told.
mod kind {
    pub(super) const OPEN: u8 = 0;
    pub(super) const DATA: u8 = 1;
    pub(super) const HOLE: u8 = 2;
    pub(super) const CLOSE: u8 = 3;
    pub(super) const RENAME: u8 = 4;
    pub(super) const REMOVE: u8 = 5;
    pub(super) const DIRECTORY: u8 = 6;
}

type Input = StreamReader<Box<dyn Read + Send>>;

/// Reads a stream's items.
#[pyclass(frozen, module = "xbkit._xbkit")]
pub(crate) struct Reader {
    /// `None` once closed.
    input: Lock<Option<Input>>,
    raised: Raised,
    layers: Vec<&'static str>,
    format: &'static str,
}

#[pymethods]
impl Reader {
    #[new]
    #[pyo3(signature = (source, allow_missing_end, key, cancel))]
    #[expect(clippy::needless_pass_by_value, reason = "how arguments arrive")]
    fn new(
        py: Python<'_>,
        source: SourceSpec<'_>,
        allow_missing_end: bool,
        key: Option<PyBackedBytes>,
        cancel: Option<&Bound<'_, CancelToken>>,
    ) -> PyResult<Self> {
        let (raised, cancel) = (Raised::default(), token(cancel));
        let key = to_key(py, key.as_deref())?;
        let source = Source::open(&source, &raised, cancel.clone())?;
        let input = py
            .detach(|| {
                let input = source.into_reader(&raised, cancel);
                let input =
                    input.and_then(|input| Input::open(input, allow_missing_end, key.as_ref()));
                raised.settle(input)
            })
            .map_err(|failure: Failure| failure.into_python(py))?;
        let (layers, format) = (input.layers().to_vec(), input.format().name());
        Ok(Self { input: Lock::new(Some(input)), raised, layers, format })
    }

    /// The layers found around the stream, outermost first.
    #[getter]
    fn layers(&self) -> Vec<&'static str> {
        self.layers.clone()
    }

    /// The stream's format.
    #[getter]
    fn format(&self) -> &'static str {
        self.format
    }

    /// Stream bytes decoded so far, inside all layers.
    fn stream_offset(&self, py: Python<'_>) -> PyResult<u64> {
        let offset =
            self.input.with(py, |input| input.as_ref().map(StreamReader::stream_offset))?;
        offset.ok_or_else(|| closed(py))
    }

    /// The next item as a tuple, or `None` at the proper end of the stream.
    fn next_item(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let item = self.input.with(py, |input| {
            let Some(input) = input else { return Ok(Err(())) };
            let item = self.raised.settle(input.next_item())?;
            item.map(|item| Python::attach(|py| to_python(py, item)).map_err(Failure::Raised))
                .transpose()
                .map(Ok)
        })?;
        match item {
            Ok(Ok(item)) => Ok(item),
            Ok(Err(())) => Err(closed(py)),
            Err(failure) => Err(Failure::into_python(failure, py)),
        }
    }

    /// Whether the stream was proven to be whole, by a manifest in it, now that it has ended.
    fn is_proven(&self, py: Python<'_>) -> PyResult<bool> {
        self.input.with(py, |input| input.as_ref().is_some_and(StreamReader::is_proven))
    }

    /// Lets go of the source.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.input.with(py, |input| drop(input.take()))
    }
}

fn closed(py: Python<'_>) -> PyErr {
    errors::invalid_state(py, "the reader is closed")
}

fn to_python(py: Python<'_>, item: Item<'_>) -> PyResult<Py<PyAny>> {
    let none = py.None();
    let tuple = match item {
        Item::Open { id, path, rewrite } => {
            (kind::OPEN, id.0, path.as_path().as_os_str(), rewrite).into_pyobject(py)
        }
        Item::Data { id, offset, bytes } => {
            (kind::DATA, id.0, offset, PyBytes::new(py, bytes)).into_pyobject(py)
        }
        Item::Hole { id, offset, len } => (kind::HOLE, id.0, offset, len).into_pyobject(py),
        Item::Close { id, path, size } => {
            (kind::CLOSE, id.0, path.as_path().as_os_str(), size).into_pyobject(py)
        }
        Item::Rename { from, to, replaces } => {
            let (from, to) = (from.as_path().as_os_str(), to.as_path().as_os_str());
            (kind::RENAME, from, to, replaces).into_pyobject(py)
        }
        Item::Remove { path } => {
            (kind::REMOVE, path.as_path().as_os_str(), &none, &none).into_pyobject(py)
        }
        Item::Directory { path } => {
            (kind::DIRECTORY, path.as_path().as_os_str(), &none, &none).into_pyobject(py)
        }
        _ => {
            let message = "the stream holds an item that this version of the module does not know";
            return Err(pyo3::exceptions::PyNotImplementedError::new_err(message));
        }
    };
    Ok(tuple?.into_any().unbind())
}
