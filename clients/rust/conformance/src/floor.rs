//! The floor of Rust: the generated stub and nothing else. What it sends is what the client sends: the deadline and the
//! correlation id of each call, keepalive, the limit of a message.
//!
//! `floor ENDPOINT CA SECONDS SIZE WARMUP` reads, `floor events ENDPOINT COUNT` takes raw batches without TLS.

use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use mxgateway::pb::mx_access_gateway_client::MxAccessGatewayClient;
use mxgateway::pb::{self, MxCommandKind, mx_command::Payload, mx_command_reply};
use serde_json::{Value, json};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Request, metadata::MetadataValue};

const MOST_BYTES: usize = 16 << 20;

type Outcome = Result<Value, Box<dyn Error>>;

// The runtime of the program that stands for the client.
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = env::args().skip(1).collect();
    let said = match given.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["events", endpoint, count] => events(endpoint, count.parse()?).await?,
        [endpoint, ca, seconds, size, warmup] => {
            reads(endpoint, ca, seconds.parse()?, size.parse()?, warmup.parse()?).await?
        }
        _ => return Err("floor ENDPOINT CA SECONDS SIZE WARMUP, or floor events ENDPOINT COUNT".into()),
    };
    println!("{said}");
    Ok(())
}

fn kept(endpoint: Endpoint) -> Endpoint {
    endpoint.http2_keep_alive_interval(Duration::from_secs(30)).keep_alive_timeout(Duration::from_secs(10))
}

async fn events(endpoint: &str, count: usize) -> Outcome {
    let channel = kept(Endpoint::from_shared(format!("http://{endpoint}"))?).connect().await?;
    let mut stub = MxAccessGatewayClient::new(channel).max_decoding_message_size(MOST_BYTES);
    let session_id = stub.open_session(pb::OpenSessionRequest::default()).await?.into_inner().session_id;
    let request = pb::StreamEventsRequest { session_id, ..Default::default() };
    let mut stream = stub.stream_event_batches(request).await?.into_inner();
    let mut taken = 0;
    while taken < count {
        taken += stream.message().await?.ok_or("the stream has ended")?.events.len();
    }
    Ok(json!({"events": taken}))
}

async fn reads(endpoint: &str, ca: &str, seconds: f64, size: u32, warmup: f64) -> Outcome {
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
    // How long each call took that fits into so many seconds; one at least.
    let mut timed = async |seconds: f64| -> Result<Vec<Duration>, tonic::Status> {
        let (began, mut took) = (Instant::now(), Vec::new());
        while took.is_empty() || began.elapsed().as_secs_f64() < seconds {
            let at = Instant::now();
            stub.invoke(request(MxCommandKind::ReadBulk, Payload::ReadBulk(read.clone()))).await?;
            took.push(at.elapsed());
        }
        Ok(took)
    };
    timed(warmup).await?;
    let began = Instant::now();
    let mut took = timed(seconds).await?;
    let elapsed = began.elapsed().as_secs_f64();
    stub.close_session(pb::CloseSessionRequest { session_id, client_correlation_id: String::new() }).await?;
    took.sort_unstable();
    let p50 = took[took.len() / 2].as_secs_f64() * 1000.0;
    Ok(json!({"successfulCalls": took.len(), "callsPerSecond": took.len() as f64 / elapsed, "p50Ms": p50}))
}
