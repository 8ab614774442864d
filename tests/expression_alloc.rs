//! Shows that evaluating expressions takes nothing from the heap once the arena is warm, by counting in the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bumpalo::Bump;
use corelane::batch::{Column, Selection, Strings, Values};
use corelane::function::{digest, format, json, number, pattern, text as text_functions};
use corelane::kernel::Simd;
use corelane::operator::expr::{Evaluator, RowFailures};
use corelane::plan::{ArithmeticOp, CompareOp, DatePart, Expr, ExprKind, Function};
use corelane::types::{DataType, Value};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's own; counting touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: the test reads the count on the thread that allocates.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `System` with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROWS: usize = 5000;

fn boxed(kind: ExprKind, data_type: DataType) -> Box<Expr> {
    Box::new(Expr { kind, data_type })
}

fn call(function: Function, args: Vec<Expr>, data_type: DataType) -> Expr {
    Expr { kind: ExprKind::Call { function, args }, data_type }
}

fn expressions() -> Vec<Expr> {
    let number = || Expr::column(0, DataType::BigInt);
    let price = || Expr::column(1, DataType::Double);
    let plain = || Expr::column(2, DataType::Varchar);
    let coded = || Expr::column(3, DataType::Varchar);
    let cast = |arg, to| *boxed(ExprKind::Cast(Box::new(arg)), to);
    let compare = |op, left, right| {
        *boxed(ExprKind::Compare { op, left: Box::new(left), right: Box::new(right) }, DataType::Boolean)
    };
    let arithmetic = |op, left, right| {
        *boxed(ExprKind::Arithmetic { op, left: Box::new(left), right: Box::new(right) }, DataType::BigInt)
    };
    let long = |x| Expr::literal(Value::Int64(x), DataType::BigInt);
    let text = |x: &str| Expr::literal(Value::Utf8(x.into()), DataType::Varchar);
    let like = |arg, case_insensitive| ExprKind::Like {
        arg: Box::new(arg),
        pattern: "%a_c%".into(),
        negated: false,
        escape: None,
        case_insensitive,
    };
    let is_small = compare(CompareOp::Less, number(), long(100));
    let list = (0..20).map(|i| Value::Utf8(format!("abc{i}").into())).collect();
    vec![
        arithmetic(ArithmeticOp::Multiply, number(), arithmetic(ArithmeticOp::Divide, number(), number())),
        *boxed(ExprKind::And(vec![is_small.clone(), compare(CompareOp::Greater, price(), price())]), DataType::Boolean),
        *boxed(
            ExprKind::Case { branches: vec![(is_small, upper(plain()))], otherwise: Some(Box::new(coded())) },
            DataType::Varchar,
        ),
        *boxed(like(plain(), false), DataType::Boolean),
        *boxed(like(coded(), true), DataType::Boolean),
        *boxed(ExprKind::InList { arg: Box::new(plain()), list, has_null: true, negated: false }, DataType::Boolean),
        cast(number(), DataType::Varchar),
        cast(price(), DataType::Varchar),
        cast(cast(number(), DataType::Timestamp), DataType::Varchar),
        // Most rows fail: failing does not take from the heap either.
        cast(plain(), DataType::Double),
        call(Function::Concat, vec![plain(), text("-"), coded()], DataType::Varchar),
        call(Function::Substring, vec![plain(), long(2), number()], DataType::Varchar),
        call(Function::DateTrunc(DatePart::Month), vec![cast(number(), DataType::Timestamp)], DataType::Timestamp),
        call(Function::Coalesce, vec![number(), long(0)], DataType::BigInt),
        upper(coded()),
        call(Function::Row(text_functions::LPAD), vec![plain(), long(30), text("-")], DataType::Varchar),
        call(Function::Row(text_functions::LEVENSHTEIN), vec![plain(), coded()], DataType::BigInt),
        call(Function::Row(digest::SHA256), vec![plain()], DataType::Varchar),
        call(
            Function::Row(pattern::REGEXP_REPLACE),
            vec![plain(), text("([a-c]+)([0-9])"), text("\\2\\1"), text("g")],
            DataType::Varchar,
        ),
        call(Function::Row(pattern::REGEXP_LIKE), vec![plain(), text("c[0-9]+7$"), text("")], DataType::Boolean),
        call(
            Function::Row(format::STRFTIME),
            vec![cast(number(), DataType::Timestamp), text("%Y-%m-%d %H:%M:%S.%f")],
            DataType::Varchar,
        ),
        call(Function::Row(format::TRY_STRPTIME), vec![plain(), text("%Y-%m-%d")], DataType::Timestamp),
        call(Function::Row(json::EXTRACT_TEXT), vec![quoted(plain()), text("$.a[1].b")], DataType::Varchar),
        call(Function::Row(json::TYPE), vec![quoted(coded()), text("$[-1]")], DataType::Varchar),
        // Most rows fail here too.
        call(
            Function::Row(number::SQRT),
            vec![*boxed(ExprKind::Negate(Box::new(price())), DataType::Double)],
            DataType::Double,
        ),
        call(Function::Greatest, vec![number(), long(7), number()], DataType::BigInt),
        *boxed(ExprKind::TryCast(Box::new(plain())), DataType::Double),
    ]
}

/// A JSON document that holds the text.
fn quoted(arg: Expr) -> Expr {
    let text = |x: &str| Expr::literal(Value::Utf8(x.into()), DataType::Varchar);
    call(Function::Concat, vec![text("{\"a\": [0, {\"b\": \""), arg, text("\"}]}")], DataType::Varchar)
}

fn upper(arg: Expr) -> Expr {
    call(Function::Upper, vec![arg], DataType::Varchar)
}

#[test]
fn evaluation_takes_nothing_from_the_heap() {
    let numbers: Vec<i64> = (0..ROWS as i64).collect();
    let prices: Vec<f64> = numbers.iter().map(|&n| n as f64 / 7.0).collect();
    let texts: Vec<String> = numbers.iter().map(|n| format!("\u{e4}abc{n}")).collect();
    let bytes = texts.concat();
    let mut offsets = vec![0];
    for text in &texts {
        offsets.push(offsets.last().unwrap() + text.len() as i32);
    }
    let codes: Vec<u32> = numbers.iter().map(|&n| n as u32 % 2).collect();
    let mut validity = vec![0x5555_5555_5555_5555; ROWS.div_ceil(64)];
    *validity.last_mut().unwrap() &= (1 << (ROWS % 64)) - 1;
    let columns = [
        Column { values: Values::Int64(&numbers), validity: Some(&validity) },
        Column::valid(Values::Float64(&prices)),
        Column::valid(Values::Utf8(Strings { offsets: &offsets, bytes: bytes.as_bytes() })),
        Column::valid(Values::Dictionary {
            codes: &codes,
            values: Strings { offsets: &[0, 3, 6], bytes: b"abcxyz" },
            source: None,
        }),
    ];
    for expr in expressions() {
        let evaluator = Evaluator::new(&expr);
        let selection: Vec<u32> = (0..ROWS as u32).filter(|row| row % 3 == 0).collect();
        let mut arena = Bump::new();
        let mut counts = vec![];
        for _ in 0..8 {
            arena.reset();
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            run(&evaluator, &expr, &columns, &selection, &arena);
            counts.push(ALLOCATIONS.load(Ordering::Relaxed) - before);
        }
        assert_eq!(counts[6..], [0, 0], "{expr:#?}");
    }
}

fn run(evaluator: &Evaluator, expr: &Expr, columns: &[Column<'_>], selection: &[u32], arena: &Bump) {
    let mut failures = RowFailures::new(arena, ROWS);
    let column = evaluator.evaluate(columns, ROWS, Selection::Rows(selection), arena, &mut failures, Simd::detect());
    assert_eq!(column.physical(), expr.data_type.physical());
    if expr.data_type == DataType::Boolean {
        evaluator.select(columns, ROWS, Selection::All, arena, &mut failures, Simd::detect());
    }
}
