//! Between Arrow arrays and our columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema, TimeUnit};
use bumpalo::Bump;

use super::{Column, Strings, Values, words_for};
use crate::error::{Error, Result};
use crate::types::{DataType, Field, Schema};

/// The canonical Arrow type of a SQL type. VARCHAR may also come as `Dictionary(Int32, Utf8)`.
pub fn arrow_type(data_type: DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::Int => ArrowType::Int32,
        DataType::BigInt => ArrowType::Int64,
        DataType::Double => ArrowType::Float64,
        DataType::Decimal { precision, scale } => ArrowType::Decimal128(precision, scale as i8),
        DataType::Varchar => ArrowType::Utf8,
        DataType::Date => ArrowType::Date32,
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Interval => ArrowType::Duration(TimeUnit::Microsecond),
    }
}

/// The SQL type that holds every value of an Arrow type, if there is one.
pub fn data_type_of(arrow: &ArrowType) -> Option<DataType> {
    Some(match arrow {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 | ArrowType::Int16 | ArrowType::Int32 | ArrowType::UInt8 | ArrowType::UInt16 => DataType::Int,
        ArrowType::Int64 | ArrowType::UInt32 => DataType::BigInt,
        ArrowType::UInt64 => DataType::Decimal { precision: 20, scale: 0 },
        ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 => DataType::Double,
        ArrowType::Decimal128(precision, scale) if *scale >= 0 => {
            DataType::Decimal { precision: *precision, scale: *scale as u8 }
        }
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View | ArrowType::Null => DataType::Varchar,
        ArrowType::Date32 | ArrowType::Date64 => DataType::Date,
        ArrowType::Timestamp(_, _) => DataType::Timestamp,
        ArrowType::Duration(_) => DataType::Interval,
        ArrowType::Dictionary(_, values) => data_type_of(values)?,
        _ => return None,
    })
}

/// The Arrow schema of a SQL schema.
pub fn arrow_schema(schema: &Schema) -> ArrowSchema {
    let field = |f: &Field| ArrowField::new(&f.name, arrow_type(f.data_type), f.nullable);
    ArrowSchema::new(schema.fields.iter().map(field).collect::<Vec<_>>())
}

/// The SQL schema of an Arrow schema; columns of a type that SQL here has no word for are an error that names them.
pub fn schema_of(schema: &ArrowSchema) -> Result<Schema> {
    let fields = schema.fields().iter().map(|field| {
        let data_type = data_type_of(field.data_type()).ok_or_else(|| {
            Error::Data(format!(
                "column \"{}\" has the Arrow type {}, which is not supported",
                field.name(),
                field.data_type()
            ))
        })?;
        Ok(Field { name: field.name().clone(), data_type, nullable: field.is_nullable() })
    });
    Ok(Schema::new(fields.collect::<Result<_>>()?))
}

/// The batch with its columns (matched by position) cast to the canonical types of `schema`. Columns that are canonical
/// already, or 32-bit dictionaries of text, are shared, not copied. A value that does not fit its type is an error.
pub fn conform(batch: &RecordBatch, schema: &Schema) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.len());
    let mut fields = Vec::with_capacity(schema.len());
    for (array, field) in batch.columns().iter().zip(&schema.fields) {
        let wanted = arrow_type(field.data_type);
        let array = if *array.data_type() == wanted || is_plain_dictionary(array, field.data_type) {
            Arc::clone(array)
        } else {
            cast(array, &wanted).map_err(|error| {
                Error::Data(format!("column \"{}\" cannot be read as {}: {error}", field.name, field.data_type))
            })?
        };
        fields.push(ArrowField::new(&field.name, array.data_type().clone(), true));
        columns.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), columns, &options)
        .map_err(|error| Error::Data(error.to_string()))
}

/// A timestamp keeps its instant, whatever zone it is shown in; one without a zone is UTC.
fn cast(array: &ArrayRef, wanted: &ArrowType) -> Result<ArrayRef, ArrowError> {
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    if !matches!(wanted, ArrowType::Timestamp(..)) {
        return arrow_cast::cast_with_options(array, wanted, &options);
    }
    let zone = match array.data_type() {
        ArrowType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let unit = ArrowType::Timestamp(TimeUnit::Microsecond, zone);
    let times = arrow_cast::cast_with_options(array, &unit, &options)?;
    Ok(Arc::new(times.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC")))
}

/// Whether the array is text by 32-bit codes, with no NULL hidden among the dictionary's values.
fn is_plain_dictionary(array: &ArrayRef, data_type: DataType) -> bool {
    let ArrowType::Dictionary(key, value) = array.data_type() else { return false };
    data_type == DataType::Varchar
        && **key == ArrowType::Int32
        && **value == ArrowType::Utf8
        && array.as_dictionary::<Int32Type>().values().null_count() == 0
}

/// A view of rows `offset..offset + rows` of a canonical array; bitmaps are realigned into `arena`.
///
/// Panics on a type that [`arrow_type`] does not name: decoders yield canonical types only.
pub fn view<'a>(array: &'a dyn Array, offset: usize, rows: usize, arena: &'a Bump) -> Column<'a> {
    let end = offset + rows;
    let validity =
        array.nulls().filter(|nulls| nulls.null_count() > 0).map(|nulls| words(nulls.inner(), offset, rows, arena));
    let values = match array.data_type() {
        ArrowType::Boolean => Values::Boolean(words(array.as_boolean().values(), offset, rows, arena)),
        ArrowType::Int32 => Values::Int32(&array.as_primitive::<Int32Type>().values()[offset..end]),
        ArrowType::Date32 => Values::Int32(&array.as_primitive::<Date32Type>().values()[offset..end]),
        ArrowType::Int64 => Values::Int64(&array.as_primitive::<Int64Type>().values()[offset..end]),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
            Values::Int64(&array.as_primitive::<TimestampMicrosecondType>().values()[offset..end])
        }
        ArrowType::Duration(TimeUnit::Microsecond) => {
            Values::Int64(&array.as_primitive::<DurationMicrosecondType>().values()[offset..end])
        }
        ArrowType::Float64 => Values::Float64(&array.as_primitive::<Float64Type>().values()[offset..end]),
        ArrowType::Decimal128(_, _) => Values::Int128(&array.as_primitive::<Decimal128Type>().values()[offset..end]),
        ArrowType::Utf8 => {
            let strings = array.as_string::<i32>();
            Values::Utf8(Strings { offsets: &strings.value_offsets()[offset..=end], bytes: strings.value_data() })
        }
        ArrowType::Dictionary(_, _) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            // Arrow keeps the codes as i32 but never below zero at a valid row, so they may be read as u32.
            let codes = dictionary.keys().values().inner().typed_data::<u32>();
            Values::Dictionary {
                codes: &codes[offset..end],
                values: Strings { offsets: values.value_offsets(), bytes: values.value_data() },
                source: Some(dictionary.values()),
            }
        }
        other => panic!("decoders yield canonical types only, found {other}"),
    };
    Column { values, validity }
}

/// Bits `offset..offset + rows` as words, zero past the end.
fn words<'a>(bits: &BooleanBuffer, offset: usize, rows: usize, arena: &'a Bump) -> &'a [u64] {
    let slice = bits.slice(offset, rows);
    let mut padded = slice.bit_chunks().iter_padded();
    arena.alloc_slice_fill_with(words_for(rows), |_| padded.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{StringArray, TimestampMillisecondArray};

    #[test]
    fn timestamps_of_any_unit_and_zone_keep_their_instant() {
        let schema = Schema::new(vec![Field::new("t", DataType::Timestamp)]);
        let millis = || TimestampMillisecondArray::from(vec![Some(1_500), None]);
        let arrays: [ArrayRef; 4] = [
            Arc::new(millis()),
            Arc::new(millis().with_timezone("+02:00")),
            Arc::new(millis().with_timezone("UTC")),
            Arc::new(StringArray::from(vec![Some("1970-01-01 00:00:01.5"), None])),
        ];
        for array in arrays {
            let batch = RecordBatch::try_from_iter([("t", array)]).unwrap();
            let column = Arc::clone(conform(&batch, &schema).unwrap().column(0));
            assert_eq!(*column.data_type(), arrow_type(DataType::Timestamp));
            let times = column.as_primitive::<TimestampMicrosecondType>();
            assert_eq!(times.iter().collect::<Vec<_>>(), [Some(1_500_000), None]);
        }
    }
}
