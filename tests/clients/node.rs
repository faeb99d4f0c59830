//! Node.js: @grpc/grpc-js, and gRPC by hand over its HTTP/2.

use super::setup::{Setup, Wire};
use super::workshop::Workshop;

fn run(test: &str, wire: Wire, file: &str) {
    if let Some(workshop) = Workshop::new(test) {
        workshop.test(&Setup::new(wire, &[]), file, &[]);
    }
}

#[test]
fn grpc_js_over_h2c() {
    run(
        "clients::node::grpc_js_over_h2c",
        Wire::Plain,
        "grpc-js.test.mjs",
    );
}

#[test]
fn grpc_js_over_tls() {
    run(
        "clients::node::grpc_js_over_tls",
        Wire::Tls,
        "grpc-js.test.mjs",
    );
}

#[test]
fn by_hand_over_h2c() {
    run(
        "clients::node::by_hand_over_h2c",
        Wire::Plain,
        "http2.test.mjs",
    );
}

#[test]
fn by_hand_over_tls() {
    run(
        "clients::node::by_hand_over_tls",
        Wire::Tls,
        "http2.test.mjs",
    );
}
