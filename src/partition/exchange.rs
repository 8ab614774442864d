//! Between a partition's local operators and the owners of keys: rows scattered by key, or groups of closed panes.

use bumpalo::Bump;

use super::mesh::Mesh;
use super::message::{Origin, PartialMessage, RowsMessage, ScatteredRows};
use super::reduction::Reduction;
use crate::batch::{Batch, BatchBuffer, RowOrder, Selection};
use crate::error::Result;
use crate::kernel::{Simd, scatter};
use crate::operator::expr::{Evaluator, RowFailures};
use crate::operator::{Context, GroupBy, Keyed, MergePanes, Next, listed};
use crate::pipeline::ExchangeStage;
use crate::state::{KeyHasher, Keyer, PackedColumns, PartialGroups, RowStates};
use crate::types::{EventTime, Schema, Sequence};

/// Ring ends of the exchange, as they cross to the partition's thread.
pub enum MeshEnds {
    /// Nothing moves.
    None,
    /// Rows move.
    Rows(Mesh<RowsMessage, ScatteredRows>),
    /// Groups of closed panes move.
    Partials(Mesh<PartialMessage, PartialGroups>),
}

/// The exchange of one partition.
pub enum Exchanger {
    /// What leaves the local operators is output.
    None,
    /// Rows go to the owner of their key.
    Rows(Box<RowsExchange>),
    /// Groups go to the owner of their key when their pane closes.
    Partials(Box<PartialsExchange>),
}

impl Exchanger {
    /// The exchange of `stage` over `ends`; rows that move are of `schema`.
    pub fn new(stage: ExchangeStage, ends: MeshEnds, schema: &Schema, index: usize, hasher: KeyHasher) -> Self {
        match (stage, ends) {
            (ExchangeStage::None, MeshEnds::None) => Self::None,
            (ExchangeStage::Rows { keys, to }, MeshEnds::Rows(mesh)) => {
                let partitions = mesh.partitions();
                Self::Rows(Box::new(RowsExchange {
                    index,
                    keyer: Keyer::new(keys.iter().map(Evaluator::data_type), hasher),
                    keys,
                    to,
                    schema: schema.clone(),
                    mesh,
                    building: (0..partitions).map(|_| None).collect(),
                    next: 0,
                    moved: 0,
                    stayed: 0,
                }))
            }
            (ExchangeStage::Partials { group_by, merge }, MeshEnds::Partials(mesh)) => {
                Self::Partials(Box::new(PartialsExchange {
                    reduction: Reduction::default(),
                    row_states: RowStates::new(&group_by.panes.layout),
                    group_by,
                    merge,
                    closed: vec![(EventTime::MIN, false); mesh.partitions()],
                    merged: EventTime::MIN,
                    served: 0,
                    owned: vec![Vec::new(); mesh.partitions()],
                    mesh,
                    index,
                    moved: 0,
                    stayed: 0,
                }))
            }
            _ => panic!("the wiring and the stages of a partition come from one layout"),
        }
    }

    /// Sends what waits; true if anything went.
    pub fn flush(&mut self) -> bool {
        match self {
            Self::None => false,
            Self::Rows(exchange) => exchange.mesh.flush(),
            Self::Partials(exchange) => exchange.mesh.flush(),
        }
    }

    /// What the state that it keeps is called, and the bytes that it holds.
    pub fn state(&self) -> Option<(&'static str, usize)> {
        match self {
            Self::None | Self::Rows(_) => None,
            Self::Partials(exchange) => {
                Some(("GROUP BY", exchange.group_by.panes.held_bytes() + exchange.merge.held_bytes()))
            }
        }
    }

    /// Whether nothing waits.
    pub fn is_clear(&self) -> bool {
        match self {
            Self::None => true,
            Self::Rows(exchange) => exchange.mesh.is_clear(),
            Self::Partials(exchange) => exchange.mesh.is_clear(),
        }
    }

    /// Rows (or groups) that stayed, and that moved to another partition.
    pub fn hits(&self) -> (u64, u64) {
        match self {
            Self::None => (0, 0),
            Self::Rows(exchange) => (exchange.stayed, exchange.moved),
            Self::Partials(exchange) => (exchange.stayed, exchange.moved),
        }
    }
}

/// The rows of `keys` whose keys each of `partitions` owns, in order.
fn rows_by_owner<'a>(
    keyer: &Keyer,
    keys: &PackedColumns<'_>,
    partitions: usize,
    simd: Simd,
    arena: &'a Bump,
) -> impl Iterator<Item = &'a [u32]> + use<'a> {
    let hashes = keyer.hashes(keys, arena);
    let owners = arena.alloc_slice_fill_copy(hashes.len(), 0);
    scatter::owners(hashes, partitions, owners);
    let starts = arena.alloc_slice_fill_copy(partitions + 1, 0);
    let rows = arena.alloc_slice_fill_copy(hashes.len(), 0);
    scatter::scatter(simd, owners, keys.selection, starts, rows);
    let (starts, rows): (&'a [u32], &'a [u32]) = (starts, rows);
    starts.windows(2).map(move |ends| &rows[ends[0] as usize..ends[1] as usize])
}

/// Rows on their way to the owners of their keys, and the owner's rotation over what arrives.
pub struct RowsExchange {
    index: usize,
    keys: Vec<Evaluator>,
    /// The one owner, if there is no key.
    to: Option<usize>,
    keyer: Keyer,
    schema: Schema,
    mesh: Mesh<RowsMessage, ScatteredRows>,
    /// Rows of the chunk per owner.
    building: Vec<Option<ScatteredRows>>,
    /// Messages ended so far: the next one comes from partition `next % N`.
    next: u64,
    moved: u64,
    stayed: u64,
}

impl RowsExchange {
    /// Adds the batch's rows to what their owners will get of the chunk.
    pub fn scatter(&mut self, batch: Batch<'_>, context: &mut Context<'_>) -> Result<()> {
        let batch = listed(batch, context.arena, context.simd);
        if let Some(owner) = self.to {
            self.append(owner, &batch, batch.selection.list(), context.stage);
            return Ok(());
        }
        let arena = context.arena;
        let mut failures = RowFailures::new(arena, batch.rows);
        let (columns, rows, selection) = (batch.columns, batch.rows, batch.selection);
        let evaluate = |key: &Evaluator| key.evaluate(columns, rows, selection, arena, &mut failures, context.simd);
        let columns = arena.alloc_slice_fill_iter(self.keys.iter().map(evaluate));
        let batch = context.settle(batch, &failures, arena)?;
        let keys = self.keyer.keys(context.simd, columns, batch.rows, batch.selection.list());
        let owned = rows_by_owner(&self.keyer, &keys, self.building.len(), context.simd, arena);
        for (owner, rows) in owned.enumerate() {
            self.append(owner, &batch, Some(rows), context.stage);
        }
        Ok(())
    }

    /// Adds the selected rows, which came in one stage, to what `owner` will get of the chunk.
    fn append(&mut self, owner: usize, batch: &Batch<'_>, selection: Option<&[u32]>, stage: u32) {
        let batch = Batch { selection: selection.map_or(Selection::All, Selection::Rows), ..*batch };
        if batch.selected() == 0 {
            return;
        }
        *(if owner == self.index { &mut self.stayed } else { &mut self.moved }) += batch.selected() as u64;
        let rows = self.building[owner].get_or_insert_with(|| {
            self.mesh.reuse(owner).unwrap_or_else(|| {
                let mut buffer = BatchBuffer::for_schema(&self.schema);
                buffer.reserve(batch.rows);
                ScatteredRows { buffer, rows: Vec::with_capacity(batch.rows), stages: Vec::new() }
            })
        });
        rows.buffer.append(batch.columns, batch.rows, selection);
        batch.for_each(|i| rows.rows.push(batch.key(i).row));
        rows.stages.pop_if(|last| last.0 == stage);
        rows.stages.push((stage, rows.rows.len() as u32));
    }

    /// The chunk is through: every owner gets its rows, or an empty header.
    pub fn end_chunk(&mut self, origin: Origin, watermark: EventTime) {
        for owner in 0..self.building.len() {
            let rows = self.building[owner].take();
            self.mesh.send(owner, RowsMessage { origin: Some(origin), watermark, rows });
        }
    }

    /// No chunk will follow.
    pub fn end_input(&mut self) {
        for owner in 0..self.building.len() {
            self.mesh.send(owner, RowsMessage { origin: None, watermark: EventTime::MAX, rows: None });
        }
    }

    /// The next message in the order of the input, with the partition it came from.
    pub fn receive(&mut self) -> Option<(usize, RowsMessage)> {
        let partition = (self.next % self.mesh.partitions() as u64) as usize;
        let message = self.mesh.from[partition].pop()?;
        self.next += 1;
        Some((partition, message))
    }

    /// Gives rows back to where they came from.
    pub fn give_back(&mut self, partition: usize, mut rows: ScatteredRows) {
        rows.buffer.clear();
        rows.rows.clear();
        rows.stages.clear();
        self.mesh.give_back(partition, rows);
    }
}

impl ScatteredRows {
    /// The rows as batches, each with the stage of lateness in which its rows came.
    pub fn batches<'a>(&'a self, sequence: Sequence, arena: &'a Bump) -> impl Iterator<Item = (u32, Batch<'a>)> {
        let (rows, columns) = (self.buffer.len(), self.buffer.views(arena));
        let order = RowOrder::Rows { sequence, rows: &self.rows };
        let starts = std::iter::once(0).chain(self.stages.iter().map(|&(_, end)| end));
        starts.zip(&self.stages).map(move |(start, &(stage, end))| {
            let selection = match (end - start) as usize == rows {
                true => Selection::All,
                false => Selection::Rows(arena.alloc_slice_fill_iter(start..end)),
            };
            (stage, Batch { rows, columns, selection, order })
        })
    }
}

/// Groups of this partition's own reading, and the merging of those it owns.
pub struct PartialsExchange {
    index: usize,
    group_by: Box<GroupBy>,
    merge: Box<MergePanes>,
    mesh: Mesh<PartialMessage, PartialGroups>,
    /// Up to where each partition has sent its panes, and whether it is idle.
    closed: Vec<(EventTime, bool)>,
    /// Up to where merged panes were passed on.
    merged: EventTime,
    /// The partition whose message was taken last.
    served: usize,
    /// Groups of a closing pane by owner.
    owned: Vec<Vec<u32>>,
    reduction: Reduction,
    row_states: RowStates,
    moved: u64,
    stayed: u64,
}

impl PartialsExchange {
    /// Groups in one message. Any value is correct.
    const MESSAGE_GROUPS: usize = 4096;

    /// Groups the rows of a batch, or as many as it pays for; the others go to their owners.
    pub fn ingest(&mut self, batch: Batch<'_>, context: &mut Context<'_>) -> Result<()> {
        if !self.group_by.is_keyed() {
            return self.group_by.ingest(batch, context);
        }
        let (arena, simd) = (context.arena, context.simd);
        let Self { group_by, reduction, mesh, row_states, index, stayed, moved, .. } = self;
        let keyed = group_by.evaluate(batch, arena, context)?;
        group_by.for_each_run(keyed, arena, simd, &mut |panes, run| {
            let (before, _) = panes.extent(run.pane);
            let limit = reduction.limit(before);
            let left = panes.ingest_up_to(&run, limit, arena, simd);
            if limit == usize::MAX {
                let (after, rows) = panes.extent(run.pane);
                reduction.observe(run.keyed.batch.selected(), before, after, rows);
            }
            if left.is_empty() {
                return Ok(());
            }
            let Keyed { batch, keys, arguments, .. } = run.keyed;
            let left = panes.keyer.keys(simd, keys, batch.rows, Some(left));
            let owned = rows_by_owner(&panes.keyer, &left, mesh.partitions(), simd, arena);
            for (owner, owned) in owned.enumerate() {
                *(if owner == *index { &mut *stayed } else { &mut *moved }) += owned.len() as u64;
                for part in owned.chunks(Self::MESSAGE_GROUPS) {
                    let mut partial = mesh.reuse(owner).unwrap_or_default();
                    let place = |j: usize| {
                        let key = batch.key(part[j] as usize);
                        (key.sequence, key.row)
                    };
                    let keys = panes.keyer.keys(simd, keys, batch.rows, Some(part));
                    partial.push_rows(simd, &panes.layout, &keys, arguments, place, row_states);
                    mesh.send(owner, PartialMessage::Groups(run.pane, partial));
                }
            }
            Ok(())
        })
    }

    /// Sends the groups of all panes that `watermark` closes to the owners of their keys; `idle` tells them that this
    /// partition follows others.
    pub fn close(&mut self, watermark: EventTime, idle: bool) {
        let owners = self.mesh.partitions();
        while let Some((pane, groups)) = self.group_by.panes.close_next(watermark) {
            let panes = &self.group_by.panes;
            groups.by_owner(&panes.keyer, &mut self.owned);
            for (owner, owned) in self.owned.iter().enumerate() {
                *(if owner == self.index { &mut self.stayed } else { &mut self.moved }) += owned.len() as u64;
                for part in owned.chunks(Self::MESSAGE_GROUPS) {
                    let mut partial = self.mesh.reuse(owner).unwrap_or_default();
                    groups.export(&panes.keyer, &panes.layout, part, &mut partial);
                    self.mesh.send(owner, PartialMessage::Groups(pane, partial));
                }
            }
            self.group_by.panes.recycle(pane.stage, groups);
        }
        for owner in 0..owners {
            self.mesh.send(owner, PartialMessage::Closed { watermark, idle });
        }
    }

    /// Takes one message in and says how many groups it had; `None` if none was there.
    pub fn receive(&mut self) -> Option<usize> {
        for offset in 0..self.mesh.partitions() {
            // The one after the last that was served comes first, so that a busy partition delays nobody.
            let partition = (self.served + 1 + offset) % self.mesh.partitions();
            let message = self.mesh.from[partition].pop();
            if message.is_some() {
                self.served = partition;
            }
            match message {
                Some(PartialMessage::Groups(pane, mut groups)) => {
                    self.merge.merge(pane, &groups);
                    let count = groups.len();
                    groups.clear();
                    self.mesh.give_back(partition, groups);
                    return Some(count);
                }
                Some(PartialMessage::Closed { watermark, idle }) => {
                    self.closed[partition] = (watermark, idle);
                    return Some(0);
                }
                None => {}
            }
        }
        None
    }

    /// Passes on what every partition has closed since the last call, and says up to where that is.
    pub fn pass_on(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<Option<EventTime>> {
        let all = self.closed.iter().map(|(watermark, _)| *watermark).min().unwrap_or(EventTime::MAX);
        if all <= self.merged {
            return Ok(None);
        }
        self.merged = all;
        self.merge.close(all, context, next)?;
        Ok(Some(all))
    }

    /// Up to where all other partitions that are not idle have sent their panes, if there are any.
    pub fn others_closed(&self) -> Option<EventTime> {
        let others = self.closed.iter().enumerate().filter(|(partition, (_, idle))| *partition != self.index && !idle);
        others.map(|(_, (watermark, _))| *watermark).min()
    }

    /// The panes that `watermark` closes are not those that `before` closed.
    pub fn closes_more(&self, before: EventTime, watermark: EventTime) -> bool {
        self.group_by.panes.closes_more(before, watermark)
    }
}
