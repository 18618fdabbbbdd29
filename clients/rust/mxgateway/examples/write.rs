//! Writes a number and waits for its confirmation: write ENDPOINT CA_FILE NUMBER [TAG]

use mxgateway::{ConfirmOptions, GatewayClient, SessionOptions, Value};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().collect();
    let [_, endpoint, ca_file, number, tags @ ..] = given.as_slice() else {
        return Err("write ENDPOINT CA_FILE NUMBER [TAG]".into());
    };
    let tag = tags.first().map_or("TestChildObject.TestInt", String::as_str);
    let key = std::env::var("MXGATEWAY_API_KEY")?;
    let client = GatewayClient::builder(endpoint).api_key(key).ca_file(ca_file).connect().await?;
    let session = client.open_session(SessionOptions::default()).await?;
    let outcome = session.write_and_confirm(tag, number.parse::<i32>()?, ConfirmOptions::default()).await?;
    let before = outcome.before.value.as_ref().map_or(Value::Null, Value::from);
    println!("{} {before} -> {}", outcome.tag, Value::from(&outcome.value));
    session.close().await?;
    Ok(())
}
