//! The server as other people's clients see it: Python's grpcio, Node's grpc-js,
//! connect-web and grpc-web in a browser, `buf curl`; each in plain text and over
//! TLS. `scripts/clients install` gets them; what is missing skips by name.

mod browser;
mod buf;
mod certificate;
mod descriptions;
mod feathers;
mod guides;
mod interop;
pub mod kit;
mod libraries;
mod mcp;
mod node;
mod openapi;
mod pages;
mod python;
mod setup;
mod snippet;
mod tls;
mod tls_settings;
mod workshop;
