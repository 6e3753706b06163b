"""compare.py as a program: what it refuses, and one small comparison."""
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile

import tap

import compare
import open_loop

BUILD = os.environ["BUILD"]
CORE = str(min(os.sched_getaffinity(0)))
FLAGS = ["--build", BUILD, "--mailrace", os.environ["MAILRACE"], "--server-core", CORE,
         "--client-core", CORE]


def compare_refuses(code, words, *arguments):
    output, errors = io.StringIO(), io.StringIO()
    sys.argv = ["compare.py", *FLAGS, *arguments]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            ended = compare.main()
        except SystemExit as end:
            ended = end.code
    tap.equal((ended, output.getvalue()), (code, ""))
    tap.equal(len(errors.getvalue().splitlines()), 1)
    tap.holds(errors.getvalue(), words)


def compare_measures():
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        path = os.path.join(folder, "json")
        done = subprocess.run([sys.executable, os.path.join(tap.BENCH, "compare.py"), *FLAGS,
                               "--only", open_loop.NAME, "--rounds", "1", "--scale", "0.01",
                               "--json", path],
                              capture_output=True, text=True, timeout=120, check=False)
        tap.equal((done.returncode, done.stderr), (0, "round 1 of 1\n"))
        tap.holds(done.stdout, "80% of it", "1 interleaved rounds", "NOT MEASURED")
        with open(path, encoding="utf-8") as file:
            written = json.load(file)
    tap.equal([each["workload"] for each in written["rounds"][0]],
              [key.workload for key in open_loop.KEYS])
    tap.equal(written["skipped"], [])
    found = {each["verdict"] for each in written["verdicts"]}
    tap.equal(found <= {"met", "missed", "not measured"}, True)


def checks():
    for code, words, arguments in [
            (66, "no program nowhere/bench/ceiling", ["--build", "nowhere"]),
            (66, "no program nowhere", ["--mailrace", "nowhere"]),
            (66, "no folder nowhere", ["--directory", "nowhere"]),
            (73, "nowhere/json", ["--json", "nowhere/json"]),
            (64, "--client-core 471", ["--client-core", "471"]),
            (64, "no workload has such a name", ["--only", "avian carriers"]),
            (64, "--only", ["--only", "("]),
            (64, "--scale: 0: not from", ["--scale", "0"]),
            (64, "--rounds: many: not from", ["--rounds", "many"])]:
        yield f"compare.py {' '.join(arguments)}", \
            lambda code=code, words=words, arguments=arguments: compare_refuses(
                code, words, *arguments)
    yield "compare.py measures", compare_measures


if __name__ == "__main__":
    tap.run(checks())
