//! What commands that list things share: choosing by pattern, and tables whose cells wrap.

/// The entries of which a name fits `wanted`, a name or a pattern with `*`; if there are none, those of that group; if it is
/// none, those of which a name holds the text. `names` and `group` are in the case of `wanted`.
pub(super) fn choose<T: Clone>(
    all: &[T],
    wanted: &str,
    names: impl Fn(&T) -> Vec<&'static str>,
    group: impl Fn(&T) -> String,
) -> Vec<T> {
    let by = |test: &dyn Fn(&T) -> bool| all.iter().filter(|entry| test(entry)).cloned().collect::<Vec<T>>();
    let tries: [&dyn Fn(&T) -> bool; 3] =
        [&|entry| names(entry).iter().any(|name| fits(wanted, name)), &|entry| group(entry) == wanted, &|entry| {
            !wanted.is_empty() && names(entry).iter().any(|name| name.contains(wanted))
        }];
    tries.iter().map(|test| by(test)).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or("");
    for piece in pieces {
        let Some(at) = name.find(piece) else { return false };
        name = &name[at + piece.len()..];
    }
    name.ends_with(last)
}

/// A table whose columns have a head and a width in characters. A cell is a number of texts, each of which starts a line and
/// wraps; words do not break, so longer ones stand out. An empty line stands between rows.
pub(super) fn table<const N: usize>(
    columns: [(&str, usize); N],
    rows: impl Iterator<Item = [Vec<String>; N]>,
) -> String {
    let mut lines = vec![columns.map(|(head, _)| head.to_string())];
    for row in rows {
        let mut wrapped = columns
            .iter()
            .zip(row)
            .map(|((_, width), texts)| texts.iter().flat_map(|text| wrap(text, *width)).collect::<Vec<_>>());
        let cells: [Vec<String>; N] = std::array::from_fn(|_| wrapped.next().unwrap_or_default());
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        lines.extend(
            (0..height).map(|i| std::array::from_fn(|column| cells[column].get(i).cloned().unwrap_or_default())),
        );
        lines.push([const { String::new() }; N]);
    }
    lines.pop();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for line in &lines {
        let padded: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Lines of at most `width` characters, broken at blanks; all but the first are indented.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, expected) in [
            ("A*", "ABS", true),
            ("*S", "ABS", true),
            ("A*B*S", "ABS", true),
            ("ABS*", "ABS", true),
            ("B*", "ABS", false),
            ("A*BS*S", "ABS", false),
            ("AB", "ABS", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
