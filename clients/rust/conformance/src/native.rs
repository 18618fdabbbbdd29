//! Native values by their type.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mxgateway::{ElementType, MxTime, Value as Native, pb};
use mxgateway_cli::{json as contract, text};
use serde_json::{Value, json};

use crate::answers::Failure;

/// The value of a tagged one.
pub fn native(document: &Value) -> Result<Native, Failure> {
    let tagged = document.as_object().and_then(|object| object.iter().next());
    let Some((kind, given)) = tagged else { return Ok(Native::Null) };
    match kind.as_str() {
        "mx_value" => contract::parse::<pb::MxValue>(given).map(Native::from).map_err(Failure::Argument),
        "null" => Ok(Native::Null),
        "array" => {
            let kind = given["type"].as_str().unwrap_or_default();
            elements(kind, &given["values"])
        }
        kind => scalar(kind, given),
    }
}

fn elements(kind: &str, values: &Value) -> Result<Native, Failure> {
    let one = |each: &Value| match each {
        Value::Array(_) => elements(kind, each),
        Value::Null => Ok(Native::Null),
        each => scalar(kind, each),
    };
    let made = values.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(one).collect::<Result<_, _>>()?;
    Ok(Native::Array(made, element_type(kind)))
}

fn element_type(kind: &str) -> Option<ElementType> {
    Some(match kind {
        "bool" => ElementType::Bool,
        "int32" => ElementType::Int32,
        "int64" => ElementType::Int64,
        "float" => ElementType::Float,
        "double" => ElementType::Double,
        "string" => ElementType::String,
        "timestamp" => ElementType::Time,
        "elapsed" => ElementType::Elapsed,
        "raw" => ElementType::Raw,
        _ => return None,
    })
}

#[allow(clippy::cast_possible_truncation)]
fn scalar(kind: &str, given: &Value) -> Result<Native, Failure> {
    let wrong = || Failure::Argument(format!("no value {kind}: {given}"));
    let words = given.as_str().unwrap_or_default();
    let number = || match words {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => given.as_f64(),
    };
    match kind {
        "bool" => given.as_bool().map(Native::from).ok_or_else(wrong),
        "int32" => given.as_i64().and_then(|number| i32::try_from(number).ok()).map(Native::from).ok_or_else(wrong),
        "int64" => words.parse::<i64>().map(Native::from).map_err(|_| wrong()),
        "float" => number().map(|number| Native::Float(number as f32)).ok_or_else(wrong),
        "double" => number().map(Native::Double).ok_or_else(wrong),
        "elapsed" => number().map(Native::Elapsed).ok_or_else(wrong),
        "string" => Ok(words.into()),
        "timestamp" => time(words).map(Native::Time),
        "raw" => STANDARD.decode(words).map(Native::Raw).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

pub fn time(words: &str) -> Result<MxTime, Failure> {
    text::time(words).map_err(Failure::Argument)
}

/// A value by its type; the message tells that of an array without elements.
pub fn tagged(value: &Native) -> Value {
    match value {
        Native::Null => json!({"null": true}),
        Native::Message(_) => json!({"opaque": true}),
        Native::OutOfRange(_) => shown(value),
        Native::Bool(_) => json!({"bool": shown(value)}),
        Native::Int32(_) => json!({"int32": shown(value)}),
        Native::Int64(_) => json!({"int64": shown(value)}),
        Native::Float(_) => json!({"float": shown(value)}),
        Native::Double(_) => json!({"double": shown(value)}),
        Native::String(_) => json!({"string": shown(value)}),
        Native::Time(_) => json!({"timestamp": shown(value)}),
        Native::Elapsed(_) => json!({"elapsed": shown(value)}),
        Native::Raw(_) => json!({"raw": shown(value)}),
        Native::Sparse(_) => json!({"sparse": shown(value)}),
        Native::Array(_, element) => json!({"array": {"type": element.map_or("", name), "values": shown(value)}}),
        _ => json!({"opaque": true}),
    }
}

fn name(element: ElementType) -> &'static str {
    match element {
        ElementType::Bool => "bool",
        ElementType::Int32 => "int32",
        ElementType::Int64 => "int64",
        ElementType::Float => "float",
        // As the message has them.
        ElementType::Double | ElementType::Elapsed => "double",
        ElementType::String => "string",
        ElementType::Time => "timestamp",
        ElementType::Raw => "raw",
        _ => "",
    }
}

fn shown(value: &Native) -> Value {
    match value {
        Native::Bool(value) => (*value).into(),
        Native::Int32(value) => (*value).into(),
        Native::Int64(value) => value.to_string().into(),
        Native::Float(value) => number(f64::from(*value)),
        Native::Double(value) | Native::Elapsed(value) => number(*value),
        Native::String(value) => value.as_str().into(),
        // The suite shows times with microseconds.
        Native::Time(value) => {
            let whole = MxTime { nanos: 0, ..*value }.to_string();
            format!("{}.{:06}Z", whole.trim_end_matches('Z'), value.nanos / 1000).into()
        }
        Native::Raw(value) => STANDARD.encode(value).into(),
        Native::Array(values, _) => values.iter().map(shown).collect(),
        Native::Sparse(elements) => {
            Value::Object(elements.iter().map(|(index, value)| (index.to_string(), shown(value))).collect())
        }
        Native::OutOfRange(message) => match &message.kind {
            Some(pb::mx_value::Kind::TimestampValue(time)) => {
                json!({"out_of_range": {"seconds": time.seconds.to_string(), "nanos": time.nanos}})
            }
            _ => json!({"out_of_range": true}),
        },
        _ => Value::Null,
    }
}

fn number(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}
