//! Streams of messages from the gateway.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::unfold;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic_prost::ProstCodec;

use crate::connection::{Connection, bounded};
use crate::error::{Error, Result};
use crate::rpc_errors::Called;

type Opened<M> = std::result::Result<Streaming<M>, tonic::Status>;

/// Where the receiving stands: the call is being accepted, or messages come.
enum Source<M> {
    Opening(BoxFuture<'static, Opened<M>>),
    Open(Box<Streaming<M>>),
    Over,
}

/// A server's stream of messages. Dropping or closing it ends it, which never aborts a COM call.
///
/// Its methods may be called from any task; each message goes to one of those that wait. A wait whose future is dropped
/// loses nothing: the message is the next one's.
pub struct MessageStream<M> {
    connection: Arc<Connection>,
    called: Called,
    key: Option<String>,
    deadline: Option<Instant>,
    source: AsyncMutex<Source<M>>,
    end: Mutex<Option<Option<Error>>>,
    closing: CancellationToken,
    opened: watch::Receiver<bool>,
    opener: tokio::task::AbortHandle,
}

impl<M: Message + Default + 'static> MessageStream<M> {
    /// Starts the call; it is under way when this returns, whether or not the gateway has accepted it.
    pub(crate) async fn open<Q: Message + 'static>(
        connection: &Arc<Connection>,
        called: Called,
        path: &'static str,
        message: Q,
        timeout: Option<Duration>,
    ) -> Result<Self> {
        let mut grpc = connection.grpc(&called.what)?;
        let (mut request, key) = connection.request(message).await?;
        let limit = timeout.or(connection.options.stream_timeout).map(bounded);
        if let Some(limit) = limit {
            request.set_timeout(limit);
        }
        let (accepted, opened) = watch::channel(false);
        // A task of its own, because a future that nobody polls sends nothing.
        let task = tokio::spawn(async move {
            grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
            let codec = ProstCodec::default();
            let reply = grpc.server_streaming(request, PathAndQuery::from_static(path), codec).await?;
            let _ = accepted.send(true);
            Ok(reply.into_inner())
        });
        let opener = task.abort_handle();
        let opening = Box::pin(async move {
            task.await.unwrap_or_else(|_| Err(tonic::Status::cancelled("the opening of the stream was given up")))
        });
        Ok(Self {
            connection: connection.clone(),
            called,
            key,
            deadline: limit.map(|limit| Instant::now() + limit),
            source: AsyncMutex::new(Source::Opening(opening)),
            end: Mutex::new(None),
            closing: CancellationToken::new(),
            opened,
            opener,
        })
    }

    /// Waits for the next message; none after an ordinary end or after [`close`](Self::close).
    ///
    /// # Errors
    /// What ended the stream; each later call gives the same.
    pub async fn next(&self) -> Result<Option<M>> {
        if let Some(end) = self.ended() {
            return Self::given(end);
        }
        let over = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Self::given(self.finish(None)),
            () = self.connection.link.closed.cancelled() => {
                let error = Connection::closed_error(&self.called.what, "was closed during the stream");
                Self::given(self.finish(Some(error)))
            }
            got = self.receive() => match got {
                Ok(Some(message)) => Ok(Some(message)),
                Ok(None) => Self::given(self.ended().unwrap_or_else(|| self.finish(None))),
                Err(status) => {
                    let end = self.ended();
                    let failed = || self.finish(Some(self.called.failed(&status, self.key.as_deref())));
                    Self::given(end.unwrap_or_else(failed))
                }
            },
            () = over => {
                Self::given(self.finish(Some(self.called.timed_out("the deadline was over"))))
            }
        }
    }

    async fn receive(&self) -> std::result::Result<Option<M>, tonic::Status> {
        let mut source = self.source.lock().await;
        loop {
            match &mut *source {
                Source::Opening(opening) => {
                    let opened = opening.await;
                    *source = Source::Over;
                    *source = Source::Open(Box::new(opened?));
                }
                Source::Open(stream) => {
                    let got = stream.message().await;
                    if !matches!(got, Ok(Some(_))) {
                        *source = Source::Over;
                    }
                    return got;
                }
                Source::Over => return Ok(None),
            }
        }
    }

    fn given(end: Option<Error>) -> Result<Option<M>> {
        end.map_or(Ok(None), Err)
    }

    fn ended(&self) -> Option<Option<Error>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how the stream ended; the first end wins.
    fn finish(&self, end: Option<Error>) -> Option<Error> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(end).clone();
        self.release();
        end
    }

    /// Lets go of the call. Whoever waits for a message is woken and does the same.
    fn release(&self) {
        self.opener.abort();
        self.closing.cancel();
        if let Ok(mut source) = self.source.try_lock() {
            *source = Source::Over;
        }
    }

    /// Waits until the gateway has accepted the stream; false when it has refused it, which [`next`](Self::next) tells.
    /// A gateway that says nothing before its first message lets wait until then.
    pub async fn opened(&self) -> bool {
        let mut opened = self.opened.clone();
        tokio::select! {
            accepted = opened.wait_for(|accepted| *accepted) => accepted.is_ok(),
            () = self.closing.cancelled() => false,
        }
    }

    /// Ends the stream at once. Idempotent; a stream that has ended stays as it ended.
    pub fn close(&self) {
        self.finish(None);
    }

    /// The messages as a [`Stream`], until the end or an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<M>> + Send
    where
        M: Send,
    {
        unfold(Some(self), |stream| async move {
            let stream = stream?;
            match stream.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(stream))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

impl<M> Drop for MessageStream<M> {
    fn drop(&mut self) {
        self.opener.abort();
    }
}

impl<M> fmt::Debug for MessageStream<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("of", &self.called.what).finish_non_exhaustive()
    }
}
