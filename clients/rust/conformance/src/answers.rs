//! Objects of a case, and answers in the words of the suite.

use std::sync::Arc;

use mxgateway::{Error, EventStream, GalaxyClient, GatewayClient, Node, Session, Subscription, code_name};
use mxgateway_cli::json::{Names, document};
use prost::{Message, Name};
use serde_json::{Value, json};

use crate::streams::Reader;

#[derive(Clone)]
pub enum Object {
    Client(GatewayClient),
    Session(Session),
    Events(Arc<EventStream>),
    Subscription(Arc<Subscription>),
    Stream(Arc<dyn Reader>),
    Galaxy(GalaxyClient),
    Nodes(Vec<Arc<Node>>),
}

impl Object {
    pub fn release(self) {
        match self {
            Object::Client(client) => client.close(),
            Object::Galaxy(galaxy) => galaxy.close(),
            Object::Events(events) => events.close(),
            Object::Stream(stream) => stream.close(),
            // Dropping ends it; its session may be one that the case holds.
            Object::Subscription(_) | Object::Session(_) | Object::Nodes(_) => {}
        }
    }
}

pub enum Failure {
    Unsupported,
    Failed(Error),
    /// What this language refuses by its types.
    Argument(String),
}

pub type Answer = Result<Value, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Failure {
    pub fn document(&self) -> Value {
        match self {
            Failure::Unsupported => json!({"kind": "subject"}),
            Failure::Argument(message) => json!({"kind": "argument", "message": message}),
            Failure::Failed(error) => of_error(error),
        }
    }
}

pub fn of_error(error: &Error) -> Value {
    let mut found = json!({
        "kind": error.kind().as_str(), "reason": error.reason(), "retryable": error.retryable(),
        "message": error.to_string(), "correlation_id": error.correlation_id(),
        "statuses": error.statuses().iter().map(message).collect::<Value>(),
    });
    if let Some(code) = error.code() {
        found["code"] = code_name(code).into();
    }
    if let Some(wait) = error.retry_after() {
        found["retry_after"] = wait.as_secs_f64().into();
    }
    if let Some(hresult) = error.hresult() {
        found["hresult"] = hresult.into();
    }
    found
}

/// A message with the names of the contract's files.
pub fn message<M: Message + Name>(message: &M) -> Value {
    document(message, Names::Proto)
}

pub fn messages<M: Message + Name>(messages: &[M]) -> Value {
    messages.iter().map(message).collect()
}
