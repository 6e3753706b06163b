"""Runs the end-to-end tests and prints TAP: one check per test method.

  /usr/bin/python3 tests/e2e/run.py [--program PATH] [--over WAY] [--long] [filter…]

A filter is a part of FILE.CLASS.METHOD. Tests start servers on free loopback ports with stores of
their own and talk to them with real clients; --over takes those that are about mail on the network
past the kernel (ways.py), and says of each other one of the same files why it is left out.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time
import traceback
import unittest

import dpdk
import ways

HERE = pathlib.Path(__file__).parent


class TapResult(unittest.TestResult):
    """A test with failing subtests is one failed check that explains each of them."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.failed = False
        self.begin()

    def begin(self):
        self.problems, self.skipped_because, self.left_out = [], None, False

    def startTest(self, test):
        super().startTest(test)
        self.begin()
        self.started = time.monotonic()

    def addFailure(self, test, err):
        self.problems.append((test, err))

    def addError(self, test, err):
        if isinstance(test, unittest.TestCase):
            return self.addFailure(test, err)
        # A whole class could not be set up: its tests will not run.
        self.begin()
        self.problems = [(test, err)]
        self.report(test)

    def addSubTest(self, test, subtest, err):
        if err:
            self.problems.append((subtest, err))

    def addSkip(self, test, reason):
        self.skipped_because = reason
        self.left_out = isinstance(sys.exc_info()[1], ways.LeftOut)
        if not isinstance(test, unittest.TestCase):  # nor will they here
            self.report(test)
            self.begin()

    def stopTest(self, test):
        super().stopTest(test)
        self.report(test)
        print(f'# {time.monotonic() - self.started:.1f} s', flush=True)

    def report(self, test):
        if self.left_out and not self.problems:
            print(f'# left out: {test.id()}: {self.skipped_because}')
            return
        self.number += 1
        skip = f' # SKIP {self.skipped_because}' if self.skipped_because else ''
        print(f'{"not " if self.problems else ""}ok {self.number} - {test.id()}{skip}')
        for subject, err in self.problems:
            for line in explain(subject, err):
                print('#', line)
        self.failed = self.failed or bool(self.problems)


def explain(test, err):
    """The innermost line of the tests' own, and what was wrong there."""
    yield str(getattr(test, '_subDescription', lambda: '')()) or test.id()
    frames = [frame for frame in traceback.extract_tb(err[2]) if str(HERE) in frame.filename]
    for frame in frames[-2:]:
        yield f'{pathlib.Path(frame.filename).name}:{frame.lineno}: {frame.line}'
    for line in ''.join(traceback.format_exception_only(*err[:2])).splitlines()[-20:]:
        yield line[:400]


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def select(filters):
    suites = ways.way().SUITES
    for test in flatten(unittest.defaultTestLoader.discover(str(HERE))):
        if (not suites or test.id().partition('.')[0] in suites) and \
                (not filters or any(word in test.id() for word in filters)):
            yield test


def run_here(filters):
    result = TapResult()
    unittest.TestSuite(select(filters)).run(result)
    print(f'1..{result.number}')
    return 1 if result.failed or not (result.number or filters) else 0


def run_behind_a_cable():
    """This program again, where the kernel's clients are."""
    with dpdk.LoopbackCable() as cable:
        return subprocess.run(['ip', 'netns', 'exec', cable.space, sys.executable, *sys.argv],
                              env={**os.environ, 'PATH': dpdk.SBIN,
                                   'MAILRACE_CABLE': f'{os.getpid()} {cable.device}'}).returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--over', choices=ways.BY_NAME, default='kernel')
    parser.add_argument('--long', action='store_true')
    parser.add_argument('filters', nargs='*')
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())
    if arguments.long:
        os.environ['MAILRACE_LONG'] = '1'
    os.environ['MAILRACE_OVER'] = arguments.over
    try:
        if arguments.over != 'kernel':
            dpdk.need()
        if arguments.over == 'veth' and 'MAILRACE_CABLE' not in os.environ:
            return run_behind_a_cable()
    except unittest.SkipTest as reason:
        print(f'ok 1 - over {arguments.over} # SKIP {reason}\n1..1')
        return 0
    return run_here(arguments.filters)


if __name__ == '__main__':
    sys.exit(main())
