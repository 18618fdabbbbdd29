//! The floor of Rust: the generated stub and nothing else. What it sends is what the client sends: the deadline and the
//! correlation id of each call, keepalive, the limit of a message.
//!
//! `floor reads ENDPOINT CA SIZE` and `floor events ENDPOINT` say `{}` when they are ready; then each line `{"count": n}`
//! asks for so many reads, or for a stream of so many events in batches without TLS, and is answered.

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use mxgateway::pb::mx_access_gateway_client::MxAccessGatewayClient;
use mxgateway::pb::{self, MxCommandKind, mx_command::Payload, mx_command_reply};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Request, metadata::MetadataValue};

const MOST_BYTES: usize = 16 << 20;

type Failure = Box<dyn Error + Send + Sync>;

// The runtime of the program that stands for the client, and a task of it as there: what the main thread waits for has
// to be handed over to it.
#[tokio::main]
async fn main() -> Result<(), Failure> {
    tokio::spawn(work()).await?
}

async fn work() -> Result<(), Failure> {
    let given: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = given.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["events", endpoint] => events(endpoint).await,
        ["reads", endpoint, ca, size] => reads(endpoint, ca, size.parse()?).await,
        _ => Err("floor reads ENDPOINT CA SIZE, or floor events ENDPOINT".into()),
    }
}

/// The lines of stdin; what is made of the count of each is its answer.
struct Asked(Lines<BufReader<Stdin>>);

impl Asked {
    fn ready() -> Self {
        println!("{{}}");
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    async fn next(&mut self) -> Result<Option<usize>, Failure> {
        let Some(line) = self.0.next_line().await? else {
            return Ok(None);
        };
        let wish: Value = serde_json::from_str(&line)?;
        let count = wish["count"].as_u64().ok_or("a line without a count")?;
        Ok(Some(usize::try_from(count)?))
    }
}

fn kept(endpoint: Endpoint) -> Endpoint {
    endpoint.http2_keep_alive_interval(Duration::from_secs(30)).keep_alive_timeout(Duration::from_secs(10))
}

async fn events(endpoint: &str) -> Result<(), Failure> {
    let channel = kept(Endpoint::from_shared(format!("http://{endpoint}"))?).connect().await?;
    let mut stub = MxAccessGatewayClient::new(channel).max_decoding_message_size(MOST_BYTES);
    let mut asked = Asked::ready();
    while let Some(count) = asked.next().await? {
        let session_id = stub.open_session(pb::OpenSessionRequest::default()).await?.into_inner().session_id;
        let request = pb::StreamEventsRequest { session_id, ..Default::default() };
        let mut stream = stub.stream_event_batches(request).await?.into_inner();
        let mut taken = 0;
        while taken < count {
            taken += stream.message().await?.ok_or("the stream has ended")?.events.len();
        }
        println!("{}", json!({"taken": taken}));
    }
    Ok(())
}

async fn reads(endpoint: &str, ca: &str, size: u32) -> Result<(), Failure> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(ca)?));
    let channel = kept(Endpoint::from_shared(format!("https://{endpoint}"))?.tls_config(tls)?).connect().await?;
    let key: MetadataValue<_> = format!("Bearer {}", env::var("MXGATEWAY_API_KEY")?).parse()?;
    let mut stub = MxAccessGatewayClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", key.clone());
        request.set_timeout(Duration::from_secs(30));
        Ok(request)
    })
    .max_decoding_message_size(MOST_BYTES)
    .max_encoding_message_size(MOST_BYTES);
    let session_id = stub.open_session(pb::OpenSessionRequest::default()).await?.into_inner().session_id;
    let mut count = 0;
    let mut request = |kind: MxCommandKind, payload| {
        count += 1;
        pb::MxCommandRequest {
            session_id: session_id.clone(),
            client_correlation_id: format!("{:016x}-{count:x}", 0),
            command: Some(pb::MxCommand { kind: kind.into(), payload: Some(payload) }),
        }
    };
    let register = Payload::Register(pb::RegisterCommand { client_name: "floor".to_owned() });
    let reply = stub.invoke(request(MxCommandKind::Register, register)).await?.into_inner();
    let Some(mx_command_reply::Payload::Register(registered)) = reply.payload else {
        return Err("no handle".into());
    };
    let server_handle = registered.server_handle;
    let tag_addresses: Vec<String> =
        (1..=size).map(|number| format!("TestMachine_{number:03}.TestChangingInt")).collect();
    let subscribe =
        pb::SubscribeBulkCommand { server_handle, tag_addresses: tag_addresses.clone(), client_handles: Vec::new() };
    stub.invoke(request(MxCommandKind::SubscribeBulk, Payload::SubscribeBulk(subscribe))).await?;
    let read = pb::ReadBulkCommand { server_handle, tag_addresses, timeout_ms: 0 };
    let mut asked = Asked::ready();
    while let Some(count) = asked.next().await? {
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let at = Instant::now();
            stub.invoke(request(MxCommandKind::ReadBulk, Payload::ReadBulk(read.clone()))).await?;
            took.push(at.elapsed());
        }
        took.sort_unstable();
        let p50 = took.get(count / 2).map_or(0.0, |middle| middle.as_secs_f64() * 1000.0);
        println!("{}", json!({"p50_ms": p50}));
    }
    stub.close_session(pb::CloseSessionRequest { session_id, client_correlation_id: String::new() }).await?;
    Ok(())
}
