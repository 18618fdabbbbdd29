//! The contract's messages and stubs, generated from its proto files.

mod secrets;

/// Messages and stub of the gateway's service.
#[allow(missing_docs, clippy::all, rustdoc::all)]
#[rustfmt::skip]
#[path = "mxaccess_gateway.v1.rs"]
pub mod pb;

/// Messages and stub of the Galaxy service.
#[allow(missing_docs, clippy::all, rustdoc::all)]
#[rustfmt::skip]
#[path = "galaxy_repository.v1.rs"]
pub mod galaxy;
