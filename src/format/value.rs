//! Single values of Arrow columns as text: what the CSV, JSON and table encoders share.
//!
//! The forms are those of [`crate::types::text`].

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::DataType as ArrowType;

use crate::batch::conform;
use crate::error::Result;
use crate::types::text::print;
use crate::types::{DataType, Schema};

/// One column, typed.
enum Typed<'a> {
    Boolean(&'a BooleanArray),
    Int(&'a PrimitiveArray<Int32Type>),
    BigInt(&'a PrimitiveArray<Int64Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>, u8),
    Varchar(&'a StringArray),
    Codes(&'a PrimitiveArray<Int32Type>, &'a StringArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>),
    Interval(&'a PrimitiveArray<DurationMicrosecondType>),
}

/// One column of a batch, to be read as text row by row.
pub(super) struct Cells<'a> {
    array: &'a ArrayRef,
    typed: Typed<'a>,
}

/// The batch with canonical columns, dictionaries allowed.
pub(super) fn conformed(batch: &RecordBatch, schema: &Schema) -> Result<RecordBatch> {
    conform(batch, schema)
}

/// The columns of a batch made by [`conformed`].
pub(super) fn cells<'a>(batch: &'a RecordBatch, schema: &Schema) -> Vec<Cells<'a>> {
    batch.columns().iter().zip(&schema.fields).map(|(array, field)| Cells::new(array, field.data_type)).collect()
}

impl<'a> Cells<'a> {
    fn new(array: &'a ArrayRef, data_type: DataType) -> Self {
        let typed = match data_type {
            DataType::Boolean => Typed::Boolean(array.as_boolean()),
            DataType::Int => Typed::Int(array.as_primitive()),
            DataType::BigInt => Typed::BigInt(array.as_primitive()),
            DataType::Double => Typed::Double(array.as_primitive()),
            DataType::Decimal { scale, .. } => Typed::Decimal(array.as_primitive(), scale),
            DataType::Date => Typed::Date(array.as_primitive()),
            DataType::Timestamp => Typed::Timestamp(array.as_primitive()),
            DataType::Interval => Typed::Interval(array.as_primitive()),
            DataType::Varchar => match array.data_type() {
                ArrowType::Dictionary(_, _) => {
                    let dictionary = array.as_dictionary::<Int32Type>();
                    Typed::Codes(dictionary.keys(), dictionary.values().as_string())
                }
                _ => Typed::Varchar(array.as_string()),
            },
        };
        Self { array, typed }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    /// The text of a VARCHAR cell.
    pub(super) fn text(&self, row: usize) -> Option<&'a str> {
        match &self.typed {
            Typed::Varchar(array) => Some(array.value(row)),
            Typed::Codes(keys, values) => Some(values.value(keys.value(row) as usize)),
            _ => None,
        }
    }

    /// The double of a DOUBLE cell.
    pub(super) fn double(&self, row: usize) -> Option<f64> {
        if let Typed::Double(array) = &self.typed { Some(array.value(row)) } else { None }
    }

    /// Whether JSON writes the values bare: numbers and booleans.
    pub(super) fn is_bare(&self) -> bool {
        matches!(
            self.typed,
            Typed::Boolean(_) | Typed::Int(_) | Typed::BigInt(_) | Typed::Double(_) | Typed::Decimal(..)
        )
    }

    /// Appends the cell, which must not be NULL.
    pub(super) fn push(&self, out: &mut Vec<u8>, row: usize) {
        match &self.typed {
            Typed::Boolean(array) => print::boolean(out, array.value(row)),
            Typed::Int(array) => print::integer(out, i64::from(array.value(row))),
            Typed::BigInt(array) => print::integer(out, array.value(row)),
            Typed::Double(array) => print::double(out, array.value(row)),
            Typed::Decimal(array, scale) => print::decimal(out, array.value(row), *scale),
            Typed::Varchar(_) | Typed::Codes(..) => {
                out.extend_from_slice(self.text(row).unwrap_or_default().as_bytes());
            }
            Typed::Date(array) => print::date(out, array.value(row)),
            Typed::Timestamp(array) => print::timestamp(out, array.value(row)),
            Typed::Interval(array) => print::interval(out, array.value(row)),
        }
    }
}
