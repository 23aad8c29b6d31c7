//! How bytes enter and leave: one source, one sink, both interruptible, and the job's pulse.

pub(crate) mod coded;
mod fd;
pub(crate) mod layers;
pub(crate) mod parts;
pub(crate) mod pulse;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod spool;
pub(crate) mod unpack;
