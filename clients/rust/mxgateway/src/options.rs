//! How a gateway is reached.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::client::GatewayClient;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::galaxy::GalaxyClient;
use crate::tables::MAX_MESSAGE_BYTES;

/// What a key provider may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type KeyProvider = dyn Fn() -> BoxFuture<'static, std::result::Result<String, BoxError>> + Send + Sync;

/// When and how a failed call is repeated. Only calls that change nothing ever are: pings, reads of state, `read_bulk`,
/// Galaxy, closing a session; never a write, a subscription, a session's opening, nor a call whose deadline was over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// Wait before the second attempt; each further one doubles up to `max_delay`. The true wait is drawn evenly between
    /// 0 and that, but is never shorter than what the gateway asks for.
    pub initial_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Four attempts within 0.1 s to 5 s.
    fn default() -> Self {
        Self { max_attempts: 4, initial_delay: Duration::from_millis(100), max_delay: Duration::from_secs(5) }
    }
}

#[derive(Clone)]
pub(crate) enum Key {
    None,
    Fixed(String),
    Provided(Arc<KeyProvider>),
}

/// Options of a client, and the ways to make it. Made by [`GatewayClient::builder`].
#[derive(Clone)]
pub struct ClientBuilder {
    pub(crate) endpoint: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) key: Key,
    pub(crate) plaintext: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) server_name: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) stream_timeout: Option<Duration>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) keepalive: Option<(Duration, Duration)>,
    pub(crate) retry: Option<RetryPolicy>,
}

impl ClientBuilder {
    pub(crate) fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            host: String::new(),
            port: 0,
            key: Key::None,
            plaintext: false,
            ca_file: None,
            client_certificate: None,
            server_name: None,
            connect_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(30),
            stream_timeout: None,
            shutdown_timeout: Duration::from_secs(10),
            max_message_bytes: MAX_MESSAGE_BYTES,
            keepalive: Some((Duration::from_secs(30), Duration::from_secs(10))),
            retry: None,
        }
    }

    /// Sends the key, `mxgw_<id>_<secret>`, with every call. It is never part of any text.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.key = Key::Fixed(key.into());
        self
    }

    /// Asks for the key before every call, so that it may change while the client lives.
    pub fn key_provider<F, A>(mut self, provider: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = std::result::Result<String, BoxError>> + Send + 'static,
    {
        self.key = Key::Provided(Arc::new(move || Box::pin(provider())));
        self
    }

    /// An unencrypted channel. TLS is the default, and nothing else ever switches it off.
    pub fn plaintext(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Trusts the authorities of a PEM file in place of the system's, for example the gateway's `gateway-ca.pem`.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Shows a certificate to a gateway that asks for one: PEM files, the key without a pass phrase.
    pub fn client_certificate(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// Expects this name in the certificate in place of the endpoint's host, for tests.
    pub fn server_name_override(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Limits [`connect`](Self::connect) and each later connection; 10 s by default.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// The deadline of each unary call; 30 s by default.
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = limit;
        self
    }

    /// The deadline of streams; none by default.
    pub fn stream_timeout(mut self, limit: Duration) -> Self {
        self.stream_timeout = Some(limit);
        self
    }

    /// How long closing a session may take, apart from the call timeout; 10 s by default.
    pub fn shutdown_timeout(mut self, limit: Duration) -> Self {
        self.shutdown_timeout = limit;
        self
    }

    /// The longest message, both ways; 16 MiB by default, as in the gateway.
    pub fn max_message_bytes(mut self, size: usize) -> Self {
        self.max_message_bytes = size;
        self
    }

    /// Asks after so long without traffic whether the gateway is still there, while a call is under way, and gives up
    /// when there is no answer in time; 30 s and 10 s by default. None switches it off.
    pub fn keepalive(mut self, every_and_timeout: Option<(Duration, Duration)>) -> Self {
        self.keepalive = every_and_timeout;
        self
    }

    /// Repeats failed calls that change nothing. Without it nothing is ever repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Makes a client and waits until the gateway answers, at most the connect timeout. Needs a Tokio runtime.
    ///
    /// # Errors
    /// `Argument` for an option that makes no sense, `Connection` when the gateway cannot be reached or its certificate
    /// is not trusted, `Timeout` when it does not answer.
    pub async fn connect(self) -> Result<GatewayClient> {
        let connection = Connection::new(self.checked()?)?;
        connection.ready().await?;
        Ok(GatewayClient::of(connection))
    }

    /// Makes a client without connecting; the first call does.
    ///
    /// # Errors
    /// `Argument` for an option that makes no sense.
    pub fn connect_lazy(self) -> Result<GatewayClient> {
        Ok(GatewayClient::of(Connection::new(self.checked()?)?))
    }

    /// Makes a client of the Galaxy service and waits until the gateway answers; errors as of [`connect`](Self::connect).
    pub async fn connect_galaxy(self) -> Result<GalaxyClient> {
        let connection = Connection::new(self.checked()?)?;
        connection.ready().await?;
        Ok(GalaxyClient::of(connection))
    }

    fn checked(mut self) -> Result<Self> {
        (self.host, self.port) = endpoint_parts(&self.endpoint)?;
        if let Key::Fixed(key) = &self.key {
            check_key(key)?;
        }
        let limits = [
            ("connect_timeout", Some(self.connect_timeout)),
            ("call_timeout", Some(self.call_timeout)),
            ("stream_timeout", self.stream_timeout),
            ("shutdown_timeout", Some(self.shutdown_timeout)),
            ("keepalive_time", self.keepalive.map(|(every, _)| every)),
            ("keepalive_timeout", self.keepalive.map(|(_, timeout)| timeout)),
        ];
        for (name, limit) in limits {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(Error::argument(format!("{name} is 0, but needs to be a positive time")));
            }
        }
        if self.max_message_bytes == 0 {
            return Err(Error::argument("max_message_bytes is 0, but needs to be positive"));
        }
        if let Some(policy) = &self.retry {
            if policy.max_attempts < 1 {
                return Err(Error::argument("max_attempts is 0, but at least one attempt is needed"));
            }
            if policy.max_delay < policy.initial_delay {
                return Err(Error::argument("delays need initial_delay <= max_delay"));
            }
        }
        let of_tls = [
            ("ca_file", self.ca_file.is_some()),
            ("server_name_override", self.server_name.is_some()),
            ("client_certificate", self.client_certificate.is_some()),
        ];
        for (name, given) in of_tls {
            if self.plaintext && given {
                return Err(Error::argument(format!("plaintext excludes {name}: it is an option of TLS")));
            }
        }
        Ok(self)
    }

    /// The key of a call that begins now.
    pub(crate) async fn key(&self) -> Result<Option<String>> {
        match &self.key {
            Key::None => Ok(None),
            Key::Fixed(key) => Ok(Some(key.clone())),
            Key::Provided(provider) => {
                let key = provider().await.map_err(|error| {
                    // The cause is not kept: what it holds was not looked through for secrets.
                    Error::argument(format!("api_key: the key provider failed: {error}"))
                })?;
                check_key(&key)?;
                Ok(Some(key))
            }
        }
    }
}

impl fmt::Debug for ClientBuilder {
    /// How the gateway is reached, and never the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("endpoint", &self.endpoint)
            .field("plaintext", &self.plaintext)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

fn endpoint_parts(endpoint: &str) -> Result<(String, u16)> {
    if endpoint.contains("://") {
        return Err(Error::argument(format!(
            "endpoint {endpoint:?} has a scheme; give host:port, and plaintext for no TLS"
        )));
    }
    let no_endpoint =
        || Error::argument(format!("endpoint {endpoint:?} is not host:port, for example localhost:5001 or [::1]:5001"));
    let (host, port) = endpoint.rsplit_once(':').ok_or_else(no_endpoint)?;
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_named = !host.is_empty() && !host.contains([':', '/', ' ', '@', '?', '#', '[', ']']);
    let host = match v6 {
        Some(address) if address.parse::<IpAddr>().is_ok() => address,
        None if is_named => host,
        _ => return Err(no_endpoint()),
    };
    match port.parse::<u16>() {
        Ok(port) if port > 0 && endpoint.ends_with(&format!(":{port}")) => Ok((host.to_owned(), port)),
        _ => Err(Error::argument(format!("endpoint {endpoint:?} has no port between 1 and 65535"))),
    }
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::argument("api_key is empty; leave it out to call without a key"));
    }
    if key.trim() != key {
        return Err(Error::argument(
            "api_key has white space at its start or end; strip the line end when reading it from a file",
        ));
    }
    if !key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(Error::argument("api_key holds characters that a gRPC header cannot carry"));
    }
    Ok(())
}
