//! Prints five changes of a tag, over any interruption: watch ENDPOINT CA_FILE [TAG]

use mxgateway::GatewayClient;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given: Vec<String> = std::env::args().collect();
    let [_, endpoint, ca_file, tags @ ..] = given.as_slice() else { return Err("watch ENDPOINT CA_FILE [TAG]".into()) };
    let tag = tags.first().map_or("TestMachine_001.TestChangingInt", String::as_str);
    let key = std::env::var("MXGATEWAY_API_KEY")?;
    let client = GatewayClient::builder(endpoint).api_key(key).ca_file(ca_file).connect().await?;
    let subscription = client.subscribe([tag]).start().await?;
    for _ in 0..5 {
        let Some(change) = subscription.next().await? else { break };
        println!("{} {} {}", change.tag, change.value, change.is_good());
    }
    subscription.close().await;
    Ok(())
}
