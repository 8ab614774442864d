//! Every family of kernels by itself, at each level: what a level gains.
//!
//! A batch of rows lies in the L2 cache, as the columns of a batch do between one operator and the next: what is shown is
//! the loop and not memory. Levels take turns, each gives the same sum of its results or the run is void. Families that have one
//! form, because no other gained anything, are shown once.

use std::hint::black_box;

use serde_json::{Value, json};

use super::input::{BLOCK_ROWS, random};
use super::measure::Spread;
use crate::error::{Error, Result};
use crate::kernel::compare::{Comparison, compare};
use crate::kernel::hash::Hasher;
use crate::kernel::lines::{self, PairLine};
use crate::kernel::rows::{Frames, Looks, Results, Wanted};
use crate::kernel::update::{self, Input, Line, Number, Numbers, Part, Rows};
use crate::kernel::{Simd, arithmetic, direct, lanes, pane, probe, reduce, scatter, selection, text};
use crate::sys;

/// Rows of the batch.
const ROWS: usize = BLOCK_ROWS;
const WORDS: usize = ROWS / 64;
const GROUPS: usize = 1_000;
const PARTITIONS: usize = 4;
/// A level of a family runs at least so long in a round.
const ROUND_NS: u64 = 20_000_000;

/// A kernel of a family, over one batch; returns a sum of its results.
struct Kernel<'a> {
    family: &'static str,
    what: &'static str,
    /// Whether there is another form at each level.
    levels: bool,
    run: Box<dyn FnMut(Simd) -> u64 + 'a>,
}

/// What was measured of one kernel.
pub(super) struct Measured {
    family: &'static str,
    what: &'static str,
    /// The level (`one form` if there is but one), cycles per row and rows/s.
    levels: Vec<(String, Spread, f64)>,
}

/// The columns of the batch.
struct Columns {
    times: Vec<i64>,
    integers: Vec<i64>,
    doubles: Vec<f64>,
    groups: Vec<u32>,
    hashes: Vec<u64>,
    owners: Vec<u8>,
    /// Half of the rows.
    mask: Vec<u64>,
}

impl Columns {
    fn new(seed: u64) -> Self {
        let column = |stream: u64| (0..ROWS as u64).map(move |i| random(seed ^ stream, i));
        let integers: Vec<i64> = column(1).map(|v| (v >> 32).cast_signed()).collect();
        let mut hashes = vec![0; ROWS];
        Hasher::new(seed).keys::<1>(
            Simd::WIDE,
            &integers.iter().map(|v| v.cast_unsigned()).collect::<Vec<_>>(),
            &mut hashes,
        );
        let mut owners = vec![0; ROWS];
        scatter::owners(&hashes, PARTITIONS, &mut owners);
        Self {
            times: column(2).zip(0..).map(|(v, i)| i * 1_000 + (v >> 54).cast_signed()).collect(),
            doubles: column(3).map(|v| (v >> 40) as f64 / 100.0).collect(),
            groups: column(4).map(|v| (v % GROUPS as u64) as u32).collect(),
            mask: (0..WORDS as u64).map(|i| random(seed ^ 5, i)).collect(),
            integers,
            hashes,
            owners,
        }
    }
}

fn sum_words(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, &word| sum.wrapping_mul(3).wrapping_add(word))
}

fn sum_rows(rows: &[u32]) -> u64 {
    rows.iter().fold(0, |sum, &row| sum.wrapping_mul(3).wrapping_add(u64::from(row)))
}

/// All kernels. Sums of results are taken of a few of them where taking them all would be what is measured.
fn kernels(columns: &Columns) -> Vec<Kernel<'_>> {
    let Columns { times, integers, doubles, groups, hashes, owners, mask } = columns;
    let kernel = |family, what, levels, run| Kernel { family, what, levels, run };
    let mut bits = vec![0_u64; WORDS];
    let mut listed = vec![0_u32; ROWS + 64];
    let mut hashed = vec![0_u64; ROWS];
    let words: Vec<u64> = integers.iter().map(|v| v.cast_unsigned()).collect();
    let hasher = Hasher::new(7);
    // Of each group a text of 8 to 10 bytes, and a key of two words.
    let texts: Vec<String> = integers[..GROUPS].iter().map(|v| format!("{:08}", v.unsigned_abs())).collect();
    let (mut offsets, mut bytes) = (vec![0_i32], Vec::new());
    for &group in groups {
        bytes.extend_from_slice(texts[group as usize].as_bytes());
        offsets.push(bytes.len() as i32);
    }
    bytes.resize(bytes.len() + text::SHORT_BYTES, 0);
    let pair = |group: usize| [words[group], words[ROWS - 1 - group]];
    let pairs: Vec<u64> = groups.iter().flat_map(|&group| pair(group as usize)).collect();
    let mut paired = vec![0_u64; ROWS];
    hasher.keys::<2>(Simd::WIDE, &pairs, &mut paired);
    let mut pair_lines = vec![PairLine::EMPTY; 1024];
    for group in 0..GROUPS {
        if let Err(at) = lines::find_key(&pair_lines, &pair(group), hasher.words(&pair(group)), |_| true) {
            lines::put_key(&mut pair_lines, at, &pair(group), group as u32);
        }
    }
    let (pairs_hashed, pairs_found) = (pairs.clone(), pairs);
    let (mut pair_hashes, mut found, mut packed) = (vec![0_u64; ROWS], vec![0_u32; ROWS], vec![0_u64; 2 * ROWS]);
    let (mut products, mut flags) = (vec![0_i64; ROWS], vec![0_u64; WORDS]);
    let map: Vec<u32> = (1..=GROUPS as u32).collect();
    let mut numbers = vec![0_u32; ROWS];
    let mut slots = vec![0_u64; 4096];
    for (entry, &hash) in (0..GROUPS as u32).zip(hashes) {
        let mut at = probe::tagged_home(hash, 12);
        while slots[at % 4096] != 0 {
            at += 1;
        }
        slots[at % 4096] = probe::slot_word(hash, entry);
    }
    let known: Vec<u64> = groups.iter().map(|&group| hashes[group as usize]).collect();
    let mut candidates = vec![0_u32; ROWS];
    let shift = 3;
    let mut states = vec![Line::ZERO; Rows::words_for(GROUPS, shift).div_ceil(Line::WORDS)];
    let parts = [
        Part { number: Number::Integer, sum: true, extremes: false, word: 1 },
        Part { number: Number::Double, sum: true, extremes: true, word: 3 },
    ];
    let inputs = [Numbers::I64(integers), Numbers::F64(doubles)].map(|numbers| Input { numbers, validity: None });
    let mut owned = vec![0_u8; ROWS];
    let (mut starts, mut placed) = (vec![0_u32; PARTITIONS + 1], vec![0_u32; ROWS]);
    let mut frames = Frames::<f64>::new(Some(100), Wanted { sums: true, extremes: true, squares: false });
    let (mut counts, mut sums) = (vec![0; ROWS], vec![0.0; ROWS]);
    let (mut least, mut greatest) = (vec![0.0; ROWS], vec![0.0; ROWS]);
    vec![
        kernel(
            "hash",
            "keys of one word",
            false,
            Box::new(move |simd| {
                hasher.keys::<1>(simd, &words, &mut hashed);
                hashed[ROWS - 1]
            }),
        ),
        kernel(
            "hash",
            "keys of two words",
            true,
            Box::new(move |simd| {
                hasher.keys::<2>(simd, &pairs_hashed, &mut pair_hashes);
                sum_words(&pair_hashes[..64])
            }),
        ),
        kernel(
            "filter",
            "DOUBLE < constant to a bitmap",
            true,
            Box::new(move |simd| {
                compare(simd, Comparison::Less, &doubles[..], lanes::Splat(80_000.0), ROWS, &mut bits);
                sum_words(&bits)
            }),
        ),
        kernel(
            "filter",
            "bitmap of half of the rows to a list",
            true,
            Box::new(move |simd| {
                let count = selection::from_bitmap(simd, mask, &mut listed);
                u64::from(listed[count - 1]) + count as u64
            }),
        ),
        kernel(
            "project",
            "BIGINT + BIGINT, overflow flagged",
            false,
            Box::new(move |_| {
                let flagged =
                    lanes::zip_flagged(&integers[..], &times[..], &mut products, &mut flags, arithmetic::add_i64);
                products[ROWS - 1].cast_unsigned() + u64::from(flagged)
            }),
        ),
        kernel(
            "group",
            "codes by index",
            false,
            Box::new(move |_| {
                let all = direct::translate(&map, groups, None, &mut numbers);
                sum_rows(&numbers[..64]) + u64::from(all)
            }),
        ),
        kernel(
            "group",
            "short texts to words",
            false,
            Box::new(move |_| {
                let long = text::pack((&offsets, &bytes), None, &hasher, &mut packed, 2, 0);
                sum_words(&packed[..64]) + u64::from(long)
            }),
        ),
        kernel(
            "group",
            "lines of keys of two words, 1,000 keys",
            true,
            Box::new(move |simd| {
                let keys = pairs_found.as_chunks().0;
                let all = lines::find_keys(simd, &pair_lines, keys, [&paired, &[]], false, &mut found);
                sum_rows(&found[..64]) + u64::from(all)
            }),
        ),
        kernel(
            "group",
            "tagged slots, 1,000 keys",
            false,
            Box::new(move |_| {
                probe::candidates(&slots, [&known, &[]], false, &[], 1, &mut candidates);
                sum_rows(&candidates[..64])
            }),
        ),
        kernel(
            "update",
            "COUNT, SUM, AVG, MIN, MAX of 1,000 groups",
            true,
            Box::new(move |simd| {
                let words = Line::words_mut(&mut states);
                let mut rows = Rows { words, shift, groups: GROUPS };
                for group in 0..GROUPS {
                    rows.words[group << shift] = 0;
                    parts.iter().for_each(|part| part.clear(&mut rows.words[group << shift..][..1 << shift]));
                }
                update::update(simd, &mut rows, &parts, &inputs, groups, None);
                sum_words(&Line::words(&states)[..8])
            }),
        ),
        kernel(
            "update",
            "SUM, MIN, MAX(DOUBLE) of half of the rows, no groups",
            true,
            Box::new(move |simd| {
                let reduced = reduce::doubles::<true, true>(simd, doubles, Some(mask));
                (reduced.high + reduced.low).to_bits() ^ reduced.least.to_bits() ^ reduced.greatest.to_bits()
            }),
        ),
        kernel(
            "pane",
            "least and greatest time",
            true,
            Box::new(move |simd| {
                pane::bounds(simd, times).map_or(0, |(least, greatest)| (least ^ greatest).cast_unsigned())
            }),
        ),
        kernel(
            "pane",
            "runs of rows of one window, eight windows",
            true,
            Box::new(move |simd| {
                let mut sum = 0_u64;
                pane::for_each_run(simd, times, None, ROWS as i64 * 125, |pane, run| {
                    sum = sum.wrapping_add(pane.first.cast_unsigned()).wrapping_mul(3).wrapping_add(run.len() as u64);
                });
                sum
            }),
        ),
        kernel(
            "rows",
            "SUM, MIN, MAX over the last 100 of 1,000 keys",
            false,
            Box::new(move |_| {
                frames.push(
                    groups,
                    doubles,
                    None,
                    &mut Results {
                        counts: &mut counts,
                        sums: &mut sums,
                        highs: &mut [],
                        least: &mut least,
                        greatest: &mut greatest,
                        looks: Looks::default(),
                    },
                );
                0
            }),
        ),
        kernel(
            "scatter",
            "owner of each hash, of four",
            false,
            Box::new(move |_| {
                scatter::owners(hashes, PARTITIONS, &mut owned);
                owned[..64].iter().map(|&owner| u64::from(owner)).sum()
            }),
        ),
        kernel(
            "scatter",
            "rows of four owners",
            true,
            Box::new(move |simd| {
                scatter::scatter(simd, owners, None, &mut starts, &mut placed);
                sum_rows(&placed[..64]) + sum_rows(&starts)
            }),
        ),
    ]
}

/// Measures all families on the calling thread.
pub(super) fn measure(levels: &[Simd], rounds: usize, seed: u64) -> Result<Vec<Measured>> {
    let columns = Columns::new(seed);
    kernels(&columns).into_iter().map(|kernel| measure_one(kernel, levels, rounds)).collect()
}

fn measure_one(mut kernel: Kernel<'_>, levels: &[Simd], rounds: usize) -> Result<Measured> {
    let levels = if kernel.levels { levels } else { &levels[levels.len() - 1..] };
    let expected = (kernel.run)(levels[0]);
    let mut cycles = vec![Vec::new(); levels.len()];
    let mut rates = vec![Vec::new(); levels.len()];
    for _ in 0..rounds {
        for (number, &level) in levels.iter().enumerate() {
            let (started_ns, started_cycles) = (sys::monotonic_ns(), sys::cycle_counter());
            let mut runs = 0_u64;
            while runs == 0 || sys::monotonic_ns() - started_ns < ROUND_NS {
                for _ in 0..16 {
                    let sum = black_box((kernel.run)(black_box(level)));
                    if sum != expected {
                        return Err(Error::Execution(format!(
                            "{} ({}) at level {level} differs from {}: the run is void",
                            kernel.family, kernel.what, levels[0]
                        )));
                    }
                }
                runs += 16;
            }
            let rows = (runs * ROWS as u64) as f64;
            cycles[number].push(sys::cycle_counter().wrapping_sub(started_cycles) as f64 / rows);
            rates[number].push(rows * 1e9 / (sys::monotonic_ns() - started_ns) as f64);
        }
    }
    let name = |level: &Simd| if kernel.levels { level.to_string() } else { "one form".into() };
    let measured = levels.iter().zip(cycles).zip(rates).map(|((level, cycles), rates)| {
        (name(level), Spread::of(cycles.into_iter()), Spread::of(rates.into_iter()).median)
    });
    Ok(Measured { family: kernel.family, what: kernel.what, levels: measured.collect() })
}

/// A table for people.
pub(super) fn text(families: &[Measured]) -> String {
    let mut out = format!("families, a batch of {ROWS} rows in the L2 cache: cycles/row, median (least-greatest)\n");
    for Measured { family, what, levels } in families {
        out.push_str(&format!("\n{family}: {what}\n"));
        for (level, cycles, rows_per_s) in levels {
            let over = levels[0].1.median / cycles.median;
            let over = if level == &levels[0].0 { String::new() } else { format!(", {over:.2} x {}", levels[0].0) };
            out.push_str(&format!(
                "  {level:<8} {:7.2} ({:.2}-{:.2})  {:8.0} M rows/s{over}\n",
                cycles.median,
                cycles.least,
                cycles.greatest,
                rows_per_s / 1e6
            ));
        }
    }
    out
}

/// The same as JSON.
pub(super) fn document(families: &[Measured]) -> Value {
    let level = |(name, cycles, rows_per_s): &(String, Spread, f64)| json!({"name": name, "cycles_per_row": cycles.median, "rows_per_s": rows_per_s});
    let family = |measured: &Measured| {
        let levels: Vec<Value> = measured.levels.iter().map(level).collect();
        json!({"family": measured.family, "case": measured.what, "regime": "cache", "levels": levels})
    };
    json!({"bench": "families", "rows": ROWS, "cases": families.iter().map(family).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_gives_the_same_at_all_levels() {
        let levels: Vec<Simd> = Simd::available().collect();
        let families = measure(&levels, 1, 3).unwrap();
        for family in ["hash", "filter", "project", "group", "update", "pane", "rows", "scatter"] {
            assert!(families.iter().any(|measured| measured.family == family), "{family}");
        }
        let filter = families.iter().find(|measured| measured.family == "filter").unwrap();
        assert_eq!(filter.levels.len(), levels.len());
        assert!(text(&families).contains("scatter: rows of four owners"));
    }
}
