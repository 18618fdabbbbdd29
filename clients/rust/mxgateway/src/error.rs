//! One error for everything: what it is about is its kind.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::Code;

use crate::pb;
use crate::redact::redact;
use crate::tables;

/// What an operation of this library gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// gRPC failed with a status that has no better kind, or the client is closed.
    Transport,
    /// The gateway cannot be reached, or it is going away.
    Connection,
    /// What the request names does not exist, for example the root of a Galaxy browse.
    NotFound,
    /// A limit of the gateway was met; try again later.
    Resource,
    /// The deadline was over. The MXAccess call may still be running, so the outcome is unknown.
    Timeout,
    /// No API key, or one that the gateway does not accept.
    Authentication,
    /// The key may not do this.
    Authorization,
    /// A reply breaks the contract, or the versions do not fit.
    Protocol,
    /// The session does not exist, is not ready, or is closed.
    Session,
    /// The session's worker process is gone or has failed. Open a new session.
    Worker,
    /// A local queue overflowed, and its policy is to stop.
    Overflow,
    /// A command ended without success.
    Command,
    /// MXAccess itself failed the call; [`Error::hresult`] and [`Error::statuses`] are what COM answered.
    MxAccess,
    /// The library refuses an argument or option; nothing was sent.
    Argument,
}

impl ErrorKind {
    /// Whether this kind is the other one or a special case of it: connection, not-found and resource errors are
    /// transport errors, too, and those of MXAccess command errors.
    pub fn is(self, other: ErrorKind) -> bool {
        self == other
            || match self {
                ErrorKind::Connection | ErrorKind::NotFound | ErrorKind::Resource => other == ErrorKind::Transport,
                ErrorKind::MxAccess => other == ErrorKind::Command,
                _ => false,
            }
    }

    /// The kind in one word, as the contract of all clients has it.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Transport => "transport",
            ErrorKind::Connection => "connection",
            ErrorKind::NotFound => "notfound",
            ErrorKind::Resource => "resource",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Authentication => "authentication",
            ErrorKind::Authorization => "authorization",
            ErrorKind::Protocol => "protocol",
            ErrorKind::Session => "session",
            ErrorKind::Worker => "worker",
            ErrorKind::Overflow => "overflow",
            ErrorKind::Command => "command",
            ErrorKind::MxAccess => "mxaccess",
            ErrorKind::Argument => "argument",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The message that says that something failed, as it came.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// Of a command.
    Command(Box<pb::MxCommandReply>),
    /// Of the opening of a session.
    OpenSession(Box<pb::OpenSessionReply>),
    /// Of its closing.
    CloseSession(Box<pb::CloseSessionReply>),
    /// Of an acknowledgement.
    AcknowledgeAlarm(Box<pb::AcknowledgeAlarmReply>),
    /// Of many acknowledgements.
    AcknowledgeAlarms(Box<pb::AcknowledgeAlarmsReply>),
    /// An event that tells of the failure.
    Event(Box<pb::MxEvent>),
}

/// Any failure of the gateway, its worker, MXAccess or an argument. No text of it holds an API key.
///
/// Cancelling is dropping the future in Rust, so there is no error for it.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    pub(crate) reason: String,
    pub(crate) correlation_id: String,
    pub(crate) code: Option<Code>,
    pub(crate) retryable: bool,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) hresult: Option<i32>,
    pub(crate) statuses: Vec<pb::MxStatusProxy>,
    pub(crate) protocol_status: Option<pb::ProtocolStatus>,
    pub(crate) reply: Option<Reply>,
    pub(crate) cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: redact(message.as_ref(), &[]),
            reason: String::new(),
            correlation_id: String::new(),
            code: None,
            retryable: tables::is_retryable(kind),
            retry_after: None,
            hresult: None,
            statuses: Vec::new(),
            protocol_status: None,
            reply: None,
            cause: None,
        }))
    }

    pub(crate) fn argument(message: impl AsRef<str>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    /// An argument error that keeps its cause.
    pub(crate) fn argument_of(message: impl AsRef<str>, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::argument(message).with(|inner| inner.cause = Some(Arc::new(cause)))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it is of the kind or a special case of it, see [`ErrorKind::is`].
    pub fn is(&self, kind: ErrorKind) -> bool {
        self.0.kind.is(kind)
    }

    /// The text, without secrets.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The gateway's word for the cause, such as `SESSION_NOT_FOUND`; empty when there is none.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Finds the call in the gateway's logs; empty when unknown.
    pub fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// The gRPC status of a failed call; none when no call failed.
    pub fn code(&self) -> Option<Code> {
        self.0.code
    }

    /// Whether the same call may be sent again by hand. Never set for what may have changed the plant.
    pub fn retryable(&self) -> bool {
        self.0.retryable
    }

    /// How long the gateway asks to wait before that.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// That of the reply.
    pub fn hresult(&self) -> Option<i32> {
        self.0.hresult
    }

    /// Those of the reply.
    pub fn statuses(&self) -> &[pb::MxStatusProxy] {
        &self.0.statuses
    }

    /// That of the reply.
    pub fn protocol_status(&self) -> Option<&pb::ProtocolStatus> {
        self.0.protocol_status.as_ref()
    }

    /// The message that says so, as it came.
    pub fn reply(&self) -> Option<&Reply> {
        self.0.reply.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

// The reply is left out: what it holds was not looked through for secrets.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("reason", &self.0.reason)
            .field("code", &self.0.code)
            .field("correlation_id", &self.0.correlation_id)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_ref().map(|cause| cause.as_ref() as &(dyn StdError + 'static))
    }
}

/// The name of a gRPC status as the contract writes it, for example `NOT_FOUND`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
