//! The floor of Rust: `read_bulk` by the generated stub and nothing else. floor ENDPOINT CA SECONDS SIZE

use std::env;
use std::error::Error;
use std::time::Instant;

use mxgateway::pb::mx_access_gateway_client::MxAccessGatewayClient;
use mxgateway::pb::{self, MxCommandKind, mx_command::Payload, mx_command_reply};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Request, metadata::MetadataValue};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let given: Vec<String> = env::args().skip(1).collect();
    let [endpoint, ca, seconds, size] = given.as_slice() else {
        return Err("floor ENDPOINT CA SECONDS SIZE".into());
    };
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(ca)?));
    let channel = Endpoint::from_shared(format!("https://{endpoint}"))?.tls_config(tls)?.connect().await?;
    let key: MetadataValue<_> = format!("Bearer {}", env::var("MXGATEWAY_API_KEY")?).parse()?;
    let mut stub = MxAccessGatewayClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", key.clone());
        Ok(request)
    });
    let session_id = stub.open_session(pb::OpenSessionRequest::default()).await?.into_inner().session_id;
    let request = |kind: MxCommandKind, payload| pb::MxCommandRequest {
        session_id: session_id.clone(),
        client_correlation_id: String::new(),
        command: Some(pb::MxCommand { kind: kind.into(), payload: Some(payload) }),
    };
    let register = Payload::Register(pb::RegisterCommand { client_name: "floor".to_owned() });
    let reply = stub.invoke(request(MxCommandKind::Register, register)).await?.into_inner();
    let Some(mx_command_reply::Payload::Register(registered)) = reply.payload else {
        return Err("no handle".into());
    };
    let server_handle = registered.server_handle;
    let tag_addresses: Vec<String> =
        (1..=size.parse::<u32>()?).map(|number| format!("TestMachine_{number:03}.TestChangingInt")).collect();
    let subscribe =
        pb::SubscribeBulkCommand { server_handle, tag_addresses: tag_addresses.clone(), client_handles: Vec::new() };
    stub.invoke(request(MxCommandKind::SubscribeBulk, Payload::SubscribeBulk(subscribe))).await?;
    let read = pb::ReadBulkCommand { server_handle, tag_addresses, timeout_ms: 0 };
    let read = request(MxCommandKind::ReadBulk, Payload::ReadBulk(read));
    stub.invoke(read.clone()).await?;
    let length = seconds.parse::<f64>()?;
    let (mut calls, began) = (0, Instant::now());
    while began.elapsed().as_secs_f64() < length {
        stub.invoke(read.clone()).await?;
        calls += 1;
    }
    let rate = f64::from(calls) / began.elapsed().as_secs_f64();
    stub.close_session(pb::CloseSessionRequest { session_id, client_correlation_id: String::new() }).await?;
    println!("{{\"successfulCalls\": {calls}, \"callsPerSecond\": {rate}}}");
    Ok(())
}
