//! What a reply says about success.

use tonic::Code;

use crate::error::{Error, ErrorKind, Reply, Result};
use crate::pb::{self, ProtocolStatusCode};
use crate::rpc_errors::{duration_of, kind_of_reason};
use crate::status::failures;
use crate::tables;

/// A reply with a protocol status.
pub(crate) trait Answered: prost::Message + Default + Clone + 'static {
    fn status(&self) -> Option<&pb::ProtocolStatus>;
    fn reply(&self) -> Reply;
    /// HRESULT and statuses, where the reply has them.
    fn com(&self) -> (Option<i32>, &[pb::MxStatusProxy]) {
        (None, &[])
    }
}

macro_rules! answered {
    ($message:ty, $arm:ident) => {
        impl Answered for $message {
            fn status(&self) -> Option<&pb::ProtocolStatus> {
                self.protocol_status.as_ref()
            }
            fn reply(&self) -> Reply {
                Reply::$arm(Box::new(self.clone()))
            }
        }
    };
}

answered!(pb::OpenSessionReply, OpenSession);
answered!(pb::CloseSessionReply, CloseSession);
answered!(pb::AcknowledgeAlarmReply, AcknowledgeAlarm);
answered!(pb::AcknowledgeAlarmsReply, AcknowledgeAlarms);

impl Answered for pb::MxCommandReply {
    fn status(&self) -> Option<&pb::ProtocolStatus> {
        self.protocol_status.as_ref()
    }
    fn reply(&self) -> Reply {
        Reply::Command(Box::new(self.clone()))
    }
    fn com(&self) -> (Option<i32>, &[pb::MxStatusProxy]) {
        (self.hresult, &self.statuses)
    }
}

fn of_reply<R: Answered>(reply: &R, kind: ErrorKind, text: String, correlation_id: &str) -> Error {
    Error::new(kind, text).with(|inner| {
        correlation_id.clone_into(&mut inner.correlation_id);
        inner.protocol_status = reply.status().cloned();
        inner.reply = Some(reply.reply());
    })
}

/// An error when the gateway says that it could not do what was asked. A failure of MXAccess passes.
pub(crate) fn check_protocol<R: Answered>(reply: &R, what: &str, correlation_id: &str) -> Result<()> {
    let status = reply.status().cloned().unwrap_or_default();
    let code = ProtocolStatusCode::try_from(status.code);
    if matches!(code, Ok(ProtocolStatusCode::Ok | ProtocolStatusCode::MxaccessFailure)) {
        return Ok(());
    }
    let by_code = code.ok().and_then(tables::kind_by_protocol_status);
    let Some(kind) = kind_of_reason(&status.reason).or(by_code) else {
        let text = format!("{what}: the reply has no usable protocol status (code {})", status.code);
        return Err(of_reply(reply, ErrorKind::Protocol, text, correlation_id));
    };
    let text = match code {
        Ok(known) if status.message.is_empty() => {
            known.as_str_name().trim_start_matches("PROTOCOL_STATUS_CODE_").to_lowercase().replace('_', " ")
        }
        _ => status.message.clone(),
    };
    Err(of_reply(reply, kind, format!("{what}: {text}"), correlation_id).with(|inner| {
        inner.reason = status.reason;
        inner.retry_after = status.retry_after.and_then(duration_of);
        if kind.is(ErrorKind::Command) {
            let (hresult, statuses) = reply.com();
            inner.hresult = hresult;
            inner.statuses = statuses.to_vec();
        }
    }))
}

/// An error when MXAccess failed: by protocol status, by a negative HRESULT, or by a failed status.
pub(crate) fn check_mxaccess(reply: &pb::MxCommandReply, what: &str) -> Result<()> {
    let failed = failures(&reply.statuses);
    let status = reply.protocol_status.clone().unwrap_or_default();
    let by_status = status.code == ProtocolStatusCode::MxaccessFailure as i32;
    if !by_status && failed.is_empty() && reply.hresult.unwrap_or(0) >= 0 {
        return Ok(());
    }
    let mut parts = vec![format!("{what} failed in MXAccess")];
    let mut text = if reply.diagnostic_message.is_empty() { status.message } else { reply.diagnostic_message.clone() };
    if let Some(hresult) = reply.hresult {
        if hresult != 0 {
            parts.push(format!("HRESULT {}", hresult_text(hresult)));
        }
        if text == hresult_text(hresult) {
            text.clear();
        }
        if let Some(meaning) = tables::hresult_meaning((what, hresult)) {
            meaning.clone_into(&mut text);
        }
    }
    parts.extend(failed);
    let mut message = parts.join(", ");
    if !text.is_empty() {
        message += &format!(": {text}");
    }
    Err(of_reply(reply, ErrorKind::MxAccess, message, &reply.correlation_id).with(|inner| {
        inner.hresult = reply.hresult;
        inner.statuses.clone_from(&reply.statuses);
    }))
}

fn hresult_text(hresult: i32) -> String {
    format!("0x{:08X}", hresult.cast_unsigned())
}

/// The reply succeeded but lacks what belongs to it.
pub(crate) fn missing_payload(reply: &pb::MxCommandReply, arm: &str) -> Error {
    let text = format!("the reply carries no {arm} payload although the command succeeded");
    of_reply(reply, ErrorKind::Protocol, text, &reply.correlation_id)
}

/// The reply has a number of results that does not fit.
pub(crate) fn check_count(reply: &pb::MxCommandReply, what: &str, got: usize, want: usize) -> Result<()> {
    if got == want {
        return Ok(());
    }
    let text = format!("{what}: the reply has {got} results for {want} entries");
    Err(of_reply(reply, ErrorKind::Protocol, text, &reply.correlation_id))
}

/// Whether gateway and client understand each other.
pub(crate) fn check_versions(reply: &pb::OpenSessionReply) -> Result<()> {
    let own = tables::GATEWAY_PROTOCOL_VERSION;
    let newest = reply.gateway_protocol_version;
    let oldest = match reply.minimum_client_protocol_version {
        0 => newest,
        told => told,
    };
    if (oldest..=newest).contains(&own) {
        return Ok(());
    }
    let spoken =
        if oldest == newest { newest.to_string() } else { format!("{newest} and serves clients from {oldest} on") };
    let text = format!(
        "the gateway speaks protocol version {spoken}, this client {own}; \
         install the client version that belongs to the gateway"
    );
    Err(of_reply(reply, ErrorKind::Protocol, text, ""))
}

/// Above the limit of a message: on a stream gRPC would end all that is under way with it.
pub(crate) fn check_size(size: usize, most: usize, what: &str, correlation_id: &str) -> Result<()> {
    if size <= most.saturating_sub(tables::ENVELOPE_BYTES) {
        return Ok(());
    }
    let text = format!(
        "{what}: {size} bytes and their envelope are above the limit of a message, {most} (max_message_bytes, which the \
         gateway has, too); nothing was sent"
    );
    Err(Error::new(ErrorKind::Resource, text).with(|inner| {
        inner.code = Some(Code::ResourceExhausted);
        correlation_id.clone_into(&mut inner.correlation_id);
        inner.retryable = false;
    }))
}
