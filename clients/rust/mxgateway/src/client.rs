//! A connection to a gateway.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::alarms::{self, AlarmFeed};
use crate::connection::{Call, Connection, method_name};
use crate::correlation::next_correlation_id;
use crate::error::{Error, Result};
use crate::galaxy::GalaxyClient;
use crate::options::ClientBuilder;
use crate::pb;
use crate::replies::{check_mxaccess, check_versions};
use crate::rpc_errors::Called;
use crate::session::Session;
use crate::stream::MessageStream;
use crate::subscription::SubscribeBuilder;
use crate::transport::ConnectionState;

const OPEN_SESSION: &str = "/mxaccess_gateway.v1.MxAccessGateway/OpenSession";
const CLOSE_SESSION: &str = "/mxaccess_gateway.v1.MxAccessGateway/CloseSession";
const LIST_SESSIONS: &str = "/mxaccess_gateway.v1.MxAccessGateway/ListSessions";

/// What a session is opened with.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Names the session in the gateway's logs and dashboard.
    pub client_session_name: String,
    /// `simulator`, `com` or `replay`; empty for the gateway's default.
    pub requested_backend: String,
    /// Limits each command in the gateway.
    pub command_timeout: Option<Duration>,
    /// Passed to the backend, where the gateway allows them.
    pub backend_options: HashMap<String, String>,
    /// What the gateway does when this session's events are not taken fast enough.
    pub backpressure_policy: pb::BackpressurePolicy,
    /// Keeps the session while no connection of its client is there, for another process that attaches to it.
    pub keep_when_disconnected: bool,
    /// Of the opening; a new one when empty.
    pub correlation_id: String,
}

/// A connection to a gateway; sessions are opened on it. A clone is the same client, for any task.
#[derive(Clone)]
pub struct GatewayClient {
    pub(crate) connection: Arc<Connection>,
}

impl GatewayClient {
    /// Options of a client of the gateway at `host:port`, for example `gateway.example:5001` or `[::1]:5001`.
    pub fn builder(endpoint: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(endpoint)
    }

    pub(crate) fn of(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Ends all calls on the client. Idempotent. Sessions end soon after in the gateway.
    pub fn close(&self) {
        self.connection.close();
    }

    /// Where the connection stands now.
    pub fn connection_state(&self) -> ConnectionState {
        self.connection.link.state()
    }

    /// The state now, and each turn.
    pub fn connection_states(&self) -> watch::Receiver<ConnectionState> {
        self.connection.link.states()
    }

    /// The Galaxy service on the connection of this client; closing either closes both.
    pub fn galaxy(&self) -> GalaxyClient {
        GalaxyClient::of(self.connection.clone())
    }

    /// Opens a session, that is a worker process of one's own. Close it.
    ///
    /// # Errors
    /// `Protocol` when gateway and client speak different versions of the contract; the session is closed again then.
    pub async fn open_session(&self, options: SessionOptions) -> Result<Session> {
        let limit = options.command_timeout.map(wire_duration).transpose()?;
        let policy = options.backpressure_policy;
        let request = pb::OpenSessionRequest {
            requested_backend: options.requested_backend,
            client_session_name: options.client_session_name,
            client_correlation_id: options.correlation_id,
            command_timeout: limit,
            backend_options: options.backend_options,
            backpressure_policy: policy.into(),
            keep_when_disconnected: options.keep_when_disconnected,
        };
        let reply = self.open_session_raw(request).await?;
        if let Err(error) = check_versions(&reply) {
            // The gateway has started a worker for us; without a Session nobody else would end it.
            let request =
                pb::CloseSessionRequest { session_id: reply.session_id, client_correlation_id: next_correlation_id() };
            if let Err(closing) = self.close_session_raw(request).await {
                tracing::info!("closing the session of another version failed: {closing}");
            }
            return Err(error);
        }
        Ok(Session::new(self.connection.clone(), reply, policy, true))
    }

    /// A session that is open already, for example from another process of the same key. Nothing is sent.
    ///
    /// `capabilities` are those of the reply that opened it, where they are known.
    pub fn attach_session<I>(&self, session_id: impl Into<String>, capabilities: I) -> Session
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let capabilities = capabilities.into_iter().map(Into::into).collect();
        let reply = pb::OpenSessionReply { session_id: session_id.into(), capabilities, ..Default::default() };
        Session::new(self.connection.clone(), reply, pb::BackpressurePolicy::Unspecified, false)
    }

    /// Watches tags in a session of their own, which is opened anew when it is lost: so the subscription survives a
    /// restart of the gateway, too.
    pub fn subscribe<I>(&self, tags: I) -> SubscribeBuilder
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        SubscribeBuilder::in_own_session(self.clone(), tags.into_iter().map(Into::into).collect())
    }

    /// [`open_session`](Self::open_session) with the generated messages; it checks no version.
    pub async fn open_session_raw(&self, mut request: pb::OpenSessionRequest) -> Result<pb::OpenSessionReply> {
        if request.client_correlation_id.is_empty() {
            request.client_correlation_id = next_correlation_id();
        }
        let called = Called::new("OpenSession", &request.client_correlation_id);
        self.connection.checked(Call { called, path: OPEN_SESSION, timeout: None, is_idempotent: false }, request).await
    }

    /// `CloseSession` with the generated messages.
    pub async fn close_session_raw(&self, request: pb::CloseSessionRequest) -> Result<pb::CloseSessionReply> {
        close_session(&self.connection, request, None).await
    }

    /// Runs a command and checks the reply in full.
    pub async fn invoke(&self, request: pb::MxCommandRequest) -> Result<pb::MxCommandReply> {
        let what = method_name(request.command.as_ref());
        let reply = self.invoke_raw(request).await?;
        check_mxaccess(&reply, &what)?;
        Ok(reply)
    }

    /// Runs a command; a failure of MXAccess stays in the reply.
    pub async fn invoke_raw(&self, request: pb::MxCommandRequest) -> Result<pb::MxCommandReply> {
        self.connection.invoke(request, None).await
    }

    /// Lists the sessions of this key that are not closed, the oldest first; those of every key for an admin.
    pub async fn list_sessions(&self, own_only: bool) -> Result<pb::ListSessionsReply> {
        let called = Called::new("ListSessions", "");
        let call = Call { called, path: LIST_SESSIONS, timeout: None, is_idempotent: true };
        self.connection.unary(call, pb::ListSessionsRequest { own_only }).await
    }

    /// Streams the active alarms, a marker that the snapshot is complete, and then each transition. It belongs to the
    /// gateway and needs no session.
    pub async fn stream_alarms(&self, request: pb::StreamAlarmsRequest) -> Result<AlarmFeed> {
        alarms::stream(&self.connection, request).await
    }

    /// Streams the alarms that are active now.
    pub async fn query_active_alarms(
        &self,
        request: pb::QueryActiveAlarmsRequest,
    ) -> Result<MessageStream<pb::ActiveAlarmSnapshot>> {
        alarms::query(&self.connection, request).await
    }

    /// Acknowledges one alarm. What the plant says to it is in the reply, and no error.
    pub async fn acknowledge_alarm(&self, request: pb::AcknowledgeAlarmRequest) -> Result<pb::AcknowledgeAlarmReply> {
        alarms::acknowledge(&self.connection, request).await
    }

    /// Acknowledges many alarms, 1,000 at most, or those that a filter takes together with the number that it must
    /// match. What the plant says to each is in the reply, and no error.
    pub async fn acknowledge_alarms(
        &self,
        request: pb::AcknowledgeAlarmsRequest,
    ) -> Result<pb::AcknowledgeAlarmsReply> {
        alarms::acknowledge_many(&self.connection, request).await
    }
}

impl fmt::Debug for GatewayClient {
    /// Names the gateway, and never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayClient")
            .field("endpoint", &self.connection.options.endpoint)
            .field("state", &self.connection_state())
            .finish()
    }
}

pub(crate) async fn close_session(
    connection: &Connection,
    request: pb::CloseSessionRequest,
    timeout: Option<Duration>,
) -> Result<pb::CloseSessionReply> {
    let called = Called::new("CloseSession", &request.client_correlation_id);
    // The gateway answers a second close with the last known state, so it may be repeated.
    connection.checked(Call { called, path: CLOSE_SESSION, timeout, is_idempotent: true }, request).await
}

pub(crate) fn wire_duration(duration: Duration) -> Result<prost_types::Duration> {
    duration
        .try_into()
        .map_err(|error| Error::argument_of(format!("{duration:?} is longer than a message can hold"), error))
}
