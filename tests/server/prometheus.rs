//! A real Prometheus scrapes the server, with what `perf/grafana/README.md` says to configure.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::rig::{Rig, endless, eventually};

/// Ended with the test.
struct Scraper(Child);

impl Drop for Scraper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Prometheus answers to a query, if it answers already. The query stands in a URL as it is.
fn query(address: SocketAddr, query: &str) -> Option<Vec<Value>> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET /api/v1/query?query={query} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let document: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
    let result = document["data"]["result"].as_array()?.clone();
    (!result.is_empty()).then_some(result)
}

#[test]
fn a_real_prometheus_scrapes_the_metrics() {
    if Command::new("prometheus").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("not run: prometheus is not installed (Debian package prometheus)");
        return;
    }
    let rig = Rig::new();
    let server = rig.serve();
    server.deploy("ticks", &endless(10_000));
    server.until_state("ticks", "running");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rig.write(
        "prometheus.yml",
        &format!(
            "scrape_configs:\n  - job_name: corelane\n    honor_labels: true\n    scrape_interval: 1s\n    scrape_timeout: 1s\n    \
             static_configs: [{{targets: ['{}']}}]\n",
            server.address
        ),
    );
    let mut command = Command::new("prometheus");
    command.current_dir(rig.directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
    command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]);
    let scraper = Scraper(command.arg(format!("--web.listen-address={address}")).spawn().unwrap());

    let up = eventually("the first scrape", || query(address, "up==1"));
    assert_eq!(up[0]["metric"]["job"], "corelane", "{up:?}");
    let value = |found: &Value| found["value"][1].as_str().unwrap().parse::<f64>().unwrap();
    let records = || eventually("records", || query(address, "corelane_partition_records_total"));
    let first = records();
    assert_eq!(
        (first.len(), &first[0]["metric"]["job"], &first[0]["metric"]["partition"]),
        (1, &"ticks".into(), &"0".into())
    );
    eventually("a later scrape", || (value(&records()[0]) > value(&first[0])).then_some(()));
    // Histograms are taken apart by buckets; a quantile can be asked for.
    let quantile = "histogram_quantile(0.5,corelane_partition_latency_seconds_bucket)%3E0";
    eventually("latencies", || query(address, quantile));
    let running = query(address, "corelane_job_state%7Bstate=%22running%22%7D").unwrap();
    assert_eq!(value(&running[0]), 1.0);
    drop(scraper);
}
