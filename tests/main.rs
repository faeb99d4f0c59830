//! The integration tests, as one binary: what every product shares is under
//! `contract` and `conformance`, the rest in a folder per product.

mod conformance;
