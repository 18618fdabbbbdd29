//! Reads a tag: read ENDPOINT CA_FILE [TAG]

use mxgateway::{GatewayClient, SessionOptions, Value, quality_name};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().collect();
    let [_, endpoint, ca_file, tags @ ..] = given.as_slice() else { return Err("read ENDPOINT CA_FILE [TAG]".into()) };
    let tag = tags.first().map_or("TestMachine_001.TestChangingInt", String::as_str);
    let key = std::env::var("MXGATEWAY_API_KEY")?;
    let client = GatewayClient::builder(endpoint).api_key(key).ca_file(ca_file).connect().await?;
    let session = client.open_session(SessionOptions::default()).await?;
    let handle = session.register("example").await?;
    let results = session.read_bulk(handle, [tag], Default::default()).await?;
    let value = results[0].value.as_ref().map_or(Value::Null, Value::from);
    println!("{value} {}", quality_name(results[0].quality));
    session.close().await?;
    Ok(())
}
