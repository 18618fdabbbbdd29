//! The subject of the Rust client: it does what lines of JSON say, and answers with lines of JSON.

mod answers;
mod arguments;
mod clients;
mod galaxy;
mod native;
mod pure;
mod sessions;
mod streams;

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::AbortHandle;

use answers::{Answer, Failure, Object};
use arguments::Arguments;

#[derive(Default)]
struct State {
    objects: HashMap<String, Object>,
    order: Vec<Object>,
    running: HashMap<String, AbortHandle>,
}

/// Runs each operation in a task of its own, so that answers come as they are ready.
#[derive(Default)]
struct Subject {
    state: Mutex<State>,
    output: Mutex<()>,
}

#[tokio::main]
async fn main() {
    let subject = Arc::new(Subject::default());
    subject.say(&json!({"language": "rust", "version": mxgateway::VERSION, "features": ["subscriptions"]}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Value>(&line) {
            Ok(step) => subject.clone().begin(step),
            Err(error) => eprintln!("no step: {error}"),
        }
    }
    subject.reset("");
}

impl Subject {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, document: &Value) {
        let _turn = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{document}");
        let _ = out.flush();
    }

    fn begin(self: Arc<Self>, step: Value) {
        let id = step["id"].clone();
        let key = id.to_string();
        let mut state = self.state();
        let work = tokio::spawn(self.clone().operation(step, key.clone()));
        state.running.insert(key.clone(), work.abort_handle());
        drop(state);
        tokio::spawn(async move {
            let outcome = work.await;
            self.state().running.remove(&key);
            self.say(&match outcome {
                Ok(Ok(answer)) => json!({"id": id, "ok": if answer.is_null() { json!({}) } else { answer }}),
                Ok(Err(Failure::Unsupported)) => json!({"id": id, "unsupported": true}),
                Ok(Err(failure)) => json!({"id": id, "error": failure.document()}),
                Err(error) if error.is_cancelled() => json!({"id": id, "error": {"cancelled": true}}),
                Err(error) => json!({"id": id, "error": {"kind": "subject", "message": error.to_string()}}),
            });
        });
    }

    async fn operation(self: Arc<Self>, step: Value, key: String) -> Answer {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let (op, on, name) = (text("op"), text("on"), text("as"));
        let arguments = Arguments(step["args"].clone());
        match op.as_str() {
            "cancel" => {
                if let Some(running) = self.state().running.get(&arguments.get("id").to_string()) {
                    running.abort();
                }
                return Ok(Value::Null);
            }
            "reset" => {
                self.reset(&key);
                return Ok(Value::Null);
            }
            "drop" => {
                self.state().objects.remove(&on);
                return Ok(Value::Null);
            }
            _ => {}
        }
        if let Some(answer) = pure::operation(&op, &arguments) {
            return answer;
        }
        let object = self.state().objects.get(&on).cloned();
        let (made, answer) = act(object, &op, &arguments).await?;
        if let Some(made) = made {
            let mut state = self.state();
            state.order.push(made.clone());
            state.objects.insert(name, made);
        }
        Ok(answer)
    }

    /// Closes whatever the case has made, the youngest first.
    fn reset(&self, own: &str) {
        let order = {
            let mut state = self.state();
            state.objects.clear();
            for (key, running) in &state.running {
                if key != own {
                    running.abort();
                }
            }
            std::mem::take(&mut state.order)
        };
        for object in order.into_iter().rev() {
            object.release();
        }
    }
}

/// Does an operation to an object; what it makes comes first.
async fn act(object: Option<Object>, op: &str, arguments: &Arguments) -> Result<(Option<Object>, Value), Failure> {
    match (op, object) {
        ("connect", _) => Ok((Some(Object::Client(arguments.builder()?.connect().await?)), Value::Null)),
        ("connect_lazy", _) => Ok((Some(Object::Client(arguments.builder()?.connect_lazy()?)), Value::Null)),
        ("connect_galaxy", _) => Ok((Some(Object::Galaxy(arguments.builder()?.connect_galaxy().await?)), Value::Null)),
        (_, Some(Object::Client(client))) => clients::on_client(&client, op, arguments).await,
        (_, Some(Object::Session(session))) => sessions::on_session(&session, op, arguments).await,
        (_, Some(Object::Galaxy(galaxy))) => galaxy::on_galaxy(&galaxy, op, arguments).await,
        (_, Some(Object::Events(events))) => Ok((None, streams::on_events(&events, op, arguments).await?)),
        (_, Some(Object::Subscription(it))) => Ok((None, streams::on_subscription(&it, op, arguments).await?)),
        (_, Some(Object::Stream(stream))) => Ok((None, streams::on_stream(stream.as_ref(), op, arguments).await?)),
        (_, Some(Object::Nodes(nodes))) => Ok((None, galaxy::expand(&nodes, arguments).await?)),
        (_, None) => Err(Failure::Unsupported),
    }
}
