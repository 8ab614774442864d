//! How a plan is laid over partitions: processor, strategy, exchange, and the reasons, for EXPLAIN and the report.

use std::fmt;
use std::str::FromStr;

use super::{ExprKind, LateRecords, Node, Plan};
use crate::error::{Error, Result, nearest};

/// How a job's work is laid over threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessorKind {
    /// `stp` if the source has enough splits and the query needs no order across them, else `partitioned`.
    #[default]
    Auto,
    /// One partition on the caller's thread.
    Inline,
    /// V1: one locked queue, one worker, state behind a mutex.
    Simple,
    /// V2: one reader, N pinned partitions, one writer.
    Partitioned,
    /// V3: N independent pipelines, each with its own reader.
    Stp,
}

/// How rows find their partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// By the hash of the grouping key.
    AlwaysHash,
    /// By the source's split where the source is keyed by the grouping key, else by hash.
    SmartRepartition,
    /// By the record's split.
    Sticky,
    /// By the number of the chunk.
    RoundRobin,
    /// To one fixed partition.
    FanIn,
}

const PROCESSORS: [(&str, ProcessorKind); 5] = [
    ("auto", ProcessorKind::Auto),
    ("inline", ProcessorKind::Inline),
    ("simple", ProcessorKind::Simple),
    ("partitioned", ProcessorKind::Partitioned),
    ("stp", ProcessorKind::Stp),
];

const STRATEGIES: [(&str, Strategy); 5] = [
    ("always_hash", Strategy::AlwaysHash),
    ("smart_repartition", Strategy::SmartRepartition),
    ("sticky", Strategy::Sticky),
    ("round_robin", Strategy::RoundRobin),
    ("fan_in", Strategy::FanIn),
];

fn parse<T: Copy>(what: &str, text: &str, table: &[(&str, T)]) -> Result<T> {
    let found = table.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        let hint = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("expected one of {}", names.join(", ")),
        };
        Error::Config(format!("unknown {what} '{text}': {hint}"))
    })
}

fn name_of<T: PartialEq>(value: &T, table: &[(&'static str, T)]) -> &'static str {
    table.iter().find(|(_, v)| v == value).map_or("", |(name, _)| name)
}

impl FromStr for ProcessorKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse("processor", text, &PROCESSORS)
    }
}

impl fmt::Display for ProcessorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(self, &PROCESSORS))
    }
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse("strategy", text, &STRATEGIES)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(self, &STRATEGIES))
    }
}

/// Which partition gets the next chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deal {
    /// Chunk k to partition k mod N, in the order in which they are read.
    RoundRobin,
    /// Split s to partition s mod N; one reader reads the splits in turn.
    BySplit,
    /// Split s to partition s mod N; every partition reads its own.
    Own,
}

/// What moves between partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// Nothing.
    None,
    /// Rows, to the owner of their key.
    RowsByKey,
    /// Rows, all to one partition.
    RowsTo(usize),
    /// Groups of a pane, to the owner of their key, when the pane closes.
    Partials,
}

/// What is asked for, and what is known of source and host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayoutRequest {
    /// Processor.
    pub processor: ProcessorKind,
    /// Partitions wanted.
    pub partitions: usize,
    /// Strategy, or let it be chosen.
    pub strategy: Option<Strategy>,
    /// The one partition of `fan_in`.
    pub fan_in_target: usize,
    /// Splits of the source.
    pub splits: usize,
}

/// A plan's place on partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Never [`ProcessorKind::Auto`].
    pub processor: ProcessorKind,
    /// Strategy.
    pub strategy: Strategy,
    /// Partitions.
    pub partitions: usize,
    /// How chunks are dealt.
    pub deal: Deal,
    /// What moves between partitions.
    pub exchange: Exchange,
    /// Whether the writer merges the partitions' outputs into input order.
    pub ordered: bool,
    /// Why, in sentences.
    pub reasons: Vec<String>,
}

/// What the plan's state demands of routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    /// No state by key.
    Stateless,
    /// Groups that can be merged when they are final.
    Mergeable,
    /// Every row in order at the owner of its key.
    InOrder,
}

impl Layout {
    /// Lays `plan` out, or says why the request is refused.
    pub fn new(plan: &Plan, request: LayoutRequest) -> Result<Self> {
        let facts = Facts::of(plan);
        if facts.chained && plan.timing.late_records != LateRecords::Drop && plan.closes_windows() {
            return Err(Error::Config(
                "late_records must be drop: a correction of a result would count twice in the query that reads results"
                    .into(),
            ));
        }
        let mut reasons = Vec::new();
        let (processor, mut partitions) = choose_processor(&facts, request, &mut reasons);
        let strategy = match request.strategy {
            Some(strategy) => {
                facts.refuse(strategy, processor)?;
                reasons.push(format!("strategy {strategy}: asked for"));
                strategy
            }
            None => facts.choose(processor, &mut reasons),
        };
        let deal = match (processor, strategy) {
            (ProcessorKind::Stp, _) => Deal::Own,
            // A LIMIT without ORDER BY takes the first rows of the input, so its order must be kept.
            _ if facts.cuts_in_input_order => Deal::RoundRobin,
            (_, Strategy::Sticky) => Deal::BySplit,
            (_, Strategy::SmartRepartition) if facts.source_keyed && request.splits > 1 => Deal::BySplit,
            _ => Deal::RoundRobin,
        };
        if strategy == Strategy::FanIn && request.fan_in_target >= partitions {
            return Err(Error::Config(format!(
                "strategy fan_in: partition {} is not below the number of partitions, {partitions}",
                request.fan_in_target
            )));
        }
        let exchange = match (processor, strategy) {
            _ if partitions == 1 => Exchange::None,
            (ProcessorKind::Stp, _) if facts.demand == Demand::InOrder => {
                if facts.source_keyed {
                    Exchange::None
                } else {
                    partitions = 1;
                    reasons.push(
                        "stp runs one pipeline: the query needs each key's rows in order and the source is not keyed \
                         by them (declare keyed_by, or use processor partitioned)"
                            .into(),
                    );
                    Exchange::None
                }
            }
            (ProcessorKind::Stp, _) if facts.demand == Demand::Mergeable && !facts.source_keyed => Exchange::Partials,
            (ProcessorKind::Stp, _) => Exchange::None,
            (_, Strategy::RoundRobin) if facts.demand == Demand::Mergeable => Exchange::Partials,
            (_, Strategy::RoundRobin) => Exchange::None,
            (_, Strategy::Sticky) if facts.demand == Demand::Stateless => Exchange::None,
            (_, Strategy::Sticky | Strategy::SmartRepartition) if deal == Deal::BySplit => Exchange::None,
            (_, Strategy::AlwaysHash | Strategy::SmartRepartition | Strategy::Sticky) => Exchange::RowsByKey,
            (_, Strategy::FanIn) => Exchange::RowsTo(request.fan_in_target),
        };
        let deal = if partitions == 1 && deal == Deal::BySplit { Deal::RoundRobin } else { deal };
        // Rows that all come from one partition are in order, and those that are sorted in the end need not be.
        let one_sender = facts.chained && matches!(exchange, Exchange::RowsTo(_));
        let ordered = partitions > 1
            && !one_sender
            && !plan.sorts()
            && (deal == Deal::RoundRobin || exchange == Exchange::Partials);
        Ok(Self { processor, strategy, partitions, deal, exchange, ordered, reasons })
    }
}

fn choose_processor(facts: &Facts, request: LayoutRequest, reasons: &mut Vec<String>) -> (ProcessorKind, usize) {
    let enough_splits = request.splits >= request.partitions && request.partitions > 1;
    let free_of_order = (facts.demand != Demand::InOrder || facts.source_keyed) && !facts.cuts_in_input_order;
    let processor = match request.processor {
        ProcessorKind::Auto if enough_splits && free_of_order && request.strategy.is_none() => {
            reasons.push(format!(
                "processor stp: {} splits for {} partitions, and no order needed across them",
                request.splits, request.partitions
            ));
            ProcessorKind::Stp
        }
        ProcessorKind::Auto => {
            reasons.push("processor partitioned: keeps the order of the input for every query".into());
            ProcessorKind::Partitioned
        }
        asked => asked,
    };
    let partitions = match processor {
        ProcessorKind::Inline | ProcessorKind::Simple => 1,
        ProcessorKind::Stp if facts.cuts_in_input_order => {
            reasons.push("stp runs one pipeline: LIMIT without ORDER BY cuts in input order".into());
            1
        }
        ProcessorKind::Stp if request.splits < request.partitions => {
            let pipelines = request.splits.max(1);
            reasons.push(format!("stp runs {pipelines} of {} pipelines: one per split", request.partitions));
            pipelines
        }
        _ => request.partitions,
    };
    (processor, partitions)
}

struct Facts {
    demand: Demand,
    has_keys: bool,
    /// What the keys of several steps have in common.
    common: Vec<String>,
    /// A step that keeps state reads what another one gave.
    chained: bool,
    source_keyed: bool,
    cuts_in_input_order: bool,
}

impl Facts {
    fn of(plan: &Plan) -> Self {
        let keyed = plan.keyed_step();
        let (chained, keys) = (plan.is_chained(), plan.owner_keys());
        let demand = match keyed.map(|(_, step)| &step.node) {
            None => Demand::Stateless,
            Some(Node::Aggregate(node)) if node.emit.merges() && !chained => Demand::Mergeable,
            Some(_) => Demand::InOrder,
        };
        // The source is keyed alike if equal grouping keys imply equal source keys, so one split.
        let is_key = |column: &usize| {
            keys.iter().any(|key| match key.kind {
                ExprKind::Column(index) => plan.scan.projection.get(index) == Some(column),
                _ => false,
            })
        };
        let keyed_by = &plan.scan.source.keyed_by;
        // Columns are those of the scan up to the first step that computes them anew.
        let passed = &plan.steps[..keyed.map_or(0, |(index, _)| index)];
        let scanned = !passed.iter().any(|step| matches!(step.node, Node::Project(_)));
        let is_over_results = |node: &Node| node.is_keyed() && !matches!(node, Node::Rows(_) | Node::Frames(_));
        let node = |found: fn(&Node) -> bool| plan.steps.iter().any(|step| found(&step.node));
        Self {
            demand,
            has_keys: !keys.is_empty(),
            common: keys.iter().filter(|_| chained).map(|key| plan.owner_name(key)).collect(),
            chained,
            // Steps over results go by one watermark for all splits.
            source_keyed: !(chained && node(is_over_results))
                && scanned
                && !keyed_by.is_empty()
                && keyed_by.iter().all(is_key),
            cuts_in_input_order: node(|n| matches!(n, Node::Limit { .. })) && !plan.sorts(),
        }
    }

    fn refuse(&self, strategy: Strategy, processor: ProcessorKind) -> Result<()> {
        let reason = match strategy {
            Strategy::Sticky if processor == ProcessorKind::Stp => return Ok(()),
            Strategy::SmartRepartition if processor == ProcessorKind::Stp && self.source_keyed => return Ok(()),
            _ if processor == ProcessorKind::Stp => {
                "under stp every split stays in its pipeline (use sticky, or processor partitioned)"
            }
            Strategy::AlwaysHash | Strategy::SmartRepartition if !self.has_keys => {
                "the query has no grouping key (use round_robin or fan_in)"
            }
            Strategy::Sticky if self.demand != Demand::Stateless && !self.source_keyed => {
                "the query keeps state by a key that the source is not keyed by, so results would be wrong \
                 (use always_hash, or declare keyed_by on the source)"
            }
            Strategy::RoundRobin if self.demand == Demand::InOrder => {
                "the query needs each key's rows in order, so they cannot be grouped before they are exchanged \
                 (use always_hash or fan_in)"
            }
            _ => return Ok(()),
        };
        Err(Error::Config(format!("strategy {strategy} is refused: {reason}")))
    }

    fn choose(&self, processor: ProcessorKind, reasons: &mut Vec<String>) -> Strategy {
        if self.demand == Demand::InOrder && !self.common.is_empty() && !self.source_keyed {
            let reason = "all steps that keep state have this key in common";
            reasons.push(format!("strategy {}: {reason}: {}", Strategy::AlwaysHash, self.common.join(", ")));
            return Strategy::AlwaysHash;
        }
        let (strategy, reason) = match self.demand {
            Demand::Stateless if processor == ProcessorKind::Stp => (Strategy::Sticky, "no state, a reader per split"),
            Demand::Stateless => (Strategy::RoundRobin, "no state by key"),
            _ if self.source_keyed => (Strategy::SmartRepartition, "the source is keyed by the grouping key"),
            Demand::Mergeable if processor == ProcessorKind::Stp => {
                (Strategy::Sticky, "each pipeline groups its own splits; only closing panes move")
            }
            Demand::Mergeable => {
                (Strategy::RoundRobin, "every partition groups what it reads; only closing panes move")
            }
            Demand::InOrder if self.has_keys => (Strategy::AlwaysHash, "each key's rows must meet in order"),
            Demand::InOrder if self.chained => (
                Strategy::FanIn,
                "rows of all keys must meet: rows numbered by values, or several steps that keep state and have no key in common",
            ),
            Demand::InOrder => (Strategy::FanIn, "all rows must meet in order, and there is no key"),
        };
        reasons.push(format!("strategy {strategy}: {reason}"));
        strategy
    }
}
