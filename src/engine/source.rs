//! Opening a source: connector and format together make splits and decoders.

use std::path::Path;
use std::sync::Arc;

use super::combined::{self, CombinedDecoder};
use super::job::{Control, Engine, Table};
use super::options::RunOptions;
use super::options::SETTINGS;
use super::split::SplitNames;
use crate::batch::{Decode, Decoded};
use crate::connector::{
    DeadLetters, GENERATOR_KEYS, Location, MemoryDecoder, NEXMARK_KEYS, SINK_KEYS, SOURCE_KEYS, Sink, SinkConnector,
    SourceConnector, memory_reader,
};
use crate::error::{Error, Result};
use crate::format::{self, ByteRange, FORMAT_KEYS, Format, FormatOptions, SourceFormat, infer_schema, split_points};
use crate::operator::OnError;
use crate::partition::SourceSplit;
use crate::plan::{JobPlan, OptionPlace, ProcessorKind, SchemaProvider, SourceDefinition, SourceFacts};
use crate::sys::{self, StoppablePipe, StoppableStdin};
use crate::types::{OptionEntry, Options, Schema, SplitId};

/// Options of every source, beside the connector's and the format's.
/// Options of any source: what is said of its records.
pub(super) const RECORD_OPTIONS: [OptionEntry; 3] = [
    OptionEntry::new(
        "on_error",
        "skip, dead_letter, fail",
        "skip",
        "What becomes of a record that cannot be read or computed: it is counted, written down too, or ends the job.",
    ),
    OptionEntry::new(
        "dead_letter_path",
        "a file",
        "none",
        "For on_error dead_letter: where failed records go, one JSON object a line.",
    ),
    OptionEntry::new("keyed_by", "columns", "none", "Rows of equal values of these columns are all in one split."),
];
const RECORD_KEYS: &[&str] = &OptionEntry::names(&RECORD_OPTIONS);

/// What a source's options say, checked.
struct Parsed {
    connector: SourceConnector,
    format: Option<FormatOptions>,
    /// Name of the table in memory.
    table: Option<String>,
    on_error: OnError,
    dead_letter_path: Option<String>,
}

impl Parsed {
    /// What is decoded, as it is said to people.
    fn decoded(&self) -> &'static str {
        match (&self.connector, self.format.as_ref().map(|format| format.format)) {
            (_, Some(Format::Csv)) => "CSV",
            (_, Some(Format::Json)) => "JSON",
            (_, Some(Format::Parquet)) => "Parquet",
            (_, Some(Format::Arrow)) => "Arrow",
            (SourceConnector::Generator(_), _) => "generated rows",
            _ => "rows in memory",
        }
    }

    fn new(options: &Options, schema: &Schema) -> Result<Self> {
        let mut rest = options.clone();
        let connector = SourceConnector::take(&mut rest, schema)?;
        let table = rest.take("table");
        let on_error = rest.take("on_error").map_or(Ok(OnError::default()), |text| text.parse());
        let on_error = on_error.map_err(Error::Config)?;
        let dead_letter_path = rest.take("dead_letter_path");
        if (on_error == OnError::DeadLetter) != dead_letter_path.is_some() {
            return Err(Error::Config(
                "on_error = 'dead_letter' and dead_letter_path = '<file>' belong together".into(),
            ));
        }
        let format = match connector {
            SourceConnector::File { .. } | SourceConnector::Stdin => {
                Some(FormatOptions::take(&mut rest, connector.path())?)
            }
            _ => None,
        };
        let mut known = [SOURCE_KEYS, RECORD_KEYS].concat();
        match (&connector, &format) {
            (SourceConnector::Generator(_), _) => known.extend(GENERATOR_KEYS),
            (SourceConnector::Nexmark(_), _) => known.extend(NEXMARK_KEYS),
            (_, Some(format)) => known.extend(format.keys()),
            _ => known.extend(FORMAT_KEYS),
        }
        rest.finish("this source", &known)?;
        Ok(Self { connector, format, table, on_error, dead_letter_path })
    }

    /// Refuses what leads out of the engine's roots, if it has any.
    fn admitted(self, engine: &Engine) -> Result<Self> {
        if let Some(roots) = engine.roots() {
            roots.admit_source(&self.connector, self.dead_letter_path.as_deref())?;
        }
        Ok(self)
    }

    fn locations(&self, engine: &Engine) -> Result<Vec<Location>> {
        let extensions = self.format.as_ref().map_or(&[][..], |format| format.format.extensions());
        let locations = self.connector.splits(extensions)?;
        if let Some(roots) = engine.roots() {
            let mut files = locations.iter().filter_map(|location| match location {
                Location::File(path) => Some(path),
                Location::Stdin => None,
            });
            files.try_for_each(|path| roots.admit(path))?;
        }
        Ok(locations)
    }
}

/// Tells the planner of sources.
pub(super) struct Provider<'e> {
    engine: &'e Engine,
}

impl<'e> Provider<'e> {
    pub(super) fn new(engine: &'e Engine) -> Self {
        Self { engine }
    }
}

impl SchemaProvider for Provider<'_> {
    fn bounded(&self, options: &Options, schema: &Schema) -> Result<bool> {
        Ok(Parsed::new(options, schema)?.admitted(self.engine)?.connector.is_bounded())
    }

    fn option_names(&self, place: OptionPlace) -> Vec<&'static str> {
        let all = match place {
            OptionPlace::Setting => vec![SETTINGS],
            OptionPlace::Source => vec![SOURCE_KEYS, RECORD_KEYS, GENERATOR_KEYS, NEXMARK_KEYS, FORMAT_KEYS],
            OptionPlace::Read => vec![RECORD_KEYS, FORMAT_KEYS],
            OptionPlace::Sink => vec![SINK_KEYS, FORMAT_KEYS],
        };
        all.concat()
    }

    fn describe(&self, options: &Options) -> Result<SourceFacts> {
        let parsed = Parsed::new(options, &Schema::default())?.admitted(self.engine)?;
        let bounded = parsed.connector.is_bounded();
        let schema = match (&parsed.connector, &parsed.format) {
            (SourceConnector::File { .. }, Some(format)) => match parsed.locations(self.engine)?.first() {
                Some(Location::File(path)) if !can_be_read_twice(path) => {
                    return Err(cannot_infer(&path.display().to_string()));
                }
                Some(Location::File(path)) => infer_schema(path, format)?,
                Some(Location::Stdin) | None => return Err(cannot_infer("standard input")),
            },
            (SourceConnector::Memory, _) => match table_of(self.engine, &parsed)?.iter().flatten().next() {
                Some(batch) => crate::batch::schema_of(batch.schema().as_ref())?,
                None => Schema::default(),
            },
            (SourceConnector::Nexmark(nexmark), _) => nexmark.schema(),
            // `path = '-'`, which reads like a file.
            (SourceConnector::Stdin, _) if options.get("path").is_some() => return Err(cannot_infer("standard input")),
            // The planner asks for declared columns.
            _ => Schema::default(),
        };
        Ok(SourceFacts { schema, bounded })
    }
}

/// What is read to find out the columns must be there once more for the job: true of files, not of pipes and devices.
/// What is not there at all is told by who opens it.
fn can_be_read_twice(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |metadata| metadata.is_file() || metadata.is_dir())
}

fn cannot_infer(name: &str) -> Error {
    Error::Config(format!(
        "the columns of {name} cannot be found out, because it can be read only once: declare them with \
         CREATE SOURCE s (column TYPE, ...) WITH (connector = 'stdin', format = 'csv')"
    ))
}

/// The table in memory that a source names.
fn table_of<'e>(engine: &'e Engine, parsed: &Parsed) -> Result<&'e Table> {
    let name = parsed.table.as_deref().unwrap_or_default();
    engine.table(name).ok_or_else(|| {
        Error::Config(format!(
            "no table '{name}' is in memory: connector 'memory' reads what a program registers with Engine::register"
        ))
    })
}

/// A source that may be read.
pub(super) struct Started {
    /// Readers of all splits.
    pub(super) splits: Vec<SourceSplit>,
    /// One decoder a partition.
    pub(super) decoders: Vec<Box<dyn Decode + Send>>,
}

/// Where one split's records are.
enum Place {
    File(std::path::PathBuf),
    Range(std::path::PathBuf, ByteRange),
    Stdin,
    /// The share of a generator.
    Generator(u32),
    Memory(usize),
}

/// A source whose splits are known.
pub(super) struct OpenSource<'j> {
    job: &'j JobPlan,
    /// The source, or those that it puts together.
    inputs: Vec<OpenInput>,
}

/// One of the sources that are read.
struct OpenInput {
    source: Arc<SourceDefinition>,
    /// Columns read of it, in the order in which it yields them.
    projection: Vec<usize>,
    parsed: Parsed,
    places: Vec<Place>,
    table: Option<Table>,
}

impl<'j> OpenSource<'j> {
    /// Finds the splits. One text file is cut into as many ranges as `stp` has pipelines, if nothing depends on the
    /// order of its records or on their event time (lateness is a property of a split).
    pub(super) fn open(engine: &Engine, job: &'j JobPlan, options: &RunOptions, partitions: usize) -> Result<Self> {
        let scan = &job.plan.scan;
        let cut = options.processor == ProcessorKind::Stp
            && partitions > 1
            && scan.event_time.is_none()
            // A key may lie on both sides of a cut.
            && scan.source.keyed_by.is_empty();
        if scan.source.inputs.is_empty() {
            let cut = cut.then_some(partitions);
            let input = OpenInput::open(engine, &scan.source, scan.projection.clone(), cut)?;
            return Ok(Self { job, inputs: vec![input] });
        }
        if job.plan.timing.late_sink.is_some() {
            return Err(Error::Config(
                "late_sink cannot be set for a UNION ALL: its inputs have different columns".into(),
            ));
        }
        let inputs: Vec<OpenInput> = combined::projections(scan)
            .zip(&scan.source.inputs)
            .map(|(projection, input)| OpenInput::open(engine, &input.source, projection, None))
            .collect::<Result<_>>()?;
        let rule = |input: &OpenInput| (input.parsed.on_error, input.parsed.dead_letter_path.clone());
        if inputs.iter().any(|input| rule(input) != rule(&inputs[0])) {
            return Err(Error::Config("the sources of a UNION ALL need the same on_error and dead_letter_path".into()));
        }
        Ok(Self { job, inputs })
    }

    /// Number of splits.
    pub(super) fn splits(&self) -> usize {
        self.inputs.iter().map(|input| input.places.len()).sum()
    }

    /// What each split is called in reports.
    pub(super) fn names(&self) -> SplitNames {
        let places = self.inputs.iter().flat_map(|input| input.places.iter().map(move |place| (input, place)));
        SplitNames::new(places.map(|(input, place)| match place {
            Place::File(path) => (path.display().to_string(), None),
            Place::Range(path, range) => {
                let part = range.first_line.is_none().then(|| (path.clone(), range.start));
                (path.display().to_string(), part)
            }
            Place::Stdin => ("stdin".into(), None),
            Place::Generator(_) | Place::Memory(_) => (input.source.name.clone(), None),
        }))
    }

    /// Whether the input ends by itself.
    pub(super) fn is_bounded(&self) -> bool {
        self.inputs.iter().all(|input| input.parsed.connector.is_bounded())
    }

    /// What to do with records that fail.
    pub(super) fn on_error(&self) -> OnError {
        self.inputs.first().map_or(OnError::Skip, |input| input.parsed.on_error)
    }

    /// What is decoded, as it is said to people.
    pub(super) fn decoded(&self) -> String {
        let mut names: Vec<&str> = self.inputs.iter().map(|input| input.parsed.decoded()).collect();
        names.dedup();
        names.join(" and ")
    }

    /// The dead-letter file, if there is one, not visible before it is committed.
    pub(super) fn dead_letters(&self) -> Result<Option<DeadLetters>> {
        let Some(path) = self.inputs.first().and_then(|input| input.parsed.dead_letter_path.as_ref()) else {
            return Ok(None);
        };
        match (SinkConnector::File { path: path.clone() }).open()? {
            Sink::Bytes(output) => Ok(Some(DeadLetters::new(output)?)),
            Sink::Batches(_) | Sink::Blackhole => Ok(None),
        }
    }

    /// Opens everything: readers of all splits and a decoder for each partition.
    pub(super) fn start(self, partitions: usize, control: &Control) -> Result<Started> {
        let scan = &self.job.plan.scan;
        let mut started = Started { splits: Vec::new(), decoders: Vec::new() };
        let mut of_input: Vec<Vec<Box<dyn Decode + Send>>> = Vec::new();
        let mut input_of: Vec<usize> = Vec::new();
        for (number, input) in self.inputs.into_iter().enumerate() {
            input_of.resize(input_of.len() + input.places.len(), number);
            of_input.push(input.start(&mut started.splits, partitions, control)?);
        }
        if scan.source.inputs.is_empty() {
            started.decoders = of_input.pop().unwrap_or_default();
            return Ok(started);
        }
        for _ in 0..partitions {
            let decoders = of_input.iter_mut().filter_map(Vec::pop).collect();
            started.decoders.push(Box::new(CombinedDecoder::new(scan, decoders, input_of.clone())));
        }
        Ok(started)
    }
}

impl OpenInput {
    /// Finds the splits; one text file may be cut into `cut` ranges.
    fn open(
        engine: &Engine,
        source: &Arc<SourceDefinition>,
        projection: Vec<usize>,
        cut: Option<usize>,
    ) -> Result<Self> {
        let named = |error: Error| match error {
            Error::Config(message) => Error::Config(format!("source {}: {message}", source.name)),
            other => other,
        };
        let parsed =
            Parsed::new(&source.options, &source.schema).and_then(|parsed| parsed.admitted(engine)).map_err(named)?;
        let mut table = None;
        let places = match &parsed.connector {
            SourceConnector::File { .. } | SourceConnector::Stdin => {
                let locations = parsed.locations(engine)?;
                // Only a file can be opened once for each of its parts.
                match (&locations[..], &parsed.format, cut) {
                    ([Location::File(path)], Some(format), Some(parts)) if can_be_read_twice(path) => {
                        cut_file(path, format, parts)?
                    }
                    _ => locations.into_iter().map(place).collect(),
                }
            }
            SourceConnector::Generator(_) | SourceConnector::Nexmark(_) => {
                let splits = parsed.connector.shares().map_or(0, |shares| shares.splits());
                (0..splits as u32).map(Place::Generator).collect()
            }
            SourceConnector::Memory => {
                let found = table_of(engine, &parsed)?;
                table = Some(Arc::clone(found));
                (0..found.len()).map(Place::Memory).collect()
            }
            SourceConnector::Blackhole => Vec::new(),
        };
        Ok(Self { source: Arc::clone(source), projection, parsed, places, table })
    }

    /// Opens the readers of all splits, numbered on from those in `splits`, and a decoder for each partition.
    fn start(
        self,
        splits: &mut Vec<SourceSplit>,
        partitions: usize,
        control: &Control,
    ) -> Result<Vec<Box<dyn Decode + Send>>> {
        let (source, projection) = (&self.source, &self.projection);
        let shared = match &self.parsed.format {
            // It knows splits by their numbers among those of all inputs.
            Some(format) => {
                let last = splits.len() + self.places.len();
                Some(SourceFormat::new(format.clone(), source.schema.clone(), last)?)
            }
            None => None,
        };
        let mut bytes_expected = 0;
        for place in self.places {
            let id = SplitId(splits.len() as u32);
            let framed = |input| match &shared {
                Some(format) => format.reader(id, input, projection),
                None => Err(Error::Config(format!("source {}: no format given", source.name))),
            };
            let reader = match (place, &self.parsed.connector) {
                (Place::File(path), _) if !can_be_read_twice(&path) => {
                    let name = path.display().to_string();
                    let pipe = StoppablePipe::open(&path, &control.stop);
                    let pipe = pipe.map_err(|error| Error::io("open", &path, &error))?;
                    framed(format::Input::Stream(name, Box::new(pipe)))?
                }
                (Place::File(path), _) => {
                    bytes_expected += std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
                    framed(format::Input::File(path))?
                }
                (Place::Range(path, range), _) => {
                    bytes_expected += range.end - range.start;
                    framed(format::Input::Range(path, range))?
                }
                (Place::Stdin, _) => {
                    framed(format::Input::Stream("stdin".into(), Box::new(StoppableStdin::new(&control.stop))))?
                }
                (Place::Generator(index), connector) => {
                    let Some(shares) = connector.shares() else {
                        return Err(Error::Execution("only a generator has generated splits".into()));
                    };
                    let clock = Box::new(|| (sys::monotonic_ns() / 1000) as i64);
                    Box::new(shares.source(index, id, clock))
                }
                (Place::Memory(index), _) => {
                    let batches = self.table.as_ref().map_or(&[][..], |table| &table[index]);
                    Box::new(memory_reader(id, batches, &source.schema, projection)?)
                }
            };
            splits.push(SourceSplit { id, source: reader });
        }
        control.progress.writer().expect_bytes(bytes_expected);
        let decoder = |_| -> Box<dyn Decode + Send> {
            match (&shared, &self.parsed.connector) {
                (Some(format), _) => format.decoder(projection),
                (None, SourceConnector::Memory) => Box::new(MemoryDecoder),
                (None, connector) => connector.maker(projection).unwrap_or_else(|| Box::new(NothingToDecode)),
            }
        };
        Ok((0..partitions).map(decoder).collect())
    }
}

fn place(location: Location) -> Place {
    match location {
        Location::File(path) => Place::File(path),
        Location::Stdin => Place::Stdin,
    }
}

fn cut_file(path: &Path, format: &FormatOptions, parts: usize) -> Result<Vec<Place>> {
    let ranges = split_points(path, format, parts)?;
    if ranges.len() < 2 {
        return Ok(vec![Place::File(path.to_path_buf())]);
    }
    Ok(ranges.into_iter().map(|range| Place::Range(path.to_path_buf(), range)).collect())
}

/// For sources without splits.
struct NothingToDecode;

impl Decode for NothingToDecode {
    fn decode(&mut self, _: &crate::batch::Chunk, _: usize, _: &mut Decoded) -> Result<()> {
        Ok(())
    }
}
