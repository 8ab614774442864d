//! `corelane top`: one frame as text, and keys in a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::FromRawFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::rig::{Rig, Served, endless, eventually};

fn top(rig: &Rig, server: &Served, more: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://{}", server.address);
    let output = rig.corelane(&[&["top", "--url", &url], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_frame_shows_jobs_and_lanes() {
    let rig = Rig::new();
    let server = rig.serve();
    let (status, nothing, _) = top(&rig, &server, &["--once"]);
    assert!(status == Some(0) && nothing.contains("0 jobs") && nothing.contains("No job is deployed."), "{nothing}");
    server.deploy("one", &endless(20_000));
    server.deploy("two", &endless(5_000));
    server.post("/api/v1/jobs/two/pause").expect(200);
    server.until("one", "has rates", |job| {
        job["lanes"][0]["records_per_s_history"].as_array().is_some_and(|h| h.len() > 2)
    });
    // Without a terminal one frame is printed, whether asked for or not.
    let (status, text, errors) = top(&rig, &server, &[]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let line = |starts: &[&str]| {
        let fits = |line: &&str| line.split_whitespace().take(starts.len()).eq(starts.iter().copied());
        text.lines().find(fits).unwrap_or_else(|| panic!("{starts:?} in\n{text}"))
    };
    assert!(text.lines().next().unwrap().contains(&format!("at http://{}: 2 jobs", server.address)), "{text}");
    line(&["one", "running"]);
    line(&["two", "paused"]);
    let core = server.job("one")["lanes"][0]["core"].to_string();
    let lane = line(&["0", &core]);
    assert!(
        lane.contains("/8 ") && lane.contains('\u{2588}') && lane.contains(" d "),
        "a queue, a curve, a lag: {lane}"
    );
    // Its operators have rows and a share of the time.
    let stage = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
    assert!(stage("decode ").contains(" %") && !stage("decode ").contains(" - "), "{text}");
    assert!(stage("GROUP BY ").contains(" %"), "{text}");
    // Another job is chosen by its name; one that is not there is refused.
    let (_, text, _) = top(&rig, &server, &["--once", "--job", "two"]);
    assert!(text.lines().any(|line| line == "two  paused"), "{text}");
    let (status, text, errors) = top(&rig, &server, &["--once", "--job", "twoo"]);
    assert_eq!(
        (status, text.as_str(), errors.as_str()),
        (Some(2), "", "error: no job is called twoo: did you mean two?\n")
    );
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let rig = Rig::new();
    let server = rig.serve();
    let address = server.address;
    drop(server);
    let output = rig.corelane(&["top", "--once", "--url", &address.to_string()]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && errors.contains(&format!("cannot connect to {address}")), "{errors}");
    let output = rig.corelane(&["top", "--once", "--url", "https://h"]);
    assert_eq!(output.status.code(), Some(2));
}

/// Runs a command in a terminal of its own: where keys are typed, the process, and what it wrote on the screen.
fn in_terminal(mut command: Command) -> (File, Child, Arc<Mutex<Vec<u8>>>) {
    let (mut own, mut other) = (0, 0);
    let size = libc::winsize { ws_row: 30, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: openpty writes two descriptors and reads the size; name and attributes may be null.
    let opened = unsafe { libc::openpty(&mut own, &mut other, std::ptr::null_mut(), std::ptr::null_mut(), &size) };
    assert_eq!(opened, 0);
    // SAFETY: the descriptor was just opened, and nothing else owns it.
    let keys = unsafe { File::from_raw_fd(own) };
    // SAFETY: as above.
    let terminal = unsafe { File::from_raw_fd(other) };
    command
        .env("CORELANE_TOKEN", "secret")
        .env("TERM", "xterm-256color")
        .stdin(Stdio::from(terminal.try_clone().unwrap()));
    let child = command.stdout(Stdio::from(terminal)).spawn().unwrap();
    drop(command);
    let screen = Arc::new(Mutex::new(Vec::new()));
    let (mut reader, kept) = (keys.try_clone().unwrap(), Arc::clone(&screen));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            kept.lock().unwrap().extend_from_slice(&buffer[..read]);
        }
    });
    (keys, child, screen)
}

/// In a terminal of its own: lanes are drawn, p pauses the job, r resumes it, the arrow goes to the next one, q ends.
#[test]
fn keys_steer_the_jobs() {
    let rig = Rig::new();
    let server = rig.serve_with("roots: [files]\ntoken: secret\n");
    for name in ["one", "two"] {
        let body = serde_json::json!({"name": name, "sql": endless(1_000), "options": {"partitions": 1}}).to_string();
        let headers = ["Content-Type: application/json", "Authorization: Bearer secret"];
        server.request("POST", "/api/v1/jobs", &headers, &body).expect(201);
        server.until_state(name, "running");
    }
    let url = format!("http://{}", server.address);
    let (mut keys, mut child, screen) = in_terminal(rig.command(&["top", "--url", &url]));
    let shows = |text: &str| String::from_utf8_lossy(&screen.lock().unwrap()).contains(text).then_some(());
    eventually("the lanes", || shows("backpressure"));
    eventually("the keys", || shows("p pause"));
    keys.write_all(b"p").unwrap();
    server.until_state("one", "paused");
    keys.write_all(b"r").unwrap();
    server.until_state("one", "running");
    // The arrow down, as terminals send it.
    keys.write_all(b"\x1b[B").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    keys.write_all(b"p").unwrap();
    server.until_state("two", "paused");
    assert_eq!(server.job("one")["state"], "running");
    keys.write_all(b"q").unwrap();
    let status = eventually("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    // The screen is the user's own again.
    eventually("the screen is left", || shows("\u{1b}[?1049l"));
}

/// The server takes the connection and says nothing: what is said to be so is drawn, and the key that ends it is heard at once.
#[test]
fn a_server_that_hangs_keeps_nobody_from_leaving() {
    let rig = Rig::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (mut keys, mut child, screen) = in_terminal(rig.command(&["top", "--url", &url]));
    let _connection = silent.accept().unwrap();
    let shows = |text: &str| String::from_utf8_lossy(&screen.lock().unwrap()).contains(text).then_some(());
    eventually("the screen", || shows("deployed."));
    let started = Instant::now();
    keys.write_all(b"q").unwrap();
    let status = eventually("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(2), "the key waited: {:?}", started.elapsed());
    // One that waits longer reads why nothing comes.
    let (mut keys, mut child, screen) = in_terminal(rig.command(&["top", "--url", &url]));
    let shows = |text: &str| String::from_utf8_lossy(&screen.lock().unwrap()).contains(text).then_some(());
    eventually("what is wrong", || shows("takes long to answer"));
    keys.write_all(b"q").unwrap();
    eventually("the end", || child.try_wait().unwrap());
}
