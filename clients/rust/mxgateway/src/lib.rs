//! Client of an MXAccess gateway: AVEVA System Platform tags over gRPC.
//!
//! [`GatewayClient::builder`] makes a client; [`GatewayClient::open_session`] starts a worker process of one's own, a
//! [`Session`], whose methods are those of LMXProxyServer. [`GatewayClient::subscribe`] watches tags over every
//! interruption of the connection. [`GatewayClient::galaxy`] reads the deployed objects.
//!
//! A Tokio runtime is needed. Cancelling is dropping a future: it ends the wait, and takes the command back as far as it
//! is still queued; a COM call that already runs is never aborted, so a write that was dropped may still happen.
//!
//! Every failure is an [`Error`], and [`Error::kind`] says what it is about; no text of it holds an API key.

mod alarms;
mod arrays;
mod browse;
mod bulk;
mod client;
mod command_stream;
mod confirm;
mod connection;
mod correlation;
mod error;
mod events;
mod galaxy;
mod generated;
mod items;
mod options;
mod received;
mod redact;
mod replies;
mod rpc_errors;
mod session;
mod status;
mod stream;
mod subscription;
#[rustfmt::skip]
mod tables;
mod time;
mod tls;
mod together;
mod transport;
mod values;

pub use alarms::AlarmFeed;
pub use browse::Node;
pub use bulk::{SecuredEntry, WriteEntry};
pub use client::{GatewayClient, SessionOptions};
pub use confirm::{ConfirmOptions, WriteOutcome};
pub use connection::VERSION;
pub use correlation::next_correlation_id;
pub use error::{Error, ErrorKind, Reply, Result, code_name};
pub use events::{Batch, EventStream, StreamOptions};
pub use galaxy::{Filter, GalaxyClient};
pub use generated::{galaxy as galaxy_pb, pb};
pub use options::{BoxError, ClientBuilder, RetryPolicy};
pub use received::from_mx_value;
pub use redact::redact;
pub use rpc_errors::map_status;
pub use session::{CallOptions, Session, command};
pub use status::{is_bad, is_good, is_status_failure, is_uncertain, quality_name, status_text};
pub use stream::MessageStream;
pub use subscription::{
    DataChange, OverflowPolicy, Source, SubscribeBuilder, Subscription, SubscriptionState, SubscriptionStats,
};
pub use tables::{GATEWAY_PROTOCOL_VERSION, MAX_BULK_ITEMS, MAX_MESSAGE_BYTES, WORKER_PROTOCOL_VERSION, capabilities};
pub use time::MxTime;
pub use tonic::Code;
pub use transport::ConnectionState;
pub use values::{Element, ElementType, Value, to_mx_value};

/// The README's programs, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
