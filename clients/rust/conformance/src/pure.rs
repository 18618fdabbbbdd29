//! Operations that need no gateway.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mxgateway::{Code, Value as Native, code_name, pb};
use mxgateway_cli::json::{self, Names};
use mxgateway_cli::text;
use prost::Message;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use crate::answers::{Answer, Failure, message, of_error};
use crate::arguments::Arguments;
use crate::native::{native, tagged};

/// The answer, or none when the operation is no pure one.
pub fn operation(op: &str, a: &Arguments) -> Option<Answer> {
    Some(match op {
        "version" => Ok(json!({
            "client": mxgateway::VERSION, "gateway_protocol_version": mxgateway::GATEWAY_PROTOCOL_VERSION,
            "worker_protocol_version": mxgateway::WORKER_PROTOCOL_VERSION,
        })),
        "new_correlation_ids" => Ok(correlation_ids(a.count("count"))),
        "to_mx_value" => to_mx_value(a),
        "from_mx_value" => {
            a.message("mx_value").map(|value: pb::MxValue| json!({"value": tagged(&Native::from(&value))}))
        }
        "is_status_failure" => {
            a.message("status").map(|found| json!({"failure": mxgateway::is_status_failure(&found)}))
        }
        "quality" => {
            let quality = a.handle("quality");
            Ok(json!({
                "name": mxgateway::quality_name(quality), "good": mxgateway::is_good(quality),
                "uncertain": mxgateway::is_uncertain(quality), "bad": mxgateway::is_bad(quality),
            }))
        }
        "status_text" => a.message("status").map(|found| json!({"text": mxgateway::status_text(&found)})),
        "redact" => Ok(json!({"text": mxgateway::redact(&a.text("text"), &[&a.text("secret")])})),
        "map_error" => mapped(a),
        "parse_time" => Ok(match text::time(&a.text("text")) {
            Ok(time) => json!({"seconds": time.seconds.to_string(), "nanos": time.nanos}),
            Err(reason) => json!({"refused": true, "message": reason}),
        }),
        "parse_value" => Ok(match text::value(&a.text("text"), &a.text("type"), "--value") {
            Ok(value) => message(&value),
            Err(reason) => json!({"refused": true, "message": reason}),
        }),
        "split_line" => Ok(match text::split_line(&a.text("line")) {
            Ok(arguments) => json!({"arguments": arguments}),
            Err(_) => json!({"refused": true}),
        }),
        "percentiles" => {
            let samples = a.get("samples").as_array().map(Vec::as_slice).unwrap_or_default();
            let samples: Vec<f64> = samples.iter().filter_map(Value::as_f64).collect();
            Ok(json::summary(&text::Summary::of(&samples)))
        }
        "to_json" => to_json(a),
        _ => return None,
    })
}

fn correlation_ids(count: usize) -> Value {
    let ids: HashSet<String> = (0..count).map(|_| mxgateway::next_correlation_id()).collect();
    json!({"unique": ids.len(), "shortest": ids.iter().map(String::len).min().unwrap_or(0)})
}

fn to_mx_value(a: &Arguments) -> Answer {
    Ok(message(&mxgateway::to_mx_value(native(a.get("value"))?)?))
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Seconds>,
}

#[derive(Clone, PartialEq, Message)]
struct Seconds {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// What the library makes of a status.
fn mapped(a: &Arguments) -> Answer {
    let name = a.text("code");
    let code = (0..17).map(Code::from).find(|code| code_name(*code) == name).unwrap_or(Code::Unknown);
    let mut rich = RpcStatus { code: code as i32, message: a.text("message"), details: Vec::new() };
    let given = STANDARD.decode(a.text("details_base64")).unwrap_or_default();
    let is_given = !given.is_empty();
    let any = |name: &str, value: Vec<u8>| Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value };
    if !a.text("reason").is_empty() {
        let info = ErrorInfo { reason: a.text("reason"), domain: "mxaccess-gateway".to_owned() };
        rich.details.push(any("ErrorInfo", info.encode_to_vec()));
    }
    if let Some(wait) = a.seconds("retry_after")? {
        let seconds = i64::try_from(wait.as_secs()).unwrap_or(0);
        let retry_delay = Some(Seconds { seconds, nanos: wait.subsec_nanos().cast_signed() });
        rich.details.push(any("RetryInfo", RetryInfo { retry_delay }.encode_to_vec()));
    }
    let details = if is_given { given } else { rich.encode_to_vec() };
    let status = tonic::Status::with_details(code, a.text("message"), details.into());
    Ok(of_error(&mxgateway::map_status(&status, "Call", &a.text("correlation_id"), a.is("galaxy"))))
}

fn to_json(a: &Arguments) -> Answer {
    let name = a.text("type");
    let found = ["mxaccess_gateway.v1", "galaxy_repository.v1"]
        .iter()
        .find_map(|package| json::describe(&format!("{package}.{name}")));
    let descriptor = found.ok_or_else(|| Failure::Argument(format!("no message {name}")))?;
    let blob = STANDARD.decode(a.text("base64")).map_err(|error| Failure::Argument(error.to_string()))?;
    let made = DynamicMessage::decode(descriptor, blob.as_slice());
    let made = made.map_err(|error| Failure::Argument(error.to_string()))?;
    Ok(json!({"json": json::dynamic_document(&made, Names::Json)}))
}
