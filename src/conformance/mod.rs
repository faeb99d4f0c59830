//! What public suites are run against. They bring protos of their own, so these
//! parts load descriptors at run time and put them through the same router,
//! binding, codec and layers as the product's. Built with the feature
//! `conformance`, for tests only.

mod echo;
mod endpoint;
mod host;
mod testee;

pub use endpoint::{Answers, Exchange, Handler};
pub use host::Host;
pub use testee::Testee;
