//! One session of a gateway.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use crate::client::{close_session, wire_duration};
use crate::command_stream::CommandStream;
use crate::connection::{Connection, method_name};
use crate::correlation::next_correlation_id;
use crate::error::Result;
use crate::events::{EventStream, StreamOptions};
use crate::pb::{self, mx_command::Payload, mx_command_reply};
use crate::replies::{check_mxaccess, check_protocol, missing_payload};
use crate::subscription::{Shared, SubscribeBuilder};
use crate::tables::{self, capabilities};

/// What one call may have of its own, see [`Session::with`].
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The deadline of the call, in place of the client's.
    pub timeout: Option<Duration>,
    /// Sent with the call, to find it in the gateway's logs; a new one when empty.
    pub correlation_id: String,
}

/// One session of a gateway, with a worker process of its own. Its methods are those of LMXProxyServer. A clone is the
/// same session, for any task.
///
/// Dropping the future of a command ends the wait, and takes the command back as far as it is still queued in the
/// gateway. A COM call that runs goes on: after a write that was dropped or timed out its outcome is unknown.
///
/// Dropping a session cannot wait, so it closes nothing: the gateway ends it soon after its client. Use
/// [`close`](Session::close).
#[derive(Clone)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
    call: CallOptions,
}

pub(crate) struct Inner {
    connection: Arc<Connection>,
    reply: pb::OpenSessionReply,
    policy: pb::BackpressurePolicy,
    is_own: bool,
    commands: Option<Arc<CommandStream>>,
    closed: AtomicBool,
    closing: AsyncMutex<Option<pb::CloseSessionReply>>,
    subscriptions: Mutex<Vec<Weak<Shared>>>,
}

impl Session {
    pub(crate) fn new(
        connection: Arc<Connection>,
        reply: pb::OpenSessionReply,
        policy: pb::BackpressurePolicy,
        is_own: bool,
    ) -> Self {
        let streams = reply.capabilities.iter().any(|each| each == capabilities::COMMAND_STREAM);
        let commands = streams.then(|| CommandStream::new(connection.clone(), reply.session_id.clone()));
        let inner = Inner {
            connection,
            reply,
            policy,
            is_own,
            commands,
            closed: AtomicBool::new(false),
            closing: AsyncMutex::new(None),
            subscriptions: Mutex::new(Vec::new()),
        };
        Self { inner: Arc::new(inner), call: CallOptions::default() }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.inner.connection
    }

    pub(crate) fn has(&self, capability: &str) -> bool {
        self.inner.reply.capabilities.iter().any(|each| each == capability)
    }

    pub(crate) fn policy(&self) -> pb::BackpressurePolicy {
        self.inner.policy
    }

    /// How many entries one bulk command takes.
    pub(crate) fn max_bulk(&self) -> usize {
        let told = self.inner.reply.limits.as_ref().map_or(0, |limits| limits.max_bulk_items);
        usize::try_from(told).ok().filter(|most| *most > 0).unwrap_or(tables::MAX_BULK_ITEMS)
    }

    /// The gateway's name of this session.
    pub fn id(&self) -> &str {
        &self.inner.reply.session_id
    }

    /// What the gateway announced when the session opened.
    pub fn capabilities(&self) -> &[String] {
        &self.inner.reply.capabilities
    }

    /// Whether the values are no plant's; not known, so false, in a session that was attached.
    pub fn is_simulated(&self) -> bool {
        self.inner.reply.is_simulated
    }

    /// The reply that opened the session.
    pub fn raw(&self) -> &pb::OpenSessionReply {
        &self.inner.reply
    }

    /// Whether it was closed, or is being closed.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Ordering::Acquire)
    }

    /// The same session, whose calls have these options.
    ///
    /// ```no_run
    /// # async fn example(session: mxgateway::Session) -> mxgateway::Result<()> {
    /// use mxgateway::CallOptions;
    /// let timeout = Some(std::time::Duration::from_secs(5));
    /// session.with(CallOptions { timeout, ..Default::default() }).ping("hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with(&self, call: CallOptions) -> Self {
        Self { inner: self.inner.clone(), call }
    }

    /// Ends the session and its worker, within the client's shutdown timeout. Idempotent: later and concurrent calls
    /// get the first reply. A close that failed may be tried again.
    pub async fn close(&self) -> Result<pb::CloseSessionReply> {
        let inner = &self.inner;
        let mut closing = inner.closing.lock().await;
        if let Some(reply) = &*closing {
            return Ok(reply.clone());
        }
        inner.closed.store(true, Ordering::Release);
        // It is open again when this fails or is dropped.
        let reopens = Reopens(&inner.closed);
        let subscriptions: Vec<_> = std::mem::take(&mut *inner.subscriptions());
        for subscription in subscriptions.iter().filter_map(Weak::upgrade) {
            subscription.close().await;
        }
        if let Some(commands) = &inner.commands {
            commands.close();
        }
        let request =
            pb::CloseSessionRequest { session_id: self.id().to_owned(), client_correlation_id: next_correlation_id() };
        let limit = inner.connection.options.shutdown_timeout;
        let reply = close_session(&inner.connection, request, Some(limit)).await?;
        std::mem::forget(reopens);
        *closing = Some(reply.clone());
        Ok(reply)
    }

    /// Runs a command and checks the reply in full.
    ///
    /// # Errors
    /// `MxAccess` when MXAccess failed it; all others as the gateway says.
    pub async fn invoke(&self, command: pb::MxCommand) -> Result<pb::MxCommandReply> {
        let what = method_name(Some(&command));
        let reply = self.invoke_raw(command).await?;
        check_mxaccess(&reply, &what)?;
        Ok(reply)
    }

    /// Runs a command and leaves a failure of MXAccess in the reply.
    pub async fn invoke_raw(&self, command: pb::MxCommand) -> Result<pb::MxCommandReply> {
        let id = match self.call.correlation_id.as_str() {
            "" => next_correlation_id(),
            given => given.to_owned(),
        };
        let connection = &self.inner.connection;
        let what = method_name(Some(&command));
        if connection.is_closed() {
            return Err(Connection::closed_error(&what, "is closed"));
        }
        let is_retried =
            connection.options.retry.is_some() && command.payload.as_ref().is_some_and(tables::is_repeatable);
        if let Some(commands) = self.inner.commands.as_ref().filter(|commands| !is_retried && commands.takes(&id)) {
            let limit = self.call.timeout.unwrap_or(connection.options.call_timeout);
            let reply = commands.invoke(command, &what, &id, limit).await?;
            check_protocol(&reply, &what, &id)?;
            return Ok(reply);
        }
        let request = pb::MxCommandRequest {
            session_id: self.id().to_owned(),
            client_correlation_id: id,
            command: Some(command),
        };
        connection.invoke(request, self.call.timeout).await
    }

    /// Runs a payload's command, checked.
    pub(crate) async fn run(&self, payload: Payload) -> Result<pb::MxCommandReply> {
        self.invoke(command(payload)).await
    }

    /// Streams the session's events, without end. It uses batches on the wire where the gateway announced them.
    pub async fn events(&self, options: StreamOptions) -> Result<EventStream> {
        EventStream::open(self, options).await
    }

    /// Watches tags in this session, at most as long as it lives.
    pub fn subscribe<I>(&self, tags: I) -> SubscribeBuilder
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        SubscribeBuilder::in_session(self.clone(), tags.into_iter().map(Into::into).collect())
    }

    pub(crate) fn keep(&self, subscription: &Arc<Shared>) {
        let mut all = self.inner.subscriptions();
        all.retain(|each| each.strong_count() > 0);
        all.push(Arc::downgrade(subscription));
    }

    /// Sends a text through gateway and worker and returns what came back.
    pub async fn ping(&self, message: impl Into<String>) -> Result<String> {
        let reply = self.run(Payload::Ping(pb::PingCommand { message: message.into() })).await?;
        Ok(reply.diagnostic_message)
    }

    /// The session's state as the gateway sees it.
    pub async fn state(&self) -> Result<pb::SessionState> {
        let reply = self.run(Payload::GetSessionState(pb::GetSessionStateCommand {})).await?;
        match &reply.payload {
            Some(mx_command_reply::Payload::GetSessionState(found)) => Ok(found.state()),
            _ => Err(missing_payload(&reply, "get_session_state")),
        }
    }

    /// Process id, version and backend of the session's worker.
    pub async fn worker_info(&self) -> Result<pb::WorkerInfoReply> {
        let reply = self.run(Payload::GetWorkerInfo(pb::GetWorkerInfoCommand {})).await?;
        match reply.payload {
            Some(mx_command_reply::Payload::GetWorkerInfo(found)) => Ok(found),
            _ => Err(missing_payload(&reply, "get_worker_info")),
        }
    }

    /// Takes the events that wait for this session, at most so many, 0 for all; for diagnosis.
    pub async fn drain_events(&self, most: u32) -> Result<Vec<pb::MxEvent>> {
        let command = pb::DrainEventsCommand { max_events: most, ..Default::default() };
        let reply = self.run(Payload::DrainEvents(command)).await?;
        match reply.payload {
            Some(mx_command_reply::Payload::DrainEvents(found)) => Ok(found.events),
            _ => Err(missing_payload(&reply, "drain_events")),
        }
    }

    /// Asks the worker to end in order; for diagnosis. Needs the admin scope.
    pub async fn shutdown_worker(&self, grace: Duration) -> Result<()> {
        let grace_period = Some(wire_duration(grace)?);
        self.run(Payload::ShutdownWorker(pb::ShutdownWorkerCommand { grace_period })).await.map(drop)
    }

    /// Makes the simulator misbehave as named, for tests; refused unless the gateway allows it.
    pub async fn inject_fault(&self, fault: impl Into<String>, parameters: HashMap<String, String>) -> Result<()> {
        let command = pb::InjectFaultCommand { fault: fault.into(), parameters };
        self.run(Payload::InjectFault(command)).await.map(drop)
    }
}

impl Inner {
    fn subscriptions(&self) -> MutexGuard<'_, Vec<Weak<Shared>>> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(commands) = &self.commands {
            commands.close();
        }
        if self.is_own && !self.closed.load(Ordering::Acquire) && !self.connection.is_closed() {
            tracing::warn!("session {} was dropped without close; the gateway ends it later", self.reply.session_id);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id()).field("is_closed", &self.is_closed()).finish()
    }
}

struct Reopens<'a>(&'a AtomicBool);

impl Drop for Reopens<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The command of a payload; the kind is the one that belongs to it.
pub fn command(payload: Payload) -> pb::MxCommand {
    let (_, _, kind) = tables::command(&payload);
    pb::MxCommand { kind: kind.into(), payload: Some(payload) }
}
