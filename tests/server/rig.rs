//! A server in a directory of a test's own, and a client that speaks HTTP byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long something may take that happens by itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory and the servers started in it.
pub struct Rig {
    pub directory: tempfile::TempDir,
}

/// A running server. It is killed with the test.
pub struct Served {
    child: Option<Child>,
    pub address: SocketAddr,
    pub log: Arc<Mutex<String>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Rig {
    pub fn new() -> Self {
        let rig = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(rig.path("files")).unwrap();
        rig
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corelane"));
        command.args(arguments).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn corelane(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A server with `files` as its root and a port of its own.
    pub fn serve(&self) -> Served {
        self.serve_with("roots: [files]\n")
    }

    /// A server with this configuration besides its port.
    pub fn serve_with(&self, configuration: &str) -> Served {
        let listen = if configuration.contains("listen:") { "" } else { "listen: 127.0.0.1:0\n" };
        self.write("server.yaml", &format!("{listen}{configuration}"));
        let mut child = self.command(&["serve", "--config", "server.yaml"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        for line in lines.by_ref().map_while(Result::ok) {
            log.lock().unwrap().push_str(&format!("{line}\n"));
            if let Some(rest) = line.strip_prefix("listening on http://") {
                address = Some(rest.split(',').next().unwrap().parse().unwrap());
                break;
            }
        }
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let Some(address) = address else { panic!("the server did not start: {}", log.lock().unwrap()) };
        Served { child: Some(child), address, log }
    }
}

/// Waits until `look` gives something.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: waited for {PATIENCE:?}");
}

/// Sends bytes and reads what comes until the server hangs up or its answer is whole.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has refused the request may have hung up already.
    let _ = stream.write_all(bytes);
    read_answer(&mut stream)
}

/// The next answer on a connection; `None` if the server hung up without one.
pub fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            let (start, length) = (end + 4, length.parse::<usize>().unwrap());
            if bytes.len() >= start + length {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                if status == 100 {
                    bytes.drain(..start);
                    continue;
                }
                let body = String::from_utf8(bytes[start..start + length].to_vec()).unwrap();
                return Some(Answer { status, head, body });
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of a refusal.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_string()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }
}

impl Served {
    pub fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        headers.iter().for_each(|header| text.push_str(&format!("{header}\r\n")));
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        exchange(self.address, text.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    pub fn post(&self, path: &str) -> Answer {
        self.request("POST", path, &[], "")
    }

    pub fn post_job(&self, body: &Value) -> Answer {
        self.request("POST", "/api/v1/jobs", &["Content-Type: application/json"], &body.to_string())
    }

    #[track_caller]
    pub fn deploy(&self, name: &str, sql: &str) -> Value {
        self.post_job(&json!({"name": name, "sql": sql, "options": {"partitions": 1}})).expect(201)
    }

    pub fn delete(&self, name: &str) -> Answer {
        self.request("DELETE", &format!("/api/v1/jobs/{name}"), &[], "")
    }

    pub fn job(&self, name: &str) -> Value {
        self.get(&format!("/api/v1/jobs/{name}")).expect(200)
    }

    #[track_caller]
    pub fn until(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{name} {what}"), || Some(self.job(name)).filter(&is))
    }

    #[track_caller]
    pub fn until_state(&self, name: &str, state: &str) -> Value {
        self.until(name, state, |job| job["state"] == state)
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: kill takes two integers; the child has not been waited for, so that its id is still its own.
        assert_eq!(unsafe { libc::kill(i32::try_from(self.id()).unwrap(), signal) }, 0);
    }

    /// Waits for the end of the process: its status.
    pub fn end(mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        eventually("the end of the server", || child.try_wait().unwrap()).code()
    }

    /// Entries of a directory of its process: `task`, `fd`.
    pub fn count(&self, of: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{of}", self.id())).unwrap().count()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// SQL that never ends: so many records a second into nothing.
pub fn endless(rate: u32) -> String {
    format!(
        "CREATE SOURCE ticks (ts TIMESTAMP, symbol VARCHAR, price DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
           WITH (connector = 'generator', rate = '{rate}', spacing = '1ms');
         CREATE SINK nowhere WITH (connector = 'blackhole');
         INSERT INTO nowhere SELECT symbol, COUNT(*) AS n, AVG(price) AS mean FROM ticks
           GROUP BY symbol WINDOW TUMBLING (ts, INTERVAL '1' SECOND) EMIT FINAL"
    )
}
