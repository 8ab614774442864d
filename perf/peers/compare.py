"""Runs corelane and its peers on the same table in turns, checks that they agree, and prints markdown; see README.md."""

import argparse
import datetime
import itertools
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

import data

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ["duckdb", "polars", "datafusion", "clickhouse"]
SCENARIOS = {
    "group_by": "Scenario 2: GROUP BY, COUNT, SUM(quantity), AVG, MIN, MAX(price)",
    "tumbling": "Scenario 3a: the same by tumbling window of event time",
    "rows": "Scenario 1: AVG, MIN, MAX(price) over the last 100 rows of each key by time",
    "filter_sum": "Filter (half of the rows pass) and SUM(price)",
}
KINDS = {"symbol": "text", "code": "coded text", "id": "BIGINT"}
# Running sums of DOUBLE differ by the order of addition.
TOLERANCE = 1e-9
# A form is tried until it ran this long, or so often.
TRIAL_S, TRIALS = 0.5, 3


def bar(query, kind, keys):
    """What corelane wants to be, as a multiple of the best peer."""
    if query == "filter_sum":
        return None
    if query == "rows" or kind != "symbol":
        return 4
    return 2 if keys <= 1_000 else 3 if keys <= 100_000 else 5


class Contender:
    """An engine in its own process, pinned; commands and answers are JSON lines."""

    def __init__(self, name, command, cores):
        self.name = name
        self.process = subprocess.Popen(
            ["taskset", "-c", cores, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = None

    def ask(self, **command):
        if self.process.poll() is None:
            try:
                print(json.dumps(command), file=self.process.stdin, flush=True)
            except BrokenPipeError:
                pass
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        return {"error": f"{self.name} ended with status {self.process.wait()}"}

    def cpu_s(self):
        """CPU time of the process so far, all its threads."""
        # As clock_getcpuclockid(3) makes the clock of another process.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def arguments():
    def names(text):
        return [] if text == "none" else text.split(",")

    def numbers(text):
        return [int(number.replace("_", "")) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corelane", required=True, help="the bench binary; run.sh builds and passes it")
    parser.add_argument("--peers", type=names, default=PEERS, help="some of duckdb,polars,datafusion,clickhouse, or none")
    parser.add_argument("--scenarios", type=names, default=list(SCENARIOS), help="some of " + ",".join(SCENARIOS))
    parser.add_argument("--kinds", type=names, default=list(KINDS), help="key columns, some of symbol,code,id")
    parser.add_argument("--keys", type=numbers, default=[10, 1_000, 100_000, 5_000_000], help="numbers of keys")
    parser.add_argument("--only", default="", help="only cases whose name, as in 'tumbling symbol 1000', holds this")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rows-scenario-1", type=int, default=2_000_000)
    parser.add_argument("--windows", type=int, default=10, help="windows that the event times span")
    parser.add_argument("--window-s", type=int, default=60)
    parser.add_argument("--sparse-ids", action="store_true", help="ids spread over 64 bits instead of 0..keys")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cores", help="CPUs that every engine is pinned to; 0,1,.. by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="what the table shows; cpu time, exact for one thread only, is for a machine that others use too",
    )
    parser.add_argument("--simd", default="auto", help="corelane's vectors: auto, scalar, wide, avx512")
    parser.add_argument("--data", default=os.path.join(HERE, "data"), help="where tables are kept for the next run")
    parser.add_argument("--json", help="file for every figure of every round")
    return parser.parse_args()


def cases(options):
    """(rows, keys) of each table, and its (query, kind of key)."""
    wanted = {}
    for query, kind, keys in itertools.product(options.scenarios, options.kinds, options.keys):
        if query in ("group_by", "tumbling"):
            wanted.setdefault((options.rows, keys), []).append((query, kind))
    if "filter_sum" in options.scenarios:
        keys = 1_000 if 1_000 in options.keys else options.keys[0]
        wanted.setdefault((options.rows, keys), []).append(("filter_sum", "symbol"))
    if "rows" in options.scenarios:
        wanted.setdefault((options.rows_scenario_1, 1_000), []).append(("rows", "symbol"))
    chosen = {}
    for (rows, keys), queries in wanted.items():
        queries = [case for case in queries if options.only in f"{case[0]} {case[1]} {keys}"]
        if queries:
            chosen[rows, keys] = queries
    return chosen


def start(options):
    shared = ["--threads", str(options.threads), "--window-s", str(options.window_s), "--above", "500"]
    own = [options.corelane, "--serve", *shared, "--simd", options.simd]
    if options.threads > 1:
        own += ["--cores", options.cores]
    contenders = [Contender("corelane", own, options.cores)]
    for peer in options.peers:
        command = [sys.executable, os.path.join(HERE, "engines.py"), peer, *shared]
        contender = Contender(peer, command, options.cores)
        contender.version = contender.answer().get("version", "did not start")
        contenders.append(contender)
    return contenders


def differences(found, expected):
    """Names of the sums that differ."""
    return [
        name
        for name in sorted(expected.keys() | found.keys())
        if abs(found.get(name, 0.0) - expected.get(name, 0.0)) > TOLERANCE * max(abs(expected.get(name, 0.0)), 1.0)
    ]


def measure(contenders, case, options):
    """Tries every form of every engine, checks the results, then runs the best forms in turns."""
    query, kind = case
    reference = None
    best = {}
    result = {"forms": {}, "seconds": {}, "cpu_seconds": {}, "errors": {}}
    # Peers give the reference: an error of ours must not count as theirs.
    for contender in contenders[1:] + contenders[:1]:
        trials = {}
        for form in contender.ask(do="forms", query=query, key=kind).get("forms", []):
            spent = []
            while len(spent) < TRIALS and sum(spent) < TRIAL_S:
                answer = contender.ask(do="run", query=query, key=kind, form=form, check=not spent)
                if "error" in answer:
                    result["errors"][contender.name] = answer["error"]
                    break
                if not spent:
                    found = answer["sums"] | {"rows": answer["rows"]}
                    reference = reference or found
                    if wrong := differences(found, reference):
                        result["errors"][contender.name] = f"{form}: another result in {', '.join(wrong)}"
                        print(f"{found}\n{reference}", file=sys.stderr)
                        break
                spent.append(answer.get("cpu_seconds" if options.clock == "cpu" else "seconds", answer["seconds"]))
            if spent:
                trials[form] = min(spent)
        if trials:
            best[contender.name] = min(trials, key=trials.get)
            result["forms"][contender.name] = trials
    running = [contender for contender in contenders if contender.name in best and contender.name not in result["errors"]]
    for number in range(options.rounds):
        for contender in running:
            if contender.name in result["errors"]:
                continue
            # Taken from outside, CPU time has the release of the result in it too: a percent where results are large.
            cpu_s = contender.cpu_s()
            answer = contender.ask(do="run", query=query, key=kind, form=best[contender.name], check=False)
            if "error" in answer or answer["rows"] != reference["rows"]:
                result["errors"][contender.name] = answer.get("error", f"{answer['rows']} rows in round {number}")
                continue
            result["seconds"].setdefault(contender.name, []).append(answer["seconds"])
            result["cpu_seconds"].setdefault(contender.name, []).append(contender.cpu_s() - cpu_s)
    result["best_form"] = best
    result["result_rows"] = reference and reference["rows"]
    return result


def rate(line, name, clock):
    seconds = line["cpu_seconds" if clock == "cpu" else "seconds"].get(name)
    return line["rows"] / statistics.median(seconds) / 1e6 if seconds and name not in line["errors"] else None


def show(value):
    return "failed" if value is None else f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(lines, peers, clock):
    out = [
        "| keys | of kind | result rows | " + " | ".join(peers) + (" | " if peers else "") + "corelane | ÷ best peer | bar | met |",
        "|---" * (7 + len(peers)) + "|",
    ]
    for line in lines:
        rates = {name: rate(line, name, clock) for name in [*peers, "corelane"]}
        best = max((rates[name] for name in peers if rates[name]), default=None)
        ratio = rates["corelane"] / best if best and rates["corelane"] else None
        cells = [f"{line['keys']:,}", KINDS[line["kind"]] if line["query"] != "filter_sum" else "–", f"{line['result_rows']:,}"]
        cells += [f"**{show(rates[name])}**" if rates[name] == best is not None else show(rates[name]) for name in peers]
        cells += [show(rates["corelane"]), f"{ratio:.2f}" if ratio else "–", f"{line['bar']}" if line["bar"] else "–"]
        cells.append("–" if not line["bar"] or not best else "yes" if ratio and ratio >= line["bar"] else "no")
        out.append("| " + " | ".join(cells) + " |")
    return out


def share_waited(lines):
    """The part of the time in which a pinned engine did not run: on a quiet machine, with one thread, next to nothing."""
    wall, cpu = (sum(sum(rounds) for line in lines for rounds in line[of].values()) for of in ("seconds", "cpu_seconds"))
    return max(0.0, 1.0 - cpu / wall) if wall else 0.0


def forms(lines, peers):
    out = ["| scenario | keys | of kind | " + " | ".join(peers) + " |", "|---" * (3 + len(peers)) + "|"]
    for line in lines:
        cells = [line["query"], f"{line['keys']:,}", KINDS[line["kind"]]]
        out.append("| " + " | ".join(cells + [line["best_form"].get(name, "–") for name in peers]) + " |")
    return out


def head(options, contenders):
    def output(*command):
        return subprocess.run(command, capture_output=True, text=True, cwd=HERE).stdout.strip()

    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    changed = " with changes" if output("git", "status", "--porcelain", "--", "../../src", "../../benches", "../../Cargo.lock") else ""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["perf/peers/run.sh", *os.environ.get("RUN_ARGUMENTS", "").split()]),
        "cpu": f"{len(model)} x {model[0]}",
        "kernel": platform.release(),
        "threads": options.threads,
        "cores": options.cores,
        "rounds": options.rounds,
        "corelane": output("git", "rev-parse", "--short", "HEAD") + changed,
        **{contender.name: contender.version for contender in contenders[1:]},
    }


def main():
    options = arguments()
    options.cores = options.cores or ",".join(str(core) for core in range(options.threads))
    contenders = start(options)
    about = head(options, contenders)
    lines = []
    for (rows, keys), queries in cases(options).items():
        path = data.make(options.data, rows, keys, options.seed, options.windows, options.window_s, options.sparse_ids)
        for contender in contenders:
            loaded = contender.ask(do="load", path=path)
            if loaded.get("rows") != rows:
                print(f"{contender.name}: {loaded}", file=sys.stderr)
        for query, kind in queries:
            line = {"query": query, "kind": kind, "keys": keys, "rows": rows, "bar": bar(query, kind, keys)}
            line |= measure(contenders, (query, kind), options)
            lines.append(line)
            rates = ", ".join(f"{c.name} {show(rate(line, c.name, options.clock))}" for c in contenders)
            print(f"{query} {kind} {keys}: {rates} {line['errors'] or ''}", file=sys.stderr, flush=True)
    for contender in contenders:
        contender.close()
    print("\n".join(f"- {name}: {value}" for name, value in about.items()))
    if options.threads == 1:
        print(f"- time that engines waited for their CPU: {share_waited(lines):.0%}")
    clock = "CPU second" if options.clock == "cpu" else "second"
    print(f"\nMillion input rows per {clock}, median of the rounds; the best peer is in bold.")
    for query, title in SCENARIOS.items():
        if some := [line for line in lines if line["query"] == query]:
            print("\n" + "\n".join([f"### {title}, {some[0]['rows']:,} rows", "", *table(some, options.peers, options.clock)]))
    if options.peers:
        print("\n### Form that each engine ran in\n\n" + "\n".join(forms(lines, options.peers)))
    if options.json:
        os.makedirs(os.path.dirname(os.path.abspath(options.json)), exist_ok=True)
        with open(options.json, "w") as file:
            json.dump({"about": about, "cases": lines}, file, indent=1)
    failed = [f"{line['query']} {line['kind']} {line['keys']}: {line['errors']}" for line in lines if line["errors"]]
    if failed:
        raise SystemExit("\n".join(["", "failed:", *failed]))


main()
