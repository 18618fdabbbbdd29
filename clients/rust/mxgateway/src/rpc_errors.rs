//! Statuses of gRPC as errors of this library.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};

use crate::error::{Error, ErrorKind, code_name};
use crate::redact::redact;
use crate::tables;
use crate::transport::ConnectFailure;

/// What a text of gRPC means: a reason where the gateway sent none, and what to do.
struct Hint {
    sign: &'static str,
    reason: &'static str,
    remedy: &'static str,
}

const HINTS: [Hint; 7] = [
    Hint {
        sign: "certificate has expired",
        reason: "CERTIFICATE_EXPIRED",
        remedy: "the gateway's certificate has ended, or this machine's clock is wrong",
    },
    Hint {
        sign: "certificate signed by unknown authority",
        reason: "CERTIFICATE_NOT_TRUSTED",
        remedy: "the CA file (ca_file, --ca-file) has to be the authority that signed this gateway's certificate",
    },
    Hint {
        sign: "certificate required",
        reason: "CLIENT_CERTIFICATE_REQUIRED",
        remedy: "this gateway wants a client certificate (client_certificate, --client-cert, --client-key)",
    },
    TOO_LARGE,
    Hint { sign: "message length too large", reason: TOO_LARGE.reason, remedy: TOO_LARGE.remedy },
    Hint {
        sign: "connection refused",
        reason: "CONNECTION_REFUSED",
        remedy: "nothing listens there; is the gateway running, and is this its port?",
    },
    Hint {
        sign: "wrong version number",
        reason: "NOT_TLS",
        remedy: "the port does not speak TLS; ask for plaintext by name (plaintext, --plaintext)",
    },
];

const TOO_LARGE: Hint = Hint {
    sign: "larger than max",
    reason: "MESSAGE_TOO_LARGE",
    remedy: "the limit of a message: ask for less at once, or raise max_message_bytes here and in the gateway",
};

const NO_KEY: &str = "no key was sent; give api_key (--api-key-env)";
const KEY_REFUSED: &str = "a key was sent, but this gateway does not know it, or it was revoked or is not valid now";

/// What a call was, for its error.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) what: String,
    pub(crate) correlation_id: String,
    pub(crate) is_galaxy: bool,
}

impl Called {
    pub(crate) fn new(what: impl Into<String>, correlation_id: &str) -> Self {
        Self { what: what.into(), correlation_id: correlation_id.to_owned(), is_galaxy: false }
    }

    pub(crate) fn of_galaxy(what: &str) -> Self {
        Self { what: what.to_owned(), correlation_id: String::new(), is_galaxy: true }
    }

    /// The deadline was over here.
    pub(crate) fn timed_out(&self, text: &str) -> Error {
        Error::new(ErrorKind::Timeout, format!("{}: DEADLINE_EXCEEDED: {text}", self.what)).with(|inner| {
            inner.code = Some(Code::DeadlineExceeded);
            inner.correlation_id.clone_from(&self.correlation_id);
        })
    }

    /// The error for a failed gRPC call.
    pub(crate) fn failed(&self, status: &Status, key: Option<&str>) -> Error {
        let failure = in_chain::<ConnectFailure>(status);
        let (code, details) = said(status, failure);
        if code == Code::DeadlineExceeded && status.message() == EXPIRED {
            return self.timed_out("the deadline was over");
        }
        let details = redact(&details, key.as_slice());
        let rich = RichStatus::of(status);
        let hint = HINTS.iter().find(|hint| details.to_lowercase().contains(hint.sign));
        let mut text = format!("{}: {}", self.what, code_name(code));
        if let Some(hint) = hint {
            text += &format!(" ({})", hint.remedy);
        }
        if !details.is_empty() {
            text += &format!(": {details}");
        }
        if code == Code::Unauthenticated {
            text += &format!(" ({})", if key.is_some() { KEY_REFUSED } else { NO_KEY });
        }
        let known = failure.map(|failure| failure.reason).filter(|reason| !reason.is_empty());
        let reason = if !rich.reason.is_empty() {
            rich.reason.clone()
        } else {
            known.or(hint.map(|hint| hint.reason)).unwrap_or_default().to_owned()
        };
        Error::new(kind_of(code, &rich.reason, self.is_galaxy), text).with(|inner| {
            inner.reason = reason;
            inner.code = Some(code);
            inner.correlation_id.clone_from(&self.correlation_id);
            inner.retry_after = rich.retry_after;
            // Too large once is too large always.
            inner.retryable &= hint.is_none_or(|hint| hint.reason != TOO_LARGE.reason);
            inner.cause = Some(Arc::new(Said { code: code_name(code), text: details }));
        })
    }
}

/// What gRPC said, without secrets.
#[derive(Debug, thiserror::Error)]
#[error("rpc error: code = {code} desc = {text}")]
struct Said {
    code: &'static str,
    text: String,
}

/// The text of a deadline that tonic itself keeps.
const EXPIRED: &str = "Timeout expired";

/// Code and text of a status. What has a cause comes from the connection, not from the gateway.
fn said(status: &Status, failure: Option<&ConnectFailure>) -> (Code, String) {
    if let Some(failure) = failure {
        return (Code::Unavailable, failure.text.clone());
    }
    if status.message() == EXPIRED {
        return (Code::DeadlineExceeded, EXPIRED.to_owned());
    }
    // tonic's words for a message above the limit of this side.
    if status.code() == Code::OutOfRange && status.message().contains("message length too large") {
        return (Code::ResourceExhausted, status.message().to_owned());
    }
    match status.source() {
        None => (status.code(), status.message().to_owned()),
        Some(_) => (Code::Unavailable, chain_text(status)),
    }
}

fn in_chain<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(each) = next {
        if let Some(found) = each.downcast_ref::<T>() {
            return Some(found);
        }
        next = each.source();
    }
    None
}

/// What an error and its causes say, each text once.
pub(crate) fn chain_text(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = error.source().or(Some(error));
    while let Some(each) = next {
        let text = each.to_string();
        if !text.is_empty() && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = each.source();
    }
    parts.join(": ")
}

/// The kind that the gateway's word names; none when it leaves the choice to the status.
pub(crate) fn kind_of_reason(reason: &str) -> Option<ErrorKind> {
    if reason.starts_with(tables::WORKER_REASON_PREFIX) {
        return Some(ErrorKind::Worker);
    }
    tables::kind_by_reason(reason)
}

fn kind_of(code: Code, reason: &str, is_galaxy: bool) -> ErrorKind {
    let by_service = if is_galaxy { tables::kind_of_galaxy } else { tables::kind_of_gateway };
    kind_of_reason(reason)
        .or_else(|| tables::kind_by_code(code))
        .or_else(|| by_service(code))
        .unwrap_or(ErrorKind::Transport)
}

/// The error of this library for what gRPC gave: for callers of the generated stubs.
///
/// `what` names the call, `galaxy` tells whether it was one of the Galaxy service.
pub fn map_status(status: &Status, what: &str, correlation_id: &str, galaxy: bool) -> Error {
    Called { what: what.to_owned(), correlation_id: correlation_id.to_owned(), is_galaxy: galaxy }.failed(status, None)
}

// ------------------------------------------------------------------------------ the details of google.rpc, as they travel

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<prost_types::Duration>,
}

#[derive(Default)]
struct RichStatus {
    reason: String,
    retry_after: Option<Duration>,
}

impl RichStatus {
    /// What cannot be read is as good as absent.
    fn of(status: &Status) -> Self {
        let mut found = Self::default();
        for any in RpcStatus::decode(status.details()).unwrap_or_default().details {
            match any.type_url.rsplit('/').next() {
                Some("google.rpc.ErrorInfo") => {
                    found.reason = ErrorInfo::decode(any.value.as_slice()).unwrap_or_default().reason;
                }
                Some("google.rpc.RetryInfo") => {
                    let delay = RetryInfo::decode(any.value.as_slice()).unwrap_or_default().retry_delay;
                    found.retry_after = delay.and_then(duration_of);
                }
                _ => {}
            }
        }
        found
    }
}

/// A duration that is none here, such as a negative one, is left out.
pub(crate) fn duration_of(duration: prost_types::Duration) -> Option<Duration> {
    Duration::try_from(duration).ok().filter(|wait| !wait.is_zero())
}
