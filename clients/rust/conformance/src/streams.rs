//! Operations on streams and subscriptions.

use std::future::Future;
use std::pin::Pin;

use mxgateway::{Error, EventStream, MessageStream, Subscription};
use prost::{Message, Name};
use serde_json::{Value, json};

use crate::answers::{Answer, Failure, message};
use crate::arguments::Arguments;
use crate::native::tagged;

pub type Next<'a> = Pin<Box<dyn Future<Output = Result<Option<Value>, Error>> + Send + 'a>>;

/// A stream of any message.
pub trait Reader: Send + Sync {
    fn next(&self, is_kept: bool) -> Next<'_>;
    fn close(&self);
}

impl<M: Message + Name + Default + 'static> Reader for MessageStream<M> {
    fn next(&self, is_kept: bool) -> Next<'_> {
        Box::pin(async move { Ok(MessageStream::next(self).await?.map(|found| kept(is_kept, &found))) })
    }

    fn close(&self) {
        MessageStream::close(self);
    }
}

/// The JSON of a message, where it is wanted.
pub fn kept<M: Message + Name>(is_kept: bool, found: &M) -> Value {
    if is_kept { message(found) } else { Value::Null }
}

pub async fn on_stream(stream: &dyn Reader, op: &str, a: &Arguments) -> Answer {
    match op {
        "close" => {
            stream.close();
            Ok(Value::Null)
        }
        "next" => {
            let (mut items, mut count, mut is_end) = (Vec::new(), 0, false);
            while count < a.count("count").max(1) {
                let Some(item) = stream.next(!a.is("discard")).await? else {
                    is_end = true;
                    break;
                };
                count += 1;
                if !a.is("discard") {
                    items.push(item);
                }
            }
            Ok(json!({"items": items, "taken": count, "end": is_end}))
        }
        _ => Err(Failure::Unsupported),
    }
}

struct Events<'a>(&'a EventStream);

impl Reader for Events<'_> {
    fn next(&self, is_kept: bool) -> Next<'_> {
        Box::pin(async move { Ok(self.0.next().await?.map(|event| kept(is_kept, &event))) })
    }

    fn close(&self) {
        self.0.close();
    }
}

pub async fn on_events(events: &EventStream, op: &str, a: &Arguments) -> Answer {
    if op == "next_batch" {
        let Some(batch) = events.next_batch().await? else { return Ok(json!({"end": true})) };
        let last = events.last_worker_sequence().to_string();
        return Ok(json!({"size": batch.events.len(), "last_worker_sequence": last}));
    }
    if op == "take_all" {
        let mut taken = 0;
        while taken < a.count("count") {
            let Some(batch) = events.next_batch().await? else { break };
            taken += batch.events.len();
        }
        return Ok(json!({"taken": taken}));
    }
    let mut answer = on_stream(&Events(events), op, a).await?;
    if op == "next" {
        answer["last_worker_sequence"] = events.last_worker_sequence().to_string().into();
        answer["dropped_events"] = events.dropped_events().to_string().into();
    }
    Ok(answer)
}

pub async fn on_subscription(subscription: &Subscription, op: &str, a: &Arguments) -> Answer {
    match op {
        "close" => subscription.close().await,
        "add" => subscription.add(a.texts("tags")).await?,
        "remove" => subscription.remove(a.texts("tags")).await?,
        "wait_state" => {
            let wanted = a.text("state");
            let mut states = subscription.states();
            let reached = states.wait_for(|state| state.as_str() == wanted || state.as_str() == "closed").await;
            return Ok(json!({"state": reached.map_or("closed", |state| state.as_str())}));
        }
        "stats" => {
            let stats = subscription.stats();
            return Ok(json!({
                "state": stats.state.as_str(), "tags": stats.tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "failures": Value::Object(
                    stats.failures.iter().map(|(tag, reason)| (tag.to_string(), reason.as_str().into())).collect()
                ),
                "gaps": stats.gaps, "lost": stats.lost, "dropped": stats.dropped, "interruptions": stats.interruptions,
                "new_sessions": stats.new_sessions, "waiting": stats.waiting,
            }));
        }
        "take_all" => {
            let mut taken = 0;
            while taken < a.count("count") {
                let Some(batch) = subscription.next_batch().await? else { break };
                taken += batch.len();
            }
            return Ok(json!({"taken": taken}));
        }
        "next" => return changes(subscription, a.count("count").max(1)).await,
        _ => return Err(Failure::Unsupported),
    }
    Ok(Value::Null)
}

async fn changes(subscription: &Subscription, count: usize) -> Answer {
    let (mut changes, mut is_end) = (Vec::new(), false);
    while changes.len() < count {
        let Some(change) = subscription.next().await? else {
            is_end = true;
            break;
        };
        changes.push(json!({
            "tag": change.tag.as_ref(), "value": tagged(&change.value), "quality": change.quality,
            "source_timestamp": change.source_timestamp.map(|time| time.to_string()),
            "worker_sequence": change.worker_sequence.to_string(), "replayed": change.replayed,
            "recovered": change.recovered, "lost_before": change.lost_before,
        }));
    }
    Ok(json!({"changes": changes, "end": is_end}))
}
