//! The mechanisms held against other implementations.

mod codec;
