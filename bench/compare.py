#!/usr/bin/python3
"""Compares mailrace with Postfix's smtp-sink and with the durable ceiling of the transport.

Everything is measured in the same run, in several interleaved rounds, because the machine drifts:
only ratios within a round are claims. See docs/BENCHMARKS.md.
"""
import argparse
import json
import os
import re
import resource
import shutil
import sys
import tempfile

import report
from subjects import Ceiling, Failure, Load, Mailrace, Place, Sink, Source, Workload

WORKLOADS = [
    Workload(64, "plain", 20000),
    Workload(1000, "plain", 20000),
    Workload(64, "pipelined", 20000),
    Workload(1000, "pipelined", 20000),
    Workload(64, "chained", 30000),
    Workload(1000, "chained", 40000),
]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", maxsplit=1)[0],
        epilog="example: bench/compare.py --build build/bench "
               "--mailrace build/release/mailrace --json compare.json")
    parser.add_argument("--build", default="build/bench", metavar="DIR",
                        help="build folder with bench/ceiling and bench/load (%(default)s)")
    parser.add_argument("--mailrace", metavar="FILE",
                        help="the program; without it only the peers are measured")
    parser.add_argument("--directory", metavar="DIR",
                        help="on the disk to measure (default: the build's)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(%(default)s)")
    parser.add_argument("--scale", type=float, default=1, metavar="X",
                        help="that many times the messages (%(default)s)")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="workloads to measure, like 'plain, 64' (all)")
    parser.add_argument("--server-core", type=int, default=0, metavar="N", help="(%(default)s)")
    parser.add_argument("--client-core", type=int, default=1, metavar="N", help="(%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="every sample, for other programs")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--check", action="store_true",
                        help="exit 1 unless the acceptance line is met")
    return parser.parse_args()


def measure_round(subjects, workloads, place, skipped):
    """One sample of everything; what fails is named once and left out from then on."""
    samples = {}
    for workload in workloads:
        for subject in subjects:
            for client in [None] if isinstance(subject, Ceiling) else [Load(), Source()]:
                if client and workload.dialogue not in client.dialogues:
                    continue
                key = report.Key(subject.name, client.name if client else "",
                                 workload.connections, workload.dialogue)
                if key in skipped:
                    continue
                try:
                    samples[key] = measure(subject, client, workload, place)
                except Failure as failure:
                    skipped[key] = str(failure)
                    print(f"not measured: {workload.name}, {key.subject} {key.client}: {failure}",
                          file=sys.stderr)
    return samples


def measure(subject, client, workload, place):
    if not client:
        return subject.run(workload, place)
    with subject.serve(place) as (port, pid):
        return client.run(port, pid, workload, place)


def write_json(path, facts, rounds, skipped):
    def cell(key):
        return {"subject": key.subject, "client": key.client, "connections": key.connections,
                "dialogue": key.dialogue}
    verdicts = [{"target": target.text, "of": target.of, "against": target.against,
                 "client": target.client, "connections": target.connections,
                 "dialogue": target.dialogue, "bound": target.bound, "ratios": found,
                 "verdict": word}
                for target in report.ACCEPTANCE + report.TARGETS
                for found, word in [report.verdict(rounds, target)]]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"machine": facts, "verdicts": verdicts,
                   "rounds": [[{**cell(key), **sample} for key, sample in each.items()]
                              for each in rounds],
                   "skipped": [{**cell(key), "reason": reason}
                               for key, reason in skipped.items()]}, file, indent=1)
        file.write("\n")


def run(options):
    subjects = [Sink(), Ceiling(durable=True), Ceiling(durable=False)]
    if options.mailrace:
        subjects = [Mailrace(options.mailrace, "commit"), Mailrace(options.mailrace, "none"),
                    *subjects]
    workloads = [Workload(each.connections, each.dialogue,
                          max(each.connections, int(each.messages * options.scale)))
                 for each in WORKLOADS if re.search(options.only, each.name)]
    facts = {**report.machine(), "load": f"{os.getloadavg()[0]:.1f}"}
    rounds, skipped = [], {}
    directory = tempfile.mkdtemp(prefix="compare-", dir=options.directory or options.build)
    place = Place(os.path.join(options.build, "bench"), directory, options.server_core,
                  options.client_core)
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            # Nobody is always the one who runs after a pause, or after the heaviest.
            turn = number % len(subjects)
            rounds.append(measure_round(subjects[turn:] + subjects[:turn], workloads, place,
                                        skipped))
    finally:
        shutil.rmtree(directory)
    print(report.render(facts, rounds, options.markdown), end="")
    if options.json:
        write_json(options.json, facts, rounds, skipped)
    met = all(report.verdict(rounds, target)[1] == "met" for target in report.ACCEPTANCE)
    return 1 if options.check and not met else 0


def main():
    options = arguments()
    for program in ["ceiling", "load"]:
        if not os.access(os.path.join(options.build, "bench", program), os.X_OK):
            print(f"compare.py: no bench/{program} in {options.build}: build it first, or see "
                  "--build", file=sys.stderr)
            return 66
    if options.mailrace and not os.access(options.mailrace, os.X_OK):
        print(f"compare.py: --mailrace {options.mailrace}: no such program", file=sys.stderr)
        return 66
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
