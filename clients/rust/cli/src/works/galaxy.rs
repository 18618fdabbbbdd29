//! The Galaxy.

use std::collections::HashMap;

use futures_util::StreamExt;
use mxgateway::{Filter, GatewayClient, MessageStream, MxTime, galaxy_pb};
use serde_json::{Value, json};

use crate::follow::follow;
use crate::json::documents;
use crate::program::Failure;
use crate::run::{Done, Run};

pub async fn test_connection(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let galaxy = client.galaxy();
    let ok = run.limited(async { Ok(galaxy.test_connection().await?) }).await?;
    let line = if ok { "reachable" } else { "not reachable" };
    run.print(&json!({"ok": ok}), &[line.to_owned()])?;
    if ok { Ok(()) } else { Err(Failure::Silent) }
}

pub async fn last_deploy(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let galaxy = client.galaxy();
    let reply = run.limited(async { Ok(galaxy.last_deploy_time_raw().await?) }).await?;
    let time = reply.time_of_last_deploy.filter(|_| reply.present).map(|time| MxTime::from(time).to_string());
    let document = json!({"present": reply.present, "timeOfLastDeploy": time});
    run.print(&document, &[time.unwrap_or_else(|| "never".to_owned())])
}

fn filter(run: &Run<'_>) -> Filter {
    let given = &run.given;
    let origin = |name: &String| match name.as_str() {
        "configured" => galaxy_pb::AttributeOrigin::Configured,
        "extension" => galaxy_pb::AttributeOrigin::Extension,
        _ => galaxy_pb::AttributeOrigin::BuiltIn,
    };
    Filter {
        root: format!("{}{}", given.text("root"), given.text("parent")),
        root_path: format!("{}{}", given.text("root-contained-path"), given.text("contained-path")),
        max_depth: given.has("max-depth").then(|| given.handle("max-depth")),
        category_ids: given.texts("category").iter().filter_map(|each| each.parse().ok()).collect(),
        template_chain_contains: given.texts("template").to_vec(),
        tag_name_glob: given.text("glob").to_owned(),
        without_attributes: given.has("no-attributes"),
        alarm_bearing_only: given.has("alarm-bearing-only"),
        historized_only: given.has("historized-only"),
        attribute_origins: given.texts("origin").iter().map(origin).collect(),
        include_ancestors: given.has("ancestors"),
        ..Filter::default()
    }
}

pub async fn discover(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let galaxy = client.galaxy();
    let limit = match run.given.count("limit") {
        0 => usize::MAX,
        limit => limit,
    };
    let objects = galaxy.objects(&filter(run));
    let reading = async {
        let mut objects = std::pin::pin!(objects);
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(object) = objects.next().await
        {
            found.push(object?);
        }
        Ok(found)
    };
    let found = run.limited(reading).await?;
    let mut depths: HashMap<i32, usize> = HashMap::new();
    let mut line = |each: &galaxy_pb::GalaxyObject| {
        let depth = depths.get(&each.parent_gobject_id).map_or(0, |depth| depth + 1);
        depths.insert(each.gobject_id, depth);
        format!("{}{}", "  ".repeat(depth), object_text(each))
    };
    let lines: Vec<_> = found.iter().map(&mut line).collect();
    run.print(&json!({"objects": documents(&found)}), &lines)
}

fn object_text(object: &galaxy_pb::GalaxyObject) -> String {
    let area = if object.is_area { "/" } else { "" };
    if object.browse_name.is_empty() || object.browse_name == object.tag_name {
        return format!("{}{area}", object.tag_name);
    }
    format!("{} ({}){area}", object.browse_name, object.tag_name)
}

pub async fn browse(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let galaxy = client.galaxy();
    let filter = filter(run);
    let nodes = run.limited(async { Ok(galaxy.browse(&filter).await?) }).await?;
    let objects: Vec<_> = nodes.iter().map(|node| node.object.clone()).collect();
    let hints: Value = nodes.iter().map(|node| node.has_children_hint).collect();
    let line = |node: &std::sync::Arc<mxgateway::Node>| {
        format!("{}{}", object_text(&node.object), if node.has_children_hint { " …" } else { "" })
    };
    let lines: Vec<_> = nodes.iter().map(line).collect();
    run.print(&json!({"children": documents(&objects), "childHasChildren": hints}), &lines)
}

pub async fn watch(run: &mut Run<'_>, client: &GatewayClient) -> Done {
    let galaxy = client.galaxy();
    let seen = run.given.time("last-seen-deploy-time");
    let text = |event: &galaxy_pb::DeployEvent| {
        format!("#{} objects={} attributes={}", event.sequence, event.object_count, event.attribute_count)
    };
    let next = async |stream: &MessageStream<galaxy_pb::DeployEvent>| stream.next().await;
    let collected = follow(run, "max-events", galaxy.watch_deploy_events(seen), next, text).await?;
    if !run.given.has("json") {
        return Ok(());
    }
    run.always(&json!({"events": documents(&collected)}))
}
