//! Follows `docs/tutorial.md` word for word: every command of its console blocks runs in one shell, in a directory of its own,
//! and must answer what stands below it. Only the port is another one, so that tests do not meet a server of the host.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long a command may take, and how long something that happens by itself.
const PATIENCE: Duration = Duration::from_secs(60);
/// The port in the text.
const PORT: &str = "7070";

/// What is typed, and what it answers: `...` stands for anything.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    answer: Vec<String>,
}

/// The commands of the console blocks of a text. One goes on after a backslash, and to the END of its here-document.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let mut lines = block.split("```").next().unwrap().lines();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else {
                steps.last_mut().expect("a block starts with a command").answer.push(line.into());
                continue;
            };
            let mut command = command.to_string();
            let here = command.contains("<<'END'");
            while here && !command.ends_with("\nEND") || command.ends_with('\\') {
                command.push_str(&format!("\n{}", lines.next().expect("the command ends")));
            }
            steps.push(Step { command, answer: Vec::new() });
        }
    }
    steps
}

/// Whether lines are as expected. A line of `...` alone stands for any lines, within a line it stands for any text.
fn fits(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((any, rest)) if any == "..." => (0..=found.len()).any(|skipped| fits(rest, &found[skipped..])),
        Some((line, rest)) => {
            found.split_first().is_some_and(|(first, others)| line_fits(line, first) && fits(rest, others))
        }
    }
}

fn line_fits(expected: &str, found: &str) -> bool {
    let Some((start, rest)) = expected.split_once("...") else { return expected == found };
    let Some(found) = found.strip_prefix(start) else { return false };
    (0..=found.len()).any(|at| found.is_char_boundary(at) && line_fits(rest, &found[at..]))
}

/// A shell that is typed into. Everything started in it goes with it.
struct Shell {
    child: Child,
    keys: ChildStdin,
    lines: Receiver<String>,
}

impl Shell {
    fn start(directory: &Path, path: &str) -> Self {
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile"]).current_dir(directory).env("PATH", path).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash is installed");
        let (tell, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).all(|line| tell.send(line).is_ok()));
        let keys = child.stdin.take().unwrap();
        let mut shell = Self { child, keys, lines };
        shell.type_in("exec 2>&1");
        shell
    }

    /// What a command prints.
    fn type_in(&mut self, command: &str) -> Vec<String> {
        const END: &str = "-- end of the answer --";
        writeln!(self.keys, "{command}\nprintf '\\n%s\\n' '{END}'").unwrap();
        let mut answer = Vec::new();
        loop {
            let line =
                self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{command}: no end after {answer:?}"));
            if line == END {
                break;
            }
            answer.push(line);
        }
        // The mark starts a line of its own, wherever the command stopped.
        if answer.last().is_some_and(String::is_empty) {
            answer.pop();
        }
        answer
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).unwrap();
        // SAFETY: kill takes two integers; the group is the shell's own, and the shell has not been waited for.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _ = self.child.wait();
    }
}

/// Follows the tutorial with these directories before the others on the path.
fn follow(directory: &Path, first: &[PathBuf]) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let text = text.replace(PORT, &port);
    let binary = Path::new(env!("CARGO_BIN_EXE_corelane")).parent().unwrap().to_path_buf();
    let others = std::env::var_os("PATH").unwrap();
    let directories = first.iter().cloned().chain([binary]).chain(std::env::split_paths(&others));
    let path = std::env::join_paths(directories).unwrap().into_string().unwrap();
    let mut shell = Shell::start(directory, &path);
    let steps = steps(&text);
    assert!(steps.len() >= 20, "{} commands", steps.len());
    for Step { command, answer } in steps {
        // A reader whose job is still starting looks once more.
        let only_looks = command.starts_with("curl") && ![" -X ", " -d "].iter().any(|flag| command.contains(flag));
        let started = Instant::now();
        loop {
            let found = shell.type_in(&command);
            if fits(&answer, &found) {
                break;
            }
            let expected = answer.join("\n");
            assert!(
                only_looks && started.elapsed() < PATIENCE,
                "$ {command}\nexpected:\n{expected}\nfound:\n{}",
                found.join("\n")
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn the_tutorial_works_as_it_stands() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("not run: curl is not installed");
        return;
    }
    follow(tempfile::tempdir().unwrap().path(), &[]);
}

/// The same with a client of a few lines in the place of curl, so that the tutorial is followed where curl is missing.
#[test]
fn the_tutorial_works_without_curl() {
    let directory = tempfile::tempdir().unwrap();
    let client = directory.path().join("bin/curl");
    std::fs::create_dir(client.parent().unwrap()).unwrap();
    std::fs::write(&client, CLIENT).unwrap();
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    follow(directory.path(), &[client.parent().unwrap().to_path_buf()]);
}

/// Knows the options that the tutorial uses.
const CLIENT: &str = r#"#!/usr/bin/env bash
method=GET body= headers= tries=1
while [ $# -gt 0 ]; do
  case $1 in
    -s | --retry-connrefused) ;;
    -X) method=$2; shift ;;
    -H) headers+="$2"$'\r\n'; shift ;;
    -d) method=POST body=$2; shift; [ "${body#@}" = "$body" ] || body=$(cat "${body#@}") ;;
    --retry) tries=$2; shift ;;
    --retry-delay) delay=$2; shift ;;
    -*) echo "curl: $1 is not known here"; exit 2 ;;
    *) url=$1 ;;
  esac
  shift
done
authority=${url%%/*}
until { exec 3<>"/dev/tcp/127.0.0.1/${authority#*:}"; } 2>/dev/null; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || exit 7
  sleep "${delay:-1}"
done
LC_ALL=C
printf '%s /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s' \
  "$method" "${url#*/}" "$authority" "$headers" "${#body}" "$body" >&3
sed '1,/^\r$/d' <&3
"#;

#[test]
fn answers_are_compared() {
    let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    for (expected, found, fit) in [
        ("a", "a", true),
        ("a", "a\nb", false),
        ("a", "", false),
        ("", "a", false),
        ("a...c", "abbc", true),
        ("a...c", "abbd", false),
        ("...\nc", "a\nb\nc", true),
        ("a\n...", "a", true),
        ("...\nc", "a\nb", false),
    ] {
        assert_eq!(fits(&lines(expected), &lines(found)), fit, "{expected:?} {found:?}");
    }
    let text = "x\n```console\n$ cat > f <<'END'\nb\nEND\n$ c \\\n  d\ne\n```\n$ no\n```sh\nno\n```\n";
    let step = |command: &str, answer: &[&str]| Step {
        command: command.into(),
        answer: answer.iter().map(|line| line.to_string()).collect(),
    };
    assert_eq!(steps(text), [step("cat > f <<'END'\nb\nEND", &[]), step("c \\\n  d", &["e"])]);
}
