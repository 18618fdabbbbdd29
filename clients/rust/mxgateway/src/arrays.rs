//! Arrays: rows of rows on this side, elements and dimensions on the other.

use crate::error::{Error, Result};
use crate::pb::{self, mx_array::Values, mx_value::Kind};
use crate::values::{ElementType, Value, element_of};

/// An array's elements row by row, with the length of each dimension.
#[derive(Default)]
struct Flat {
    values: Vec<Value>,
    types: Vec<ElementType>,
    dimensions: Vec<u32>,
}

pub(crate) fn array_of(rows: Vec<Value>, declared: Option<ElementType>) -> Result<pb::MxValue> {
    let mut flat = Flat::default();
    flat.add(rows, 0)?;
    let element = match (flat.types.as_slice(), declared) {
        ([], Some(declared)) => declared,
        ([], None) => return Err(Error::argument("value: an empty array needs the type of its elements")),
        ([only], _) => *only,
        _ => flat.widen()?,
    };
    let (data_type, variant_type) = element.form();
    let variant_type = format!("VT_ARRAY|{variant_type}");
    let array = pb::MxArray {
        element_data_type: data_type.into(),
        variant_type: variant_type.clone(),
        dimensions: flat.dimensions,
        values: Some(filled(element, flat.values)),
        ..Default::default()
    };
    let kind = Some(Kind::ArrayValue(array));
    Ok(pb::MxValue { data_type: data_type.into(), variant_type, kind, ..Default::default() })
}

impl Flat {
    fn add(&mut self, row: Vec<Value>, depth: usize) -> Result<()> {
        let uneven = |what| Error::argument(format!("value: a nested array needs rows of one {what}"));
        let length = u32::try_from(row.len()).map_err(|error| Error::argument_of("value: too many elements", error))?;
        match self.dimensions.get(depth) {
            None if !self.values.is_empty() => return Err(uneven("depth")),
            None => self.dimensions.push(length),
            Some(known) if *known != length => return Err(uneven("length")),
            Some(_) => {}
        }
        for value in row {
            if let Value::Array(inner, _) = value {
                self.add(inner, depth + 1)?;
                continue;
            }
            let element = element_of(&value)?;
            if depth + 1 != self.dimensions.len() {
                return Err(uneven("depth"));
            }
            if !self.types.contains(&element) {
                self.types.push(element);
            }
            self.values.push(value);
        }
        Ok(())
    }

    /// One type of integers of both widths, and of integers among doubles.
    fn widen(&mut self) -> Result<ElementType> {
        let is_number =
            |each: &ElementType| matches!(each, ElementType::Int32 | ElementType::Int64 | ElementType::Double);
        if !self.types.iter().all(is_number) {
            return Err(Error::argument("value: an array for MXAccess holds one type, not several"));
        }
        let is_double = self.types.contains(&ElementType::Double);
        for value in &mut self.values {
            if is_double {
                *value = Value::Double(value.as_f64().unwrap_or_default());
            } else {
                *value = Value::Int64(value.as_i64().unwrap_or_default());
            }
        }
        Ok(if is_double { ElementType::Double } else { ElementType::Int64 })
    }
}

fn filled(element: ElementType, values: Vec<Value>) -> Values {
    macro_rules! taken {
        ($values:ident, $array:ident, $($arm:ident)|+) => {
            Values::$values(pb::$array {
                values: values
                    .into_iter()
                    .filter_map(|value| match value {
                        $(Value::$arm(value) => Some(value.into()),)+
                        _ => None,
                    })
                    .collect(),
            })
        };
    }
    match element {
        ElementType::Bool => taken!(BoolValues, BoolArray, Bool),
        ElementType::Int32 => taken!(Int32Values, Int32Array, Int32),
        ElementType::Int64 => taken!(Int64Values, Int64Array, Int64),
        ElementType::Float => taken!(FloatValues, FloatArray, Float),
        ElementType::Double | ElementType::Elapsed => taken!(DoubleValues, DoubleArray, Double | Elapsed),
        ElementType::String => taken!(StringValues, StringArray, String),
        ElementType::Time => taken!(TimestampValues, TimestampArray, Time),
        ElementType::Raw => taken!(RawValues, RawArray, Raw),
    }
}

const MAX_DIMENSIONS: usize = 60;
const MAX_EMPTY_ROWS: u64 = 1_000_000;

/// Folds elements into rows. Dimensions that do not describe the elements are not believed.
pub(crate) fn folded(values: Vec<Value>, dimensions: &[u32], element: ElementType) -> Value {
    let (count, mut product, mut rows) = (values.len() as u64, 1u64, 1u64);
    let flat = |values| Value::Array(values, Some(element));
    if !(2..=MAX_DIMENSIONS).contains(&dimensions.len()) {
        return flat(values);
    }
    for length in dimensions {
        product = product.saturating_mul(u64::from(*length));
        if *length == 0 {
            break;
        }
        rows = product;
        if product > count && (count > 0 || product > MAX_EMPTY_ROWS) {
            return flat(values);
        }
    }
    if product != count || (product == 0 && rows > MAX_EMPTY_ROWS) {
        return flat(values);
    }
    fold(&mut values.into_iter(), dimensions, element)
}

fn fold(values: &mut std::vec::IntoIter<Value>, dimensions: &[u32], element: ElementType) -> Value {
    let Some((length, inner)) = dimensions.split_first() else {
        return Value::Array(Vec::new(), Some(element));
    };
    let length = *length as usize;
    let row = if inner.is_empty() {
        values.by_ref().take(length).collect()
    } else {
        (0..length).map(|_| fold(values, inner, element)).collect()
    };
    Value::Array(row, Some(element))
}
