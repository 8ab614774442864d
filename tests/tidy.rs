//! House rules that a machine can check: who imports whom, where `unsafe` and atomics may stand, sizes, leftovers.
//!
//! The floor plan below is the architecture: a room imports only rooms of a smaller level and itself. Test code
//! (`tests.rs`, `*_tests.rs`, and what follows `#[cfg(test)]` on an inline module or item) may import what it likes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A room of the floor plan.
struct Room {
    name: &'static str,
    level: u8,
    /// May hold `unsafe`.
    may_unsafe: bool,
    /// May hold atomics.
    may_atomics: bool,
}

const fn room(level: u8, name: &'static str) -> Room {
    Room { name, level, may_unsafe: false, may_atomics: false }
}

impl Room {
    const fn with_unsafe(mut self) -> Self {
        self.may_unsafe = true;
        self
    }

    const fn with_atomics(mut self) -> Self {
        self.may_atomics = true;
        self
    }
}

/// Rooms and levels. A room need not exist yet; one that exists must be here.
const FLOOR_PLAN: &[Room] = &[
    room(0, "error"),
    room(0, "limits"),
    // Level 0 too, but errors and limits are the ground that it stands on: see `may_import`.
    room(0, "sys").with_unsafe().with_atomics(),
    room(1, "types"),
    room(1, "ring").with_unsafe().with_atomics(),
    room(1, "arena").with_unsafe(),
    room(1, "metrics").with_atomics(),
    room(2, "kernel").with_unsafe(),
    room(2, "function"),
    room(2, "batch"),
    room(2, "time"),
    room(2, "sql"),
    room(3, "state"),
    room(3, "plan"),
    room(3, "format").with_unsafe(),
    room(3, "connector"),
    room(4, "operator"),
    room(4, "checkpoint"),
    room(5, "pipeline"),
    room(6, "partition"),
    room(7, "processor").with_atomics(),
    room(7, "sim"),
    room(7, "cluster"),
    room(8, "engine").with_atomics(),
    room(9, "server"),
    // Above the server, which one of its commands starts.
    room(10, "cli").with_atomics(),
];

/// Longest source file, tests at its end included.
const LINES_MAX: usize = 700;

fn find_room(name: &str) -> Option<&'static Room> {
    FLOOR_PLAN.iter().find(|room| room.name == name)
}

fn may_import(from: &Room, to: &Room) -> bool {
    let ground = ["error", "limits"].contains(&to.name);
    from.name == to.name || to.level < from.level || ground && from.name == "sys"
}

/// A file under `src/`.
struct Source {
    /// Relative to `src/`.
    path: PathBuf,
    /// As written.
    text: String,
    /// Comments and the contents of string and character literals blanked out, lines kept.
    code: String,
    /// `code` without test code.
    product: String,
}

impl Source {
    fn new(path: PathBuf, text: String) -> Self {
        let code = blank_comments_and_literals(&text);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let in_tests = path.components().any(|part| part.as_os_str() == "tests");
        let is_test_file = name == "tests.rs" || name.ends_with("_tests.rs") || name == "loom.rs" || in_tests;
        let product = if is_test_file { blank_bytes(&code) } else { blank_test_items(&code) };
        Self { path, text, code, product }
    }

    /// The room: the folder or file directly under `src/`. `None` for lib.rs; main.rs belongs to the command line.
    fn room(&self) -> Option<String> {
        let first = self.path.components().next().unwrap().as_os_str().to_str().unwrap();
        match first.strip_suffix(".rs").unwrap_or(first) {
            "lib" => None,
            "main" => Some("cli".into()),
            name => Some(name.into()),
        }
    }

    fn at(&self, offset: usize) -> String {
        format!("src/{}:{}", self.path.display(), self.text[..offset].matches('\n').count() + 1)
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source::new(path.strip_prefix(&root).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!sources.is_empty());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Fails with all breaches at once.
fn assert_none(breaches: Vec<String>, rule: &str) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

#[test]
fn rooms_import_only_lower_levels() {
    let mut breaches = Vec::new();
    for source in sources() {
        let Some(name) = source.room() else { continue };
        let from = find_room(&name).unwrap_or_else(|| panic!("src/{name} is not in the floor plan"));
        for (offset, target) in imports(&source) {
            match find_room(&target) {
                Some(to) if may_import(from, to) => {}
                Some(to) => {
                    let (from_level, to_level) = (from.level, to.level);
                    let place = source.at(offset);
                    breaches.push(format!("{place}: {name} (level {from_level}) imports {target} (level {to_level})"));
                }
                None => breaches.push(format!("{}: {target} is not a room", source.at(offset))),
            }
        }
    }
    assert_none(breaches, "a room imports only rooms of a smaller level");
}

#[test]
fn the_crate_lists_every_room() {
    let sources = sources();
    let library = sources.iter().find(|source| source.path == Path::new("lib.rs")).unwrap();
    let rooms: BTreeSet<String> = sources.iter().filter_map(Source::room).collect();
    let mut breaches = Vec::new();
    for name in &rooms {
        if !library.code.contains(&format!("mod {name};")) {
            breaches.push(format!("src/lib.rs has no mod {name}"));
        }
        // mod@ tells a room from a macro of its name.
        let links = [format!("[`{name}`]"), format!("[`mod@{name}`]")];
        let names_it = |line: &&str| line.starts_with("//! |") && links.iter().any(|link| line.contains(link));
        let row = library.text.lines().find(names_it);
        let level = row.and_then(|row| row.split('|').nth(1)?.trim().parse::<u8>().ok());
        if level != find_room(name).map(|room| room.level) {
            breaches.push(format!("the table in src/lib.rs does not give {name} the level of the floor plan"));
        }
    }
    assert_none(breaches, "lib.rs opens with the table of rooms");
}

#[test]
fn unsafe_code_stands_only_where_the_floor_plan_allows_it() {
    let mut breaches = Vec::new();
    for source in sources() {
        let allowed = source.room().and_then(|name| find_room(&name)).is_some_and(|room| room.may_unsafe);
        if !allowed {
            breaches.extend(words(&source.code, "unsafe").map(|offset| source.at(offset)));
        }
        if source.path == Path::new("lib.rs") {
            breaches.extend(unsafe_permissions(&source.code).into_iter().filter_map(|name| {
                let allowed = find_room(&name).is_some_and(|room| room.may_unsafe);
                (!allowed).then(|| format!("src/lib.rs allows unsafe code in {name}"))
            }));
        }
    }
    assert_none(breaches, "unsafe code outside the rooms marked for it");
}

#[test]
fn atomics_stand_only_where_the_floor_plan_allows_them() {
    let mut breaches = Vec::new();
    for source in sources() {
        let allowed = source.room().and_then(|name| find_room(&name)).is_some_and(|room| room.may_atomics);
        if !allowed {
            for path in ["std::sync::atomic", "core::sync::atomic", "sync::atomic::"] {
                breaches.extend(source.product.match_indices(path).map(|(offset, _)| source.at(offset)));
            }
        }
    }
    assert_none(breaches, "atomics outside the rooms marked for them");
}

#[test]
fn nothing_is_left_over() {
    let mut breaches = Vec::new();
    for source in sources() {
        for word in ["TODO", "FIXME"] {
            breaches.extend(words(&source.text, word).map(|offset| format!("{}: {word}", source.at(offset))));
        }
        for pattern in ["static mut", "SeqCst", "transmute"] {
            breaches.extend(words(&source.code, pattern).map(|offset| format!("{}: {pattern}", source.at(offset))));
        }
        breaches.extend(words(&source.code, "dbg!").map(|offset| format!("{}: dbg!", source.at(offset))));
        if source.room().as_deref() != Some("cli") {
            for word in ["println!", "print!", "eprintln!", "eprint!"] {
                breaches.extend(words(&source.product, word).map(|offset| format!("{}: {word}", source.at(offset))));
            }
        }
    }
    assert_none(breaches, "leftovers and constructs the house does without");
}

#[test]
fn files_say_what_they_are_for_and_stay_short() {
    let mut breaches = Vec::new();
    for source in sources() {
        let path = source.path.display();
        if !source.text.starts_with("//! ") {
            breaches.push(format!("src/{path} does not start with //!"));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            breaches.push(format!("src/{path} has {lines} lines, more than {LINES_MAX}"));
        }
    }
    assert_none(breaches, "every file opens with its purpose and holds one idea");
}

/// The rooms that product code of `source` names, with the offsets of the names: `crate::room`, `crate::{room, ...}`,
/// and `super::` chains that climb out of the room.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for offset in words(&source.product, "crate") {
        let rest = &source.product[offset + "crate".len()..];
        let Some(rest) = rest.strip_prefix("::") else { continue };
        let start = offset + "crate::".len();
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group).into_iter().map(|(at, name)| (start + 1 + at, name)));
        } else {
            found.push((start, identifier(rest)));
        }
    }
    // Depth of the file's own module below the crate: src/room/mod.rs is 1, src/room/file.rs is 2.
    let depth = source.path.components().count() - usize::from(source.path.ends_with("mod.rs"));
    for offset in words(&source.product, "super") {
        if source.product[..offset].ends_with("::") {
            continue;
        }
        let mut rest = &source.product[offset..];
        let mut climbed = 0;
        while let Some(shorter) = rest.strip_prefix("super::") {
            rest = shorter;
            climbed += 1;
        }
        let name = identifier(rest);
        // An inline module climbs one more before it leaves the file; a name that is no room is not judged here.
        if climbed >= depth && find_room(&name).is_some() {
            found.push((offset, name));
        }
    }
    // What the crate root itself exports (macros, say) is lower case only if it is a module.
    found.retain(|(_, name)| name.starts_with(|first: char| first.is_ascii_lowercase()));
    found
}

/// First identifiers of the comma-separated paths of `{a::b, c::{d, e}, f}`; `text` starts after the brace.
fn group_heads(text: &str) -> Vec<(usize, String)> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut at_head = true;
    for (offset, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            character if at_head && depth == 0 && !character.is_whitespace() => {
                heads.push((offset, identifier(&text[offset..])));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

/// Rooms whose `mod` line carries `allow(unsafe_code)`.
fn unsafe_permissions(code: &str) -> Vec<String> {
    let permissions = code.match_indices("allow(unsafe_code").map(|(offset, _)| &code[offset..]);
    permissions.filter_map(|rest| Some(identifier(&rest[rest.find("mod ")? + 4..]))).collect()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// Offsets at which `word` stands in `text` with no identifier character before or after it.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).map(|(offset, _)| offset).filter(move |offset| {
        let after = &text[offset + word.len()..];
        !is_part(text[..*offset].chars().next_back()) && (word.ends_with('!') || !is_part(after.chars().next()))
    })
}

/// Replaces comments and the contents of literals by spaces, byte for byte, so that offsets and lines stay.
fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(text, at);
        if end > at {
            out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).unwrap()
}

/// The end of the comment or literal that starts at `at`; `at` itself if none does.
fn literal_or_comment_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let rest = &bytes[at..];
    let find = |needle: &str, from: usize| text[from..].find(needle).map_or(text.len(), |found| from + found);
    if rest.starts_with(b"//") {
        return find("\n", at);
    }
    if rest.starts_with(b"/*") {
        return (find("*/", at + 2) + 2).min(text.len());
    }
    let after_identifier = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let raw = rest.strip_prefix(b"br").or_else(|| rest.strip_prefix(b"r")).filter(|_| !after_identifier);
    if let Some(raw) = raw {
        let hashes = raw.iter().take_while(|byte| **byte == b'#').count();
        if raw.get(hashes) == Some(&b'"') {
            let start = at + (rest.len() - raw.len()) + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return (find(&close, start) + close.len()).min(text.len());
        }
    }
    match rest[0] {
        b'"' => escaped_end(bytes, at + 1, b'"'),
        // A lifetime has no closing quote after its first character.
        b'\'' if rest.get(1) == Some(&b'\\') => escaped_end(bytes, at + 1, b'\''),
        b'\'' => match text[at + 1..].chars().next() {
            Some(character) if bytes.get(at + 1 + character.len_utf8()) == Some(&b'\'') => {
                at + 2 + character.len_utf8()
            }
            _ => at,
        },
        _ => at,
    }
}

fn escaped_end(bytes: &[u8], mut at: usize, close: u8) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == close => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Blanks every item under `#[cfg(test)]`, to its closing brace or semicolon. `code` has no comments or literals left.
fn blank_test_items(code: &str) -> String {
    let mut out = code.to_string();
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let mut depth = 0;
        let mut end = code.len();
        for (offset, character) in code[start + "#[cfg(test)]".len()..].char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(character, '}' | ';') {
                end = start + "#[cfg(test)]".len() + offset + 1;
                break;
            }
        }
        out.replace_range(start..end, &blank_bytes(&code[start..end]));
    }
    out
}

/// Spaces instead of all but line ends, byte for byte.
fn blank_bytes(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// The checks above are only as good as their reading of Rust: these are the cases they must tell apart.
#[test]
fn the_reader_tells_code_from_comments_literals_and_tests() {
    let text = "use crate::{error::{Error, Result}, sys};\n// crate::cli\nlet a = \"crate::cli // \\\" unsafe\";\n\
                let b = '\"'; let c: &'static str = r#\"unsafe \"quoted\" \"#; crate::types::Value;\n\
                #[cfg(test)]\nmod tests { use crate::engine::run; fn f() { println!(); } }\nuse super::super::plan::Plan;\n";
    let source = Source::new(PathBuf::from("batch/column.rs"), text.into());
    assert_eq!(source.code.len(), text.len());
    let names: Vec<String> = imports(&source).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["error", "sys", "types", "plan"]);
    assert_eq!(words(&source.code, "unsafe").count(), 0);
    assert_eq!(words(&source.product, "println!").count(), 0);
    assert_eq!(words(&source.code, "println!").count(), 1);
    assert_eq!(source.at(imports(&source)[2].0), "src/batch/column.rs:4");
}

#[test]
fn the_floor_plan_allows_downward_imports_only() {
    let may = |from, to| may_import(find_room(from).unwrap(), find_room(to).unwrap());
    assert!(may("plan", "types") && may("plan", "plan") && may("sys", "error") && may("cli", "sys"));
    assert!(!may("types", "plan") && !may("plan", "state") && !may("error", "sys") && !may("ring", "metrics"));
}
