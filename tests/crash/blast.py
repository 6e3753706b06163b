"""The loop of `mailrace blast --ledger`, `kill -9` of the server under it, restart and `mailrace
drain`: nothing lost, nothing twice, nothing torn.

  /usr/bin/python3 tests/crash/blast.py [--program PATH] [--rounds N] [--long] [--seed N]

The load goes on through the crash: it meets the server again once it is back. Prints TAP, one check
per round and promise.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'e2e'))

from kill9 import Tap
from mailrace import Server, free_port, program, run

ROUNDS, LONG_ROUNDS = 10, 60
LOAD_SECONDS = 1.2
NEVER = ('lost', 'duplicated', 'corrupted', 'unknown', 'unread')
WAYS = (
    ('smtp',),
    ('smtp', '--pipeline'),
    ('smtp', '--chunking', '--pipeline'),
    ('smtp', '--recipients', '1-4', '--pipeline'),
    ('lmtp', '--recipients', '1-4'),
    ('smtp', '--size', 'mix:1k*60,20k*30,300k*10', '--per-connection', '3'),
)


class Round:
    """One load, and what became of it."""

    def __init__(self, folder, server, lmtp_port, number, seed):
        self.ledger, self.report = f'{folder}/ledger{number}', f'{folder}/blast{number}.json'
        scheme, *flags = WAYS[number % len(WAYS)]
        port = lmtp_port if scheme == 'lmtp' else server.smtp_port
        self.server = server
        self.command = [program(), 'blast', f'{scheme}://127.0.0.1:{port}', *flags, '--quiet',
                        '--duration', f'{int(LOAD_SECONDS * 1000)}ms', '--connections', '12',
                        '--users', '40', '--seed', str(seed), '--ledger', self.ledger,
                        '--json', self.report]

    def crash(self, after_seconds):
        """Runs the load, and kills and restarts the server under it."""
        with subprocess.Popen(self.command, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as load:
            time.sleep(after_seconds)
            self.server.kill()
            self.server.start()
            error = load.communicate(timeout=90)[1]
        return [] if load.returncode == 1 else [f'exit {load.returncode}: {error.strip()}']

    def account(self):
        """What drain found, and what is wrong with it."""
        result = run('drain', f'pop3://127.0.0.1:{self.server.pop3_port}', '--ledger', self.ledger,
                     '--delete', '--quiet', '--json', f'{self.report}.drain')
        counts = json.loads(pathlib.Path(f'{self.report}.drain').read_text())
        problems = [f'{name} {counts[name]}' for name in NEVER if counts[name]]
        if result.returncode:
            problems.append(f'exit {result.returncode}: {result.stderr.strip()}')
        return counts, problems


def rounds(tap, arguments, folder):
    draw = random.Random(arguments.seed)
    lmtp_port, acked, doubtful = free_port(), 0, 0
    with Server('--lmtp', f'127.0.0.1:{lmtp_port}', store=os.path.join(folder, 'store')) as server:
        for number in range(1, arguments.rounds + 1):
            this = Round(folder, server, lmtp_port, number, arguments.seed + number)
            tap.check(f'round {number}: blast goes on and reports',
                      this.crash(draw.uniform(0.2, LOAD_SECONDS - 0.3)))
            counts, problems = this.account()
            messages = json.loads(pathlib.Path(this.report).read_text())['messages']
            print(f'# round {number}: {messages["acked"]} acked, {messages["doubtful"]} doubtful, '
                  f'{messages["failed"]} failed; {counts["fetched"]} fetched')
            tap.check(f'round {number}: nothing lost, nothing twice, nothing torn', problems)
            acked, doubtful = acked + messages['acked'], doubtful + messages['doubtful']
        tap.check('there was something to lose, and doubt',
                  [] if acked > 100 * arguments.rounds and doubtful else ['hardly any load'])
        tap.check('SIGTERM ends the server in order',
                  [] if (code := server.terminate()) == 0 else [f'exit {code}'])
        result = run('store', 'verify', server.store, seconds=600)
        tap.check('store verify finds no damage', result.stdout.splitlines()[:10] or ['failed']
                  if result.returncode else [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--rounds', type=int, default=ROUNDS)
    parser.add_argument('--long', action='store_true', help=f'{LONG_ROUNDS} rounds')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    parser.add_argument('--folder', help='keep ledgers and store here')
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())
    if arguments.long:
        arguments.rounds = LONG_ROUNDS

    tap = Tap(arguments.rounds * 2 + 3)
    print(f'# seed {arguments.seed}')
    folder = arguments.folder or tempfile.mkdtemp(prefix='mailrace-blast-')
    try:
        rounds(tap, arguments, folder)
    finally:
        if tap.failed:
            print(f'# kept: {folder}')
        elif not arguments.folder:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
