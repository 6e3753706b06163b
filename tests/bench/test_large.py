"""The benchmark of a large store, on a small one: its figures are of what it has really done."""
import json
import os
import subprocess
import sys
import tempfile

import tap

BUILD = os.environ["BUILD"]


def run(*flags):
    return subprocess.run([sys.executable, os.path.join(tap.BENCH, "store.py"), "--build", BUILD,
                           "--mailrace", os.environ["MAILRACE"], *flags],
                          capture_output=True, text=True, timeout=120, check=False)


def small_one():
    with tempfile.TemporaryDirectory(dir=os.path.join(BUILD, "bench")) as folder:
        figures = os.path.join(folder, "figures.json")
        done = run("--directory", folder, "--messages", "20000", "--mailboxes", "400",
                   "--pairs", "1", "--pair-messages", "2000", "--mail-messages", "2000",
                   "--keep-caches", "--json", figures)
        tap.equal((done.returncode, done.stderr), (0, ""))
        tap.equal(os.listdir(folder), ["figures.json"])
        tap.holds(done.stdout, "20,000, 400", "caches NOT dropped", "kill -9")
        with open(figures, encoding="utf-8") as file:
            found = json.load(file)
        # 20000 messages in 400 mailboxes: 400 logins meet about 50 in each.
        tap.equal(18000 < found["logins"]["messages"] < 22000, True)
        tap.equal(found["fill"]["messages"], 20000)
        for kind in ("appended", "mailed"):
            tap.equal([sorted(pair) for pair in found[kind]], [["empty", "large"]])


def no_program():
    done = run("--build", "/nowhere")
    tap.equal(done.returncode, 66)
    tap.holds(done.stderr, "/nowhere")


def what_is_wrong():
    for code, words, arguments in ((64, "--pairs: 0: not a number", ("--pairs", "0")),
                                   (66, "--directory", ("--directory", "/nowhere"))):
        done = run(*arguments)
        tap.equal(done.returncode, code)
        tap.holds(done.stderr, words)


if __name__ == "__main__":
    tap.run([("a small store", small_one), ("no program", no_program),
             ("what is wrong", what_is_wrong)])
