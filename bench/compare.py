#!/usr/bin/python3
"""Compares mailrace with Postfix's smtp-sink and with the durable ceiling of the transport, and
its load generator with Postfix's smtp-source.

Everything is measured in the same run, in several interleaved rounds, because the machine drifts:
only ratios within a round are claims. See docs/BENCHMARKS.md.
"""
import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile

import flags
import open_loop
import report
import targets
from clients import clients
from process import Failure
from subjects import Place, subjects
from workloads import ITSELF, WORKLOADS


def arguments():
    parser = flags.Parser(__doc__, epilog="example: bench/compare.py --build build/bench "
                                          "--mailrace build/release/mailrace --json compare.json")
    parser.add_places("ceiling")
    parser.add_rounds("'plain, 64' or 'open loop'")
    parser.add_argument("--check", action="store_true",
                        help="exit 1 unless the acceptance lines are met")
    return parser.parse([*(each.name for each in WORKLOADS), open_loop.NAME])


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


def main():
    options = arguments()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return run(options)
    except KeyboardInterrupt:
        print("compare.py: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
