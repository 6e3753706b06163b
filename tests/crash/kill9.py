"""The loop of load, `kill -9` at a random moment, restart and account, on one store.

  /usr/bin/python3 tests/crash/kill9.py [--program PATH] [--rounds N] [--long] [--seed N]

Every round several connections send messages of many sizes to one to three recipients each, and
others delete what earlier rounds left; then the server is killed. After the restart, with any
number of shards, every mailbox is fetched and held against the ledger. Prints TAP, one check per
round and promise; the seed repeats the workload and the moments, not the scheduling.
"""
import argparse
import contextlib
import os
import pathlib
import poplib
import random
import re
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / 'e2e'))

from ledger import ACKED, SENT, Ledger, digest_of
from mailrace import Server, Wire, run, text_of, without_trace

CONNECTIONS = 12
MAILBOXES = [f'box{number}@example.test' for number in range(16)]
SIZES = (100, 1000, 4096, 4096, 4096, 20000, 70000, 300000)
TEXT = text_of(1 << 20)
PROMISES = {
    'lost': 'every acknowledged message is there, in every mailbox',
    'once': 'none is there twice',
    'torn': 'every message is byte for byte what was sent',
    'foreign': 'nothing is where it was not sent',
    'part': 'an unacknowledged message is with all of its recipients or with none',
    'refused': 'what was refused, or was gone after a restart, never comes',
    'deleted': 'what was deleted stays deleted',
    'uidl': 'no UIDL changes or is used again',
}


class Tap:
    def __init__(self, planned):
        self.number, self.failed = 0, False
        print(f'1..{planned}', flush=True)

    def check(self, name, problems):
        self.number += 1
        self.failed = self.failed or bool(problems)
        print(f'{"not ok" if problems else "ok"} {self.number} - {name}')
        for problem in problems[:10]:
            print('#', problem)
        if len(problems) > 10:
            print(f'# and {len(problems) - 10} more')
        sys.stdout.flush()


class Load:
    """The clients of one round; they end when the server does."""

    def __init__(self, server, ledger, seed, number, fetched):
        self.server, self.ledger, self.round = server, ledger, number
        self.threads = [
            threading.Thread(target=self.send, args=(random.Random(f'{seed}/{number}/{place}'),
                                                     place))
            for place in range(CONNECTIONS)]
        self.threads.append(threading.Thread(
            target=self.delete, args=(random.Random(f'{seed}/{number}/delete'), fetched)))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()

    def send(self, draw, place):
        with contextlib.suppress(ConnectionError):
            wire = Wire(self.server.smtp_port)
            with wire:
                wire.command(b'EHLO client.test')
                for count in range(10 ** 9):
                    # Full speed first; later rounds are paced, or accounting would be all they do.
                    time.sleep(0 if self.round <= 3 else draw.uniform(0, 0.06))
                    if not self.send_one(wire, draw, f'{self.round}-{place}-{count}'):
                        return

    def send_one(self, wire, draw, identity):
        """False when the connection is gone."""
        recipients = draw.sample(MAILBOXES, draw.choice((1, 1, 1, 2, 3)))
        start, size = draw.randrange(500000), draw.choice(SIZES)
        body = TEXT[start:start + size].replace(b'\r', b'').replace(b'\n', b'\r\n')
        message = (f'Subject: {identity}\r\nX-Mailrace-Id: {identity}\r\n\r\n'
                   '.a dot\r\n..\r\n').encode() + body + b'\r\n'
        lines = [f'RCPT TO:<{recipient}>\r\n' for recipient in recipients]
        wire.send(('MAIL FROM:<>\r\n' + ''.join(lines) + 'DATA\r\n').encode())
        codes = wire.codes(2 + len(recipients))
        if codes[-1] != 354:
            return codes[-1] != 0
        self.ledger.sent(identity, message, recipients)
        code, _ = wire.command(message.replace(b'\r\n.', b'\r\n..') + b'.')
        if code:
            self.ledger.answered(identity, code == 250)
        return code != 0

    def delete(self, draw, fetched):
        """Deletes about half of what the last account saw, mailbox by mailbox."""
        for mailbox, messages in fetched.items():
            chosen = {uidl: identity for uidl, identity, *_ in messages if draw.random() < 0.5}
            places = {(mailbox, identity) for identity in chosen.values()}
            with contextlib.suppress(ConnectionError, poplib.error_proto):
                with self.server.pop3(mailbox) as client:
                    for line in client.uidl()[1]:
                        number, uidl = line.decode().split()
                        if uidl in chosen:
                            client.dele(int(number))
                    self.ledger.deleting |= places
                    client.quit()
                    self.ledger.deleted |= places


def retrieve(client, number):
    """A message as bytes; poplib's own retr takes it line by line, which is most of a long run."""
    octets = int(client._shortcmd(f'RETR {number}').split()[1])
    wire = client.file.read(octets + len(b'.\r\n'))
    while not wire.endswith(b'\r\n.\r\n'):  # there were stuffed dots
        wire += client.file.readline()
    return wire[:-3].replace(b'\r\n..', b'\r\n.')


def fetch_all(server):
    fetched = {}
    for mailbox in MAILBOXES:
        fetched[mailbox] = messages = []
        with server.pop3(mailbox) as client:
            for line in client.uidl()[1]:
                number, uidl = line.decode().split()
                raw = retrieve(client, int(number))
                identity = re.search(rb'^X-Mailrace-Id: (\S+)', raw, re.MULTILINE)
                message = without_trace(raw)
                messages.append((uidl, identity[1].decode() if identity else '?',
                                 digest_of(message), len(message)))
            client.quit()
    return fetched


def rounds(tap, arguments, folder):
    draw = random.Random(arguments.seed)
    ledger = Ledger(os.path.join(folder, 'ledger'))
    with Server(store=os.path.join(folder, 'store'), shards=1) as server:
        place = server.command.index('--shards') + 1
        fetched = {mailbox: [] for mailbox in MAILBOXES}
        for number in range(1, arguments.rounds + 1):
            with Load(server, ledger, arguments.seed, number, fetched):
                time.sleep(draw.uniform(0.2, 2.5))
                server.kill()
            server.command[place] = str(draw.randint(1, 3))
            server.start()
            fetched = fetch_all(server)
            summary = f'{ledger.count(ACKED)} acknowledged, {ledger.count(SENT)} in doubt'
            found = ledger.account(fetched)
            print(f'# round {number}: {summary}, {len(ledger.deleted)} deleted; '
                  f'on to {server.command[place]} shards')
            for key, promise in PROMISES.items():
                tap.check(f'round {number}: {promise}', found[key])
        tap.check('there was something to lose',
                  [] if ledger.count(ACKED) > 50 * arguments.rounds else ['hardly any load'])
        code = server.terminate()
        tap.check('SIGTERM ends it in order', [] if code == 0 else [f'exit {code}'])
        result = run('store', 'verify', server.store, seconds=600)
        tap.check('store verify finds no damage', result.stdout.splitlines()[:10] or ['failed']
                  if result.returncode else [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--long', action='store_true', help='24 rounds')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    parser.add_argument('--folder', help='keep ledger and store here')
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())
    if arguments.long:
        arguments.rounds = 24

    tap = Tap(arguments.rounds * len(PROMISES) + 3)
    print(f'# seed {arguments.seed}')
    folder = arguments.folder or tempfile.mkdtemp(prefix='mailrace-kill9-')
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
