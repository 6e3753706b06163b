#!/usr/bin/python3
"""How the store behaves when it is large: what its index costs in memory and time.

Fills a store of many messages and mailboxes through the storage interface (bench/store_fill), kills
it, and measures what a start and a login then take, and mail into the large store against mail
into an empty one, in pairs. See docs/BENCHMARKS.md.
"""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import flags
from process import Failure, Server, cpu_ns, free_port, listens

FILL_SECONDS_MAX = 3600
MERGE_SECONDS_MAX = 60  # of what mail has begun in the background
LOGINS = 400
MEBIBYTE = 1 << 20


def arguments():
    parser = flags.Parser(__doc__)
    parser.add_places("store_fill")
    for flag, number, about in (
            ("--messages", 10_000_000, "in the large store"),
            ("--mailboxes", 1_000_000, "that they are for"),
            ("--pairs", 3, "of mail into the empty and into the large store"),
            ("--pair-messages", 1_000_000, "appended in each"),
            ("--mail-messages", 300_000, "mailed in each")):
        parser.add_argument(flag, type=flags.count, default=number, metavar="N",
                            help=f"{about} (%(default)s)")
    parser.add_argument("--keep-caches", action="store_true",
                        help="do not drop the kernel's caches, which others use, too")
    return parser.parse()


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.fill_program = os.path.join(options.build, "bench", "store_fill")
        self.large = os.path.join(directory, "large")
        self.empty = os.path.join(directory, "empty")
        self.figures = {}
        os.mkdir(self.large)

    def fill(self, store, *flags, kill=False):
        """Runs store_fill: its steps by name. `kill`: with SIGKILL, once it has said the last."""
        command = [self.fill_program, "--store", store, "--mailboxes",
                   str(self.options.mailboxes), *map(str, flags), *(["--hang"] if kill else [])]
        steps = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                              preexec_fn=lambda: signal.alarm(FILL_SECONDS_MAX)) as process:
            for line in process.stdout:
                step = json.loads(line)
                steps[step["step"]] = step
                if kill and step["step"] == "fill":
                    process.kill()
            process.wait()
        if process.returncode not in (0, -signal.SIGKILL if kill else 0):
            raise Failure(f"store_fill ended with {process.returncode}")
        return steps

    def make_large(self):
        steps = self.fill(self.large, "--messages", self.options.messages, kill=True)
        self.figures["fill"] = {**steps["open"], **steps["fill"]}

    def start_cold(self):
        """After the kill: the first start, with nothing of the store in memory if we may see to
        that; then logins at random."""
        self.figures["caches_dropped"] = not self.options.keep_caches and drop_caches()
        steps = self.fill(self.large, "--logins", LOGINS, "--seed", 77)
        self.figures["restart"] = {"seconds": steps["open"]["seconds"],
                                   "resident_bytes": steps["open"]["resident_bytes"]}
        self.figures["logins"] = steps["logins"]

    def pair(self, number, measure):
        """The same into an empty and into the large store, in turns."""
        found = {}
        for name in ("empty", "large") if number % 2 else ("large", "empty"):
            store = self.large if name == "large" else self.empty
            if name == "empty":
                shutil.rmtree(store, ignore_errors=True)
                os.mkdir(store)
            found[name] = measure(store, number)
        return found

    def append(self, store, number):
        """As fast as the store takes it: no sessions, no network."""
        return self.fill(store, "--messages", self.options.pair_messages, "--seed", number)["fill"]

    def mail(self, store, number):
        """Over SMTP: the rate, and the index's part of the processor time."""
        port, report = free_port(), os.path.join(os.path.dirname(store), "blast.json")
        server = Server([self.options.mailrace, "serve", "--smtp", f"127.0.0.1:{port}",
                         "--store", store, "--accept-all", "--shards", "1"], 0)
        messages = self.options.mail_messages
        try:
            server.wait(lambda: server.ready.is_set() and listens(port))
            before = cpu_ns(server.process.pid), index_cpu_seconds(server.process.pid)
            subprocess.run([self.options.mailrace, "blast", f"smtp://127.0.0.1:{port}",
                            "--messages", str(messages), "--pipeline", "--connections", "200",
                            "--users", str(self.options.mailboxes), "--seed", str(number + 1),
                            "--json", report], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)
            server.settle(MERGE_SECONDS_MAX)
            every = (cpu_ns(server.process.pid) - before[0]) / 1e9
            index = index_cpu_seconds(server.process.pid) - before[1]
        finally:
            server.stop()
        with open(report, encoding="utf-8") as file:
            rate = messages / json.load(file)["seconds"]
        return {"rate": rate, "cpu_us": every * 1e6 / messages,
                "index_cpu_us": index * 1e6 / messages}

    def run(self):
        self.make_large()
        self.start_cold()
        for name, measure in (("appended", self.append), ("mailed", self.mail)):
            self.figures[name] = [self.pair(number, measure)
                                  for number in range(self.options.pairs)]


def drop_caches():
    try:
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("3\n")
        return True
    except OSError:
        return False


def index_cpu_seconds(pid):
    """Of the threads that work for the index: the store's, which have that name, and RocksDB's."""
    ticks = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
        if name == "index" or name.startswith("rocksdb"):
            ticks += sum(map(int, rest.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def middle(pairs, value):
    found = sorted(value(pair) for pair in pairs)
    return statistics.median(found), found[0], found[-1]


def report(options, figures):
    fill, restart, logins = figures["fill"], figures["restart"], figures["logins"]
    grown = fill["resident_bytes"] - fill["resident_before_bytes"]
    cold = "caches dropped" if figures["caches_dropped"] else "caches NOT dropped"
    rows = [
        ("messages, mailboxes", f"{options.messages:,}, {options.mailboxes:,}"),
        ("filled at", f"{fill['rate']:,.0f}/s, {fill['cpu_us']:.2f} µs each, of which the index "
                      f"{fill['index_cpu_us']:.2f} µs, {fill['runs']} runs"),
        ("memory, after that", f"{grown / MEBIBYTE:.0f} MiB more than before; RocksDB's caches "
                               f"{fill['index_bytes'] / MEBIBYTE:.0f} MiB"),
        ("start after kill -9", f"{restart['seconds']:.2f} s, {cold}"),
        ("memory, after the start", f"{restart['resident_bytes'] / MEBIBYTE:.0f} MiB"),
        ("login of a maildrop, cold", f"median {logins['p50_ms']:.2f} ms, 99 % "
                                      f"{logins['p99_ms']:.2f} ms, of {logins['logins']}"),
    ]
    for kind in ("appended", "mailed"):
        for name, key in (("rate", "rate"), ("CPU per message", "cpu_us")):
            found = middle(figures[kind],
                           lambda pair, key=key: pair["large"][key] / pair["empty"][key])
            rows.append((f"{kind}, large / empty, {name}", "%.2f (%.2f … %.2f)" % found))
    rest = middle(figures["mailed"], lambda pair: pair["large"]["cpu_us"] -
                  pair["large"]["index_cpu_us"])[0]
    whole = rest + fill["index_cpu_us"]
    rows.append(("index's part of mail", f"{fill['index_cpu_us']:.2f} µs a message over the "
                 f"whole fill, beside {rest:.2f} µs for taking mail: "
                 f"{100 * fill['index_cpu_us'] / whole:.0f} %"))
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:<{width}}  {value}\n" for name, value in rows)


def main():
    options = arguments()
    directory = tempfile.mkdtemp(prefix="store-", dir=options.directory or options.build)
    bench = Bench(options, directory)
    try:
        bench.run()
        print(report(options, bench.figures), end="")
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(bench.figures, file, indent=1)
    except Failure as failure:
        print(f"store.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
