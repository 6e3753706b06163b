"""What compare.py prints: medians with their range, ratios within a round, targets and verdicts."""
import os
import platform
import re
import statistics
import subprocess
import time

import open_loop
import targets
from targets import peer, ratios, verdict
from workloads import CEILING, SINK, WORKLOADS

NOTHING = "–"


def spread(values, form):
    """Median (min–max), in that format."""
    low, middle, high = (form.format(value)
                         for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}–{high})"


def column(samples, metric, form, scale=1):
    """The same of what was measured of a row, which may be nothing."""
    values = [sample[metric] * scale for sample in samples if sample.get(metric) is not None]
    return spread(values, form) if values else NOTHING


def middle(values, form):
    return form.format(statistics.median(values)) if values else NOTHING


def table(rows, markdown):
    """Rows of text, the first one the heading; the first column is left-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = [cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i])
                 for i, cell in enumerate(row)]
        lines.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if markdown and number == 0:
            rule = ["-" * width if i == 0 else "-" * (width - 1) + ":"
                    for i, width in enumerate(widths)]
            lines.append("| " + " | ".join(rule) + " |")
    return ["", *lines]


class Report:
    """The rounds (a sample for each key measured), and why others were not (`skipped`)."""

    def __init__(self, rounds, skipped, markdown=False):
        self.rounds = rounds
        self.skipped = skipped
        self.markdown = markdown

    def samples(self, key):
        return [each[key] for each in self.rounds if key in each]

    def asked_for(self, keys):
        return [key for key in keys if self.samples(key) or key in self.skipped]

    def rate(self, key):
        samples = self.samples(key)
        return column(samples, "rate", "{:,.0f}") if samples else "not measured"

    def ratio(self, metric, key, against):
        return middle(ratios(self.rounds, metric, key, against), "{:.2f}")

    def table(self, rows, keys):
        """And why rows of it are empty, or come from fewer rounds."""
        if len(rows) == 1:
            return []
        notes = [f"* {name(key)}: {self.failure(key)}" for key in keys if key in self.skipped]
        return table(rows, self.markdown) + ([""] + notes if notes else [])

    def failure(self, key):
        count = len(self.samples(key))
        measured = f"measured in {count} of {len(self.rounds)} rounds" if count else "not measured"
        return f"{measured}: {self.skipped[key]}"

    # ------------------------------------------------------------------- the sections ----

    def workload(self, workload):
        """Rate and CPU of each server, and CPU against sink and ceiling."""
        rows = [[workload.name, "messages/s", "server µs/message", "rate : ceiling",
                 "CPU : ceiling", "CPU : smtp-sink", "client µs/message", "per commit"]]
        keys = self.asked_for(workload.keys)
        for key in keys:
            samples = self.samples(key)
            commits = [each["messages_per_commit"] for each in samples
                       if each.get("messages_per_commit")]
            rows.append([name(key), self.rate(key), column(samples, "server_us", "{:.1f}"),
                         self.ratio("rate", key, peer(key, CEILING)),
                         self.ratio("server_us", key, peer(key, CEILING)),
                         self.ratio("server_us", key, peer(key, SINK)),
                         column(samples, "client_us", "{:.1f}"), middle(commits, "{:.0f}")])
        return self.table(rows, keys)

    def judged(self, target):
        found, word = verdict(self.rounds, target)
        return [target.bound, spread(found, target.form) if found else NOTHING, word]

    def generator(self):
        """What blast costs where it runs, and what gathering saves and adds."""
        rows = [["the load generator: 64 connections to smtp-sink", "messages/s",
                 "client µs/message", "p50 ms", "p99 ms", "bound", "CPU : smtp-source", "verdict"]]
        keys = {targets.SOURCE_CPU: ["not pipelined, smtp-source", "", "", ""],
                **{target.of: [target.text, *self.judged(target)]
                   for target in targets.GENERATOR}}
        for key in self.asked_for(keys):
            title, *judged = keys[key]
            samples = self.samples(key)
            rows.append([title, self.rate(key), column(samples, "client_us", "{:.1f}"),
                         *latencies(samples), *judged])
        return self.table(rows, [])  # the tables before it tell the reasons

    def open_loop(self):
        """How exactly a rate was held, and what latency from the intended start was then."""
        rows = [[f"{open_loop.CONNECTIONS} connections to mailrace, {open_loop.PLAIN.name}",
                 "asked/s", "got/s", "late", "p50 ms", "p99 ms", "bound", "off by", "verdict"]]
        judged = {target.of: self.judged(target) for target in targets.OPEN_LOOP}
        keys = self.asked_for(open_loop.KEYS)
        for key in keys:
            samples = self.samples(key)
            rows.append([key.workload, column(samples, "asked", "{:,.0f}"), self.rate(key),
                         column(samples, "behind", "{:.1%}"), *latencies(samples),
                         *judged.get(key, ["", "", ""])])
        return self.table(rows, keys)

    def targets(self):
        rows = [["target", "bound", "measured", "verdict"]]
        rows += [[f"{target.of.workload}: {target.text}", *self.judged(target)]
                 for target in targets.SERVER]
        return table(rows, self.markdown)

    def acceptance(self):
        lines = [""]
        for target in targets.ACCEPTANCE:
            found, word = verdict(self.rounds, target)
            measured = f": {spread(found, target.form)} of it" if found else ""
            lines.append(f"{target.text}{measured}: {word.upper()}")
        return lines

    def text(self, facts):
        lines = heading(facts, self.rounds)
        for workload in WORKLOADS:
            lines += self.workload(workload)
        lines += [*self.generator(), *self.open_loop(), *self.targets(), *self.acceptance()]
        return "\n".join(lines) + "\n"


def name(key):
    return f"{key.subject} ← {key.client}" if key.client else key.subject


def latencies(samples):
    return [column(samples, metric, "{:.2f}", 1e-3) for metric in ("p50_us", "p99_us")]


def machine():
    """The facts that a figure is worth nothing without."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return {"time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "processor": model.group(1).strip() if model else platform.machine(),
            "cores": os.cpu_count(), "kernel": platform.release(), "commit": commit()}


def commit():
    folder = os.path.dirname(os.path.abspath(__file__))
    try:
        git = subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty"],
                             capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return git.stdout.strip() or "unknown"


def heading(facts, rounds):
    return [f"{facts['time']}, commit {facts['commit']}, {facts['processor']}, "
            f"{facts['cores']} cores, Linux {facts['kernel']}, load {facts['load']}.",
            f"Medians (min–max) of {len(rounds)} interleaved rounds; ratios are taken within a "
            "round."]
