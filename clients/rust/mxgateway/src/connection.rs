//! A channel with its options: deadlines, key, retries, and gRPC's errors in this library's terms.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::error::{Error, ErrorKind, Result};
use crate::options::ClientBuilder;
use crate::pb;
use crate::replies::{Answered, check_protocol, check_size};
use crate::rpc_errors::{Called, chain_text};
use crate::tables;
use crate::tls::Tls;
use crate::together::Together;
use crate::transport::{ConnectFailure, ConnectionState, Connector, Link};

/// Version of this client.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) struct Connection {
    pub(crate) options: ClientBuilder,
    pub(crate) link: Arc<Link>,
    endpoint: Endpoint,
    connector: Connector,
    channel: Mutex<Option<Channel>>,
}

/// One unary call.
pub(crate) struct Call {
    pub(crate) called: Called,
    pub(crate) path: &'static str,
    pub(crate) timeout: Option<Duration>,
    pub(crate) is_idempotent: bool,
}

impl Connection {
    pub(crate) fn new(options: ClientBuilder) -> Result<Arc<Self>> {
        let tls = if options.plaintext { None } else { Some(Tls::new(&options)?) };
        let scheme = if options.plaintext { "http" } else { "https" };
        let authority = match &options.server_name {
            Some(name) => format!("{name}:{}", options.port),
            None => options.endpoint.clone(),
        };
        let unusable = |error: &dyn std::fmt::Display| {
            Error::argument(format!("endpoint {:?} cannot be used: {error}", options.endpoint))
        };
        let origin = format!("{scheme}://{authority}").parse::<Uri>().map_err(|error| unusable(&error))?;
        // TLS is the connector's affair, so the channel itself is told of none.
        let mut endpoint = Endpoint::from_shared(format!("http://{}", options.endpoint))
            .and_then(|endpoint| endpoint.user_agent(format!("mxgateway-rust/{VERSION}")))
            .map_err(|error| unusable(&error))?
            .executor(Together::default())
            .origin(origin);
        if let Some((every, timeout)) = options.keepalive {
            endpoint = endpoint.http2_keep_alive_interval(every).keep_alive_timeout(timeout);
        }
        let link = Link::new();
        let connector = Connector {
            host: options.host.clone(),
            port: options.port,
            tls,
            limit: options.connect_timeout,
            link: link.clone(),
        };
        Ok(Arc::new(Self { options, link, endpoint, connector, channel: Mutex::new(None) }))
    }

    /// Waits until the gateway answers.
    pub(crate) async fn ready(&self) -> Result<()> {
        let limit = self.options.connect_timeout;
        let made = tokio::time::timeout(limit, async {
            let channel = self.endpoint.connect_with_connector(self.connector.clone()).await;
            let channel = channel.map_err(|error| {
                self.link.last_failure().unwrap_or_else(|| ConnectFailure::new("", chain_text(&error)))
            })?;
            let mut states = self.link.states();
            let settled = |state: &ConnectionState| *state != ConnectionState::Connecting;
            let state = states.wait_for(settled).await.map_or(ConnectionState::Closed, |state| *state);
            if state == ConnectionState::Connected {
                return Ok(channel);
            }
            Err(self.link.last_failure().filter(|failure| !failure.reason.is_empty()).unwrap_or_else(|| {
                let reason = if self.options.plaintext { "TLS_EXPECTED" } else { "" };
                ConnectFailure::new(reason, "the connection was closed before anything was said")
            }))
        })
        .await;
        let failure = match made {
            Ok(Ok(channel)) => {
                *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
                return Ok(());
            }
            Ok(Err(failure)) => failure,
            Err(_) => ConnectFailure::new("CONNECT_TIMEOUT", ""),
        };
        self.link.close();
        Err(self.unreachable(&failure))
    }

    fn unreachable(&self, failure: &ConnectFailure) -> Error {
        let endpoint = &self.options.endpoint;
        if failure.reason == "CONNECT_TIMEOUT" {
            let limit = self.options.connect_timeout;
            let text = format!("{endpoint} did not answer within {limit:?}; is this the gateway's address and port?");
            return Error::new(ErrorKind::Timeout, text).with(|inner| inner.retryable = true);
        }
        let without = if self.options.plaintext { " without TLS" } else { "" };
        let remedy = match failure.reason {
            "TLS_EXPECTED" => {
                " (the port may speak TLS: leave out plaintext (--plaintext) and give ca_file (--ca-file))"
            }
            "CONNECTION_REFUSED" => " (nothing listens there; is the gateway running, and is this its port?)",
            _ => "",
        };
        let text = format!("cannot reach {endpoint}{without}: UNAVAILABLE{remedy}: {}", failure.text);
        Error::new(ErrorKind::Connection, text).with(|inner| {
            failure.reason.clone_into(&mut inner.reason);
            inner.code = Some(Code::Unavailable);
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.link.closed.is_cancelled()
    }

    pub(crate) fn close(&self) {
        self.link.close();
        self.channel.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn closed_error(what: &str, when: &str) -> Error {
        Error::new(ErrorKind::Transport, format!("{what}: the client {when}"))
    }

    /// The stub of a call, or the error of a closed client.
    pub(crate) fn grpc(&self, what: &str) -> Result<Grpc<Channel>> {
        if self.is_closed() {
            return Err(Self::closed_error(what, "is closed"));
        }
        let mut slot = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = slot.get_or_insert_with(|| self.endpoint.connect_with_connector_lazy(self.connector.clone()));
        let most = self.options.max_message_bytes;
        Ok(Grpc::new(channel.clone()).max_decoding_message_size(most).max_encoding_message_size(most))
    }

    /// A request with the key, and the key for errors.
    pub(crate) async fn request<T>(&self, message: T) -> Result<(Request<T>, Option<String>)> {
        let mut request = Request::new(message);
        let key = self.options.key().await?;
        if let Some(key) = &key {
            let mut value = format!("Bearer {key}")
                .parse::<MetadataValue<Ascii>>()
                .map_err(|_| Error::argument("api_key holds characters that a gRPC header cannot carry"))?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        Ok((request, key))
    }

    /// Makes a call; the time limit spans all attempts.
    pub(crate) async fn unary<Q, R>(&self, call: Call, request: Q) -> Result<R>
    where
        Q: Message + Clone + 'static,
        R: Message + Default + 'static,
    {
        let called = &call.called;
        check_size(request.encoded_len(), self.options.max_message_bytes, &called.what, &called.correlation_id)?;
        let deadline = Instant::now() + bounded(call.timeout.unwrap_or(self.options.call_timeout));
        let mut attempt = 1;
        loop {
            let Some(policy) = self.options.retry.filter(|policy| call.is_idempotent && attempt < policy.max_attempts)
            else {
                return self.attempt(&call, request, deadline).await;
            };
            let error = match self.attempt(&call, request.clone(), deadline).await {
                Err(error) if error.retryable() => error,
                done => return done,
            };
            let backoff = policy.initial_delay.saturating_mul(1 << (attempt - 1).min(20)).min(policy.max_delay);
            let delay = bounded(backoff.mul_f64(fastrand::f64()).max(error.retry_after().unwrap_or_default()));
            if Instant::now() + delay >= deadline {
                return Err(error);
            }
            tokio::select! {
                () = sleep(delay) => {}
                () = self.link.closed.cancelled() => {
                    return Err(Self::closed_error(&called.what, "was closed between two attempts"));
                }
            }
            attempt += 1;
        }
    }

    async fn attempt<Q, R>(&self, call: &Call, message: Q, deadline: Instant) -> Result<R>
    where
        Q: Message + 'static,
        R: Message + Default + 'static,
    {
        let called = &call.called;
        let mut grpc = self.grpc(&called.what)?;
        let work = async {
            let (mut request, key) = self.request(message).await?;
            // Whole: a header that is the same each time is sent once, and then only its number.
            request.set_timeout(whole_millis(deadline.saturating_duration_since(Instant::now())));
            let made = async {
                grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
                grpc.unary(request, PathAndQuery::from_static(call.path), ProstCodec::default()).await
            };
            made.await.map(tonic::Response::into_inner).map_err(|status| called.failed(&status, key.as_deref()))
        };
        tokio::select! {
            biased;
            () = self.link.closed.cancelled() => Err(Self::closed_error(&called.what, "was closed during the call")),
            made = timeout_at(deadline, work) => made.unwrap_or_else(|_| Err(called.timed_out("the deadline was over"))),
        }
    }

    /// A unary call of the gateway's service whose reply has a protocol status.
    pub(crate) async fn checked<Q, R>(&self, call: Call, request: Q) -> Result<R>
    where
        Q: Message + Clone + 'static,
        R: Answered,
    {
        let called = call.called.clone();
        let reply: R = self.unary(call, request).await?;
        check_protocol(&reply, &called.what, &called.correlation_id)?;
        Ok(reply)
    }

    pub(crate) async fn invoke(
        &self,
        request: pb::MxCommandRequest,
        timeout: Option<Duration>,
    ) -> Result<pb::MxCommandReply> {
        let payload = request.command.as_ref().and_then(|command| command.payload.as_ref());
        let call = Call {
            called: Called::new(method_name(request.command.as_ref()), &request.client_correlation_id),
            path: "/mxaccess_gateway.v1.MxAccessGateway/Invoke",
            timeout,
            is_idempotent: payload.is_some_and(tables::is_repeatable),
        };
        self.checked(call, request).await
    }
}

/// A limit that clocks and gRPC can count; a longer one never comes to an end in any case.
pub(crate) fn bounded(limit: Duration) -> Duration {
    limit.min(Duration::from_secs(30 * 365 * 24 * 3600))
}

/// Rounded up.
fn whole_millis(duration: Duration) -> Duration {
    let rest = duration.subsec_nanos() % 1_000_000;
    if rest == 0 { duration } else { duration + Duration::from_nanos(u64::from(1_000_000 - rest)) }
}

/// The method of a command as MXAccess calls it, for texts.
pub(crate) fn method_name(command: Option<&pb::MxCommand>) -> String {
    match command.and_then(|command| command.payload.as_ref()) {
        Some(payload) => tables::command(payload).1.to_owned(),
        None => format!("command {}", command.map_or(0, |command| command.kind)),
    }
}
