//! A gateway of bare HTTP/2 that counts what is under way in it. It runs on a thread of its own, so that its tasks are
//! none of the client's.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use mxgateway::{capabilities, pb};
use pb::{mx_command, mx_command_reply};
use prost::Message;
use prost::bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What the gateway has seen and does.
#[derive(Default)]
pub struct Seen {
    /// Connections that are there.
    pub connections: AtomicUsize,
    /// Reads of them that brought something.
    pub reads: AtomicUsize,
    /// Calls that one of both sides has not ended yet.
    pub under_way: AtomicUsize,
    /// Sessions that were opened so far, and that were closed.
    pub opened: AtomicUsize,
    pub closed: AtomicUsize,
    /// Commands that came so far, and streams of events.
    pub commands: AtomicUsize,
    pub streams: AtomicUsize,
    /// Whether commands get no answer.
    pub holds: AtomicBool,
    /// Whether a command stream ends with its first answer.
    pub leaves: AtomicBool,
}

pub struct FakeGateway {
    pub endpoint: String,
    pub seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeGateway {
    pub fn start(capabilities: &'static [&'static str]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Seen>::default();
        let (stop, stopped) = oneshot::channel();
        let gateway = Gateway { seen: seen.clone(), capabilities };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = gateway.listen(TcpListener::from_std(listener).unwrap()) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { endpoint, seen, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A connection that counts what it reads.
struct Watched {
    tcp: TcpStream,
    seen: Arc<Seen>,
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.seen.reads.fetch_add(1, SeqCst);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[derive(Clone)]
struct Gateway {
    seen: Arc<Seen>,
    capabilities: &'static [&'static str],
}

impl Gateway {
    async fn listen(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((tcp, _)) = listener.accept().await {
            let seen = self.seen.clone();
            let serving = self.clone().serve(tcp);
            connections.spawn(async move {
                let _there = Counted::new(&seen.connections);
                serving.await
            });
        }
    }

    /// Serves a connection; its calls end with it.
    async fn serve(self, tcp: TcpStream) -> Result<(), h2::Error> {
        let io = Watched { tcp, seen: self.seen.clone() };
        // A client that gives up a thousand calls at once is what this is about.
        let mut connection =
            h2::server::Builder::new().max_pending_accept_reset_streams(10_000).handshake::<_, Bytes>(io).await?;
        let mut calls = JoinSet::new();
        while let Some(accepted) = connection.accept().await {
            let (request, respond) = accepted?;
            let gateway = self.clone();
            calls.spawn(async move {
                let _under_way = Counted::new(&gateway.seen.under_way);
                // An error is the client's, which has gone.
                let _ = gateway.answer(request, respond).await;
            });
        }
        Ok(())
    }

    async fn answer(&self, request: Request<RecvStream>, respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let (parts, body) = request.into_parts();
        let mut received = Received { body, read: BytesMut::new() };
        match parts.uri.path().rsplit('/').next() {
            Some("OpenSession") => {
                received.ended().await;
                let number = self.seen.opened.fetch_add(1, SeqCst);
                let reply = pb::OpenSessionReply {
                    session_id: format!("s{number}"),
                    gateway_protocol_version: mxgateway::GATEWAY_PROTOCOL_VERSION,
                    capabilities: self.capabilities.iter().map(ToString::to_string).collect(),
                    protocol_status: ok(),
                    ..Default::default()
                };
                reply_with(respond, &reply)
            }
            Some("CloseSession") => {
                received.ended().await;
                self.seen.closed.fetch_add(1, SeqCst);
                reply_with(respond, &pb::CloseSessionReply { protocol_status: ok(), ..Default::default() })
            }
            Some("Invoke") => self.invoke(received, respond).await,
            Some("InvokeStream") => {
                self.commands(&mut received, respond).await?;
                received.ended().await;
                Ok(())
            }
            Some("StreamEvents") => {
                received.ended().await;
                self.events(respond, &change()).await
            }
            Some("StreamEventBatches") => {
                received.ended().await;
                self.events(respond, &pb::MxEventBatch { events: vec![change()], ..Default::default() }).await
            }
            _ => end(&mut begin(respond)?, "12"),
        }
    }

    async fn invoke(&self, mut received: Received, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let request: Option<pb::MxCommandRequest> = received.next().await;
        received.ended().await;
        self.seen.commands.fetch_add(1, SeqCst);
        if self.seen.holds.load(SeqCst) {
            poll_fn(|context| respond.poll_reset(context)).await?;
            return Ok(());
        }
        let request = request.unwrap_or_default();
        reply_with(respond, &reply_to(request.command, request.client_correlation_id))
    }

    /// Until the client has said all, or this side leaves.
    async fn commands(&self, received: &mut Received, respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
        let mut stream = begin(respond)?;
        while let Some(batch) = received.next::<pb::MxCommandBatch>().await {
            self.seen.commands.fetch_add(batch.commands.len(), SeqCst);
            if batch.commands.is_empty() || self.seen.holds.load(SeqCst) {
                continue;
            }
            let replies = batch.commands.into_iter().map(|each| reply_to(each.command, each.correlation_id)).collect();
            send(&mut stream, &pb::MxCommandReplyBatch { replies })?;
            if self.seen.leaves.load(SeqCst) {
                return end(&mut stream, "14");
            }
        }
        end(&mut stream, "0")
    }

    /// One message, and then silence until the client ends it.
    async fn events(&self, respond: SendResponse<Bytes>, first: &impl Message) -> Result<(), h2::Error> {
        let mut stream = begin(respond)?;
        self.seen.streams.fetch_add(1, SeqCst);
        send(&mut stream, first)?;
        poll_fn(|context| stream.poll_reset(context)).await?;
        Ok(())
    }
}

/// The client's half of a call.
struct Received {
    body: RecvStream,
    read: BytesMut,
}

impl Received {
    /// The next message; none when the client has said all, or has gone.
    async fn next<M: Message + Default>(&mut self) -> Option<M> {
        loop {
            if let Some([_, size @ ..]) = self.read.first_chunk::<5>() {
                let size = u32::from_be_bytes(*size) as usize;
                if self.read.len() >= 5 + size {
                    self.read.advance(5);
                    return M::decode(self.read.split_to(size)).ok();
                }
            }
            let chunk = self.body.data().await?.ok()?;
            let _ = self.body.flow_control().release_capacity(chunk.len());
            self.read.extend_from_slice(&chunk);
        }
    }

    async fn ended(&mut self) {
        while let Some(Ok(_)) = self.body.data().await {}
    }
}

fn begin(mut respond: SendResponse<Bytes>) -> Result<SendStream<Bytes>, h2::Error> {
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    respond.send_response(response, false)
}

fn send(stream: &mut SendStream<Bytes>, message: &impl Message) -> Result<(), h2::Error> {
    let body = message.encode_to_vec();
    let size = u32::try_from(body.len()).unwrap();
    stream.send_data([&[0], &size.to_be_bytes()[..], &body].concat().into(), false)
}

fn end(stream: &mut SendStream<Bytes>, status: &'static str) -> Result<(), h2::Error> {
    stream.send_trailers(HeaderMap::from_iter([(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(status),
    )]))
}

fn reply_with(respond: SendResponse<Bytes>, message: &impl Message) -> Result<(), h2::Error> {
    let mut stream = begin(respond)?;
    send(&mut stream, message)?;
    end(&mut stream, "0")
}

fn ok() -> Option<pb::ProtocolStatus> {
    Some(pb::ProtocolStatus { code: pb::ProtocolStatusCode::Ok.into(), ..Default::default() })
}

fn change() -> pb::MxEvent {
    pb::MxEvent {
        family: pb::MxEventFamily::OnDataChange.into(),
        server_handle: 7,
        item_handle: 3,
        worker_sequence: 1,
        ..Default::default()
    }
}

fn reply_to(command: Option<pb::MxCommand>, correlation_id: String) -> pb::MxCommandReply {
    let command = command.unwrap_or_default();
    let (mut text, mut payload) = (String::new(), None);
    match command.payload {
        Some(mx_command::Payload::Ping(ping)) => text = ping.message,
        Some(mx_command::Payload::Register(_)) => {
            payload = Some(mx_command_reply::Payload::Register(pb::RegisterReply { server_handle: 7 }));
        }
        Some(mx_command::Payload::AddItem(_)) => {
            payload = Some(mx_command_reply::Payload::AddItem(pb::AddItemReply { item_handle: 3 }));
        }
        Some(mx_command::Payload::SubscribeBulk(wanted)) => {
            let result = |tag_address| pb::SubscribeResult {
                server_handle: 7,
                item_handle: 3,
                tag_address,
                was_successful: true,
                ..Default::default()
            };
            let results = wanted.tag_addresses.into_iter().map(result).collect();
            payload = Some(mx_command_reply::Payload::SubscribeBulk(pb::BulkSubscribeReply { results }));
        }
        _ => {}
    }
    pb::MxCommandReply {
        correlation_id,
        kind: command.kind,
        protocol_status: ok(),
        diagnostic_message: text,
        payload,
        ..Default::default()
    }
}

/// Counts something as long as it is there.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(of: &'a AtomicUsize) -> Self {
        of.fetch_add(1, SeqCst);
        Self(of)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// What the gateway announces that has all that the client knows of streams.
pub const ALL: &[&str] = &[capabilities::COMMAND_STREAM, capabilities::EVENT_BATCHES];
