#!/usr/bin/python3
"""Compares mailrace with Postfix's smtp-sink and with the durable ceiling of the transport, and
its load generator with Postfix's smtp-source.

Everything is measured in the same run, in several interleaved rounds, because the machine drifts:
only ratios within a round are claims. See docs/BENCHMARKS.md.
"""
import argparse
import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile

import open_loop
import report
import targets
from clients import clients
from process import Failure
from subjects import Place, subjects
from workloads import ITSELF, WORKLOADS


def number(kind, least):
    """A number from `least` to 1000."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= 1000:
            raise argparse.ArgumentTypeError(f"{text}: not from {least} to 1000")
        return value
    return parse


def pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


class Parser(argparse.ArgumentParser):
    """Wrong usage ends with the code that the rest of mailrace has for it."""

    def error(self, message):
        self.exit(os.EX_USAGE, f"compare.py: {message} (see --help)\n")


def arguments():
    parser = Parser(
        description=__doc__.split("\n\n", maxsplit=1)[0],
        epilog="example: bench/compare.py --build build/bench "
               "--mailrace build/release/mailrace --json compare.json")
    parser.add_argument("--build", default="build/bench", metavar="DIR",
                        help="build folder with bench/ceiling (%(default)s)")
    parser.add_argument("--mailrace", default="build/release/mailrace", metavar="FILE",
                        help="the program: a server, and the client of all (%(default)s)")
    parser.add_argument("--directory", metavar="DIR",
                        help="on the disk to measure (default: the build's)")
    parser.add_argument("--rounds", type=number(int, 1), default=3, metavar="N",
                        help="(%(default)s)")
    parser.add_argument("--scale", type=number(float, 0.001), default=1, metavar="X",
                        help="that many times the messages and seconds (%(default)s)")
    parser.add_argument("--only", type=pattern, default="", metavar="REGEX",
                        help="workloads to measure, like 'plain, 64' or 'open loop' (all)")
    parser.add_argument("--server-core", type=number(int, 0), default=0, metavar="N",
                        help="(%(default)s)")
    parser.add_argument("--client-core", type=number(int, 0), default=1, metavar="N",
                        help="(%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="every sample, for other programs")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--check", action="store_true",
                        help="exit 1 unless the acceptance lines are met")
    return parser.parse_args()


class Comparison:
    """What is to be measured, where; the rounds so far, and what failed, with the reason."""

    def __init__(self, options, place):
        self.place = place
        self.scale = options.scale
        self.workloads = [scaled(each, options.scale) for each in WORKLOADS
                          if re.search(options.only, each.name)]
        self.open_loop = re.search(options.only, open_loop.NAME)
        self.subjects = subjects(options.mailrace)
        self.clients = clients(options.mailrace)
        self.rounds, self.skipped = [], {}

    def measure_round(self):
        """One sample of everything; what fails is named once and left out from then on."""
        samples = {}
        for workload in self.workloads:
            # Nobody is always the one who runs after a pause, or after the heaviest.
            turn = len(self.rounds) % len(workload.rows)
            for key in workload.keys[turn:] + workload.keys[:turn]:
                self.attempt([key], samples, lambda key=key, workload=workload: {
                    key: self.measure(key, workload)})
        if self.open_loop:
            first = open_loop.MAXIMUM
            self.attempt(open_loop.KEYS, samples, lambda: open_loop.measure(
                self.subjects[first.subject], self.clients[first.client], self.place, self.scale))
        self.rounds.append(samples)

    def attempt(self, keys, samples, measure):
        if keys[0] in self.skipped:
            return
        try:
            samples.update(measure())
        except Failure as failure:
            self.skipped.update(dict.fromkeys(keys, str(failure)))
            print(f"not measured: {keys[0].workload}, {report.name(keys[0])}: {failure}",
                  file=sys.stderr)

    def measure(self, key, workload):
        subject = self.subjects[key.subject]
        if key.client == ITSELF:
            return subject.run(workload, self.place)
        with subject.serve(self.place) as (port, server):
            return self.clients[key.client].run(port, server, workload, self.place)


def scaled(workload, scale):
    messages = max(workload.connections, round(workload.messages * scale))
    return dataclasses.replace(workload, messages=messages)


def write_json(path, facts, comparison):
    def cell(key):
        return dataclasses.asdict(key) if key else None

    rounds = comparison.rounds
    verdicts = [{"target": target.text, "metric": target.metric, "of": cell(target.of),
                 "against": cell(target.against), "bound": target.bound, "figures": found,
                 "verdict": word}
                for target in targets.ALL
                for found, word in [targets.verdict(rounds, target)]]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"machine": facts, "verdicts": verdicts,
                   "rounds": [[{**cell(key), **sample} for key, sample in each.items()]
                              for each in rounds],
                   "skipped": [{**cell(key), "reason": reason}
                               for key, reason in comparison.skipped.items()]}, file, indent=1)
        file.write("\n")


def run(options):
    facts = {**report.machine(), "load": f"{os.getloadavg()[0]:.1f}"}
    directory = tempfile.mkdtemp(prefix="compare-", dir=options.directory or options.build)
    comparison = Comparison(options, Place(os.path.join(options.build, "bench"), directory,
                                           options.server_core, options.client_core))
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            comparison.measure_round()
    finally:
        shutil.rmtree(directory)
    found = report.Report(comparison.rounds, comparison.skipped, options.markdown)
    print(found.text(facts), end="")
    if options.json:
        write_json(options.json, facts, comparison)
    met = all(targets.verdict(comparison.rounds, target)[1] == "met"
              for target in targets.ACCEPTANCE)
    return 1 if options.check and not met else 0


def missing(options):
    """What this can't begin without: an exit code and a line, or nothing."""
    ceiling = os.path.join(options.build, "bench", "ceiling")
    for flag, program in [("--build", ceiling), ("--mailrace", options.mailrace)]:
        if not (os.path.isfile(program) and os.access(program, os.X_OK)):
            return os.EX_NOINPUT, f"{flag}: no program {program}: build it first (./dev bench does)"
    if options.directory and not os.path.isdir(options.directory):
        return os.EX_NOINPUT, f"--directory: no folder {options.directory}"
    cores = os.sched_getaffinity(0)
    for flag, core in [("--server-core", options.server_core),
                       ("--client-core", options.client_core)]:
        if core not in cores:
            return os.EX_USAGE, f"{flag} {core}: there are only {sorted(cores)}"
    if not any(re.search(options.only, name)
               for name in [*(each.name for each in WORKLOADS), open_loop.NAME]):
        return os.EX_USAGE, f"--only {options.only.pattern}: no workload has such a name"
    try:
        with open(options.json or os.devnull, "a", encoding="utf-8"):
            return None
    except OSError as error:
        return os.EX_CANTCREAT, f"--json: {error}"


def main():
    options = arguments()
    failed = missing(options)
    if failed:
        code, line = failed
        print(f"compare.py: {line}", file=sys.stderr)
        return code
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return run(options)
    except KeyboardInterrupt:
        print("compare.py: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
