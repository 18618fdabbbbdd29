//! Operations on a client.

use mxgateway::{GatewayClient, OverflowPolicy, SessionOptions, SubscribeBuilder};
use serde_json::{Value, json};

use std::sync::Arc;
use std::time::Duration;

use crate::answers::{Failure, Object, message};
use crate::arguments::Arguments;

pub type Made = Result<(Option<Object>, Value), Failure>;

pub async fn on_client(client: &GatewayClient, op: &str, a: &Arguments) -> Made {
    let answer = match op {
        "close" => {
            client.close();
            Value::Null
        }
        "connection_state" => json!({"state": client.connection_state().as_str()}),
        "open_session" => {
            let session = client.open_session(session_options(a)?).await?;
            let mut capabilities = session.capabilities().to_vec();
            capabilities.sort();
            let answer = json!({"session_id": session.id(), "capabilities": capabilities});
            return Ok((Some(Object::Session(session)), answer));
        }
        "attach_session" => {
            let session = client.attach_session(a.text("session_id"), a.texts("capabilities"));
            return Ok((Some(Object::Session(session)), Value::Null));
        }
        "open_session_raw" => message(&client.open_session_raw(a.message("request")?).await?),
        "close_session_raw" => message(&client.close_session_raw(a.message("request")?).await?),
        "invoke" => message(&client.invoke(a.message("request")?).await?),
        "invoke_raw" => message(&client.invoke_raw(a.message("request")?).await?),
        "acknowledge_alarm" => message(&client.acknowledge_alarm(a.message("request")?).await?),
        "acknowledge_alarms" => message(&client.acknowledge_alarms(a.message("request")?).await?),
        "query_active_alarms" => {
            let stream = client.query_active_alarms(a.message("request")?).await?;
            return Ok((Some(Object::Stream(Arc::new(stream))), Value::Null));
        }
        "stream_alarms" => {
            let stream = client.stream_alarms(a.message("request")?).await?;
            return Ok((Some(Object::Stream(Arc::new(stream))), Value::Null));
        }
        "subscribe" => return subscribe(client.subscribe(a.texts("tags")), a).await,
        _ => return Err(Failure::Unsupported),
    };
    Ok((None, answer))
}

fn session_options(a: &Arguments) -> Result<SessionOptions, Failure> {
    Ok(SessionOptions {
        client_session_name: a.text("client_session_name"),
        requested_backend: a.text("requested_backend"),
        command_timeout: a.seconds("command_timeout")?,
        backend_options: a.map("backend_options"),
        backpressure_policy: a.policy(),
        correlation_id: a.text("correlation_id"),
        ..Default::default()
    })
}

pub async fn subscribe(mut builder: SubscribeBuilder, a: &Arguments) -> Made {
    if let Some(size) = a.get("queue_size").as_i64() {
        builder = builder.queue_size(usize::try_from(size).unwrap_or(0));
    }
    builder = match a.text("overflow").as_str() {
        "" => builder,
        "drop_oldest" => builder.overflow(OverflowPolicy::DropOldest),
        "drop_newest" => builder.overflow(OverflowPolicy::DropNewest),
        "warn" => builder.overflow(OverflowPolicy::Warn),
        "disconnect" => builder.overflow(OverflowPolicy::Disconnect),
        other => return Err(Failure::Argument(format!("no overflow policy {other}"))),
    };
    if a.is("supervisory") {
        builder = builder.supervisory();
    }
    if a.get("reconnect") == &Value::Bool(false) {
        builder = builder.without_reconnect();
    }
    if let Some(first) = a.seconds("first_delay")? {
        builder = builder.reconnect_delays(first, Duration::from_secs(5));
    }
    Ok((Some(Object::Subscription(Arc::new(builder.start().await?))), Value::Null))
}
