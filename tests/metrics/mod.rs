//! The metrics product over HTTP and gRPC.

mod browser;
mod documented;
mod groups;
mod items;
mod moved;
mod periods;
mod purchases;
mod returned;
