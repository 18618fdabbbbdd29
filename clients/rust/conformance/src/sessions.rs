//! Operations on a session.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mxgateway::{ConfirmOptions, SecuredEntry, Session, StreamOptions, WriteEntry};
use serde_json::{Value, json};

use crate::answers::{Answer, Failure, Object, message, messages};
use crate::arguments::Arguments;
use crate::clients::{Made, subscribe};
use crate::native::{native, time};

pub async fn on_session(session: &Session, op: &str, a: &Arguments) -> Made {
    match op {
        "stream_events" => {
            let events = session.events(stream_options(a)?).await?;
            return Ok((Some(Object::Events(Arc::new(events))), Value::Null));
        }
        "subscribe" => return subscribe(session.subscribe(a.texts("tags")), a).await,
        _ => {}
    }
    if op == "burst" {
        return Ok((None, burst(session, a).await?));
    }
    let session = session.with(a.call()?);
    let answer = if op.ends_with("_bulk") {
        bulk(&session, op, a).await
    } else if op.starts_with("write") {
        write(&session, op, a).await
    } else {
        command(&session, op, a).await
    };
    Ok((None, answer?))
}

/// So many pings or reads, some of them under way at a time, and the median of how long one took.
async fn burst(session: &Session, a: &Arguments) -> Answer {
    let (left, took) = (AtomicUsize::new(a.count("count")), Mutex::new(Vec::new()));
    let (handle, tags) = (a.handle("server_handle"), a.texts("tag_addresses"));
    let one = || async {
        while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            let began = Instant::now();
            if tags.is_empty() {
                session.ping("burst").await?;
            } else {
                session.read_bulk(handle, &tags, Duration::ZERO).await?;
            }
            took.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
        }
        Ok::<_, Failure>(())
    };
    futures_util::future::try_join_all((0..a.count("at_once").max(1)).map(|_| one())).await?;
    let mut took = took.into_inner().unwrap_or_else(PoisonError::into_inner);
    took.sort_unstable();
    Ok(json!({"p50_ms": took.get(took.len() / 2).map_or(0.0, |middle| middle.as_secs_f64() * 1000.0)}))
}

fn stream_options(a: &Arguments) -> Result<StreamOptions, Failure> {
    let after = a.text("after_worker_sequence");
    let after_worker_sequence = if after.is_empty() {
        0
    } else {
        after.parse().map_err(|error| Failure::Argument(format!("after_worker_sequence: {error}")))?
    };
    Ok(StreamOptions {
        after_worker_sequence,
        from_beginning: a.is("from_beginning"),
        recover_gaps: a.is("recover_gaps"),
        backpressure_policy: a.policy(),
        timeout: a.seconds("timeout")?,
        ..Default::default()
    })
}

async fn command(s: &Session, op: &str, a: &Arguments) -> Answer {
    let (h, i) = (a.handle("server_handle"), a.handle("item_handle"));
    Ok(match op {
        "close" => message(&s.close().await?),
        "state" => json!({"state": s.state().await?.as_str_name()}),
        "ping" => json!({"message": s.ping(a.text("message")).await?}),
        "worker_info" => message(&s.worker_info().await?),
        "drain_events" => {
            let most = u32::try_from(a.int("max_events"));
            let most = most.map_err(|error| Failure::Argument(format!("max_events: {error}")))?;
            json!({"events": messages(&s.drain_events(most).await?)})
        }
        "shutdown_worker" => {
            s.shutdown_worker(a.seconds("grace_period")?.unwrap_or_default()).await?;
            Value::Null
        }
        "inject_fault" => {
            s.inject_fault(a.text("fault"), a.map("parameters")).await?;
            Value::Null
        }
        "invoke" => message(&s.invoke(a.message("command")?).await?),
        "invoke_raw" => message(&s.invoke_raw(a.message("command")?).await?),
        "register" => json!({"server_handle": s.register(a.text("client_name")).await?}),
        "add_item" => {
            json!({"item_handle": s.add_item_as(h, a.text("item_definition"), a.number("client_handle")).await?})
        }
        "add_item2" => {
            json!({"item_handle": s.add_item2_as(h, a.text("item_definition"), a.text("item_context"), a.number("client_handle")).await?})
        }
        "add_buffered_item" => {
            json!({"item_handle": s.add_buffered_item_as(h, a.text("item_definition"), a.text("item_context"), a.number("client_handle")).await?})
        }
        "suspend" => json!({"status": message(&s.suspend(h, i).await?)}),
        "activate" => json!({"status": message(&s.activate(h, i).await?)}),
        "authenticate_user" => {
            let id = s.authenticate_user(h, a.text("verify_user"), a.text("verify_user_password")).await?;
            json!({"user_id": id})
        }
        "archestra_user_to_id" => json!({"user_id": s.archestra_user_to_id(h, a.text("user_id_guid")).await?}),
        _ => {
            match op {
                "unregister" => s.unregister(h).await?,
                "remove_item" => s.remove_item(h, i).await?,
                "advise" => s.advise(h, i).await?,
                "advise_supervisory" => s.advise_supervisory(h, i).await?,
                "unadvise" => s.unadvise(h, i).await?,
                "set_buffered_update_interval" => {
                    s.set_buffered_update_interval(h, a.handle("update_interval_milliseconds")).await?;
                }
                _ => return Err(Failure::Unsupported),
            }
            Value::Null
        }
    })
}

async fn write(s: &Session, op: &str, a: &Arguments) -> Answer {
    let (h, i, user) = (a.handle("server_handle"), a.handle("item_handle"), a.handle("user_id"));
    let (current, verifier) = (a.handle("current_user_id"), a.handle("verifier_user_id"));
    let value = native(a.get("value"))?;
    match op {
        "write" => s.write(h, i, value, user).await?,
        "write2" => s.write2(h, i, value, time(&a.text("timestamp"))?, user).await?,
        "write_secured" => s.write_secured(h, i, current, verifier, value).await?,
        "write_secured2" => s.write_secured2(h, i, current, verifier, value, time(&a.text("timestamp"))?).await?,
        "write_and_confirm" => {
            let default = ConfirmOptions::default();
            let options = ConfirmOptions {
                server_handle: h,
                user_id: user,
                verifier_id: a.get("verifier_id").is_i64().then(|| a.handle("verifier_id")),
                supervisory: a.is("supervisory"),
                timeout: a.seconds("timeout")?.unwrap_or(default.timeout),
            };
            // The limit is that of the whole, not of each call.
            let session = s.with(mxgateway::CallOptions::default());
            let outcome = session.write_and_confirm(&a.text("tag"), value, options).await?;
            return Ok(json!({
                "value": message(&outcome.value), "before": message(&outcome.before),
                "completion": message(&outcome.completion),
            }));
        }
        _ => return Err(Failure::Unsupported),
    }
    Ok(Value::Null)
}

async fn bulk(s: &Session, op: &str, a: &Arguments) -> Answer {
    let (h, tags, items) = (a.handle("server_handle"), a.texts("tag_addresses"), a.handles("item_handles"));
    let results = match op {
        "add_item_bulk" if a.get("client_handles").is_array() => {
            messages(&s.add_item_bulk_as(h, tags, a.numbers("client_handles")).await?)
        }
        "subscribe_bulk" if a.get("client_handles").is_array() => {
            messages(&s.subscribe_bulk_as(h, tags, a.numbers("client_handles")).await?)
        }
        "add_item_bulk" => messages(&s.add_item_bulk(h, tags).await?),
        "subscribe_bulk" => messages(&s.subscribe_bulk(h, tags).await?),
        "advise_item_bulk" => messages(&s.advise_item_bulk(h, &items).await?),
        "unadvise_item_bulk" => messages(&s.unadvise_item_bulk(h, &items).await?),
        "remove_item_bulk" => messages(&s.remove_item_bulk(h, &items).await?),
        "unsubscribe_bulk" => messages(&s.unsubscribe_bulk(h, &items).await?),
        "read_bulk" => {
            let limit = a.get("timeout_ms").as_f64().unwrap_or(0.0) / 1000.0;
            let limit = std::time::Duration::try_from_secs_f64(limit);
            let limit = limit.map_err(|error| Failure::Argument(format!("timeout_ms: {error}")))?;
            messages(&s.read_bulk(h, tags, limit).await?)
        }
        "write_bulk" => messages(&s.write_bulk(h, plain(a)?, a.handle("user_id")).await?),
        "write2_bulk" => messages(&s.write2_bulk(h, plain(a)?, a.handle("user_id")).await?),
        "write_secured_bulk" => messages(&s.write_secured_bulk(h, signed(a)?).await?),
        "write_secured2_bulk" => messages(&s.write_secured2_bulk(h, signed(a)?).await?),
        _ => return Err(Failure::Unsupported),
    };
    Ok(json!({"results": results}))
}

fn entries(a: &Arguments) -> Vec<Arguments> {
    let all = a.get("entries").as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().cloned().map(Arguments).collect()
}

fn moment(entry: &Arguments) -> Result<Option<mxgateway::MxTime>, Failure> {
    let text = entry.text("timestamp");
    if text.is_empty() { Ok(None) } else { time(&text).map(Some) }
}

fn plain(a: &Arguments) -> Result<Vec<WriteEntry>, Failure> {
    let one = |entry: &Arguments| {
        Ok(WriteEntry {
            item_handle: entry.handle("item_handle"),
            value: native(entry.get("value"))?,
            time: moment(entry)?,
            user_id: entry.handle("user_id"),
        })
    };
    entries(a).iter().map(one).collect()
}

fn signed(a: &Arguments) -> Result<Vec<SecuredEntry>, Failure> {
    let one = |entry: &Arguments| {
        Ok(SecuredEntry {
            item_handle: entry.handle("item_handle"),
            current_user_id: entry.handle("current_user_id"),
            verifier_user_id: entry.handle("verifier_user_id"),
            value: native(entry.get("value"))?,
            time: moment(entry)?,
        })
    };
    entries(a).iter().map(one).collect()
}
