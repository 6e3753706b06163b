"""What bypass.py prints: both sides of each workload, the ratios within a round, the targets."""
import statistics

from report import NOTHING, column, heading, middle, spread, table

GB_PER_S = 1e9


def samples(rounds, *key):
    return [each[key] for each in rounds if key in each]


def ratios(rounds, metric, over, under):
    """One per round in which both were measured."""
    return [each[over][metric] / each[under][metric] for each in rounds
            if over in each and under in each]


def ceilings(bench, sides, markdown):
    rows = [["the transport alone", *(f"{side}: turns/s" for side in sides), "ratio",
             *(f"{side}: µs/message" for side in sides), "durable messages/s",
             "past the kernel", "ratio"]]
    for workload in bench.workloads:
        def of(kind, metric, form, side, name=workload.name):
            return column(samples(bench.rounds, name, kind, side), metric, form)

        def ratio(kind, metric, name=workload.name):
            return middle(ratios(bench.rounds, metric, (name, kind, sides[1]),
                                 (name, kind, sides[0])), "{:.1f}")
        rows.append([workload.name,
                     *(of("ceiling", "turns", "{:,.0f}", side) for side in sides),
                     ratio("ceiling", "turns"),
                     *(of("ceiling", "server_us", "{:.1f}", side) for side in sides),
                     *(of("durable ceiling", "rate", "{:,.0f}", side) for side in sides),
                     ratio("durable ceiling", "rate")])
    return table(rows, markdown)


def mail(bench, sides, markdown):
    rows = [["mailrace, durable", "over", "messages/s", "ratio", "server µs/message", "ratio",
             "blast µs/message", "p50 ms", "p99 ms", "per commit"]]
    for workload in bench.workloads:
        first = (workload.name, "mail", sides[0])
        for side in sides:
            key = (workload.name, "mail", side)
            found = samples(bench.rounds, *key)

            def ratio(metric, key=key, first=first):
                return "" if key == first else middle(ratios(bench.rounds, metric, key, first),
                                                      "{:.2f}")
            rows.append([workload.name if side == sides[0] else "", side,
                         column(found, "rate", "{:,.0f}"), ratio("rate"),
                         column(found, "server_us", "{:.1f}"), ratio("server_us"),
                         column(found, "client_us", "{:.1f}"),
                         column(found, "p50_us", "{:.2f}", 1e-3),
                         column(found, "p99_us", "{:.2f}", 1e-3),
                         column(found, "per_commit", "{:.0f}")])
    return table(rows, markdown)


def flatness(rounds, side, names):
    """In each round the highest rate of these workloads over the lowest."""
    found = []
    for each in rounds:
        rates = [each[name, "mail", side]["rate"] for name in names if (name, "mail", side) in each]
        if len(rates) == len(names):
            found.append(max(rates) / min(rates))
    return found


def targets(rounds, sides):
    """(text, bound, form, figures, whether one meets it)"""
    def faster(connections):
        name = f"4 KiB, {connections} connections"
        return ratios(rounds, "rate", (name, "mail", sides[1]), (name, "mail", sides[0]))

    widths = [f"4 KiB, {count} connections" for count in ("64", "1,000", "10,000")]
    wide = [max((sample["bytes"] for key, sample in each.items()
                 if key[0].startswith("64 KiB") and key[1:] == ("mail", sides[1])), default=0)
            for each in rounds]
    return [
        ("messages/s of io_uring's, 4 KiB, 1,000 connections", "≥ 4", "{:.2f}", faster("1,000"),
         lambda figure: figure >= 4),
        ("messages/s of io_uring's, 4 KiB, 64 connections", "≥ 2.5", "{:.2f}", faster("64"),
         lambda figure: figure >= 2.5),
        ("highest rate over lowest, 4 KiB, 64 to 10,000 connections", "≤ 2", "{:.2f}",
         flatness(rounds, sides[1], widths), lambda figure: figure <= 2),
        ("durable GB/s in messages of 64 KiB", "≥ 1", "{:.2f}",
         [each / GB_PER_S for each in wide if each], lambda figure: figure >= 1),
    ]


def verdicts(rounds, sides, markdown):
    rows = [["target", "bound", "measured", "verdict"]]
    for text, bound, form, figures, met in targets(rounds, sides):
        word = "not measured"
        if figures:
            word = "met" if met(statistics.median(figures)) else "missed"
        rows.append([text, bound, spread(figures, form) if figures else NOTHING, word])
    return table(rows, markdown)


def text(facts, bench, sides, markdown):
    lines = [*heading(facts, bench.rounds), f"Memory of each end of memif: {facts['memory']}.",
             *ceilings(bench, sides, markdown), *mail(bench, sides, markdown),
             *verdicts(bench.rounds, sides, markdown)]
    if bench.failures:
        lines += ["", *(f"* not measured: {', '.join(key)}: {why}"
                        for key, why in bench.failures.items())]
    return "\n".join(lines)
