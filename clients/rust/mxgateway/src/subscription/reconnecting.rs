//! After which errors a subscription tries again, and when. Without I/O and clock.

use std::time::Duration;

use tonic::Code;

use crate::error::{Error, ErrorKind};
use crate::pb::ProtocolStatusCode;

/// Whether only another session can go on.
pub(crate) fn says_session_lost(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Session | ErrorKind::Worker)
}

/// Whether the same session may be there again later.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Resource => return error.retryable(),
        ErrorKind::Connection | ErrorKind::Timeout => return true,
        _ => {}
    }
    // Nobody here cancels a command: the gateway did, because it stops.
    if error.protocol_status().is_some_and(|status| status.code == ProtocolStatusCode::Canceled as i32) {
        return true;
    }
    // What proxies and a transport in trouble answer.
    matches!(error.code(), Some(Code::Internal | Code::Unknown | Code::Aborted | Code::DataLoss))
}

/// The waits between attempts: none before the first, then doubled up to the longest, with jitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    attempts: u32,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0 }
    }

    /// How long to wait before the next attempt; at least what the gateway asks for. `jitter` is between 0 and 1.
    pub(crate) fn delay(&mut self, error: &Error, jitter: f64) -> Duration {
        let attempt = self.attempts;
        self.attempts += 1;
        let longest = match attempt {
            0 => Duration::ZERO,
            _ => self.first.saturating_mul(1 << attempt.min(10)).min(self.longest),
        };
        longest.mul_f64(0.5 + jitter / 2.0).max(error.retry_after().unwrap_or_default())
    }

    /// The connection has proved itself: the next attempt is a first one again.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}
