//! The arguments of a step.

use std::collections::HashMap;
use std::time::Duration;

use mxgateway::{CallOptions, ClientBuilder, Filter, GatewayClient, RetryPolicy, pb};
use mxgateway_cli::json;
use prost::{Message, Name};
use serde_json::Value;

use crate::answers::Failure;

pub struct Arguments(pub Value);

impl Arguments {
    pub fn get(&self, name: &str) -> &Value {
        &self.0[name]
    }

    pub fn text(&self, name: &str) -> String {
        self.0[name].as_str().unwrap_or_default().to_owned()
    }

    pub fn is(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or(false)
    }

    pub fn int(&self, name: &str) -> i64 {
        self.0[name].as_i64().unwrap_or(0)
    }

    pub fn handle(&self, name: &str) -> i32 {
        i32::try_from(self.int(name)).unwrap_or(0)
    }

    pub fn number(&self, name: &str) -> u32 {
        u32::try_from(self.int(name)).unwrap_or(0)
    }

    pub fn numbers(&self, name: &str) -> Vec<u32> {
        let all = self.0[name].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(|each| u32::try_from(each.as_i64()?).ok()).collect()
    }

    pub fn count(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).unwrap_or(0)
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let all = self.0[name].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub fn handles(&self, name: &str) -> Vec<i32> {
        let all = self.0[name].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter_map(|each| i32::try_from(each.as_i64()?).ok()).collect()
    }

    pub fn map(&self, name: &str) -> HashMap<String, String> {
        let all = self.0[name].as_object().into_iter().flatten();
        all.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    /// Seconds as a duration; one that this language has no duration for is refused by it.
    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, Failure> {
        seconds(&self.0[name], name)
    }

    pub fn message<M: Message + Name + Default>(&self, name: &str) -> Result<M, Failure> {
        json::parse(&self.0[name]).map_err(|reason| Failure::Argument(format!("{name}: {reason}")))
    }

    pub fn policy(&self) -> pb::BackpressurePolicy {
        pb::BackpressurePolicy::from_str_name(&self.text("backpressure_policy")).unwrap_or_default()
    }

    pub fn call(&self) -> Result<CallOptions, Failure> {
        Ok(CallOptions { timeout: self.seconds("timeout")?, correlation_id: self.text("correlation_id") })
    }

    pub fn builder(&self) -> Result<ClientBuilder, Failure> {
        let mut builder = GatewayClient::builder(self.text("endpoint"));
        if let Some(key) = self.get("api_key").as_str() {
            builder = builder.api_key(key);
        }
        if self.is("plaintext") {
            builder = builder.plaintext();
        }
        if let Some(path) = self.get("ca_file").as_str() {
            builder = builder.ca_file(path);
        }
        if let Some(name) = self.get("server_name_override").as_str() {
            builder = builder.server_name_override(name);
        }
        type Set = fn(ClientBuilder, Duration) -> ClientBuilder;
        let limits: [(&str, Set); 4] = [
            ("connect_timeout", ClientBuilder::connect_timeout),
            ("call_timeout", ClientBuilder::call_timeout),
            ("stream_timeout", ClientBuilder::stream_timeout),
            ("shutdown_timeout", ClientBuilder::shutdown_timeout),
        ];
        for (name, set) in limits {
            if let Some(limit) = self.seconds(name)? {
                builder = set(builder, limit);
            }
        }
        if let Some(size) = self.get("max_message_bytes").as_i64() {
            let size =
                usize::try_from(size).map_err(|error| Failure::Argument(format!("max_message_bytes: {error}")))?;
            builder = builder.max_message_bytes(size);
        }
        if let Some(every) = self.seconds("keepalive_time")? {
            let timeout = self.seconds("keepalive_timeout")?.unwrap_or(Duration::from_secs(10));
            builder = builder.keepalive(Some((every, timeout)));
        }
        let retry = self.get("retry");
        if retry.is_object() {
            let default = RetryPolicy::default();
            builder = builder.retry(RetryPolicy {
                max_attempts: retry["max_attempts"]
                    .as_u64()
                    .and_then(|count| u32::try_from(count).ok())
                    .unwrap_or(default.max_attempts),
                initial_delay: seconds(&retry["initial_delay"], "initial_delay")?.unwrap_or(default.initial_delay),
                max_delay: seconds(&retry["max_delay"], "max_delay")?.unwrap_or(default.max_delay),
            });
        }
        Ok(builder)
    }

    pub fn filter(&self) -> Filter {
        let parent = self.text("parent");
        Filter {
            root: if parent.is_empty() { self.text("root") } else { parent },
            root_path: self.text("root_contained_path"),
            max_depth: self.get("max_depth").as_i64().and_then(|depth| i32::try_from(depth).ok()),
            category_ids: self.handles("category_ids"),
            template_chain_contains: self.texts("template_chain_contains"),
            tag_name_glob: self.text("tag_name_glob"),
            without_attributes: self.get("include_attributes") == &Value::Bool(false),
            alarm_bearing_only: self.is("alarm_bearing_only"),
            historized_only: self.is("historized_only"),
            ..Filter::default()
        }
    }
}

fn seconds(given: &Value, name: &str) -> Result<Option<Duration>, Failure> {
    let Some(number) = given.as_f64() else { return Ok(None) };
    match Duration::try_from_secs_f64(number) {
        Ok(limit) => Ok(Some(limit)),
        Err(error) => Err(Failure::Argument(format!("{name}: {error}"))),
    }
}
