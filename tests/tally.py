"""Adds up what the stages of `./dev test` left in a folder and ends with `N passed, N failed`.

  STAGE.checks  single TAP lines, without a plan: did it build?
  STAGE.tap     a whole TAP stream: fewer results than planned count as one failure more
  STAGE.json    meson's testlog.json: the TAP of every unit test program

Counts checks, not programs. Exits 1 when anything failed or nothing passed.
"""
import json
import pathlib
import re
import sys

RESULT = re.compile(r'(not )?ok\b\s*\d*\s*(?:-\s*)?(.*)')
PLAN = re.compile(r'1\.\.(\d+)')
BAD_PROGRAMS = ('ERROR', 'TIMEOUT', 'INTERRUPT', 'FAIL', 'UNEXPECTEDPASS')


class Tally:
    def __init__(self):
        self.passed = self.skipped = 0
        self.failures = []

    def tap(self, origin, text, planned):
        """Counts one TAP stream; comment lines after a failure explain it."""
        seen, plan, explain = 0, None, False
        for line in text.splitlines():
            result, its_plan = RESULT.match(line), PLAN.match(line)
            if its_plan:
                plan = int(its_plan[1])
            elif result:
                seen += 1
                explain = bool(result[1])
                if explain:
                    self.failures.append(f'{origin}: {result[2]}')
                elif re.search(r'# skip', result[2], re.IGNORECASE):
                    self.skipped += 1
                else:
                    self.passed += 1
            elif explain and line.startswith('#'):
                self.failures[-1] += '\n    ' + line[1:].strip()
        if planned and (plan is None or seen < plan):
            self.failures.append(f'{origin}: ended after {seen} of {plan or "?"} checks')

    def meson(self, stage, text):
        """Counts every program of a testlog.json; one that broke without a bad check is one."""
        for line in text.splitlines():
            program = json.loads(line)
            before = len(self.failures)
            origin = f'{stage}: {program["name"]}'
            self.tap(origin, program['stdout'] or '', planned=False)
            if program['result'] in BAD_PROGRAMS and len(self.failures) == before:
                tail = (program.get('stderr') or '').strip().splitlines()[-12:]
                self.failures.append('\n    '.join([f'{origin}: {program["result"]}'] + tail))


def main():
    tally = Tally()
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        text = path.read_text(errors='replace')
        if path.suffix == '.json':
            tally.meson(path.stem, text)
        else:
            tally.tap(path.stem, text, planned=path.suffix == '.tap')
    for failure in tally.failures:
        print('FAILED', failure)
    skipped = f', {tally.skipped} skipped' if tally.skipped else ''
    print(f'{tally.passed} passed, {len(tally.failures)} failed{skipped}')
    return 1 if tally.failures or not tally.passed else 0


sys.exit(main())
