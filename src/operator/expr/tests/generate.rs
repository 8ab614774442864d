//! Random rows, their columns, and random well-typed expressions over them, from one seed.

use bumpalo::Bump;

use super::functions::FUNCTIONS;
use crate::batch::{Column, Strings, Values};
use crate::function::Literals;
use crate::plan::{ArithmeticOp, CompareOp, DatePart, Expr, ExprKind, Function};
use crate::types::{DataType, Physical, Value};

pub const DECIMAL: DataType = DataType::Decimal { precision: 10, scale: 2 };
pub const WIDE: DataType = DataType::Decimal { precision: 38, scale: 2 };

/// Types of the columns and of the expressions.
pub const TYPES: [DataType; 10] = [
    DataType::Boolean,
    DataType::Int,
    DataType::BigInt,
    DataType::Double,
    DECIMAL,
    WIDE,
    DataType::Varchar,
    DataType::Date,
    DataType::Timestamp,
    DataType::Interval,
];

const TEXTS: [&str; 24] = [
    "",
    "a",
    "b",
    "ab",
    " ab ",
    "ABBA",
    "\u{e4}b\u{df}",
    "\u{4e2d}\u{6587}",
    "12",
    "-7",
    "3.25",
    "1e3",
    "true",
    "2013-01-01",
    "2013-01-01T10:00:00Z",
    "1969-12-31 23:59:59.5",
    "PT90.5S",
    "1 day",
    "i",
    "(b|a)",
    "[b",
    "{\"a\":[1,\"b\"]}",
    "$.a[1]",
    "%Y-%m-%d",
];

pub struct Generator {
    state: u64,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A value that is not NULL, near the borders often.
    pub fn value(&mut self, data_type: DataType) -> Value {
        let raw = self.next();
        match data_type {
            DataType::Boolean => Value::Boolean(raw & 1 == 1),
            DataType::Int => Value::Int32(self.pick(&[0, 1, -1, 7, 100, i32::MIN, i32::MAX, raw as i32])),
            DataType::Date => {
                Value::Int32(self.pick(&[0, -1, 15_706, 10_957, i32::MIN, i32::MAX, raw as i32 % 50_000]))
            }
            DataType::BigInt => {
                Value::Int64(self.pick(&[0, 1, -1, 2, 5, -3, 60, i64::MIN, i64::MAX, raw as i64 % 1000, raw as i64]))
            }
            DataType::Timestamp | DataType::Interval => Value::Int64(self.pick(&[
                0,
                -1,
                1_500_000,
                1_356_998_400_000_000,
                i64::MIN,
                i64::MAX,
                raw as i64,
                raw as i64 >> 12,
            ])),
            DataType::Double => Value::Float64(self.pick(&[
                0.0,
                -0.0,
                1.0,
                0.5,
                -2.5,
                1.005,
                1e10,
                1e300,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                9.3e18,
                raw as i32 as f64 / 100.0,
                f64::from_bits(raw),
            ])),
            DataType::Decimal { precision, .. } => {
                let limit = 10i128.pow(u32::from(precision)) - 1;
                Value::Int128(self.pick(&[0, 1, -1, 50, -150, limit, -limit, i128::from(raw as i64) % limit]))
            }
            DataType::Varchar => Value::Utf8(self.pick(&TEXTS).into()),
        }
    }

    /// Two columns of each type, the second with NULLs, and a third and fourth of text.
    pub fn rows(&mut self, count: usize) -> Vec<Vec<Value>> {
        let mut rows = vec![];
        for _ in 0..count {
            let mut row = vec![];
            for data_type in TYPES {
                row.push(self.value(data_type));
                row.push(if self.chance(30) { Value::Null } else { self.value(data_type) });
            }
            row.push(self.value(DataType::Varchar));
            row.push(if self.chance(30) { Value::Null } else { self.value(DataType::Varchar) });
            rows.push(row);
        }
        rows
    }

    pub fn selection(&mut self, rows: usize) -> Option<Vec<u32>> {
        let percent = self.pick(&[0, 10, 50, 90, 101]);
        (percent < 101).then(|| (0..rows as u32).filter(|_| self.chance(percent)).collect())
    }

    /// The rows as columns; the last two are dictionaries.
    pub fn columns<'a>(&mut self, rows: &[Vec<Value>], arena: &'a Bump) -> Vec<Column<'a>> {
        (0..TYPES.len() * 2 + 2)
            .map(|index| {
                let values: Vec<&Value> = rows.iter().map(|row| &row[index]).collect();
                let data_type = TYPES.get(index / 2).copied().unwrap_or(DataType::Varchar);
                self.column(&values, data_type, index >= TYPES.len() * 2, arena)
            })
            .collect()
    }

    fn column<'a>(&mut self, values: &[&Value], data_type: DataType, coded: bool, arena: &'a Bump) -> Column<'a> {
        macro_rules! plain {
            ($variant:ident, $garbage:expr) => {
                Values::$variant(arena.alloc_slice_fill_iter(
                    values.iter().map(|value| if let Value::$variant(v) = value { *v } else { $garbage }),
                ))
            };
        }
        let words = |f: &dyn Fn(&Value) -> bool| {
            let words = arena.alloc_slice_fill_copy(values.len().div_ceil(64), 0u64);
            for (i, value) in values.iter().enumerate() {
                words[i / 64] |= u64::from(f(value)) << (i % 64);
            }
            &*words
        };
        let validity = values.iter().any(|value| value.is_null()).then(|| words(&|value| !value.is_null()));
        let text = |value: &Value| if let Value::Utf8(text) = value { text.to_string() } else { "\u{e4}?".into() };
        let strings = |texts: &[String]| {
            let mut offsets = vec![0];
            let mut bytes = String::new();
            for text in texts {
                bytes.push_str(text);
                offsets.push(bytes.len() as i32);
            }
            Strings { offsets: arena.alloc_slice_copy(&offsets), bytes: arena.alloc_str(&bytes).as_bytes() }
        };
        let values = match data_type.physical() {
            // What stands at a NULL row means nothing, so it is made to tempt every overflow and zero test.
            Physical::Boolean => Values::Boolean(words(&|value| *value != Value::Boolean(false))),
            Physical::Int32 => plain!(Int32, i32::MIN),
            Physical::Int64 => plain!(Int64, i64::MIN),
            Physical::Float64 => plain!(Float64, f64::NAN),
            Physical::Int128 => plain!(Int128, i128::MIN),
            Physical::Utf8 if coded => {
                let distinct: Vec<String> = TEXTS.iter().rev().map(|text| (*text).into()).collect();
                let code = |value: &&Value| match value {
                    // A code at a NULL row may lie outside the dictionary.
                    Value::Null => u32::MAX,
                    value => distinct.iter().position(|text| *text == self::text_of(value)).unwrap() as u32,
                };
                Values::Dictionary {
                    codes: arena.alloc_slice_fill_iter(values.iter().map(code)),
                    values: strings(&distinct),
                    source: None,
                }
            }
            Physical::Utf8 => Values::Utf8(strings(&values.iter().map(|value| text(value)).collect::<Vec<_>>())),
        };
        Column { values, validity }
    }

    fn literal(&mut self, data_type: DataType) -> Expr {
        let value = if self.chance(10) { Value::Null } else { self.value(data_type) };
        Expr::literal(value, data_type)
    }

    fn leaf(&mut self, data_type: DataType) -> Expr {
        if self.chance(25) {
            return self.literal(data_type);
        }
        let mut index = TYPES.iter().position(|t| *t == data_type).unwrap() * 2 + self.below(2);
        if data_type == DataType::Varchar && self.chance(50) {
            index = TYPES.len() * 2 + self.below(2);
        }
        Expr::column(index, data_type)
    }

    /// An expression of that type.
    pub fn expr(&mut self, data_type: DataType, depth: usize) -> Expr {
        if depth == 0 {
            return self.leaf(data_type);
        }
        let d = depth - 1;
        let kind = match self.below(13) {
            10..12 => match self.row_function(data_type, d) {
                Some(kind) => kind,
                None => return self.leaf(data_type),
            },
            12 => {
                let function = self.pick(&[Function::Greatest, Function::Least]);
                let args = (0..1 + self.below(3)).map(|_| self.expr(data_type, d)).collect();
                ExprKind::Call { function, args }
            }
            0 => {
                let branches = (0..1 + self.below(2))
                    .map(|_| (self.expr(DataType::Boolean, d), self.expr(data_type, d)))
                    .collect();
                let otherwise = self.chance(60).then(|| Box::new(self.expr(data_type, d)));
                ExprKind::Case { branches, otherwise }
            }
            1 => {
                let args = (0..1 + self.below(3)).map(|_| self.expr(data_type, d)).collect();
                ExprKind::Call { function: Function::Coalesce, args }
            }
            2 => {
                let args = vec![self.expr(data_type, d), self.expr(data_type, d)];
                ExprKind::Call { function: Function::NullIf, args }
            }
            3 | 4 => {
                let from = self.castable(data_type);
                let arg = Box::new(self.expr(from, d));
                if self.chance(30) { ExprKind::TryCast(arg) } else { ExprKind::Cast(arg) }
            }
            5 => return self.leaf(data_type),
            _ => self.special(data_type, d),
        };
        Expr { kind, data_type }
    }

    /// A function of the values of a row that gives that type.
    fn row_function(&mut self, data_type: DataType, d: usize) -> Option<ExprKind> {
        let fitting: Vec<_> = FUNCTIONS.iter().filter(|(_, _, result)| *result == data_type).collect();
        if fitting.is_empty() {
            return None;
        }
        let (function, types, _) = self.pick(&fitting);
        let mut args: Vec<Expr> = types.iter().map(|data_type| self.expr(*data_type, d)).collect();
        if function.literals == Literals::Part {
            let part = self.pick(&["day", "week", "month", "quarter", "year"]);
            args[0] = Expr::literal(Value::Utf8(part.into()), DataType::Varchar);
        }
        Some(call(Function::Row(*function), args))
    }

    fn castable(&mut self, to: DataType) -> DataType {
        use DataType::{BigInt, Boolean, Date, Double, Int, Interval, Timestamp, Varchar};
        match to {
            Boolean => self.pick(&[Int, BigInt, Double, DECIMAL, Varchar, Boolean]),
            Varchar => self.pick(&TYPES),
            Date => self.pick(&[Varchar, Timestamp, Date]),
            Timestamp => self.pick(&[Varchar, Date, BigInt]),
            Interval => self.pick(&[Varchar, BigInt]),
            _ => self.pick(&[Boolean, Int, BigInt, Double, DECIMAL, WIDE, Varchar]),
        }
    }

    fn special(&mut self, data_type: DataType, d: usize) -> ExprKind {
        let boxed = |expr: Expr| Box::new(expr);
        match data_type {
            DataType::Boolean => self.predicate(d),
            DataType::Int | DataType::Date => ExprKind::Cast(boxed(self.expr(data_type, d))),
            DataType::BigInt => match self.below(6) {
                0 => ExprKind::Negate(boxed(self.expr(data_type, d))),
                1 => call(Function::Abs, vec![self.expr(data_type, d)]),
                2 => call(Function::Length, vec![self.expr(DataType::Varchar, d)]),
                3 => {
                    let part = self.pick(&PARTS);
                    call(Function::Extract(part), vec![self.expr(DataType::Timestamp, d)])
                }
                4 => call(Function::Round, vec![self.expr(data_type, d), self.digits()]),
                _ => self.arithmetic(data_type, data_type, d, 5),
            },
            DataType::Double => match self.below(4) {
                0 => ExprKind::Negate(boxed(self.expr(data_type, d))),
                1 => self.numeric_call(data_type, d),
                _ => self.arithmetic(data_type, data_type, d, 5),
            },
            // The planner gives arithmetic on decimals a type wide enough for the result.
            DataType::Decimal { precision, scale } => match self.below(if precision == 38 { 5 } else { 2 }) {
                0 => ExprKind::Negate(boxed(self.expr(data_type, d))),
                1 => self.numeric_call(data_type, d),
                2 => {
                    let whole = DataType::Decimal { precision: 38, scale: 0 };
                    let right = Expr { kind: ExprKind::Cast(boxed(self.expr(DataType::BigInt, d))), data_type: whole };
                    debug_assert_eq!(scale, 2);
                    let left = boxed(self.expr(data_type, d));
                    ExprKind::Arithmetic { op: ArithmeticOp::Multiply, left, right: boxed(right) }
                }
                _ => {
                    let op = self.pick(&[ArithmeticOp::Add, ArithmeticOp::Subtract, ArithmeticOp::Modulo]);
                    let (left, right) = (boxed(self.expr(data_type, d)), boxed(self.expr(data_type, d)));
                    ExprKind::Arithmetic { op, left, right }
                }
            },
            DataType::Varchar => self.text(d),
            DataType::Timestamp => match self.below(2) {
                0 => {
                    let part = self.pick(&PARTS[..10]);
                    call(Function::DateTrunc(part), vec![self.expr(data_type, d)])
                }
                _ => self.arithmetic(data_type, DataType::Interval, d, 2),
            },
            DataType::Interval => match self.below(3) {
                0 => {
                    let (left, right) = (self.expr(DataType::Timestamp, d), self.expr(DataType::Timestamp, d));
                    ExprKind::Arithmetic { op: ArithmeticOp::Subtract, left: boxed(left), right: boxed(right) }
                }
                1 => {
                    let (left, right) = (self.expr(data_type, d), self.expr(DataType::BigInt, d));
                    ExprKind::Arithmetic { op: ArithmeticOp::Multiply, left: boxed(left), right: boxed(right) }
                }
                _ => self.arithmetic(data_type, data_type, d, 2),
            },
        }
    }

    fn digits(&mut self) -> Expr {
        let digits = self.pick(&[0, 1, 2, -1, -2, -18, -19, 30, -400, 400, i64::MIN, i64::MAX]);
        if self.chance(70) {
            Expr::literal(Value::Int64(digits), DataType::BigInt)
        } else {
            self.leaf(DataType::BigInt)
        }
    }

    fn numeric_call(&mut self, data_type: DataType, d: usize) -> ExprKind {
        let function = self.pick(&[Function::Abs, Function::Floor, Function::Ceil, Function::Round]);
        let mut args = vec![self.expr(data_type, d)];
        if function == Function::Round {
            args.push(self.digits());
        }
        call(function, args)
    }

    fn arithmetic(&mut self, left: DataType, right: DataType, d: usize, operations: usize) -> ExprKind {
        const ALL: [ArithmeticOp; 5] = [
            ArithmeticOp::Add,
            ArithmeticOp::Subtract,
            ArithmeticOp::Multiply,
            ArithmeticOp::Divide,
            ArithmeticOp::Modulo,
        ];
        let op = self.pick(&ALL[..operations]);
        ExprKind::Arithmetic { op, left: Box::new(self.expr(left, d)), right: Box::new(self.expr(right, d)) }
    }

    fn predicate(&mut self, d: usize) -> ExprKind {
        let boxed = |expr: Expr| Box::new(expr);
        match self.below(9) {
            8 => {
                let data_type = self.pick(&TYPES);
                call(Function::Distinct, vec![self.expr(data_type, d), self.expr(data_type, d)])
            }
            0 => ExprKind::Not(boxed(self.expr(DataType::Boolean, d))),
            1 => {
                let data_type = self.pick(&TYPES);
                ExprKind::IsNull { arg: boxed(self.expr(data_type, d)), negated: self.chance(50) }
            }
            2 => ExprKind::And((0..2 + self.below(2)).map(|_| self.expr(DataType::Boolean, d)).collect()),
            3 => ExprKind::Or((0..2 + self.below(2)).map(|_| self.expr(DataType::Boolean, d)).collect()),
            4 => ExprKind::Like {
                arg: boxed(self.expr(DataType::Varchar, d)),
                pattern: self.pick(&["%", "a%", "%b", "%b%", "ab", "_b%", "%!%%", "", "%1%_"]).into(),
                negated: self.chance(30),
                escape: Some('!'),
                case_insensitive: self.chance(30),
            },
            5 => {
                let data_type = self.pick(&TYPES);
                let list = (0..self.below(12)).map(|_| self.value(data_type)).collect();
                ExprKind::InList {
                    arg: boxed(self.expr(data_type, d)),
                    list,
                    has_null: self.chance(30),
                    negated: self.chance(30),
                }
            }
            _ => {
                let data_type = self.pick(&TYPES);
                let op = self.pick(&[
                    CompareOp::Equal,
                    CompareOp::NotEqual,
                    CompareOp::Less,
                    CompareOp::LessOrEqual,
                    CompareOp::Greater,
                    CompareOp::GreaterOrEqual,
                ]);
                ExprKind::Compare { op, left: boxed(self.expr(data_type, d)), right: boxed(self.expr(data_type, d)) }
            }
        }
    }

    fn text(&mut self, d: usize) -> ExprKind {
        let function = self.pick(&[
            Function::Upper,
            Function::Lower,
            Function::Trim,
            Function::Substring,
            Function::Concat,
            Function::ConcatOperator,
            Function::ConcatWs,
        ]);
        let mut args = vec![self.expr(DataType::Varchar, d)];
        match function {
            Function::Substring => {
                for _ in 0..1 + self.below(2) {
                    args.push(self.leaf(DataType::BigInt));
                }
            }
            Function::Concat | Function::ConcatOperator => args.push(self.expr(DataType::Varchar, d)),
            Function::ConcatWs => (0..2).for_each(|_| args.push(self.expr(DataType::Varchar, d))),
            _ => {}
        }
        call(function, args)
    }
}

const PARTS: [DatePart; 15] = [
    DatePart::Microsecond,
    DatePart::Millisecond,
    DatePart::Second,
    DatePart::Minute,
    DatePart::Hour,
    DatePart::Day,
    DatePart::Week,
    DatePart::Month,
    DatePart::Quarter,
    DatePart::Year,
    DatePart::DayOfWeek,
    DatePart::IsoDayOfWeek,
    DatePart::DayOfYear,
    DatePart::IsoYear,
    DatePart::Epoch,
];

fn call(function: Function, args: Vec<Expr>) -> ExprKind {
    ExprKind::Call { function, args }
}

fn text_of(value: &Value) -> &str {
    match value {
        Value::Utf8(text) => text,
        other => panic!("expected text, found {other:?}"),
    }
}
