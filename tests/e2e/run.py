"""Runs the end-to-end tests and prints TAP: one check per test method.

  /usr/bin/python3 tests/e2e/run.py [--program PATH] [--long] [filter…]

A filter is a part of FILE.CLASS.METHOD. Tests start servers on free loopback ports with stores of
their own and talk to them with real clients.
"""
import argparse
import os
import pathlib
import sys
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).parent


class TapResult(unittest.TestResult):
    """A test with failing subtests is one failed check that explains each of them."""

    def __init__(self, planned):
        super().__init__()
        self.number = 0
        self.failed = False
        self.problems, self.skipped_because = [], None
        print(f'1..{planned}', flush=True)

    def startTest(self, test):
        super().startTest(test)
        self.problems, self.skipped_because = [], None
        self.started = time.monotonic()

    def addFailure(self, test, err):
        self.problems.append((test, err))

    def addError(self, test, err):
        if isinstance(test, unittest.TestCase):
            return self.addFailure(test, err)
        # A whole class could not be set up: its tests will not run.
        print(f'not ok - {test.id()}')
        for line in explain(test, err):
            print('#', line)
        self.failed = True

    def addSubTest(self, test, subtest, err):
        if err:
            self.problems.append((subtest, err))

    def addSkip(self, test, reason):
        self.skipped_because = reason

    def stopTest(self, test):
        super().stopTest(test)
        self.number += 1
        seconds = time.monotonic() - self.started
        skip = f' # SKIP {self.skipped_because}' if self.skipped_because else ''
        name = test.id()
        print(f'{"not " if self.problems else ""}ok {self.number} - {name}{skip}')
        for subject, err in self.problems:
            for line in explain(subject, err):
                print('#', line)
        print(f'# {seconds:.1f} s', flush=True)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--long', action='store_true')
    parser.add_argument('filters', nargs='*')
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())
    if arguments.long:
        os.environ['MAILRACE_LONG'] = '1'

    tests = [test for test in flatten(unittest.defaultTestLoader.discover(str(HERE)))
             if not arguments.filters or any(word in test.id() for word in arguments.filters)]
    result = TapResult(len(tests))
    unittest.TestSuite(tests).run(result)
    return 1 if result.failed else 0


if __name__ == '__main__':
    sys.exit(main())
