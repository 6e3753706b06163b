"""The flags that the benchmarks have in common, and whether a benchmark can begin with them."""
import argparse
import os
import re


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


def count(text):
    """A number of things, of which there is one at least."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text}: not a number from 1 on")
    return int(text)


def pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


class Parser(argparse.ArgumentParser):
    """Wrong usage ends with the code that the rest of mailrace has for it."""

    def __init__(self, about, **more):
        super().__init__(description=about.split("\n\n", maxsplit=1)[0], **more)

    def error(self, message):
        self.exit(os.EX_USAGE, f"{self.prog}: {message} (see --help)\n")

    def add_places(self, needed):
        """Where the programs are, and where to measure."""
        self.needed = needed
        self.add_argument("--build", default="build/bench", metavar="DIR",
                          help=f"build folder with bench/{needed} (%(default)s)")
        self.add_argument("--mailrace", default="build/release/mailrace", metavar="FILE",
                          help="the program (%(default)s)")
        self.add_argument("--directory", metavar="DIR",
                          help="on the disk to measure (default: the build's)")
        self.add_argument("--json", metavar="FILE", help="every figure, for other programs")

    def add_rounds(self, example):
        """What to measure, how often, and on which cores."""
        self.add_argument("--rounds", type=number(int, 1), default=3, metavar="N",
                          help="(%(default)s)")
        self.add_argument("--scale", type=number(float, 0.001), default=1, metavar="X",
                          help="that many times the messages (%(default)s)")
        self.add_argument("--only", type=pattern, default="", metavar="REGEX",
                          help=f"workloads to measure, like {example} (all)")
        self.add_argument("--server-core", type=number(int, 0), default=0, metavar="N",
                          help="(%(default)s)")
        self.add_argument("--client-core", type=number(int, 0), default=1, metavar="N",
                          help="(%(default)s)")
        self.add_argument("--markdown", action="store_true", help="print Markdown tables")

    def parse(self, names=None):
        """The options; ends the program when it can't begin with them. See missing."""
        options = self.parse_args()
        failed = missing(options, self.needed, names)
        if failed:
            code, line = failed
            self.exit(code, f"{self.prog}: {line}\n")
        return options


def missing(options, needed, names=None):
    """What a benchmark can't begin without: an exit code and a line, or nothing. `names`: of the
    workloads that --only chooses from."""
    for flag, program in [("--build", os.path.join(options.build, "bench", needed)),
                          ("--mailrace", options.mailrace)]:
        if not (os.path.isfile(program) and os.access(program, os.X_OK)):
            return os.EX_NOINPUT, f"{flag}: no program {program}: build it first (./dev bench does)"
    if options.directory and not os.path.isdir(options.directory):
        return os.EX_NOINPUT, f"--directory: no folder {options.directory}"
    if names is not None:
        cores = os.sched_getaffinity(0)
        for flag, core in [("--server-core", options.server_core),
                           ("--client-core", options.client_core)]:
            if core not in cores:
                return os.EX_USAGE, f"{flag} {core}: there are only {sorted(cores)}"
        if not any(re.search(options.only, name) for name in names):
            return os.EX_USAGE, f"--only {options.only.pattern}: no workload has such a name"
    try:
        with open(options.json or os.devnull, "a", encoding="utf-8"):
            return None
    except OSError as error:
        return os.EX_CANTCREAT, f"--json: {error}"
