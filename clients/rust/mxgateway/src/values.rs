//! Values as Rust has them, and as the contract does.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use crate::arrays::array_of;
use crate::error::{Error, Result};
use crate::pb::{self, MxDataType, mx_value::Kind};
use crate::received::from_mx_value;
use crate::time::MxTime;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElementType {
    /// VT_BOOL
    Bool,
    /// VT_I4
    Int32,
    /// VT_I8
    Int64,
    /// VT_R4
    Float,
    /// VT_R8
    Double,
    /// VT_BSTR
    String,
    /// VT_DATE
    Time,
    /// VT_R8 in seconds, ELAPSED_TIME
    Elapsed,
    /// VT_RECORD
    Raw,
}

impl ElementType {
    /// Data type and variant type of one such value.
    pub(crate) fn form(self) -> (MxDataType, &'static str) {
        match self {
            Self::Bool => (MxDataType::Boolean, "VT_BOOL"),
            Self::Int32 => (MxDataType::Integer, "VT_I4"),
            Self::Int64 => (MxDataType::Integer, "VT_I8"),
            Self::Float => (MxDataType::Float, "VT_R4"),
            Self::Double => (MxDataType::Double, "VT_R8"),
            Self::String => (MxDataType::String, "VT_BSTR"),
            Self::Time => (MxDataType::Time, "VT_DATE"),
            Self::Elapsed => (MxDataType::ElapsedTime, "VT_R8"),
            Self::Raw => (MxDataType::Unknown, "VT_RECORD"),
        }
    }
}

/// A value of a tag: what is written is made with `into()`, what is received comes so.
///
/// | Rust | MXAccess |
/// |---|---|
/// | `None` | VT_EMPTY, null |
/// | `bool` | VT_BOOL |
/// | `i8` `i16` `i32` `u8` `u16` | VT_I4 |
/// | `i64` `u32` | VT_I8 |
/// | `f32`, `f64` | VT_R4, VT_R8 |
/// | `&str`, `String` | VT_BSTR |
/// | [`MxTime`], `SystemTime` | VT_DATE |
/// | `Duration`, [`Value::Elapsed`] | VT_R8 in seconds, ELAPSED_TIME |
/// | `Vec<u8>` | VT_RECORD, as it is |
/// | `Vec`, slices and arrays of them, also nested | VT_ARRAY of the elements' type |
/// | [`pb::MxValue`] | as it is; [`pb::MxSparseArray`], for writes only |
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Null,
    /// VT_BOOL
    Bool(bool),
    /// VT_I4
    Int32(i32),
    /// VT_I8
    Int64(i64),
    /// VT_R4
    Float(f32),
    /// VT_R8
    Double(f64),
    /// VT_BSTR
    String(String),
    /// VT_DATE
    Time(MxTime),
    /// Seconds of a duration, which may be negative; a received one also any other number.
    Elapsed(f64),
    /// VT_RECORD: bytes as they are.
    Raw(Vec<u8>),
    /// Rows of rows where there are several dimensions. The type matters where it is empty; a received array without
    /// values has none.
    Array(Vec<Value>, Option<ElementType>),
    /// Elements of a sparse array by index, as received.
    Sparse(BTreeMap<u32, Value>),
    /// The message itself: what is written as it is, or was received and has no form here.
    Message(Box<pb::MxValue>),
    /// A received time beyond the calendar: the message.
    OutOfRange(Box<pb::MxValue>),
}

impl Value {
    /// The truth value, where it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, where it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int32(value) => Some(i64::from(*value)),
            Self::Int64(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, or the seconds of a duration; a whole number of 64 bits may lose its last digits.
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int32(value) => Some(f64::from(*value)),
            Self::Int64(value) => Some(*value as f64),
            Self::Float(value) => Some(f64::from(*value)),
            Self::Double(value) | Self::Elapsed(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int32(value) => value.fmt(f),
            Self::Int64(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
            Self::Time(value) => value.fmt(f),
            Self::Elapsed(seconds) => write!(f, "{seconds} s"),
            Self::Raw(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Array(values, _) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Sparse(elements) => f.debug_map().entries(elements).finish(),
            Self::Message(_) => f.write_str("a value without a form"),
            Self::OutOfRange(_) => f.write_str("beyond the calendar"),
        }
    }
}

/// The message of a value.
///
/// # Errors
/// `Argument` for NaN and infinities, for which MXAccess has no form, times beyond the years 1 to 9999, rows of different
/// length, and an empty array whose element type is unknown.
pub fn to_mx_value(value: impl Into<Value>) -> Result<pb::MxValue> {
    let value = value.into();
    match value {
        Value::Null => Ok(pb::MxValue {
            data_type: MxDataType::NoData.into(),
            variant_type: "VT_EMPTY".to_owned(),
            is_null: true,
            ..Default::default()
        }),
        Value::Message(message) => Ok(*message),
        Value::Array(values, element) => array_of(values, element),
        Value::Sparse(_) => Err(Error::argument("a sparse array is written as an MxSparseArray, which has its length")),
        scalar => scalar_value(scalar),
    }
}

fn scalar_value(value: Value) -> Result<pb::MxValue> {
    let element = element_of(&value)?;
    let (data_type, variant_type) = element.form();
    let kind = match value {
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Int32(value) => Kind::Int32Value(value),
        Value::Int64(value) => Kind::Int64Value(value),
        Value::Float(value) => Kind::FloatValue(value),
        Value::Double(value) | Value::Elapsed(value) => Kind::DoubleValue(value),
        Value::String(value) => Kind::StringValue(value),
        Value::Time(value) => Kind::TimestampValue(value.into()),
        Value::Raw(value) => Kind::RawValue(value),
        _ => return Err(formless(&value)),
    };
    Ok(pb::MxValue {
        data_type: data_type.into(),
        variant_type: variant_type.to_owned(),
        kind: Some(kind),
        ..Default::default()
    })
}

/// The type of a scalar that can be written.
pub(crate) fn element_of(value: &Value) -> Result<ElementType> {
    let finite = |number: f64, element| {
        if number.is_finite() {
            Ok(element)
        } else {
            let text = format!("value: {number} cannot be written: MXAccess has no form for NaN and infinities");
            Err(Error::argument(text))
        }
    };
    match value {
        Value::Bool(_) => Ok(ElementType::Bool),
        Value::Int32(_) => Ok(ElementType::Int32),
        Value::Int64(_) => Ok(ElementType::Int64),
        Value::Float(number) => finite(f64::from(*number), ElementType::Float),
        Value::Double(number) => finite(*number, ElementType::Double),
        Value::Elapsed(number) => finite(*number, ElementType::Elapsed),
        Value::String(_) => Ok(ElementType::String),
        Value::Time(time) if time.is_valid() => Ok(ElementType::Time),
        Value::Time(time) => Err(Error::argument(format!("value: {time} is beyond the years 1 to 9999"))),
        Value::Raw(_) => Ok(ElementType::Raw),
        _ => Err(formless(value)),
    }
}

fn formless(value: &Value) -> Error {
    let text = match value {
        Value::Null => "value: null has no place within an array",
        _ => "value: this has no form in MXAccess",
    };
    Error::argument(text)
}

/// A type of which arrays are made.
pub trait Element: Into<Value> {
    /// What the array says of its elements.
    const TYPE: ElementType;
}

macro_rules! scalars {
    ($($native:ty => $arm:ident),* $(,)?) => {$(
        impl From<$native> for Value {
            fn from(value: $native) -> Self {
                Self::$arm(value.into())
            }
        }

        impl Element for $native {
            const TYPE: ElementType = ElementType::$arm;
        }
    )*};
}

scalars! {
    bool => Bool, i8 => Int32, i16 => Int32, i32 => Int32, u16 => Int32, i64 => Int64, u32 => Int64, f32 => Float,
    f64 => Double, &str => String, String => String, &String => String, MxTime => Time, SystemTime => Time,
    Vec<u8> => Raw,
}

impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Int32(value.into())
    }
}

impl From<Duration> for Value {
    fn from(value: Duration) -> Self {
        Self::Elapsed(value.as_secs_f64())
    }
}

impl Element for Duration {
    const TYPE: ElementType = ElementType::Elapsed;
}

impl<T: Element> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect(), Some(T::TYPE))
    }
}

impl<T: Element> Element for Vec<T> {
    const TYPE: ElementType = T::TYPE;
}

impl<T: Element + Clone> From<&[T]> for Value {
    fn from(values: &[T]) -> Self {
        values.to_vec().into()
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Self {
        Vec::from(values).into()
    }
}

impl<T: Element, const N: usize> Element for [T; N] {
    const TYPE: ElementType = T::TYPE;
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<pb::MxValue> for Value {
    fn from(value: pb::MxValue) -> Self {
        Self::Message(Box::new(value))
    }
}

impl From<pb::MxSparseArray> for Value {
    fn from(array: pb::MxSparseArray) -> Self {
        let data_type = array.element_data_type;
        Self::from(pb::MxValue { data_type, kind: Some(Kind::SparseArrayValue(array)), ..Default::default() })
    }
}

impl From<&pb::MxValue> for Value {
    /// The value that was received, see [`from_mx_value`].
    fn from(value: &pb::MxValue) -> Self {
        from_mx_value(value)
    }
}
