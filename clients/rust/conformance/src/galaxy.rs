//! Operations on a Galaxy.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{Stream, StreamExt};
use mxgateway::{Error, GalaxyClient, Node, galaxy_pb};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::answers::{Answer, Failure, Object, message, messages};
use crate::arguments::Arguments;
use crate::clients::Made;
use crate::native::time;
use crate::streams::{Next, Reader, kept};

type Objects = Pin<Box<dyn Stream<Item = Result<galaxy_pb::GalaxyObject, Error>> + Send>>;

/// The hierarchy as a stream; none when it is closed.
struct Hierarchy(Mutex<Option<Objects>>);

impl Reader for Hierarchy {
    fn next(&self, is_kept: bool) -> Next<'_> {
        Box::pin(async move {
            match &mut *self.0.lock().await {
                Some(objects) => Ok(objects.next().await.transpose()?.map(|object| kept(is_kept, &object))),
                None => Ok(None),
            }
        })
    }

    fn close(&self) {
        if let Ok(mut objects) = self.0.try_lock() {
            *objects = None;
        }
    }
}

#[allow(clippy::cast_precision_loss)]
pub async fn on_galaxy(galaxy: &GalaxyClient, op: &str, a: &Arguments) -> Made {
    let answer = match op {
        "close" => {
            galaxy.close();
            Value::Null
        }
        "connection_state" => json!({"state": galaxy.connection_state().as_str()}),
        "test_connection" => json!({"ok": galaxy.test_connection().await?}),
        "get_last_deploy_time" => match galaxy.last_deploy_time().await? {
            Some(time) => json!({"present": true, "time": time.seconds as f64 + f64::from(time.nanos) / 1e9}),
            None => json!({"present": false}),
        },
        "discover_hierarchy" => json!({"objects": messages(&galaxy.discover(&a.filter()).await?)}),
        "iter_hierarchy" => {
            let objects: Objects = Box::pin(galaxy.objects(&a.filter()));
            return Ok((Some(Object::Stream(Arc::new(Hierarchy(Mutex::new(Some(objects)))))), Value::Null));
        }
        "browse" => {
            let nodes = galaxy.browse(&a.filter()).await?;
            let answer = json!({"children": children(&nodes)});
            return Ok((Some(Object::Nodes(nodes)), answer));
        }
        "watch_deploy_events" => {
            let seen = a.text("last_seen_deploy_time");
            let seen = if seen.is_empty() { None } else { Some(time(&seen)?) };
            let stream = galaxy.watch_deploy_events(seen).await?;
            return Ok((Some(Object::Stream(Arc::new(stream))), Value::Null));
        }
        _ => return Err(Failure::Unsupported),
    };
    Ok((None, answer))
}

fn children(nodes: &[Arc<Node>]) -> Value {
    let one = |node: &Arc<Node>| {
        json!({
            "object": message(&node.object), "has_children_hint": node.has_children_hint,
            "is_expanded": node.is_expanded(),
        })
    };
    nodes.iter().map(one).collect()
}

pub async fn expand(nodes: &[Arc<Node>], a: &Arguments) -> Answer {
    let Some(node) = nodes.get(a.count("index")) else {
        return Err(Failure::Argument(format!("there is no node {}", a.int("index"))));
    };
    let calls = (0..a.count("times").max(1)).map(|_| node.expand());
    let found = join_all(calls).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"children": children(found[0])}))
}
