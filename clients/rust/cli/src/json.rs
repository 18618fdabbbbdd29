//! The JSON that the command line prints: deterministic, in the order of the contract's fields.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mxgateway::MxTime;
use prost::{Message, Name};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, Value as Field,
};
use serde_json::{Map, Number, Value, json};

use crate::descriptors::DESCRIPTORS;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // Part of the program, so a failure is one of the build, which its tests find.
    DescriptorPool::decode(DESCRIPTORS).unwrap_or_default()
});

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `workerSequence`, as protobuf's JSON has them.
    Json,
    /// `worker_sequence`, as in the contract's files.
    Proto,
}

/// A message of the contract by its full name.
pub fn describe(name: &str) -> Option<MessageDescriptor> {
    POOL.get_message_by_name(name)
}

/// The JSON of a message. Plain fields are always there, unset messages and optional ones never. A time beyond the
/// calendar, for which protobuf has no JSON, stands as seconds and nanoseconds in words.
pub fn document<M: Message + Name>(message: &M, names: Names) -> Value {
    let Some(descriptor) = describe(&M::full_name()) else { return Value::Null };
    match DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()) {
        Ok(dynamic) => dynamic_document(&dynamic, names),
        Err(_) => Value::Null,
    }
}

/// The JSON of messages as a list.
pub fn documents<M: Message + Name>(messages: &[M]) -> Value {
    messages.iter().map(|message| document(message, Names::Json)).collect()
}

/// The JSON of a message that is known by its descriptor.
pub fn dynamic_document(message: &DynamicMessage, names: Names) -> Value {
    if let Some(known) = well_known(message) {
        return known;
    }
    let mut object = Map::new();
    let descriptor = message.descriptor();
    // As they are declared, which is how the other clients print them; `fields()` would go by their numbers.
    let declared = descriptor.descriptor_proto().field.iter().filter_map(|each| u32::try_from(each.number()).ok());
    for field in declared.filter_map(|number| descriptor.get_field(number)) {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        let name = if names == Names::Json { field.json_name() } else { field.name() };
        object.insert(name.to_owned(), of_field(&field, &message.get_field(&field), names));
    }
    Value::Object(object)
}

fn of_field(field: &FieldDescriptor, value: &Field, names: Names) -> Value {
    match value {
        Field::List(values) => values.iter().map(|value| one(&field.kind(), value, names)).collect(),
        Field::Map(entries) => {
            let kind = match field.kind() {
                Kind::Message(entry) => entry.map_entry_value_field().kind(),
                other => other,
            };
            let mut sorted: Vec<_> = entries.iter().map(|(key, value)| (key_text(key), value)).collect();
            sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(sorted.into_iter().map(|(key, value)| (key, one(&kind, value, names))).collect())
        }
        value => one(&field.kind(), value, names),
    }
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}

fn one(kind: &Kind, value: &Field, names: Names) -> Value {
    match value {
        Field::Bool(value) => (*value).into(),
        Field::I32(value) => (*value).into(),
        Field::U32(value) => (*value).into(),
        Field::I64(value) => value.to_string().into(),
        Field::U64(value) => value.to_string().into(),
        // The shortest digits that give the 32 bits back.
        Field::F32(value) => float(value.to_string().parse().unwrap_or(f64::from(*value))),
        Field::F64(value) => float(*value),
        Field::String(value) => value.as_str().into(),
        Field::Bytes(value) => STANDARD.encode(value).into(),
        Field::EnumNumber(number) => match kind {
            Kind::Enum(known) => known.get_value(*number).map_or((*number).into(), |value| value.name().into()),
            _ => (*number).into(),
        },
        Field::Message(message) => dynamic_document(message, names),
        Field::List(_) | Field::Map(_) => Value::Null,
    }
}

fn float(value: f64) -> Value {
    if let Some(number) = Number::from_f64(value) {
        return Value::Number(number);
    }
    if value.is_nan() {
        return "NaN".into();
    }
    if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
}

/// Times, durations and wrapped numbers have a JSON of their own.
fn well_known(message: &DynamicMessage) -> Option<Value> {
    let descriptor = message.descriptor();
    let name = descriptor.full_name().strip_prefix("google.protobuf.")?;
    let number = |field: &str| match message.get_field_by_name(field).as_deref() {
        Some(Field::I64(value)) => *value,
        Some(Field::I32(value)) => i64::from(*value),
        _ => 0,
    };
    match name {
        "Timestamp" => {
            let nanos = i32::try_from(number("nanos")).unwrap_or(0);
            Some(MxTime { seconds: number("seconds"), nanos }.to_string().into())
        }
        "Duration" => Some(duration(number("seconds"), number("nanos")).into()),
        wrapper if wrapper.ends_with("Value") => {
            let field = descriptor.get_field_by_name("value")?;
            Some(of_field(&field, &message.get_field(&field), Names::Json))
        }
        _ => None,
    }
}

fn duration(seconds: i64, nanos: i64) -> String {
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    let mut digits = format!("{nanos:09}");
    for _ in 0..3 {
        if digits.ends_with("000") {
            digits.truncate(digits.len() - 3);
        }
    }
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}{seconds}{point}{digits}s")
}

/// A message from its JSON, with either names; what is not there is default.
///
/// # Errors
/// It is no JSON of this message.
pub fn parse<M: Message + Name + Default>(document: &Value) -> Result<M, String> {
    if document.is_null() {
        return Ok(M::default());
    }
    let descriptor = describe(&M::full_name()).ok_or("the contract has no such message")?;
    let dynamic = DynamicMessage::deserialize(descriptor, document).map_err(|error| error.to_string())?;
    dynamic.transcode_to().map_err(|error| error.to_string())
}

/// The summary of samples as all clients print it.
pub fn summary(summary: &crate::text::Summary) -> Value {
    json!({"p50": summary.p50, "p95": summary.p95, "p99": summary.p99, "max": summary.max, "mean": summary.mean})
}
