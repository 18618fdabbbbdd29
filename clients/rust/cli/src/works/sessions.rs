//! Sessions and their events.

use mxgateway::{
    EventStream, GatewayClient, SessionOptions, StreamOptions, Value, command, pb, quality_name, status_text,
};
use pb::mx_command::Payload;
use serde_json::json;

use crate::follow::follow;
use crate::json::documents;
use crate::program::Failure;
use crate::run::{Done, Run, seconds, words};

pub async fn open(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let limit = run.given.has("command-timeout").then(|| seconds(run.given.number("command-timeout")));
    let options = SessionOptions {
        client_session_name: run.own("client-session-name"),
        requested_backend: run.given.text("backend").to_owned(),
        command_timeout: limit,
        // The next command is another process: the session has to outlive this one's connection.
        keep_when_disconnected: true,
        ..Default::default()
    };
    let request = async { Ok(client.open_session(options).await?) };
    let session = run.limited(request).await?;
    if session.is_simulated() {
        run.note("the values are simulated");
    }
    run.message(session.raw(), format!("session {} on {}", session.id(), session.raw().backend_name))
}

pub async fn close(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let reply = run.limited(async { Ok(session.close().await?) }).await?;
    let state = words(reply.final_state().as_str_name(), "SESSION_STATE_");
    run.message(&reply, format!("session {} {state}", session.id()))
}

pub async fn state(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let state = run.limited(async { Ok(session.state().await?) }).await?.as_str_name();
    run.print(&json!({"sessionId": session.id(), "state": state}), &[words(state, "SESSION_STATE_")])
}

pub async fn ping(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let ping = command(Payload::Ping(pb::PingCommand { message: run.given.text("message").to_owned() }));
    let reply = run.limited(async { Ok(session.invoke(ping).await?) }).await?;
    run.message(&reply, reply.diagnostic_message.clone())
}

pub async fn worker_info(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let info = run.limited(async { Ok(session.worker_info().await?) }).await?;
    let line = format!("pid {}, version {}, {}", info.worker_process_id, info.worker_version, info.mxaccess_progid);
    run.message(&info, line)
}

pub async fn drain_events(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let most =
        u32::try_from(run.given.int("max-events")).map_err(|error| Failure::Usage(format!("--max-events: {error}")))?;
    let events = run.limited(async { Ok(session.drain_events(most).await?) }).await?;
    let lines: Vec<_> = events.iter().map(event_text).collect();
    run.print(&json!({"events": documents(&events)}), &lines)
}

pub async fn stream_events(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let after = run.given.text("after-worker-sequence");
    let after_worker_sequence =
        after.parse().map_err(|error| Failure::Usage(format!("--after-worker-sequence: {after:?}: {error}")))?;
    let options = StreamOptions { after_worker_sequence, ..Default::default() };
    let next = async |events: &EventStream| events.next().await;
    let collected = follow(run, "max-events", session.events(options), next, event_text).await?;
    if !run.given.has("json") {
        return Ok(());
    }
    run.always(&json!({"sessionId": session.id(), "events": documents(&collected)}))
}

/// An event in a line.
pub fn event_text(event: &pb::MxEvent) -> String {
    if let Some(gap) = &event.replay_gap {
        return match gap.dropped_events {
            0 => format!("gap: before {} lost", gap.oldest_available_sequence),
            dropped => format!("gap: {dropped} events lost"),
        };
    }
    let family = event.family().as_str_name().trim_start_matches("MX_EVENT_FAMILY_");
    let mut parts = vec![event.worker_sequence.to_string(), family.to_owned(), format!("item {}", event.item_handle)];
    if let Some(value) = &event.value {
        parts.push(format!("{} {}", Value::from(value), quality_name(event.quality)));
    }
    parts.extend(event.statuses.iter().map(status_text));
    parts.join("  ")
}
