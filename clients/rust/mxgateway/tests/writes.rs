//! What a call costs the wire.

#![allow(clippy::unwrap_used)]

mod fake_gateway;

use std::sync::atomic::Ordering::SeqCst;

use fake_gateway::{ALL, FakeGateway};
use mxgateway::{GatewayClient, SessionOptions};

const CALLS: usize = 200;
/// What the two ends of a connection tell each other besides, now and then.
const BESIDES: usize = 20;

/// Headers, message and end in one write: the gateway never has to read more often than there are calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_one_write() {
    for capabilities in [&[], ALL] {
        let gateway = FakeGateway::start(capabilities);
        let client = GatewayClient::builder(&gateway.endpoint).plaintext().connect().await.unwrap();
        let session = client.open_session(SessionOptions::default()).await.unwrap();
        let text = "x".repeat(500);
        let before = gateway.seen.reads.load(SeqCst);
        for _ in 0..CALLS {
            assert_eq!(session.ping(&text).await.unwrap(), text);
        }
        let reads = gateway.seen.reads.load(SeqCst) - before;
        assert!(reads <= CALLS + BESIDES, "{CALLS} calls were read in {reads} pieces: {capabilities:?}");
        session.close().await.unwrap();
    }
}
