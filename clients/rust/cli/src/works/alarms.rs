//! Alarms.

use mxgateway::{AlarmFeed, GatewayClient, is_status_failure, next_correlation_id, pb};
use pb::alarm_feed_message::Payload;
use serde_json::json;

use crate::follow::follow;
use crate::json::documents;
use crate::program::Failure;
use crate::run::{Done, Run, words};

pub async fn query(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let limit = u32::try_from(run.given.int("limit")).map_err(|error| Failure::Usage(format!("--limit: {error}")))?;
    let request = pb::QueryActiveAlarmsRequest {
        client_correlation_id: next_correlation_id(),
        alarm_filter_prefix: run.given.text("filter-prefix").to_owned(),
        limit,
        order: pb::AlarmOrder::Priority.into(),
        ..Default::default()
    };
    let reading = async {
        let stream = client.query_active_alarms(request).await?;
        let mut found = Vec::new();
        while let Some(alarm) = stream.next().await? {
            found.push(alarm);
        }
        Ok(found)
    };
    let found = run.limited(reading).await?;
    let line = |alarm: &pb::ActiveAlarmSnapshot| text(&alarm.alarm_full_reference, alarm.severity, &alarm.description);
    let lines: Vec<_> = found.iter().map(line).collect();
    run.print(&json!({"alarms": documents(&found)}), &lines)
}

fn text(reference: &str, severity: i32, description: &str) -> String {
    format!("{reference}\tseverity {severity}\t{description}")
}

pub async fn stream(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let request = pb::StreamAlarmsRequest {
        client_correlation_id: next_correlation_id(),
        alarm_filter_prefix: run.given.text("filter-prefix").to_owned(),
        ..Default::default()
    };
    let line = |message: &pb::AlarmFeedMessage| match &message.payload {
        Some(Payload::ActiveAlarm(alarm)) => {
            format!("active\t{}", text(&alarm.alarm_full_reference, alarm.severity, &alarm.description))
        }
        Some(Payload::Transition(change)) => {
            let kind = words(change.transition_kind().as_str_name(), "ALARM_TRANSITION_KIND_");
            format!("{kind}\t{}", text(&change.alarm_full_reference, change.severity, &change.description))
        }
        _ => crate::json::document(message, crate::json::Names::Json).to_string(),
    };
    let next = async |feed: &AlarmFeed| feed.next().await;
    let collected = follow(run, "max-messages", client.stream_alarms(request), next, line).await?;
    if !run.given.has("json") {
        return Ok(());
    }
    run.always(&json!({"messages": documents(&collected)}))
}

pub async fn acknowledge(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let [reference] = run.given.texts("reference") else {
        return Err(Failure::Usage("give one --reference".to_owned()));
    };
    let wait = if run.given.has("no-wait") { 0 } else { 3 };
    let request = pb::AcknowledgeAlarmRequest {
        client_correlation_id: next_correlation_id(),
        alarm_full_reference: reference.clone(),
        comment: run.given.text("comment").to_owned(),
        operator_user: run.given.text("operator").to_owned(),
        wait_for_transition: Some(prost_types::Duration { seconds: wait, nanos: 0 }),
        ..Default::default()
    };
    let reply = run.limited(async { Ok(client.acknowledge_alarm(request).await?) }).await?;
    let outcome = words(reply.outcome().as_str_name(), "ALARM_ACK_OUTCOME_");
    run.message(&reply, format!("{outcome} {}", reply.alarm_full_reference).trim().to_owned())?;
    let is_done = match reply.outcome() {
        pb::AlarmAckOutcome::Acknowledged
        | pb::AlarmAckOutcome::Accepted
        | pb::AlarmAckOutcome::AlreadyAcknowledged => true,
        // The original gateway says no outcome; its HRESULT does.
        pb::AlarmAckOutcome::Unspecified => {
            reply.hresult.unwrap_or(0) >= 0 && !reply.status.as_ref().is_some_and(is_status_failure)
        }
        _ => false,
    };
    if is_done { Ok(()) } else { Err(Failure::Silent) }
}
