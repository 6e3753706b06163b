"""What the project has set itself, and whether it was met: ratios of two things measured in the
same round, so that a drifting machine cancels out, or bounds of a figure itself."""
import statistics
from dataclasses import dataclass

import open_loop
from workloads import (BLAST, BLAST_TLS, CEILING, CHUNKED_1K_64, DURABLE, GATHER_200, GATHER_500,
                       NONE, PIPELINED_64, PIPELINED_64K_64, PIPELINED_1000, PLAIN_64, PLAIN_1000,
                       RECIPIENTS_64, RECONNECTING_64, SINK, SOURCE, TLS, Key)

MORE_IS_BETTER = ("rate",)


@dataclass(frozen=True)
class Target:
    text: str
    metric: str  # of the samples: "rate", "server_us", "client_us", "off"
    of: Key
    against: Key | None  # None: the figure itself is bounded
    limit: float

    @property
    def form(self):
        """How its figures are written."""
        if self.against:
            return "{:.2f}"
        return {"rate": "{:,.0f}", "off": "{:.2%}"}[self.metric]

    @property
    def bound(self):
        limit = f"{self.limit:.3g}" if self.against else self.form.format(self.limit)
        return f"{'≥' if self.metric in MORE_IS_BETTER else '≤'} {limit}"

    def met(self, figure):
        if self.metric in MORE_IS_BETTER:
            return figure >= self.limit
        return figure <= self.limit


def peer(key, subject):
    """The row of the same table that a server is held against."""
    return Key(subject, "" if subject.startswith("ceiling") else key.client, key.workload)


def versus(text, metric, key, subject, limit):
    return Target(text, metric, key, peer(key, subject), limit)


PLAIN_DURABLE_64, PLAIN_DURABLE_1000 = PLAIN_64.key(DURABLE), PLAIN_1000.key(DURABLE)
SOURCE_CPU = PLAIN_64.key(SINK, SOURCE)

ACCEPTANCE = [
    versus("Server CPU per durable 4 KiB message (reused connections, not pipelined, "
           "64 connections) at most 1/2 of smtp-sink's", "server_us", PLAIN_DURABLE_64, SINK, 0.5),
    versus("The same with smtp-source as the client", "server_us",
           PLAIN_64.key(DURABLE, SOURCE), SINK, 0.5),
    Target("CPU of blast per 4 KiB message (64 reused connections to smtp-sink, not pipelined) "
           "at most 1/3 of smtp-source's", "client_us", PLAIN_64.key(SINK), SOURCE_CPU, 1 / 3),
    Target("The same, pipelined, at most 1/5 of smtp-source's", "client_us",
           PIPELINED_64.key(SINK), SOURCE_CPU, 1 / 5),
]

SERVER = [
    versus("rate of the durable ceiling's", "rate", PLAIN_DURABLE_1000, CEILING, 0.85),
    versus("CPU of the durable ceiling's", "server_us", PLAIN_DURABLE_1000, CEILING, 1.2),
    versus("CPU of smtp-sink's", "server_us", PLAIN_DURABLE_1000, SINK, 0.30),
    versus("CPU of the durable ceiling's", "server_us", PLAIN_DURABLE_64, CEILING, 1.25),
    versus("CPU of smtp-sink's", "server_us", PLAIN_DURABLE_64, SINK, 0.45),
    versus("rate of the durable ceiling's", "rate", PIPELINED_1000.key(DURABLE), CEILING, 0.75),
    versus("CPU of the durable ceiling's", "server_us", PIPELINED_1000.key(DURABLE), CEILING, 1.6),
    Target("messages/s", "rate", CHUNKED_1K_64.key(DURABLE), None, 200000),
    versus("rate of the durable ceiling's", "rate", PIPELINED_64K_64.key(DURABLE), CEILING, 0.8),
    versus("CPU of smtp-sink's", "server_us", RECONNECTING_64.key(DURABLE), SINK, 1 / 3),
    versus("the same, smtp-source the client", "server_us", RECONNECTING_64.key(DURABLE, SOURCE),
           SINK, 1 / 3),
    versus("CPU of smtp-sink's", "server_us", RECIPIENTS_64.key(DURABLE), SINK, 1 / 8),
    Target("CPU of smtp-sink's under smtp-source", "server_us", RECIPIENTS_64.key(DURABLE),
           RECIPIENTS_64.key(SINK, SOURCE), 1 / 8),
    Target("STARTTLS, CPU of clear text's", "server_us", PLAIN_64.key(TLS, BLAST_TLS),
           PLAIN_DURABLE_64, 1.5),
    versus("rate of durability none's", "rate", PLAIN_DURABLE_1000, NONE, 0.90),
    versus("CPU of durability none's", "server_us", PLAIN_DURABLE_64, NONE, 1.3),
]

GENERATOR = [
    Target(f"{name}, {client}", "client_us", workload.key(SINK, client), SOURCE_CPU, limit)
    for name, workload, limit in [("not pipelined", PLAIN_64, 1 / 3),
                                  ("pipelined", PIPELINED_64, 1 / 5)]
    for client in (BLAST, GATHER_200, GATHER_500)
]

OPEN_LOOP = [Target(key.workload, "off", key, None, 0.01) for key in open_loop.SHARES]

ALL = ACCEPTANCE + SERVER + GENERATOR + OPEN_LOOP


def ratios(rounds, metric, key, against):
    """One ratio per round in which both were measured."""
    return [each[key][metric] / each[against][metric] for each in rounds
            if key in each and against in each]


def verdict(rounds, target):
    """(figures, "met" | "missed" | "not measured")"""
    if target.against:
        found = ratios(rounds, target.metric, target.of, target.against)
    else:
        found = [each[target.of][target.metric] for each in rounds if target.of in each]
    if not found:
        return found, "not measured"
    return found, "met" if target.met(statistics.median(found)) else "missed"
