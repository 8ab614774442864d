//! The aggregates of a plan as what states keep: accumulators in the state rows, folds beside them, and the arguments of
//! both. Calls that need the same share it.

use crate::plan::{AggregateCall, AggregateFunction, AggregateOrder, Expr, ExprKind};
use crate::state::{Accumulator, AccumulatorKind, Fold, FoldField, KeyHasher, Line, NullRule, Reading, StateLayout};
use crate::types::{DataType, Value};

/// What the calls of a node become.
pub(super) struct Calls {
    /// Arguments of the layout, but for the place.
    pub(super) arguments: Vec<Expr>,
    /// Whether the place of a row in the input, two columns, comes behind the arguments.
    pub(super) takes_places: bool,
    /// The layout.
    pub(super) layout: StateLayout,
}

/// What an aggregate of a plan keeps in its state row; `None` if it keeps something beside it.
pub(super) fn accumulator_kind(function: AggregateFunction) -> Option<AccumulatorKind> {
    Some(match function {
        AggregateFunction::Count => AccumulatorKind::Count,
        AggregateFunction::Sum => AccumulatorKind::Sum,
        AggregateFunction::Avg => AccumulatorKind::Avg,
        AggregateFunction::Min => AccumulatorKind::Min,
        AggregateFunction::Max => AccumulatorKind::Max,
        AggregateFunction::Variance => AccumulatorKind::Moments { root: false, population: false },
        AggregateFunction::StdDev => AccumulatorKind::Moments { root: true, population: false },
        AggregateFunction::VariancePop => AccumulatorKind::Moments { root: false, population: true },
        AggregateFunction::StdDevPop => AccumulatorKind::Moments { root: true, population: true },
        _ => return None,
    })
}

/// The argument as the accumulator takes it: moments are kept over DOUBLE.
fn argument(call: &AggregateCall) -> Option<Expr> {
    let arg = call.arg.clone()?;
    let moments = matches!(accumulator_kind(call.function), Some(AccumulatorKind::Moments { .. }));
    if moments && arg.data_type != DataType::Double {
        return Some(Expr { kind: ExprKind::Cast(Box::new(arg)), data_type: DataType::Double });
    }
    Some(arg)
}

/// A set of values and the aggregates over it, until all are known.
struct Set {
    argument: usize,
    data_type: DataType,
    accumulators: Vec<Accumulator>,
    folds: Vec<Fold>,
}

enum Planned {
    Fold(Fold),
    Set(Set),
}

/// Arguments, each once.
#[derive(Default)]
struct Arguments(Vec<Expr>);

impl Arguments {
    fn add(&mut self, arg: &Expr) -> usize {
        let known = self.0.iter().position(|known| known == arg);
        known.unwrap_or_else(|| {
            self.0.push(arg.clone());
            self.0.len() - 1
        })
    }
}

impl Calls {
    /// The calls of a node; `hasher` is for sets of values.
    pub(super) fn new(calls: &[AggregateCall], hasher: KeyHasher) -> Self {
        let is_plain = |call: &&AggregateCall| accumulator_kind(call.function).is_some() && !call.distinct;
        // Arguments of state rows come first, then those that only folds have, then the place.
        let mut arguments = Arguments::default();
        calls.iter().filter(is_plain).filter_map(argument).for_each(|arg| {
            arguments.add(&arg);
        });
        for call in calls.iter().filter(|call| !is_plain(call)) {
            let order = call.order.iter().map(|order| &order.expr).filter(|_| !call.distinct && is_ordered(call));
            let second = call.second.iter().filter(|second| !matches!(second.kind, ExprKind::Literal(_)));
            argument(call).iter().chain(order).chain(second).for_each(|arg| {
                arguments.add(arg);
            });
        }
        let place = arguments.0.len();
        let mut planned: Vec<Planned> = Vec::new();
        let mut takes_places = false;
        let mut accumulate = |call: &AggregateCall| {
            let arg = argument(call).map(|arg| (arguments.add(&arg), arg.data_type));
            let result = call.data_type;
            if let Some(kind) = accumulator_kind(call.function).filter(|_| !call.distinct) {
                return Accumulator { kind, argument: arg, result };
            }
            let (argument, data_type) = arg.expect("only COUNT(*) has no argument");
            let (fold, reading) = if call.distinct {
                let fold = set(&mut planned, argument, data_type);
                let Planned::Set(set) = &mut planned[fold] else { unreachable!("`set` finds sets") };
                set.accumulators.push(inner(call, data_type, &mut set.folds));
                (fold, Reading::Inner(set.accumulators.len() - 1))
            } else {
                takes_places |= is_placed(call);
                let second = call.second.as_ref().filter(|second| !matches!(second.kind, ExprKind::Literal(_)));
                let second = second.map_or(0, |second| arguments.add(second));
                let order = call.order.iter().filter(|_| is_ordered(call));
                let order = order.map(|order| ordered(order, arguments.add(&order.expr))).collect();
                let (fold, reading) = fold_of(call, (argument, data_type), second, order, place);
                (shared(&mut planned, fold), reading)
            };
            Accumulator { kind: AccumulatorKind::Folded { fold, reading }, argument: None, result }
        };
        let accumulators = calls.iter().map(&mut accumulate).collect();
        let folds = planned.into_iter().map(|planned| match planned {
            Planned::Fold(fold) => fold,
            Planned::Set(Set { argument, data_type, accumulators, folds }) => {
                let inner = Box::new(StateLayout::new(accumulators, folds));
                Fold::Distinct { argument, data_type, inner, hasher }
            }
        });
        let layout = StateLayout::new(accumulators, folds.collect());
        Self { arguments: arguments.0, takes_places, layout }
    }
}

/// Whether ORDER BY of the call is over columns of their own; that of a percentile only says in which direction.
fn is_ordered(call: &AggregateCall) -> bool {
    matches!(call.function, AggregateFunction::First | AggregateFunction::Last | AggregateFunction::StringAgg)
}

/// Whether the place of rows in the input decides.
fn is_placed(call: &AggregateCall) -> bool {
    is_ordered(call) || matches!(call.function, AggregateFunction::MinBy | AggregateFunction::MaxBy)
}

/// The set of an argument's values.
fn set(planned: &mut Vec<Planned>, argument: usize, data_type: DataType) -> usize {
    let is_same = |planned: &Planned| matches!(planned, Planned::Set(set) if set.argument == argument);
    planned.iter().position(is_same).unwrap_or_else(|| {
        planned.push(Planned::Set(Set { argument, data_type, accumulators: Vec::new(), folds: Vec::new() }));
        planned.len() - 1
    })
}

/// The place of a fold among those planned.
fn shared(planned: &mut Vec<Planned>, fold: Fold) -> usize {
    let is_same = |planned: &Planned| matches!(planned, Planned::Fold(known) if known.is_same(&fold));
    planned.iter().position(is_same).unwrap_or_else(|| {
        planned.push(Planned::Fold(fold));
        planned.len() - 1
    })
}

/// An aggregate over the values of a set.
fn inner(call: &AggregateCall, data_type: DataType, folds: &mut Vec<Fold>) -> Accumulator {
    let result = call.data_type;
    if let Some(kind) = accumulator_kind(call.function) {
        return Accumulator { kind, argument: Some((0, data_type)), result };
    }
    // Distinct texts stand in their own order.
    let (fold, reading) = match call.function {
        AggregateFunction::StringAgg => {
            let fields = vec![field((0, data_type), call.order.first().is_some_and(|order| order.descending))];
            (Fold::All { fields, separator: separator(call) }, Reading::Joined)
        }
        _ => fold_of(call, (0, data_type), 0, Vec::new(), 0),
    };
    folds.push(fold);
    Accumulator { kind: AccumulatorKind::Folded { fold: folds.len() - 1, reading }, argument: None, result }
}

fn field((argument, data_type): (usize, DataType), descending: bool) -> FoldField {
    FoldField { argument, data_type, descending, nulls: NullRule::Skip }
}

fn ordered(order: &AggregateOrder, argument: usize) -> FoldField {
    let nulls = if order.nulls_first { NullRule::First } else { NullRule::Last };
    FoldField { nulls, ..field((argument, order.expr.data_type), order.descending) }
}

fn separator(call: &AggregateCall) -> Box<str> {
    match call.second.as_ref().map(|second| &second.kind) {
        Some(ExprKind::Literal(Value::Utf8(separator))) => (**separator).into(),
        _ => "".into(),
    }
}

fn fraction(call: &AggregateCall) -> f64 {
    match call.second.as_ref().map(|second| &second.kind) {
        Some(ExprKind::Literal(Value::Float64(fraction))) => *fraction,
        other => panic!("the planner gave a percentile the fraction {other:?}"),
    }
}

/// What a call keeps beside the state rows; `second` is its other column, `order` its ORDER BY, and the place of rows stands
/// in the arguments from `place` on.
fn fold_of(
    call: &AggregateCall,
    arg: (usize, DataType),
    second: usize,
    order: Vec<FoldField>,
    place: usize,
) -> (Fold, Reading) {
    use AggregateFunction as F;
    let value = field(arg, false);
    let places = [place, place + 1].map(|argument| field((argument, DataType::BigInt), false));
    let best = |first: Vec<FoldField>, greatest| {
        let fields = first.into_iter().chain(places).chain([value]).collect();
        (Fold::Best { fields, greatest }, Reading::Value)
    };
    let line = |line| (Fold::Pairs { y: arg.0, x: second }, Reading::Line(line));
    let key = |descending| {
        let data_type = call.second.as_ref().map_or(DataType::BigInt, |key| key.data_type);
        vec![field((second, data_type), descending)]
    };
    let percentile = |continuous| {
        let descending = call.order.first().is_some_and(|order| order.descending);
        let fold = Fold::All { fields: vec![field(arg, descending)], separator: "".into() };
        (fold, Reading::Percentile { fraction: fraction(call), continuous })
    };
    match call.function {
        F::First => best(order, false),
        F::Last => best(order, true),
        F::MinBy => best(key(false), false),
        F::MaxBy => best(key(true), false),
        F::StringAgg => {
            let fields = order.into_iter().chain(places).chain([value]).collect();
            (Fold::All { fields, separator: separator(call) }, Reading::Joined)
        }
        F::PercentileCont => percentile(true),
        F::PercentileDisc => percentile(false),
        F::ApproxPercentile => {
            let descending = call.order.first().is_some_and(|order| order.descending);
            let reading = Reading::Percentile { fraction: fraction(call), continuous: true };
            (Fold::Counters { field: field(arg, descending) }, reading)
        }
        F::ApproxCountDistinct => (Fold::Sketch { argument: arg.0 }, Reading::Estimate),
        F::Corr => line(Line::Correlation),
        F::CovarPop => line(Line::Covariance),
        F::CovarSamp => line(Line::SampleCovariance),
        F::RegrSlope => line(Line::Slope),
        F::RegrIntercept => line(Line::Intercept),
        F::RegrR2 => line(Line::Fit),
        F::RegrCount => line(Line::Count),
        F::Count | F::Sum | F::Avg | F::Min | F::Max | F::Variance | F::StdDev | F::VariancePop | F::StdDevPop => {
            panic!("{:?} is kept in the state row", call.function)
        }
    }
}
