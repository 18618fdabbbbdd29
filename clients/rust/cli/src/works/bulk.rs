//! Many items in one call.

use std::time::Duration;

use mxgateway::{GatewayClient, SecuredEntry, Value, WriteEntry, is_status_failure, pb, quality_name, status_text};
use serde_json::json;

use crate::json::documents;
use crate::program::Failure;
use crate::run::{Done, Run};
use crate::text;

pub async fn by_name(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let tags = text::references(run.given.text("items"), "--items").map_err(Failure::Usage)?;
    let server = run.given.handle("server-handle");
    let adds = run.command.name == "add-item-bulk";
    let calling = async {
        Ok(if adds { session.add_item_bulk(server, tags).await? } else { session.subscribe_bulk(server, tags).await? })
    };
    let found = run.limited(calling).await?;
    print_subscribed(run, &found)
}

pub async fn by_handle(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let items = text::handles(run.given.text("item-handles"), "--item-handles").map_err(Failure::Usage)?;
    let server = run.given.handle("server-handle");
    let name = run.command.name;
    let calling = async {
        Ok(match name {
            "advise-item-bulk" => session.advise_item_bulk(server, &items).await?,
            "unadvise-item-bulk" => session.unadvise_item_bulk(server, &items).await?,
            "remove-item-bulk" => session.remove_item_bulk(server, &items).await?,
            _ => session.unsubscribe_bulk(server, &items).await?,
        })
    };
    let found = run.limited(calling).await?;
    print_subscribed(run, &found)
}

fn print_subscribed(run: &mut Run<'_>, found: &[pb::SubscribeResult]) -> Done {
    let line = |each: &pb::SubscribeResult| {
        let name = named(&each.tag_address, each.item_handle);
        match each.was_successful {
            true => format!("{name}: ok, handle {}", each.item_handle),
            false => format!("{name}: failed: {}", reason(&[], &each.error_message)),
        }
    };
    let lines: Vec<_> = found.iter().map(line).collect();
    run.print(&json!({"results": documents(found)}), &lines)
}

fn named(tag: &str, handle: i32) -> String {
    if tag.is_empty() { format!("item {handle}") } else { tag.to_owned() }
}

fn reason(statuses: &[pb::MxStatusProxy], told: &str) -> String {
    match statuses.iter().find(|status| is_status_failure(status)) {
        Some(status) => status_text(status),
        None if told.is_empty() => "without a reason".to_owned(),
        None => told.to_owned(),
    }
}

pub async fn read(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let session = run.session(client);
    let tags = text::references(run.given.text("items"), "--items").map_err(Failure::Usage)?;
    let limit = u64::try_from(run.given.int("timeout-ms")).unwrap_or(0);
    let server = run.given.handle("server-handle");
    let reading = async { Ok(session.read_bulk(server, tags, Duration::from_millis(limit)).await?) };
    let found = run.limited(reading).await?;
    let line = |each: &pb::BulkReadResult| {
        let name = named(&each.tag_address, each.item_handle);
        if !each.was_successful {
            return format!("{name}: failed: {}", reason(&each.statuses, &each.error_message));
        }
        let value = each.value.as_ref().map_or(Value::Null, Value::from);
        let cached = if each.was_cached { " (cached)" } else { "" };
        format!("{name}: {value} {}{cached}", quality_name(each.quality))
    };
    let lines: Vec<_> = found.iter().map(line).collect();
    run.print(&json!({"results": documents(&found)}), &lines)
}

pub async fn write(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let handles = text::handles(run.given.text("item-handles"), "--item-handles").map_err(Failure::Usage)?;
    let texts = text::list(run.given.text("values")).map_err(|reason| Failure::Usage(format!("--values: {reason}")))?;
    if handles.len() != texts.len() {
        return Err(Failure::Usage(format!(
            "--item-handles has {} entries, --values {}; their numbers have to match",
            handles.len(),
            texts.len()
        )));
    }
    let (current_user_id, verifier_user_id) = run.users();
    let time = run.given.time("timestamp");
    let values = texts.iter().map(|text| run.value(text, "--values")).collect::<Result<Vec<_>, _>>()?;
    let (server, user) = (run.given.handle("server-handle"), run.given.handle("user-id"));
    let session = run.session(client);
    let name = run.command.name;
    let pairs = handles.into_iter().zip(values);
    let writing = async {
        if name.starts_with("write-secured") {
            let signed = |(item_handle, value): (i32, pb::MxValue)| SecuredEntry {
                item_handle,
                current_user_id,
                verifier_user_id,
                value: value.into(),
                time,
            };
            let entries: Vec<_> = pairs.map(signed).collect();
            return Ok(match name {
                "write-secured-bulk" => session.write_secured_bulk(server, entries).await?,
                _ => session.write_secured2_bulk(server, entries).await?,
            });
        }
        let plain =
            |(item_handle, value): (i32, pb::MxValue)| WriteEntry { time, ..WriteEntry::new(item_handle, value) };
        let entries: Vec<_> = pairs.map(plain).collect();
        Ok(match name {
            "write-bulk" => session.write_bulk(server, entries, user).await?,
            _ => session.write2_bulk(server, entries, user).await?,
        })
    };
    let found = run.limited(writing).await?;
    let line = |each: &pb::BulkWriteResult| match each.was_successful {
        true => format!("item {}: ok, handle {}", each.item_handle, each.item_handle),
        false => format!("item {}: failed: {}", each.item_handle, reason(&each.statuses, &each.error_message)),
    };
    let lines: Vec<_> = found.iter().map(line).collect();
    run.print(&json!({"results": documents(&found)}), &lines)
}
