"""What perf/scrape.sh measures: a server, its jobs, and a scraper that keeps its connection, as Prometheus does."""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import threading
import time

SQL = """CREATE SOURCE trades (ts TIMESTAMP, symbol VARCHAR, price DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH (connector = 'generator'{rows}, keys = '1000');
CREATE SINK nowhere WITH (connector = 'blackhole');
INSERT INTO nowhere SELECT symbol, COUNT(*) AS n, AVG(price) AS mean, MAX(price) AS most FROM trades
  GROUP BY symbol WINDOW TUMBLING (ts, INTERVAL '1' MINUTE)"""
METRICS_HEAD = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


class Server:
    def __init__(self, binary, directory):
        with open(os.path.join(directory, "server.yaml"), "w", encoding="utf-8") as file:
            file.write("listen: 127.0.0.1:0\n")
        arguments = [binary, "serve", "--config", "server.yaml"]
        self.process = subprocess.Popen(arguments, cwd=directory, stderr=subprocess.PIPE, text=True)
        found = re.search(r"http://([^,]+),", self.process.stderr.readline())
        if not found:
            raise SystemExit("perf/scrape.sh: the server did not start")
        self.address = found[1]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address)
        head = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, head)
        answer = connection.getresponse()
        document = json.loads(answer.read())
        if answer.status >= 300:
            raise SystemExit(f"perf/scrape.sh: {method} {path}: {document}")
        return document

    def cpu_s(self):
        """CPU time of all threads that were and are, to the nanosecond."""
        connection = http.client.HTTPConnection(self.address)
        connection.request("GET", "/metrics", headers=METRICS_HEAD)
        text = connection.getresponse().read().decode()
        return float(re.search(r"^process_cpu_seconds_total (\S+)$", text, re.MULTILINE)[1])

    def deploy(self, rows, partitions):
        sql = SQL.format(rows=f", rows = '{rows}'" if rows else "")
        options = {"partitions": partitions, "processor": "partitioned"}
        self.ask("POST", "/api/v1/jobs", {"name": "job", "sql": sql, "options": options, "replace": True})

    def finished(self):
        while True:
            job = self.ask("GET", "/api/v1/jobs/job")
            if job["state"] == "finished":
                return job["report"]
            if job["state"] == "failed":
                raise SystemExit(f"perf/scrape.sh: {job['last_error']}")
            time.sleep(0.5)


class Scraper:
    """Asks for the metrics so many times a second, until it is ended."""

    def __init__(self, address, rate):
        self.done, self.scrapes = threading.Event(), 0
        self.thread = threading.Thread(target=self.run, args=(address, rate))
        self.thread.start()

    def run(self, address, rate):
        connection, due = http.client.HTTPConnection(address), time.monotonic()
        while not self.done.is_set():
            connection.request("GET", "/metrics", headers=METRICS_HEAD)
            text = connection.getresponse().read()
            assert text.endswith(b"# EOF\n"), text[-200:]
            self.scrapes += 1
            due += 1 / rate
            self.done.wait(max(due - time.monotonic(), 0))

    def end(self):
        self.done.set()
        self.thread.join()
        return self.scrapes


def run(server, arguments, scraped):
    before = server.cpu_s()
    server.deploy(arguments.rows, arguments.partitions)
    scraper = Scraper(server.address, arguments.rate) if scraped else None
    report = server.finished()
    scrapes = scraper.end() if scraper else 0
    if report["records_read"] != arguments.rows:
        raise SystemExit(f"perf/scrape.sh: {report['records_read']} records were read")
    # Rows a second by the job's clock; its threads' CPU time with that of who answers.
    return server.cpu_s() - before, report["records_per_s"] / 1e6, scrapes


def one_scrape_s(server, partitions):
    """CPU time of the server for one scrape, of a job that is deployed and paused."""
    server.deploy(None, partitions)
    time.sleep(2)
    server.ask("POST", "/api/v1/jobs/job/pause")
    time.sleep(1)
    started, before = time.monotonic(), server.cpu_s()
    time.sleep(2)
    idle = (server.cpu_s() - before) / (time.monotonic() - started)
    started, before, count = time.monotonic(), server.cpu_s(), 5_000
    connection = http.client.HTTPConnection(server.address)
    for _ in range(count):
        connection.request("GET", "/metrics", headers=METRICS_HEAD)
        connection.getresponse().read()
    spent = server.cpu_s() - before - idle * (time.monotonic() - started)
    server.ask("DELETE", "/api/v1/jobs/job")
    return spent / count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("directory")
    for name in ("rows", "pairs", "partitions"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    arguments = parser.parse_args()
    server = Server(os.path.abspath(arguments.binary), arguments.directory)
    try:
        run(server, arguments, False)
        print("| pair | CPU without, s | CPU with, s | ratio | M rows/s without | M rows/s with | ratio | scrapes |")
        print("|---|---|---|---|---|---|---|---|")
        pairs = []
        for pair in range(arguments.pairs):
            # Who begins takes turns.
            order = [False, True] if pair % 2 == 0 else [True, False]
            ran = {scraped: run(server, arguments, scraped) for scraped in order}
            (cpu, rate, _), (cpu_with, rate_with, scrapes) = ran[False], ran[True]
            pairs.append((cpu, cpu_with, cpu_with / cpu, rate, rate_with, rate_with / rate))
            columns = [f"{value:.3f}" for value in pairs[-1]]
            print("| " + " | ".join([str(pair + 1), *columns, str(scrapes)]) + " |", flush=True)
        columns = [f"**{statistics.median(column):.3f}**" for column in zip(*pairs)]
        print("| " + " | ".join(["median", *columns, ""]) + " |")
        cost = one_scrape_s(server, arguments.partitions)
        print(f"\nOne scrape takes {cost * 1e6:.0f} us of CPU time: {cost * arguments.rate * 100:.2f} % of one core at {arguments.rate:g} a second.")
    finally:
        server.process.terminate()
        server.process.wait()


main()
