"""Medians, ratios within a round, and verdicts, from rounds made up for it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))

import report  # pylint: disable=wrong-import-position
import tap  # pylint: disable=wrong-import-position


def key(subject, client="load"):
    return report.Key(subject, client, 64, "plain")


def sample(rate, server_us):
    return {"rate": rate, "server_us": server_us, "client_us": 10.0, "messages_per_commit": 16}


def made_up(*server_us):
    """Rounds in which the machine gets twice as slow each time: ratios must not notice."""
    return [{key(report.DURABLE): sample(1000 / 2**i, used * 2**i),
             key(report.SINK): sample(500 / 2**i, 60 * 2**i),
             key(report.CEILING, ""): sample(2000 / 2**i, 20 * 2**i)}
            for i, used in enumerate(server_us)]


def target(metric, against, limit):
    return report.Target("", metric, report.DURABLE, against, 64, "plain", limit)


def verdict_is(rounds, wanted, word, ratios):
    found, verdict = report.verdict(rounds, wanted)
    tap.equal([round(each, 3) for each in found], ratios)
    tap.equal(verdict, word)


def acceptance_says(rounds, word):
    tap.equal(report.acceptance(rounds)[1].endswith(word), True)


def markdown_is_a_table():
    lines = report.table([["a", "b"], ["c", "1"]], markdown=True)
    tap.equal(lines, ["| a | b |", "| - | : |", "| c | 1 |"])


def report_names_everything():
    text = report.render({"time": "T", "commit": "C", "processor": "P", "cores": 2, "kernel": "K",
                          "load": "0"}, made_up(30, 30, 30), markdown=False)
    for words in ["mailrace ← load", "smtp-sink ← load", "ceiling, durable", "3 interleaved",
                  "250–1,000", "0.50 (0.50–0.50) of it: MET", "NOT MEASURED"]:
        if words not in text:
            raise AssertionError(f"{words!r} is not in:\n{text}")


CHECKS = [
    ("median and range", lambda: tap.equal(report.spread([3, 1, 2000], 0), "3 (1–2,000)")),
    ("CPU below the bound", lambda: verdict_is(
        made_up(24, 30, 36), target("server_us", report.SINK, 0.5), "met", [0.4, 0.5, 0.6])),
    ("CPU above the bound", lambda: verdict_is(
        made_up(24, 31, 36), target("server_us", report.SINK, 0.5), "missed", [0.4, 0.517, 0.6])),
    ("rate above the bound", lambda: verdict_is(
        made_up(1, 1, 1), target("rate", report.CEILING, 0.5), "met", [0.5, 0.5, 0.5])),
    ("rate below the bound", lambda: verdict_is(
        made_up(1, 1, 1), target("rate", report.CEILING, 0.51), "missed", [0.5, 0.5, 0.5])),
    ("not measured", lambda: verdict_is(
        made_up(1), target("rate", report.NONE, 0.9), "not measured", [])),
    ("half of a round is no ratio", lambda: verdict_is(
        [*made_up(30), {key(report.DURABLE): sample(1, 1)}], target("server_us", report.SINK, 0.5),
        "met", [0.5])),
    ("acceptance met", lambda: acceptance_says(made_up(30), ": MET")),
    ("acceptance missed", lambda: acceptance_says(made_up(31), ": MISSED")),
    ("acceptance not measured", lambda: acceptance_says([{}], ": NOT MEASURED")),
    ("Markdown", markdown_is_a_table),
    ("the whole report", report_names_everything),
]

if __name__ == "__main__":
    tap.run(CHECKS)
