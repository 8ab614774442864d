//! The engine inside a program: rows from memory, a windowed query over two pinned partitions, rows back.
//!
//!   cargo run --release --example embed

use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use corelane::engine::{Engine, ProcessorKind, RunOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schema = Schema::new(vec![
        Field::new("symbol", DataType::Utf8, false),
        Field::new("price", DataType::Float64, false),
        Field::new("quantity", DataType::Int64, false),
    ]);
    let batch = RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(vec!["ACME", "INIT", "ACME", "ACME"])),
            Arc::new(Float64Array::from(vec![10.0, 99.5, 11.0, 12.0])),
            Arc::new(Int64Array::from(vec![100, 5, 200, 50])),
        ],
    )?;

    let mut engine = Engine::new();
    engine.register("trades", vec![batch]);
    let jobs = engine.compile(
        "CREATE SOURCE trades WITH (connector = 'memory');
         SELECT symbol, COUNT(*) AS trades, SUM(price * quantity) AS value FROM trades GROUP BY symbol ORDER BY symbol",
        &Default::default(),
    )?;
    let options = RunOptions { processor: ProcessorKind::Partitioned, partitions: Some(2), ..RunOptions::default() };
    let (report, batches) = engine.collect(&jobs[0], &options)?;
    for batch in &batches {
        println!("{:?}", batch.columns());
    }
    eprintln!("{}", report.closing_line());
    Ok(())
}
