//! GitHub on loopback, for the unit tests and for those that drive the binary.

pub mod causes;
pub mod played;
pub mod scenario;
pub mod server;
