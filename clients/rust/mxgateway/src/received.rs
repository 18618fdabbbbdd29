//! Values that were received.

use crate::arrays::folded;
use crate::pb::{self, MxDataType, mx_array::Values, mx_value::Kind};
use crate::time::MxTime;
use crate::values::{ElementType, Value};

/// The value of a message, the inverse of [`to_mx_value`](crate::to_mx_value). It never fails: what has no form here is
/// kept as [`Value::Message`], a time beyond the calendar as [`Value::OutOfRange`].
pub fn from_mx_value(value: &pb::MxValue) -> Value {
    if value.is_null {
        return Value::Null;
    }
    let is_elapsed = value.data_type == MxDataType::ElapsedTime as i32;
    let out_of_range = || Value::OutOfRange(Box::new(value.clone()));
    match &value.kind {
        None => Value::Null,
        Some(Kind::BoolValue(found)) => Value::Bool(*found),
        Some(Kind::Int32Value(found)) => Value::Int32(*found),
        Some(Kind::Int64Value(found)) => Value::Int64(*found),
        Some(Kind::FloatValue(found)) if is_elapsed => Value::Elapsed(f64::from(*found)),
        Some(Kind::FloatValue(found)) => Value::Float(*found),
        Some(Kind::DoubleValue(found)) if is_elapsed => Value::Elapsed(*found),
        Some(Kind::DoubleValue(found)) => Value::Double(*found),
        Some(Kind::StringValue(found)) => Value::String(found.clone()),
        Some(Kind::TimestampValue(found)) => moment(*found).unwrap_or_else(out_of_range),
        Some(Kind::RawValue(found)) => Value::Raw(found.clone()),
        Some(Kind::ArrayValue(array)) => from_array(array, is_elapsed),
        Some(Kind::SparseArrayValue(array)) => Value::Sparse(
            array
                .elements
                .iter()
                .map(|element| (element.index, element.value.as_ref().map_or(Value::Null, from_mx_value)))
                .collect(),
        ),
    }
}

fn moment(time: prost_types::Timestamp) -> Option<Value> {
    Some(MxTime::from(time)).filter(|time| time.is_valid()).map(Value::Time)
}

fn from_array(array: &pb::MxArray, is_elapsed: bool) -> Value {
    let is_elapsed = is_elapsed || array.element_data_type == MxDataType::ElapsedTime as i32;
    let one = |kind| pb::MxValue { kind: Some(kind), data_type: array.element_data_type, ..Default::default() };
    let (values, element) = match &array.values {
        None => return Value::Array(Vec::new(), None),
        Some(Values::BoolValues(found)) => (all(&found.values, Value::Bool), ElementType::Bool),
        Some(Values::Int32Values(found)) => (all(&found.values, Value::Int32), ElementType::Int32),
        Some(Values::Int64Values(found)) => (all(&found.values, Value::Int64), ElementType::Int64),
        Some(Values::FloatValues(found)) if is_elapsed => {
            (all(&found.values, |seconds| Value::Elapsed(f64::from(seconds))), ElementType::Elapsed)
        }
        Some(Values::FloatValues(found)) => (all(&found.values, Value::Float), ElementType::Float),
        Some(Values::DoubleValues(found)) if is_elapsed => (all(&found.values, Value::Elapsed), ElementType::Elapsed),
        Some(Values::DoubleValues(found)) => (all(&found.values, Value::Double), ElementType::Double),
        Some(Values::StringValues(found)) => (all(&found.values, Value::String), ElementType::String),
        Some(Values::TimestampValues(found)) => {
            let time =
                |time| moment(time).unwrap_or_else(|| Value::OutOfRange(Box::new(one(Kind::TimestampValue(time)))));
            (all(&found.values, time), ElementType::Time)
        }
        Some(Values::RawValues(found)) => (all(&found.values, Value::Raw), ElementType::Raw),
    };
    folded(values, &array.dimensions, element)
}

fn all<T: Clone>(values: &[T], one: impl Fn(T) -> Value) -> Vec<Value> {
    values.iter().cloned().map(one).collect()
}
