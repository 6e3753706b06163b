"""Serve, load and fetch on loopback for about ten seconds; a table at the end.

  /usr/bin/python3 tests/e2e/demo.py [--program PATH]

The sender is Postfix's smtp-source, at 64 connections, in rounds of messages of 4 KiB to a hundred
mailboxes; then every mailbox is fetched over POP3 and the sum compared.
"""
import argparse
import os
import pathlib
import sys
import time

import clients
from mailrace import Server, run

CONNECTIONS = 64
MAILBOXES = 100
ROUND = 1000
LOAD_SECONDS = 4
MESSAGE_BYTES = 4096


def load(server):
    """Messages sent, seconds."""
    started = time.monotonic()
    rounds = 0
    while time.monotonic() - started < LOAD_SECONDS:
        clients.smtp_source(server, ROUND, CONNECTIONS, MESSAGE_BYTES,
                            to=f'user{rounds % MAILBOXES}@example.test')
        rounds += 1
    return rounds, time.monotonic() - started


def fetch(server, mailboxes):
    """Messages fetched, bytes, seconds."""
    started = time.monotonic()
    count = size = 0
    for number in range(mailboxes):
        for message in server.fetch(f'user{number}@example.test'):
            count += 1
            size += len(message)
    return count, size, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())

    with Server() as server:
        print('\n'.join(server.lines), flush=True)
        rounds, sending = load(server)
        sent = rounds * ROUND
        fetched, size, fetching = fetch(server, min(rounds, MAILBOXES))
        code = server.terminate()
        verified = run('store', 'verify', server.store)
    sound = code == 0 and verified.returncode == 0 and fetched == sent
    print(f'\n{"":12}{"messages":>10}{"seconds":>10}{"per second":>12}{"MB/s":>8}')
    for name, count, octets, seconds in (
            ('accepted', sent, sent * MESSAGE_BYTES, sending),
            ('fetched', fetched, size, fetching)):
        print(f'{name:12}{count:10}{seconds:10.1f}{count / seconds:12.0f}'
              f'{octets / seconds / 1e6:8.1f}')
    damage = 'clean' if verified.returncode == 0 else 'damage'
    print(f'\n{sent - fetched} lost; store verify: {damage} '
          f'({CONNECTIONS} connections, {MESSAGE_BYTES} bytes a message, every one durable)')
    return 0 if sound else 1


sys.exit(main())
