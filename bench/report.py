"""What compare.py prints: medians with their range, ratios within a round, targets and verdicts."""
import os
import platform
import re
import statistics
import subprocess
import time
from dataclasses import dataclass

DURABLE, SINK, CEILING, NONE = "mailrace", "smtp-sink", "ceiling, durable", \
    "mailrace, durability none"


@dataclass(frozen=True)
class Key:
    """One cell of the comparison."""
    subject: str
    client: str  # "" for the ceiling, which brings its own
    connections: int
    dialogue: str


@dataclass(frozen=True)
class Target:
    text: str
    metric: str  # "rate" or "server_us"
    of: str
    against: str
    connections: int
    dialogue: str
    limit: float
    client: str = "load"

    def met(self, ratio):
        return ratio >= self.limit if self.metric == "rate" else ratio <= self.limit

    @property
    def bound(self):
        return f"{'≥' if self.metric == 'rate' else '≤'} {self.limit:.2f}"


ACCEPTANCE = [
    Target("Server CPU per durable 4 KiB message (reused connections, not pipelined, "
           "64 connections) at most 1/2 of smtp-sink's", "server_us", DURABLE, SINK, 64, "plain",
           0.5),
    Target("The same with smtp-source as the client", "server_us", DURABLE, SINK, 64, "plain",
           0.5, client="smtp-source"),
]

TARGETS = [
    Target("rate of the durable ceiling's", "rate", DURABLE, CEILING, 1000, "plain", 0.85),
    Target("CPU of the durable ceiling's", "server_us", DURABLE, CEILING, 1000, "plain", 1.2),
    Target("CPU of smtp-sink's", "server_us", DURABLE, SINK, 1000, "plain", 0.30),
    Target("CPU of the durable ceiling's", "server_us", DURABLE, CEILING, 64, "plain", 1.25),
    Target("CPU of smtp-sink's", "server_us", DURABLE, SINK, 64, "plain", 0.45),
    Target("rate of the durable ceiling's", "rate", DURABLE, CEILING, 1000, "chained", 0.75),
    Target("CPU of the durable ceiling's", "server_us", DURABLE, CEILING, 1000, "chained", 1.6),
    Target("rate of durability none's", "rate", DURABLE, NONE, 1000, "plain", 0.90),
    Target("CPU of durability none's", "server_us", DURABLE, NONE, 64, "plain", 1.3),
]


def spread(values, digits):
    """Median (min–max)."""
    values = sorted(values)
    return (f"{statistics.median(values):,.{digits}f} "
            f"({values[0]:,.{digits}f}–{values[-1]:,.{digits}f})")


def ratios(rounds, metric, key, against):
    """One ratio per round in which both were measured: a drifting machine cancels out."""
    return [each[key][metric] / each[against][metric] for each in rounds
            if key in each and against in each]


def peer(key, subject):
    return Key(subject, "" if subject.startswith("ceiling") else key.client, key.connections,
               key.dialogue)


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
    return lines


def figures(rounds, markdown):
    """A table per workload: rate and CPU of each subject, and CPU against sink and ceiling."""
    keys = list(dict.fromkeys(key for each in rounds for key in each))
    lines = []
    for connections, dialogue in dict.fromkeys((k.connections, k.dialogue) for k in keys):
        rows = [["4 KiB, " + f"{dialogue}, {connections} connections", "messages/s",
                 "server µs/message", "rate : ceiling", "CPU : ceiling", "CPU : smtp-sink",
                 "client µs", "per commit"]]
        for key in keys:
            if (key.connections, key.dialogue) == (connections, dialogue):
                rows.append(figures_row(rounds, key))
        lines += ["", *table(rows, markdown)]
    return lines


def figures_row(rounds, key):
    samples = [each[key] for each in rounds if key in each]

    def ratio(metric, subject):
        found = ratios(rounds, metric, key, peer(key, subject))
        return f"{statistics.median(found):.2f}" if found else "–"

    commits = [s["messages_per_commit"] for s in samples if s.get("messages_per_commit")]
    name = f"{key.subject} ← {key.client}" if key.client else key.subject
    return [name, spread([s["rate"] for s in samples], 0),
            spread([s["server_us"] for s in samples], 1),
            ratio("rate", CEILING), ratio("server_us", CEILING), ratio("server_us", SINK),
            f"{statistics.median(s['client_us'] for s in samples):.1f}",
            f"{statistics.median(commits):.0f}" if commits else "–"]


def verdict(rounds, target):
    """(ratios, "met" | "missed" | "not measured")"""
    key = Key(target.of, target.client, target.connections, target.dialogue)
    found = ratios(rounds, target.metric, key, peer(key, target.against))
    if not found:
        return found, "not measured"
    return found, "met" if target.met(statistics.median(found)) else "missed"


def targets(rounds, markdown):
    rows = [["target", "bound", "measured", "verdict"]]
    for target in TARGETS:
        found, word = verdict(rounds, target)
        rows.append([f"{target.dialogue}, {target.connections} connections: {target.text}",
                     target.bound, spread(found, 2) if found else "–", word])
    return ["", *table(rows, markdown)]


def acceptance(rounds):
    lines = [""]
    for target in ACCEPTANCE:
        found, word = verdict(rounds, target)
        measured = f": {spread(found, 2)} of it" if found else ""
        lines.append(f"{target.text}{measured}: {word.upper()}")
    return lines


def machine():
    """The facts that a figure is worth nothing without."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    git = subprocess.run(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe",
                          "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {"time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "processor": model.group(1).strip() if model else platform.machine(),
            "cores": os.cpu_count(), "kernel": platform.release(),
            "commit": git.stdout.strip() or "unknown"}


def heading(facts, rounds):
    return [f"{facts['time']}, commit {facts['commit']}, {facts['processor']}, "
            f"{facts['cores']} cores, Linux {facts['kernel']}, load {facts['load']}.",
            f"Medians (min–max) of {len(rounds)} interleaved rounds; ratios are taken within a "
            "round."]


def render(facts, rounds, markdown):
    return "\n".join([*heading(facts, rounds), *figures(rounds, markdown),
                      *targets(rounds, markdown), *acceptance(rounds)]) + "\n"
