//! What is asked of a running server: connections, variables, locks, positions.
//!
//! The wire protocol is the `mysql` crate's; what is asked, and what the answers mean, is here.

mod connect;
mod option_file;
mod replica;
mod session;
mod stage;
mod state;

pub use connect::{Connect, Secret};
pub use option_file::{OptionEntry, OptionFiles};
pub(crate) use replica::{StoppedSlaves, slaves};
pub(crate) use session::{Rows, Session};
pub use stage::StageTimes;
pub(crate) use stage::{LOCKED_PATIENCE, Stage, Stages};
pub use state::Position;
pub(crate) use state::{Lsns, Needs, Variables, check_privileges, galera, lsns, position};
