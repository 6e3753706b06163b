#!/usr/bin/python3
"""What going past the kernel is worth: io_uring on loopback and DPDK over shared memory (memif),
side by side in one run.

The transport ceiling of each, then `mailrace serve` under `mailrace blast`, at 64 to 10,000
connections. In interleaved rounds: only ratios within a round are claims. See
docs/KERNEL-BYPASS.md.
"""
import contextlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import bypass_report
import flags
import report
from process import Client, Failure, Server, cpu_ns, free_port, metric

KIB = 1024
SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
SEGMENT = "1G"  # ready before the load begins, and none other is needed: the disk is the mail's
HUGE_KIB = 512 * KIB  # what both ends need of huge pages


@dataclass(frozen=True)
class Workload:
    size: int
    connections: int
    pipelined: bool
    messages: int

    @property
    def name(self):
        return (f"{self.size // KIB} KiB{' pipelined' if self.pipelined else ''}, "
                f"{self.connections:,} connections")

    @property
    def blast(self):
        return ["--size", str(self.size), "--connections", str(self.connections),
                *(["--pipeline"] if self.pipelined else [])]

    @property
    def turns(self):
        return 1 if self.pipelined else 4

    @property
    def ceiling(self):
        return ["--turns", str(self.turns), "--bytes-in", str(self.size + 152),
                "--bytes-out", "108" if self.pipelined else "35",
                "--connections", str(self.connections)]


WORKLOADS = [Workload(size, connections, pipelined, messages)
             for size, messages in ((4 * KIB, 200_000), (64 * KIB, 12_000))
             for pipelined in (False, True) for connections in (64, 1000, 10_000)]


def memory():
    """DPDK's memory for one end: huge pages where there are enough for both."""
    with open("/proc/meminfo", encoding="ascii") as file:
        found = dict(re.findall(r"(HugePages_Free|Hugepagesize):\s+(\d+)", file.read()))
    huge = int(found.get("HugePages_Free", 0)) * int(found.get("Hugepagesize", 0))
    pages = "--in-memory --huge-unlink -m 224" if huge >= HUGE_KIB else "--no-huge -m 256"
    return f"{pages} --single-file-segments --no-pci"


def threads_ns(pid):
    """Processor time of each thread so far."""
    used = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), \
                open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            used[task] = int(file.read().split()[0])
    return used


class Kernel:
    name = "io_uring, loopback"
    ceiling = ()

    def __init__(self):
        port = free_port()
        self.serve = ["--smtp", f"127.0.0.1:{port}"]
        self.blast = [f"smtp://127.0.0.1:{port}"]

    @staticmethod
    @contextlib.contextmanager
    def work(server, _, found):
        """Processor time of all threads, and of the kernel's workers."""
        used = cpu_ns(server)
        yield
        found["server_ns"] = cpu_ns(server) - used


class Memif:
    """A thread that polls is always busy: its work is the time of turns that had any."""
    name = "DPDK, memif"

    def __init__(self):
        socket = f"bypass-{free_port()}"
        self.ceiling = ("--memif", memory())
        self.serve = [*self._end("server", SERVER, socket), "--smtp", f"{SERVER}:25"]
        self.blast = [f"smtp://{SERVER}:25", *self._end("client", CLIENT, socket),
                      "--allow-remote"]

    @staticmethod
    def _end(role, address, socket):
        device = f"net_memif0,role={role},socket={socket},rsize=9,bsize=9216"
        if role == "client":
            device += ",zero-copy=yes"
        return ["--io", "dpdk", "--dpdk-address", f"{address}/24", "--dpdk-mtu", "9000",
                "--dpdk-unchecked", "--dpdk-args",
                f"{memory()} --file-prefix={socket}{role} --vdev={device}"]

    @staticmethod
    @contextlib.contextmanager
    def work(server, metrics, found):
        """And the processor time of all threads but the one that polls, which uses most."""
        busy, threads = metric(metrics, "net_busy_seconds_total"), threads_ns(server)
        yield
        busy = metric(metrics, "net_busy_seconds_total") - busy
        used = sorted(now - threads.get(task, 0) for task, now in threads_ns(server).items())
        found["server_ns"] = busy * 1e9 + sum(used[:-1])


class Bench:
    """The rounds so far, a sample by workload, kind and side; what failed, with the reason."""

    def __init__(self, options, directory):
        self.options = options
        self.directory = directory
        self.workloads = [each for each in WORKLOADS if re.search(options.only, each.name)]
        self.rounds, self.failures = [], {}

    def messages(self, workload):
        return max(workload.connections, round(workload.messages * self.options.scale))

    def ceiling(self, workload, side, *flags):
        options = self.options
        client = Client(
            [os.path.join(options.build, "bench", "ceiling"), *workload.ceiling, *flags,
             "--messages", str(self.messages(workload)), *side.ceiling, "--json",
             "--server-core", str(options.server_core), "--client-core", str(options.client_core),
             "--file", os.path.join(self.directory, "ceiling")],
            options.client_core).must_end_well()
        found = json.loads(client.output)
        return {"rate": found["rate"], "turns": found["rate"] * workload.turns,
                "server_us": found["server_us"], "client_us": found["client_us"]}

    def mail(self, workload, side):
        folder = tempfile.mkdtemp(prefix="store-", dir=self.directory)
        metrics = free_port()
        server = Server([self.options.mailrace, "serve", *side.serve, "--accept-all",
                         "--store", os.path.join(folder, "store"), "--shards", "1",
                         "--segment", SEGMENT,
                         "--max-connections", str(workload.connections + 100),
                         "--commit-depth", str(self.options.commit_depth),
                         "--metrics", str(metrics)], self.options.server_core)
        try:
            server.wait(server.ready.is_set)
            return self.load(workload, side, server.process.pid, metrics)
        finally:
            server.stop()
            shutil.rmtree(folder)

    def load(self, workload, side, pid, metrics):
        found = {}
        with side.work(pid, metrics, found):
            client = Client([self.options.mailrace, "blast", *side.blast, *workload.blast,
                             "--messages", str(self.messages(workload)), "--json", "-", "--quiet"],
                            self.options.client_core).must_end_well()
        told = json.loads(client.output)
        acked = told["messages"]["acked"]
        commits = metric(metrics, "store_batches_total")
        return {"rate": acked / told["seconds"], "server_us": found["server_ns"] / 1000 / acked,
                "client_us": told["cpu_seconds"] * 1e6 / acked,
                "bytes": acked * workload.size / told["seconds"],
                "p50_us": told["latency_us"]["total"]["p50"],
                "p99_us": told["latency_us"]["total"]["p99"], "per_commit": acked / commits}

    def attempt(self, samples, key, measure):
        """What fails is named once, and left out from then on."""
        if key in self.failures:
            return
        try:
            samples[key] = measure()
        except Failure as failure:
            self.failures[key] = str(failure)
            print(f"not measured: {', '.join(key)}: {failure}", file=sys.stderr)
        time.sleep(self.options.pause)

    def kinds(self):
        if not self.options.mail_only:
            yield "ceiling", self.ceiling
            yield "durable ceiling", lambda *each: self.ceiling(*each, "--durable")
        yield "mail", self.mail

    def round(self):
        samples = {}
        for number, workload in enumerate(self.workloads):
            sides = (Kernel, Memif) if (number + len(self.rounds)) % 2 else (Memif, Kernel)
            for kind, measure in self.kinds():
                for side in sides:
                    self.attempt(samples, (workload.name, kind, side.name),
                                 lambda side=side, measure=measure: measure(workload, side()))
        self.rounds.append(samples)


def arguments():
    parser = flags.Parser(__doc__)
    parser.add_places("ceiling")
    parser.add_rounds("'4 KiB, ' or '10,000'")
    parser.add_argument("--commit-depth", type=flags.number(int, 1), default=1, metavar="N",
                        help="of both servers, as of mailrace serve (%(default)s)")
    parser.add_argument("--mail-only", action="store_true", help="without the ceilings")
    parser.add_argument("--pause", type=flags.number(float, 0), default=0.2, metavar="S",
                        help="between two samples, for what else runs there (%(default)s)")
    return parser.parse([each.name for each in WORKLOADS])


def refusal(program):
    """Why this program can't be measured; empty: it can."""
    tried = subprocess.run([program, "serve", "--store", "/nonexistent", "--smtp", "127.0.0.1:1",
                            "--accept-all", "--io", "dpdk", "--dpdk-address", f"{SERVER}/24",
                            "--dpdk-args", "--no-huge -m 64 --no-pci"],
                           capture_output=True, text=True, timeout=60, check=False)
    return tried.stderr.strip() if "built without" in tried.stderr else ""


def main():
    options = arguments()
    why = refusal(options.mailrace)
    if why:
        print(f"skipped: {why}")
        return 0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    facts = {**report.machine(), "load": f"{os.getloadavg()[0]:.1f}", "memory": memory()}
    directory = tempfile.mkdtemp(prefix="bypass-", dir=options.directory or options.build)
    bench = Bench(options, directory)
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            bench.round()
    finally:
        shutil.rmtree(directory)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": facts, "rounds": [
                [{"workload": key[0], "kind": key[1], "side": key[2], **sample}
                 for key, sample in each.items()] for each in bench.rounds],
                "failures": [[*key, why] for key, why in bench.failures.items()]}, file, indent=1)
    print(bypass_report.text(facts, bench, (Kernel.name, Memif.name), options.markdown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
