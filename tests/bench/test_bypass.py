"""The benchmark of the way past the kernel: a small run, and what is said of made-up rounds."""
import json
import os
import subprocess
import sys
import tempfile
import types

import tap

import bypass
import bypass_report

BUILD = os.environ["BUILD"]
CORES = sorted(os.sched_getaffinity(0))
SIDES = (bypass.Kernel.name, bypass.Memif.name)


def run(program, *flags):
    return subprocess.run([sys.executable, os.path.join(tap.BENCH, "bypass.py"), "--build", BUILD,
                           "--mailrace", program, "--server-core", str(CORES[0]),
                           "--client-core", str(CORES[-1]), *flags],
                          capture_output=True, text=True, timeout=240, check=False)


def small_one():
    if bypass.refusal(os.environ["MAILRACE"]):
        return  # the next test has what is said then
    with tempfile.TemporaryDirectory(dir=os.path.join(BUILD, "bench")) as folder:
        figures = os.path.join(folder, "figures.json")
        done = run(os.environ["MAILRACE"], "--directory", folder, "--only", "^4 KiB, 64 ",
                   "--rounds", "1", "--scale", "0.02", "--json", figures)
        tap.equal((done.returncode, done.stderr), (0, "round 1 of 1\n"))
        tap.equal(os.listdir(folder), ["figures.json"])
        with open(figures, encoding="utf-8") as file:
            found = json.load(file)
    samples = found["rounds"][0]
    tap.equal(sorted((each["kind"], each["side"]) for each in samples),
              sorted((kind, side) for kind in ("ceiling", "durable ceiling", "mail")
                     for side in SIDES))
    for each in samples:
        tap.equal(each["rate"] > 0 and each["server_us"] > 0 and each["client_us"] > 0, True)
    tap.equal(found["failures"], [])


def built_without():
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "mailrace")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho 'this program was built without it' >&2\nexit 78\n")
        os.chmod(program, 0o755)
        done = run(program)
    tap.equal((done.returncode, done.stderr), (0, ""))
    tap.holds(done.stdout, "skipped: ", "built without it")


def one_round(**rates):
    """Of 4 KiB not pipelined: rates of io_uring and DPDK by the number of connections."""
    samples = {}
    for connections, pair in rates.items():
        name = f"4 KiB, {int(connections[1:]):,} connections"
        for side, rate in zip(SIDES, pair):
            samples[name, "mail", side] = {"rate": rate, "bytes": rate * 4096}
    return samples


def verdicts(*rounds):
    lines = bypass_report.verdicts(list(rounds), SIDES, False)[2:]
    return [" ".join(line.split()[-2:]) if "(" in line else line.split()[-2] for line in lines]


def the_median_decides():
    met = one_round(c64=(10, 26), c1000=(10, 41), c10000=(10, 22))
    missed = one_round(c64=(10, 24), c1000=(10, 39), c10000=(10, 19))
    tap.equal(verdicts(met, met, missed),
              ["(3.90–4.10) met", "(2.40–2.60) met", "(1.86–2.05) met", "not"])
    tap.equal(verdicts(missed, met, missed)[:3],
              ["(3.90–4.10) missed", "(2.40–2.60) missed", "(1.86–2.05) missed"])


def without_one_side_no_ratio():
    half = one_round(c64=(10, 26))
    del half[("4 KiB, 64 connections", "mail", SIDES[0])]
    tap.equal(verdicts(half), ["not", "not", "not", "not"])


def what_failed_is_told():
    workload = bypass.WORKLOADS[0]
    bench = types.SimpleNamespace(workloads=[workload], rounds=[{}],
                                  failures={(workload.name, "mail", SIDES[1]): "it is late"})
    facts = {"time": "now", "commit": "c", "processor": "p", "cores": 2, "kernel": "k",
             "load": "0", "memory": "m"}
    tap.holds(bypass_report.text(facts, bench, SIDES, True), workload.name, "it is late",
              "not measured")


if __name__ == "__main__":
    tap.run([("a small run", small_one), ("built without", built_without),
             ("the median decides", the_median_decides),
             ("without one side no ratio", without_one_side_no_ratio),
             ("what failed is told", what_failed_is_told)])
