//! The connection below gRPC: who is reached, by which certificate, and where it stands.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower_service::Service;

use crate::tls::{self, Tls};

/// Where the connection of a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There is none; the next call makes one.
    Idle,
    /// The first one is being made.
    Connecting,
    /// The gateway answers.
    Connected,
    /// It was lost or could not be made; calls try again.
    Reconnecting,
    /// The client was closed.
    Closed,
}

impl ConnectionState {
    /// The state in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Closed => "closed",
        }
    }
}

/// Why there is no connection: a reason as the gateway would name it, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct ConnectFailure {
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

impl ConnectFailure {
    pub(crate) fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }

    fn of_io(error: &io::Error) -> Self {
        let reason = if error.kind() == io::ErrorKind::ConnectionRefused { "CONNECTION_REFUSED" } else { "" };
        tls::failure(error).unwrap_or_else(|| Self::new(reason, error.to_string()))
    }
}

/// What client and connections have in common.
pub(crate) struct Link {
    state: watch::Sender<ConnectionState>,
    failure: Mutex<Option<ConnectFailure>>,
    pub(crate) closed: CancellationToken,
}

impl Link {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(ConnectionState::Idle),
            failure: Mutex::new(None),
            closed: CancellationToken::new(),
        })
    }

    pub(crate) fn state(&self) -> ConnectionState {
        *self.state.borrow()
    }

    pub(crate) fn states(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    fn failure(&self) -> MutexGuard<'_, Option<ConnectFailure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the last connection is gone, where that is known.
    pub(crate) fn last_failure(&self) -> Option<ConnectFailure> {
        self.failure().clone()
    }

    fn turn(&self, to: ConnectionState) {
        self.state.send_if_modified(|state| {
            let turns = *state != to && *state != ConnectionState::Closed;
            if turns {
                *state = to;
            }
            turns
        });
    }

    pub(crate) fn close(&self) {
        self.turn(ConnectionState::Closed);
        self.closed.cancel();
    }

    fn begins(&self) {
        *self.failure() = None;
        let was = self.state();
        self.turn(if matches!(was, ConnectionState::Idle | ConnectionState::Connecting) {
            ConnectionState::Connecting
        } else {
            ConnectionState::Reconnecting
        });
    }

    fn fails(&self, failure: Option<ConnectFailure>) {
        if let Some(failure) = failure {
            self.failure().get_or_insert(failure);
        }
        self.turn(ConnectionState::Reconnecting);
    }
}

/// Makes connections for the channel.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
    pub(crate) limit: Duration,
    pub(crate) link: Arc<Link>,
}

impl Connector {
    async fn connect(self) -> Result<Watched, ConnectFailure> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await;
        let tcp = tcp.map_err(|error| ConnectFailure::of_io(&error))?;
        // Calls are small messages that wait for nothing.
        let _ = tcp.set_nodelay(true);
        let io: Box<dyn Io> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => tls.handshake(tcp).await.map_err(|error| ConnectFailure::of_io(&error))?,
        };
        let closing = Box::pin(self.link.closed.clone().cancelled_owned());
        Ok(Watched {
            io: BufWriter::with_capacity(GATHERED, io),
            link: self.link,
            closing,
            has_answered: false,
            waits: 0,
            waited_with: 0,
            is_over: false,
        })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Watched>;
    type Error = ConnectFailure;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (link, limit) = (this.link.clone(), this.limit);
            link.begins();
            let made = match tokio::time::timeout(limit, this.connect()).await {
                Ok(made) => made,
                Err(_) => Err(ConnectFailure::new("CONNECT_TIMEOUT", format!("no answer within {limit:?}"))),
            };
            match made {
                Ok(watched) => Ok(TokioIo::new(watched)),
                Err(failure) => {
                    link.fails(Some(failure.clone()));
                    Err(failure)
                }
            }
        })
    }
}

/// Bytes that are gathered before they are written. What is larger goes its way without a copy.
const GATHERED: usize = 16 << 10;
/// How often others of the connection have their turn before what is there is written: headers of a call, its message and
/// its end come one by one, and each alone would be a system call and a TLS record. A message is brought by work that is
/// begun in the first turn, so two are the least.
const LEAST_WAITS: u8 = 2;
/// As long as more comes.
const MOST_WAITS: u8 = 6;

pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One connection: tells its client when the gateway answers and when it ends, and ends with its client.
pub(crate) struct Watched {
    io: BufWriter<Box<dyn Io>>,
    link: Arc<Link>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    has_answered: bool,
    waits: u8,
    waited_with: usize,
    is_over: bool,
}

impl Watched {
    fn over(&mut self, failure: Option<ConnectFailure>) {
        if !self.is_over {
            self.is_over = true;
            self.link.fails(failure);
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) if buf.filled().len() == before => self.over(None),
            Poll::Ready(Ok(())) if !self.has_answered => {
                self.has_answered = true;
                self.link.turn(ConnectionState::Connected);
            }
            Poll::Ready(Err(error)) => self.over(Some(ConnectFailure::of_io(error))),
            _ => {}
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let ready = self.io.buffer().len();
        if ready > 0 && (self.waits < LEAST_WAITS || ready > self.waited_with && self.waits < MOST_WAITS) {
            self.waits += 1;
            self.waited_with = ready;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if flushed.is_ready() {
            (self.waits, self.waited_with) = (0, 0);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.over(None);
    }
}
