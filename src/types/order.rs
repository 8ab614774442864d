//! Event time, the sequence that is the engine's clock, and the order key that output rows are merged by.

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(pub i64);

impl EventTime {
    /// Before every record: the watermark of a split that has said nothing yet.
    pub const MIN: Self = Self(i64::MIN);
    /// After every record: the watermark once a split has ended.
    pub const MAX: Self = Self(i64::MAX);

    /// This time less `bound_us`; the two ends of time stay where they are.
    #[must_use]
    pub fn minus(self, bound_us: i64) -> Self {
        if self == Self::MIN || self == Self::MAX { self } else { Self(self.0.saturating_sub(bound_us)) }
    }
}

/// The number of a source split: files in name order, Kafka partitions, generator shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SplitId(pub u32);

/// Where a chunk stands in the input: split in the upper 20 bits, number within the split in the lower 44.
///
/// Ascending sequence is input order, under every processor: the splits of a bounded source one after another, whether they are read so
/// or abreast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(u64);

impl Sequence {
    /// Bits that number chunks within a split.
    const CHUNK_BITS: u32 = 44;
    /// Greatest number of splits of one source.
    pub const SPLITS_MAX: usize = 1 << (64 - Self::CHUNK_BITS);

    /// Chunk `number` of `split`.
    pub fn new(split: SplitId, number: u64) -> Self {
        debug_assert!(number < 1 << Self::CHUNK_BITS && (split.0 as usize) < Self::SPLITS_MAX);
        Self(u64::from(split.0) << Self::CHUNK_BITS | number)
    }

    /// The split.
    pub fn split(self) -> SplitId {
        SplitId((self.0 >> Self::CHUNK_BITS) as u32)
    }

    /// A number that orders as sequences do.
    pub fn ordinal(self) -> i64 {
        (self.0 ^ 1 << 63).cast_signed()
    }

    /// The number within the split.
    pub fn number(self) -> u64 {
        self.0 & ((1 << Self::CHUNK_BITS) - 1)
    }
}

/// The place of an output row in the result: rows leave in ascending order of this key.
///
/// `time` is `i64::MIN` where input order alone counts; for EMIT FINAL the watermark that closed the pane (for records on
/// time the window's end); the event time for rows that the watermark released. `sequence` and `row` name the input row (for a group: the first row that made it);
/// of rows that a table's rows made of one record, each has a place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// Major part.
    pub time: EventTime,
    /// Among rows of one time: 0 but for corrected groups of windows that closed before, of which it is the number of the
    /// correction, and for the pairs of a join, which come after rows without a partner.
    pub stage: u32,
    /// Chunk of the input row.
    pub sequence: Sequence,
    /// Place of the input row within the chunk: its index, or a multiple of it where several rows may come of one.
    pub row: u32,
}

impl OrderKey {
    /// Before every row.
    pub const MIN: Self = Self { time: EventTime::MIN, stage: 0, sequence: Sequence(0), row: 0 };
    /// After every row.
    pub const MAX: Self = Self { time: EventTime::MAX, stage: u32::MAX, sequence: Sequence(u64::MAX), row: u32::MAX };
}
