"""Serve, blast and drain on loopback for about ten seconds: what a newcomer sees first.

  /usr/bin/python3 tests/e2e/demo.py [--program PATH] [--messages N]
"""
import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

from mailrace import Server, program

MESSAGES = 50000
CONNECTIONS = 64


def show(*arguments):
    """Runs the program for all to see; its exit code."""
    print('\n$', shlex.join(['mailrace', *map(str, arguments)]), flush=True)
    return subprocess.run([program(), *map(str, arguments)], stdin=subprocess.DEVNULL).returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--messages', type=int, default=MESSAGES)
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())

    with tempfile.TemporaryDirectory(prefix='mailrace-') as folder, Server() as server:
        ledger = os.path.join(folder, 'ledger')
        print('$', shlex.join(['mailrace', *server.command[1:]]))
        print('\n'.join(server.lines), flush=True)
        codes = [
            show('blast', f'smtp://127.0.0.1:{server.smtp_port}', '--messages', arguments.messages,
                 '--connections', CONNECTIONS, '--pipeline', '--ledger', ledger),
            show('drain', f'pop3://127.0.0.1:{server.pop3_port}', '--ledger', ledger),
            server.terminate(),
            show('store', 'verify', server.store),
        ]
    good = not any(codes)
    print('\nEvery message was durable before it was acknowledged, and came back whole, once.'
          if good else f'\nSomething went wrong: exit codes {codes}')
    return 0 if good else 1


sys.exit(main())
