//! A directory of a test's own, and the command started in it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Rig {
    directory: tempfile::TempDir,
}

/// What a command did.
pub struct Ran {
    what: String,
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Rig {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A rig with one file.
    pub fn with(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let rig = Self::new();
        rig.write(name, bytes);
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// All names there, hidden ones too.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
        command.args(arguments).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn corelane(&self, arguments: &[&str]) -> Ran {
        Ran::new(&format!("{arguments:?}"), self.command(arguments).output().unwrap())
    }

    /// `corelane query SQL ...`
    pub fn query(&self, sql: &str, arguments: &[&str]) -> Ran {
        self.corelane(&[&["query", sql], arguments].concat())
    }

    /// `corelane run job.sql ...`
    pub fn run(&self, sql: &str, arguments: &[&str]) -> Ran {
        self.write("job.sql", sql);
        let output = self.command(&[&["run", "job.sql"], arguments].concat()).output().unwrap();
        Ran::new(&format!("{sql} {arguments:?}"), output)
    }

    /// The same with something on standard input.
    pub fn run_with_input(&self, sql: &str, arguments: &[&str], input: &[u8]) -> Ran {
        self.write("job.sql", sql);
        let mut child = self.command(&[&["run", "job.sql"], arguments].concat()).stdin(Stdio::piped()).spawn().unwrap();
        // A command that has refused its job reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ran::new(&format!("{sql} {arguments:?}"), child.wait_with_output().unwrap())
    }

    /// Starts `corelane run job.sql ...` and leaves it running.
    pub fn start(&self, sql: &str, arguments: &[&str]) -> Running {
        self.write("job.sql", sql);
        let mut command = self.command(&[&["run", "job.sql"], arguments].concat());
        Running(Some(command.stdin(Stdio::piped()).spawn().unwrap()))
    }
}

impl Ran {
    pub fn new(what: &str, output: Output) -> Self {
        Self {
            what: what.into(),
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// The command succeeded and printed this.
    #[track_caller]
    pub fn printed(self, stdout: &str) -> Self {
        assert_eq!(self.status, Some(0), "{}: {}", self.what, self.stderr);
        assert_eq!(self.stdout, stdout, "{}", self.what);
        self
    }

    /// Standard error has this.
    #[track_caller]
    pub fn said(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{}: expected {text:?} in\n{}", self.what, self.stderr);
        self
    }

    /// Standard error has nothing.
    #[track_caller]
    pub fn quietly(self) -> Self {
        assert_eq!(self.stderr, "", "{}", self.what);
        self
    }

    /// The command ended with `status` and one error, which says `text`, and printed nothing.
    #[track_caller]
    pub fn failed(self, status: i32, text: &str) -> Self {
        assert_eq!(self.status, Some(status), "{}: {}{}", self.what, self.stdout, self.stderr);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "{}: {}", self.what, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}: {}", self.what, self.stderr);
        assert_eq!(self.stdout, "", "{}", self.what);
        self.said(text)
    }
}

/// A command that runs. It is killed with the test.
pub struct Running(Option<Child>);

impl Running {
    pub fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it has not ended")
    }

    pub fn signal(&mut self, signal: i32) {
        let id = i32::try_from(self.child().id()).unwrap();
        // SAFETY: kill takes two integers; the child has not been waited for, so that its id is still its own.
        assert_eq!(unsafe { libc::kill(id, signal) }, 0);
    }

    /// Waits until the command has its signal handlers.
    pub fn settle(&mut self) {
        let status = format!("/proc/{}/status", self.child().id());
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
            let both = 1 << (libc::SIGINT - 1) | 1 << (libc::SIGTERM - 1);
            if caught & both == both {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the command has no signal handlers");
    }

    /// Waits for the end, which must come by itself.
    #[track_caller]
    pub fn end(mut self, what: &str) -> Ran {
        let mut child = self.0.take().expect("it has not ended");
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("{what}: did not end");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ran::new(what, child.wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
