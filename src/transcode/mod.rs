//! REST to gRPC and back: path templates and routing, JSON to protobuf wire
//! bytes, and the documented shapes of errors. It knows mechanisms, never a
//! product.

pub mod bind;
pub mod errors;
pub mod feathers;
pub mod json;
pub mod percent;
pub mod router;
pub mod schema;
pub mod wire;
