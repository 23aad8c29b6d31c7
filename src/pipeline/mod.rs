//! Work handed between threads: bounded queues, so that memory has a bound too.

pub(crate) mod queue;
