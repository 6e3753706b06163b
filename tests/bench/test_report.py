"""Medians, ratios within a round, and verdicts, from rounds made up for it."""
import tap

import targets
import workloads
from report import Report, spread, table
from targets import Target, verdict
from workloads import PLAIN_64

SERVER = PLAIN_64.key(workloads.DURABLE)
SINK = PLAIN_64.key(workloads.SINK)
CEILING = PLAIN_64.key(workloads.CEILING, workloads.ITSELF)
FACTS = {"time": "T", "commit": "C", "processor": "P", "cores": 2, "kernel": "K", "load": "0"}


def sample(rate, server_us, client_us=10.0):
    return {"rate": rate, "server_us": server_us, "client_us": client_us,
            "messages_per_commit": 16}


def made_up(*server_us):
    """Rounds in which the machine gets twice as slow each time: ratios must not notice."""
    return [{SERVER: sample(1000 / 2**i, used * 2**i),
             SINK: sample(500 / 2**i, 60 * 2**i, 20 * 2**i),
             targets.SOURCE_CPU: sample(300 / 2**i, 60 * 2**i, 60 * 2**i),
             CEILING: sample(2000 / 2**i, 20 * 2**i)}
            for i, used in enumerate(server_us)]


def verdict_is(rounds, wanted, word, figures):
    found, got = verdict(rounds, wanted)
    tap.equal([round(each, 3) for each in found], figures)
    tap.equal(got, word)


def target(metric, against, limit):
    return Target("", metric, SERVER, against, limit)


def acceptance_says(rounds, *words):
    lines = Report(rounds, {}).acceptance()[1:]
    tap.equal([line.rsplit(": ", 1)[1] for line in lines], list(words))


def markdown_is_a_table():
    lines = table([["a", "b"], ["c", "1"]], markdown=True)
    tap.equal(lines, ["", "| a | b |", "| - | : |", "| c | 1 |"])


def report_names_everything():
    text = Report(made_up(30, 30, 30), {}).text(FACTS)
    tap.holds(text, "mailrace ← blast", "smtp-sink ← blast", "ceiling, durable", "3 interleaved",
              "250–1,000", "0.50 (0.50–0.50) of it: MET", "not pipelined, smtp-source",
              "NOT MEASURED")
    tap.equal("open loop" in text.split("\ntarget", 1)[0], False)


def what_failed_is_a_row(rounds, words):
    skipped = {SINK: "smtp-sink is not installed (package postfix)"}
    for each in rounds[1:]:
        del each[SINK]
    lines = "\n".join(Report(rounds, skipped).workload(PLAIN_64)).splitlines()
    rows = [line for line in lines if line.startswith("smtp-sink ← blast")]
    tap.equal(len(rows), 1)
    tap.holds(lines[-1], f"* smtp-sink ← blast: {words}: smtp-sink is not installed")


def nothing_at_all_but_the_reason():
    text = Report([{}], dict.fromkeys([SINK, SERVER], "why")).text(FACTS)
    tap.holds(text, "not measured: why", "smtp-sink ← blast", "mailrace ← blast")


def every_target_can_be_measured():
    measured = {key for each in workloads.WORKLOADS for key in each.keys}
    measured.update(targets.open_loop.KEYS)
    for each in targets.ALL:
        for key in [each.of, each.against]:
            if key and key not in measured:
                raise AssertionError(key)


CHECKS = [
    ("median and range",
     lambda: tap.equal(spread([3, 1, 2000], "{:,.0f}"), "3 (1–2,000)")),
    ("CPU below the bound", lambda: verdict_is(
        made_up(24, 30, 36), target("server_us", SINK, 0.5), "met", [0.4, 0.5, 0.6])),
    ("CPU above the bound", lambda: verdict_is(
        made_up(24, 31, 36), target("server_us", SINK, 0.5), "missed", [0.4, 0.517, 0.6])),
    ("rate above the bound", lambda: verdict_is(
        made_up(1, 1, 1), target("rate", CEILING, 0.5), "met", [0.5, 0.5, 0.5])),
    ("rate below the bound", lambda: verdict_is(
        made_up(1, 1, 1), target("rate", CEILING, 0.51), "missed", [0.5, 0.5, 0.5])),
    ("a rate by itself, met", lambda: verdict_is(
        made_up(1, 1, 1), target("rate", None, 500), "met", [1000, 500, 250])),
    ("a rate by itself, missed", lambda: verdict_is(
        made_up(1, 1, 1), target("rate", None, 501), "missed", [1000, 500, 250])),
    ("how far off, met", lambda: verdict_is(
        [{SERVER: {"off": 0.01}}], target("off", None, 0.01), "met", [0.01])),
    ("how far off, missed", lambda: verdict_is(
        [{SERVER: {"off": 0.011}}], target("off", None, 0.01), "missed", [0.011])),
    ("bounds as they are written", lambda: tap.equal(
        [each.bound for each in (target("server_us", SINK, 1 / 3), target("rate", None, 200000),
                                 target("off", None, 0.01), target("rate", SINK, 0.85))],
        ["≤ 0.333", "≥ 200,000", "≤ 1.00%", "≥ 0.85"])),
    ("not measured", lambda: verdict_is(
        made_up(1), target("rate", PLAIN_64.key(workloads.NONE), 0.9), "not measured", [])),
    ("half of a round is no ratio", lambda: verdict_is(
        [*made_up(30), {SERVER: sample(1, 1)}], target("server_us", SINK, 0.5), "met", [0.5])),
    ("acceptance met", lambda: acceptance_says(
        made_up(30), "MET", "NOT MEASURED", "MET", "NOT MEASURED")),
    ("acceptance missed", lambda: acceptance_says(
        made_up(31), "MISSED", "NOT MEASURED", "MET", "NOT MEASURED")),
    ("Markdown", markdown_is_a_table),
    ("the whole report", report_names_everything),
    ("what was never measured has a row and a reason",
     lambda: what_failed_is_a_row([{SERVER: sample(1, 1)}], "not measured")),
    ("what failed once has its figures and a reason",
     lambda: what_failed_is_a_row(made_up(30, 30), "measured in 1 of 2 rounds")),
    ("reasons alone", nothing_at_all_but_the_reason),
    ("every target can be measured", every_target_can_be_measured),
]

if __name__ == "__main__":
    tap.run(CHECKS)
