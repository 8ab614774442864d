//! Requests that are wrong, long or slow: each is answered or hung up on, and the server goes on serving others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::rig::{PATIENCE, Rig, Served, endless, eventually, exchange, read_answer};

/// Draws that a seed decides.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn bytes(&mut self, length_max: usize) -> Vec<u8> {
        (0..self.below(length_max + 1)).map(|_| self.next() as u8).collect()
    }
}

fn is_serving(server: &Served) {
    server.get("/health").expect(200);
}

/// A request line, headers and a body, each of which may be spoilt.
fn fuzzed(draws: &mut Draws) -> Vec<u8> {
    let methods = ["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "get", "", "\u{1}", "BREW"];
    let paths = [
        "/",
        "/metrics",
        "/api/v1/jobs",
        "/api/v1/jobs/a",
        "/api/v1/jobs/a/pause",
        "/api/v1/jobs/../../etc/passwd",
        "/api/v1/jobs/%2e%2e",
        "//",
        "",
        "*",
        "/api/v1/jobs/\u{e4}",
        "/api/v1/jobs/a/plan?x=1#y",
        "http://x/y",
        "/\0",
    ];
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "{\"name\": 1}",
        "{\"name\":\"a\",\"sql\":\"\"}",
        "{\"name\":\"a\",\"sql\":\"SELECT\"}",
        "{\"name\":\"../a\",\"sql\":\"x\"}",
        "{\"name\":\"a\",\"sql\":\"CREATE SOURCE\",\"options\":{\"partitions\":-1}}",
        "{\"name\":\"a\",\"sql\":\"((((((((((\",\"replace\":3}",
    ];
    let mut body = bodies[draws.below(bodies.len())].as_bytes().to_vec();
    if draws.below(4) == 0 {
        body = draws.bytes(300);
    }
    let length = match draws.below(8) {
        0 => "-1".to_string(),
        1 => "18446744073709551616".to_string(),
        2 => "x".to_string(),
        3 => (body.len() / 2).to_string(),
        _ => body.len().to_string(),
    };
    let version =
        ["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP", ""][if draws.below(3) == 0 { draws.below(5) } else { 0 }];
    let mut bytes = format!(
        "{} {} {version}\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n",
        methods[draws.below(methods.len())],
        paths[draws.below(paths.len())],
    )
    .into_bytes();
    for _ in 0..draws.below(3) {
        bytes.extend(draws.bytes(40));
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"\r\n");
    bytes.extend(&body);
    match draws.below(5) {
        0 => {
            let at = draws.below(bytes.len());
            bytes[at] = draws.next() as u8;
        }
        1 => bytes.truncate(draws.below(bytes.len())),
        2 => bytes = draws.bytes(400),
        _ => {}
    }
    bytes
}

/// Ten thousand with CORELANE_TEST_REQUESTS=10000; every answer is HTTP with a known status, and none is a defect.
#[test]
fn fuzzed_requests_are_answered_or_hung_up_on() {
    let requests = std::env::var("CORELANE_TEST_REQUESTS").map_or(600, |text| text.parse::<usize>().unwrap());
    let seed = 0x5eed_c0de;
    println!("seed {seed}");
    let mut draws = Draws(seed);
    let rig = Rig::new();
    let server = rig.serve();
    server.deploy("runs", &endless(100));
    let known = [200, 400, 401, 403, 404, 405, 408, 409, 411, 413, 415, 422, 431, 505];
    for number in 0..requests {
        let bytes = fuzzed(&mut draws);
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(&bytes);
        // No more comes: a request that was cut off is not waited for.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        if let Some(answer) = read_answer(&mut stream) {
            assert!(known.contains(&answer.status), "request {number}: {answer:?} to {}", bytes.escape_ascii());
        }
    }
    is_serving(&server);
    assert_eq!(server.job("runs")["state"], "running");
    assert_eq!(server.get("/api/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 1);
    eventually("threads of connections to end", || (server.count("task") < 20).then_some(()));
    assert!(!server.log.lock().unwrap().contains("panicked"));
}

#[test]
fn what_is_too_long_is_refused() {
    let rig = Rig::new();
    let server = rig.serve();
    let send = |bytes: String| exchange(server.address, bytes.as_bytes()).map(|answer| answer.status);
    let path = "a".repeat(20_000);
    assert_eq!(send(format!("GET /{path} HTTP/1.1\r\n\r\n")), Some(431));
    assert_eq!(send(format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "b".repeat(20_000))), Some(431));
    assert_eq!(send(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100))), Some(431));
    assert_eq!(send(format!("GET /{}", "a".repeat(1 << 20))), Some(431), "without an end");
    let head =
        |length: usize| format!("POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(send(head(2 << 20)), Some(413));
    assert_eq!(
        send(format!("{}{}", head(2 << 20), "x".repeat(2 << 20))),
        Some(413),
        "the answer comes although it is sent"
    );
    assert_eq!(send(head(10).replace("Content-Length: 10", "Transfer-Encoding: chunked") + "0\r\n\r\n"), Some(411));
    let deep = serde_json::json!({"name": "a", "sql": format!("SELECT {}", "(".repeat(100_000))});
    assert_eq!(server.post_job(&deep).status, 400);
    let nested = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
    assert_eq!(server.request("POST", "/api/v1/jobs", &["Content-Type: application/json"], &nested).status, 400);
    is_serving(&server);
}

/// A hundred clients that send a byte now and then, or nothing: others are answered at once, and the slow ones go.
#[test]
fn slow_clients_hold_nobody_up() {
    let rig = Rig::new();
    let server = rig.serve();
    let mut slow: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let started = Instant::now();
    let mut answered = 0;
    while started.elapsed() < Duration::from_secs(3) {
        for (index, stream) in slow.iter_mut().enumerate().filter(|(index, _)| index % 2 == 0) {
            let _ = stream.write_all(&b"GET / HTTP/1.1\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"[index % 8..][..1]);
        }
        let asked = Instant::now();
        is_serving(&server);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        answered += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(answered > 5);
    eventually("the slow ones to be hung up on", || (server.count("task") < 20).then_some(()));
    let mut rest = Vec::new();
    slow[0].set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = slow[0].read_to_end(&mut rest);
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"), "{}", rest.escape_ascii());
}

/// More connections than there may be: some are turned away, and all is well when they have gone.
#[test]
fn connections_are_bounded() {
    let rig = Rig::new();
    let server = rig.serve();
    let mut held: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    let last = held.last_mut().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_answer(last).map(|answer| answer.code()), Some("too_many_connections".into()));
    drop(held);
    eventually("room", || {
        (exchange(server.address, b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")?.status == 200).then_some(())
    });
}

#[test]
fn a_connection_takes_one_request_after_another() {
    let rig = Rig::new();
    let server = rig.serve();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let answer = read_answer(&mut stream).unwrap();
        assert!(answer.status == 200 && answer.head.contains("connection: keep-alive"), "{}", answer.head);
    }
    // In pieces, and asked whether to go on.
    stream.write_all(b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Le").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    stream.write_all(b"ngth: 2\r\nContent-Type: application/json\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    stream.write_all(b"[]").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 400);
    // HEAD says the length and sends nothing.
    stream.write_all(b"HEAD /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200") && rest.ends_with("\r\n\r\n"), "{rest}");
    let wrong = server.request("PUT", "/api/v1/jobs", &[], "");
    assert!(wrong.status == 405 && wrong.head.contains("allow: GET, HEAD, POST"), "{}", wrong.head);
    assert_eq!(server.get("/api/v1/nothing").code(), "no_such_path");
    let page = server.get("/");
    assert!(
        page.status == 200
            && page.body.contains("<title>corelane</title>")
            && page.head.contains("content-security-policy")
    );
}
