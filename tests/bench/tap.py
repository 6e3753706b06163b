"""Test Anything Protocol for the Python tests of this folder, and the way to what they test."""
import os
import sys
import traceback

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench")
sys.path.insert(0, BENCH)


def run(checks):
    """Runs (name, function) pairs; a check fails by raising."""
    checks = list(checks)
    print(f"1..{len(checks)}", flush=True)
    for number, (name, function) in enumerate(checks, 1):
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # pylint: disable=broad-except
            print(f"not ok {number} - {name}", flush=True)
            traceback.print_exc(file=sys.stderr)


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r}, expected {expected!r}")


def holds(text, *words):
    for each in words:
        if each not in text:
            raise AssertionError(f"{each!r} is not in:\n{text}")
