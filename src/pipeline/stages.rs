//! The stages of one partition.

use crate::operator::expr::Evaluator;
use crate::operator::{
    Aggregate, AsOf, AssignWindows, Branches, Chain, Changes, ChangesPerBatch, Delay, Filter, First, Frames, GroupBy,
    IntervalJoin, Late, LateRule, Lookup, MergePanes, Operator, Project, Rank, Reorder, RowsOver, SessionChanges,
    SessionsPerBatch, Sorter,
};
use crate::plan::{
    Arrangement, Emit, Exchange, Layout, Node, Plan, RowsOrder, SourceInput, Step, WindowsNode, places_of_row,
};
use crate::state::KeyHasher;
use crate::types::{EventTime, OrderKey, Schema};

/// What one partition runs.
pub struct Stages {
    /// Where a chunk is decoded.
    pub local: Chain,
    /// How what leaves `local` finds its owner.
    pub exchange: ExchangeStage,
    /// At the owner; empty without an exchange (everything is local then).
    pub owner: Chain,
    /// What the partition may promise of its future output.
    pub frontier: Frontier,
    /// Columns that leave the partition.
    pub output: Schema,
    /// Columns that leave `local`, for rows that are exchanged.
    pub exchanged: Schema,
}

/// What happens between `local` and `owner`.
pub enum ExchangeStage {
    /// Nothing: rows that leave `local` are output.
    None,
    /// Rows go to the owner of their key, or all to one partition.
    Rows {
        /// The key; empty if all go to one.
        keys: Vec<Evaluator>,
        /// The one partition.
        to: Option<usize>,
    },
    /// Rows are grouped here; the groups of a closed pane go to the owners of their keys.
    Partials {
        /// Groups what this partition reads.
        group_by: Box<GroupBy>,
        /// Merges what it owns.
        merge: Box<MergePanes>,
    },
}

/// How order keys of future output follow from progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontier {
    /// By input order: after a chunk, rows of later chunks only.
    Input,
    /// By event time: after watermark W, rows at or after W less the microseconds only.
    EventTime(i64),
    /// The same of a join: pairs at or after that, rows without a partner after it.
    Pairs(i64),
    /// By window end: after watermark W, windows that end after W less the microseconds only.
    WindowEnd(i64),
    /// Nothing before the end of input.
    End,
}

impl Frontier {
    /// The least place that a row may have after `input` and `watermark`, if it is known.
    pub fn after(self, input: Option<OrderKey>, watermark: EventTime) -> Option<OrderKey> {
        let at = |time| (watermark > EventTime::MIN).then_some(OrderKey { time, ..OrderKey::MIN });
        match self {
            Self::Input => input,
            Self::EventTime(behind_us) => at(watermark.minus(behind_us)),
            // Pairs are of stage 1: rows without a partner leave at the very moment of the watermark.
            Self::Pairs(behind_us) => at(watermark.minus(behind_us)).map(|key| OrderKey { stage: 1, ..key }),
            Self::WindowEnd(behind_us) => at(EventTime(watermark.minus(behind_us).0.saturating_add(1))),
            Self::End => None,
        }
    }
}

/// Steps at the end of a plan that need the whole result: the writer runs them.
fn gathered_from(plan: &Plan) -> usize {
    let gathered = |step: &Step| matches!(step.node, Node::Sort(_) | Node::Limit { .. });
    plan.steps.iter().position(gathered).unwrap_or(plan.steps.len())
}

impl Stages {
    /// The steps of `plan` that the writer runs.
    pub fn gathered(plan: &Plan) -> &[Step] {
        &plan.steps[gathered_from(plan)..]
    }

    /// Stages of partition `index` under `layout`.
    pub fn new(plan: &Plan, layout: &Layout, index: usize, hasher: KeyHasher) -> Self {
        let end = gathered_from(plan);
        let keyed = plan.keyed_step().map_or(end, |(index, _)| index);
        let mut local = Chain::default();
        let mut position = 0;
        // WHERE comes before the look at lateness, so that a record is late only if the query wanted it.
        while position < keyed
            && let Node::Filter(predicate) = &plan.steps[position].node
        {
            local.push(Filter::new(predicate, true));
            position += 1;
        }
        if let Some(event_time) = plan.scan.event_time {
            let kept = || plan.timing.late_sink.as_ref().map(|_| plan.scan.schema());
            let late = |rule| Late::new(event_time.column, event_time.bound_us, rule, kept());
            let mut by_input = Vec::new();
            late_rules(plan, 0, &mut |end, rule| {
                let mut chain = Chain::default();
                chain.push(late(rule));
                by_input.push((end, chain));
            });
            if !by_input.is_empty() {
                local.push(Branches::new(SourceInput::NUMBER, by_input));
            } else if let Some(rule) = late_rule(plan) {
                local.push(late(rule));
            }
        }
        // The one group of a query without GROUP BY comes from the owner of the empty key.
        let owns_global = KeyHasher::owner(hasher.global(), layout.partitions) == index;
        let global_here = match layout.exchange {
            Exchange::None => layout.partitions == 1 || index == 0,
            Exchange::RowsTo(target) => index == target,
            Exchange::RowsByKey | Exchange::Partials => owns_global,
        };
        let push_steps = |chain: &mut Chain, from: usize| {
            for i in from..end {
                push_step(chain, plan, i, hasher, global_here, index == 0);
            }
        };
        let mut owner = Chain::default();
        let mut exchanged = plan.input_of(position);
        let exchange = match (layout.exchange, plan.steps.get(keyed).filter(|_| keyed < end)) {
            (Exchange::None, _) => {
                push_steps(&mut local, position);
                ExchangeStage::None
            }
            (Exchange::RowsTo(target), _) => {
                push_steps(&mut owner, position);
                ExchangeStage::Rows { keys: Vec::new(), to: Some(target) }
            }
            (Exchange::RowsByKey, Some(_)) => {
                for i in position..keyed {
                    push_step(&mut local, plan, i, hasher, false, index == 0);
                }
                exchanged = plan.input_of(keyed);
                push_steps(&mut owner, keyed);
                ExchangeStage::Rows { keys: plan.owner_keys().iter().map(Evaluator::new).collect(), to: None }
            }
            (Exchange::Partials, Some(Step { node: Node::Aggregate(node), schema })) => {
                for i in position..keyed {
                    push_step(&mut local, plan, i, hasher, false, index == 0);
                }
                push_steps(&mut owner, keyed + 1);
                ExchangeStage::Partials {
                    group_by: Box::new(GroupBy::new(node, plan.lateness(), hasher)),
                    merge: Box::new(MergePanes::new(node, schema, plan.lateness(), hasher, global_here)),
                }
            }
            (exchange, step) => panic!("the layout asks for {exchange:?} around {step:?}"),
        };
        let output = if end == 0 { plan.scan.schema() } else { plan.steps[end - 1].schema.clone() };
        Self { local, exchange, owner, frontier: frontier(plan), output, exchanged }
    }
}

fn push_step(chain: &mut Chain, plan: &Plan, i: usize, hasher: KeyHasher, global_here: bool, is_first: bool) {
    let Step { node, schema } = &plan.steps[i];
    match node {
        Node::Filter(predicate) => {
            // Only a filter before any state drops records; HAVING drops rows of groups.
            chain.push(Filter::new(predicate, plan.reads_records(i)));
        }
        Node::Project(exprs) => chain.push(Project::new(exprs)),
        Node::Aggregate(node) if node.emit.merges() => {
            let aggregate = Aggregate::new(node, schema, plan.lateness_at(i), hasher, global_here);
            push_delayed(chain, aggregate, plan.rows_behind_us(i));
        }
        Node::Aggregate(node) if node.has_sessions() => {
            let lateness = plan.lateness_at(i);
            match node.emit {
                Emit::ChangesPerBatch => chain.push(SessionsPerBatch::new(node, schema, lateness, hasher)),
                _ => chain.push(SessionChanges::new(node, schema, lateness, hasher)),
            }
        }
        Node::Aggregate(node) if node.emit == Emit::ChangesPerBatch => {
            chain.push(ChangesPerBatch::new(node, schema, plan.lateness_at(i), plan.timing.state_ttl_us, hasher));
        }
        Node::Aggregate(node) => {
            chain.push(Changes::new(node, schema, plan.lateness_at(i), plan.timing.state_ttl_us, hasher));
        }
        Node::Rows(node) => {
            if let RowsOrder::EventTime { column } = node.order {
                chain.push(Reorder::new(column, &plan.input_of(i)));
            }
            chain.push(RowsOver::new(node, hasher));
        }
        Node::First(node) => {
            push_delayed(chain, Reorder::new(node.column, &plan.input_of(i)), node.delay_us);
            chain.push(First::new(node, plan.timing.state_ttl_us));
        }
        Node::Branches(node) => {
            let chains = node.branches.iter().map(|branch| {
                let (plan, mut chain) = (plan.branch(i, branch), Chain::default());
                for step in 0..plan.steps.len() {
                    push_step(&mut chain, &plan, step, hasher, global_here, is_first);
                }
                (branch.inputs.end, chain)
            });
            chain.push(Branches::new(SourceInput::NUMBER, chains.collect()));
        }
        Node::Frames(node) => {
            let input = plan.input_of(i);
            if let Arrangement::EventTime { column } = node.arrangement {
                chain.push(Reorder::new(column, &input));
            }
            let Arrangement::Values { per_window } = node.arrangement else {
                chain.push(Frames::new(node, &input, schema, hasher));
                return;
            };
            chain.push(Sorter::by_values(&node.order, per_window, &input));
            chain.push(Frames::new(node, &input, schema, hasher));
            chain.push(Sorter::by_place(per_window, schema));
        }
        Node::IntervalJoin(node) => {
            let (input, node) = (plan.input_of(i), node.kept_for(plan.timing.state_ttl_us));
            push_delayed(chain, IntervalJoin::new(&node, &input), node.delay_us);
        }
        Node::AsOf(node) => {
            let input = plan.input_of(i);
            // A version holds from its own moment on.
            let reorder = Reorder::new(SourceInput::EVENT_TIME, &input).with_first(SourceInput::NUMBER, 1);
            push_delayed(chain, reorder, node.delay_us);
            chain.push(AsOf::new(node, &input));
        }
        Node::Windows(node) => chain.push(AssignWindows::new(node, places_of_row(&plan.steps[i + 1..]))),
        Node::Rank(node) => chain.push(Rank::new(node, &plan.input_of(i))),
        // One of the partitions accounts for the memory that all of them share.
        Node::Lookup(node) => {
            let places = places_of_row(&plan.steps[i + 1..]);
            chain.push(Lookup::new(node, places, plan.reads_records(i), is_first));
        }
        Node::Sort(_) | Node::Limit { .. } => panic!("the writer runs {node:?}"),
    }
}

/// An operator whose rows are so far behind the watermark.
fn push_delayed(chain: &mut Chain, operator: impl Operator + 'static, behind_us: i64) {
    match behind_us {
        0 => chain.push(operator),
        _ => chain.push(Delay::new(operator, behind_us)),
    }
}

fn late_rule(plan: &Plan) -> Option<LateRule> {
    let lateness = plan.lateness().or_else(|| plan.joined_windows().map(WindowsNode::lateness));
    lateness.map(LateRule::Window).or_else(|| plan.releases_in_order().then_some(LateRule::Order))
}

/// When records of each input are late, where inputs have branches: calls `found` with the number after that of the last
/// input and the rule. `first` is the number of the first input.
fn late_rules(plan: &Plan, first: usize, found: &mut impl FnMut(usize, LateRule)) {
    let Some((index, Step { node: Node::Branches(node), .. })) = plan.keyed_step() else { return };
    for branch in &node.branches {
        let own = plan.branch(index, branch);
        match own.keyed_step() {
            Some((_, Step { node: Node::Branches(_), .. })) => {
                late_rules(&own, first + branch.inputs.start, &mut *found);
            }
            // Rows that go to the join as they come are released by it in order.
            _ => found(first + branch.inputs.end, late_rule(&own).unwrap_or(LateRule::Order)),
        }
    }
}

/// What is promised follows from the last step that gives rows their place: functions OVER leave them where they were, and so do
/// running values.
fn frontier(plan: &Plan) -> Frontier {
    for (index, step) in plan.steps.iter().enumerate().rev() {
        match &step.node {
            Node::First(node) => return Frontier::EventTime(node.delay_us),
            Node::IntervalJoin(node) => return Frontier::Pairs(node.delay_us),
            Node::AsOf(node) => return Frontier::EventTime(node.delay_us),
            node if node.releases_rows() => return Frontier::EventTime(0),
            Node::Aggregate(node) if node.emit.merges() && node.is_timed() => {
                return Frontier::WindowEnd(plan.rows_behind_us(index));
            }
            Node::Aggregate(node) if node.emit.merges() => return Frontier::End,
            Node::Rank(_) => return Frontier::End,
            _ => {}
        }
    }
    Frontier::Input
}
