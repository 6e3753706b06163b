"""A mailrace server for one test: on free loopback ports, with a store of its own."""
import contextlib
import os
import pathlib
import poplib
import random
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time

from ways import way

START_SECONDS = 60
STOP_SECONDS = 60
RESTARTS, UNAVAILABLE = 20, 69
SEGMENT_MEGABYTES = 16  # no test needs 256 MiB of zeroes

ROOT = pathlib.Path(__file__).parents[2]
LONG = bool(os.environ.get('MAILRACE_LONG'))

poplib._MAXLINE = 1 << 20  # its default refuses what SMTP allows


def program():
    """The program under test: run.py --program, handed on to child processes too."""
    return os.environ.get('MAILRACE_PROGRAM', str(ROOT / 'build/release/mailrace'))


def run(*arguments, seconds=60, **keywords):
    """Runs the program to its end; stdout and stderr as text."""
    with command(*arguments) as words:
        return subprocess.run(words, capture_output=True, text=True, errors='replace',
                              timeout=seconds, stdin=subprocess.DEVNULL, **keywords)


@contextlib.contextmanager
def command(*arguments):
    """What runs the program with these arguments, for as long as it runs."""
    with way().client(arguments[:1]) as flags:
        yield [program(), *map(str, arguments), *flags]


def free_port():
    """Not of those that the kernel gives to clients: load takes them by the thousand."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(('127.0.0.1', port))
            return port


class StartFailed(Exception):
    """The server ended before it was ready."""


class Server:
    """`with Server() as server:` starts it and stops it. `flags` are added to the newcomer's;
    passwd and recipients replace --any-password and --accept-all."""

    def __init__(self, *flags, store=None, passwd=None, recipients=None, shards=None):
        self._scratch = None
        if store is None:
            self._scratch = tempfile.mkdtemp(prefix='mailrace-')
            store = os.path.join(self._scratch, 'store')
        self.store = str(store)
        self.smtp_port, self.pop3_port = free_port(), free_port()
        self.command = [program(), 'serve', '--store', self.store,
                        '--smtp', f'127.0.0.1:{self.smtp_port}',
                        '--pop3', f'127.0.0.1:{self.pop3_port}']
        self.command += ['--passwd', str(passwd)] if passwd else ['--any-password']
        self.command += ['--recipients', str(recipients)] if recipients else ['--accept-all']
        self.command += ['--shards', str(shards)] if shards else []
        self.command += ['--segment', f'{SEGMENT_MEGABYTES}M', *map(str, flags)]
        self.process = None
        self.lines = []

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def start(self):
        """Starts it, again if need be on the same store; returns once it says `ready`."""
        way().starting(self)
        for attempt in range(RESTARTS):
            try:
                return self._start()
            except StartFailed:
                # The kernel takes a ring, and with it the listeners, down after its process.
                if self.process.returncode != UNAVAILABLE or attempt == RESTARTS - 1:
                    raise
                time.sleep(0.1)

    def _start(self):
        self.lines = []
        self.process = subprocess.Popen(way().serve(self.command), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True, errors='replace')
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_SECONDS
        while not ready.wait(0.02):
            if self.process.poll() is not None:
                self._reader.join()
                raise StartFailed(f'exit {self.process.returncode}: ' + '\n'.join(self.lines))
            if time.monotonic() > deadline:
                self.kill()
                raise StartFailed('not ready in time: ' + '\n'.join(self.lines))
        return self

    def _read(self, ready):
        with self.process.stderr as stream:
            for line in stream:
                self.lines.append(line.rstrip('\n'))
                if re.search(r'\bready$', self.lines[-1]):
                    ready.set()

    def signal(self, number):
        self.process.send_signal(number)

    def terminate(self):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        code = self.process.wait(STOP_SECONDS)
        self._reader.join()
        return code

    def kill(self):
        self.process.kill()
        self.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.kill()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def rss_peak_bytes(self):
        """Without what is shared, which is the memory of a port of DPDK."""
        status = pathlib.Path(f'/proc/{self.process.pid}/status').read_text()
        peak, shared = (int(re.search(rf'{name}:\s*(\d+) kB', status)[1])
                        for name in ('VmHWM', 'RssShmem'))
        return (peak - shared) * 1024

    # -- clients in Python ------------------------------------------------------------------

    def send(self, message, *recipients, sender='sender@example.test', options=()):
        """One message by smtplib, as bytes that end with CRLF; raises what smtplib raises."""
        with smtplib.SMTP('127.0.0.1', self.smtp_port, timeout=60) as client:
            return client.sendmail(sender, recipients, message, mail_options=options)

    @contextlib.contextmanager
    def pop3(self, mailbox, password='any'):
        """A session that is logged in; left without QUIT if the block fails or does not quit."""
        client = poplib.POP3(way().beside, self.pop3_port, timeout=60)
        try:
            client.user(mailbox)
            client.pass_(password)
            yield client
        finally:
            client.close()

    def fetch(self, mailbox):
        """Every message of a mailbox as bytes, with CRLF line ends."""
        with self.pop3(mailbox) as client:
            count = client.stat()[0]
            messages = [b''.join(line + b'\r\n' for line in client.retr(number)[1])
                        for number in range(1, count + 1)]
            client.quit()
        return messages

    def count(self, mailbox):
        with self.pop3(mailbox) as client:
            count = client.stat()[0]
            client.quit()
        return count

    def wire(self):
        return Wire(self.smtp_port)


class Wire:
    """An SMTP conversation byte by byte."""

    def __init__(self, port, greet=True):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile('rb')
        if greet:
            self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The next reply as (code, text); (0, '') when the connection has ended."""
        lines = []
        while True:
            line = self._stream.readline().decode('utf-8', 'replace').rstrip('\r\n')
            if not line:
                return 0, ''
            lines.append(line[4:])
            if line[3:4] != '-':
                return int(line[:3]), '\n'.join(lines)

    def codes(self, count):
        return [self.reply()[0] for _ in range(count)]

    def command(self, line):
        self.send(line + b'\r\n')
        return self.reply()

    def transaction(self, *recipients):
        """EHLO to 354; fails unless every reply is positive."""
        lines = [b'EHLO client.test', b'MAIL FROM:<sender@example.test>']
        lines += [b'RCPT TO:<%s>' % recipient.encode() for recipient in recipients]
        for line in lines + [b'DATA']:
            code, text = self.command(line)
            if not 200 <= code < 400:
                raise AssertionError(f'{line!r} answered {code} {text}')


# ------------------------------------------------------------------------- messages ----

_TRACE = re.compile(rb'(?:(?:Return-Path|Received):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*){2}')


def message(subject='test', body=b'Hello.\r\n', **headers):
    lines = [f'From: sender@example.test\r\nSubject: {subject}\r\n']
    lines += [f'{name.replace("_", "-")}: {value}\r\n' for name, value in headers.items()]
    return ''.join(lines).encode() + b'\r\n' + body


def text_of(size):
    """About so many bytes of lines that differ, ending with CRLF."""
    line = b'%08d abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789\r\n'
    block = b''.join(line % number for number in range(1 << 12))
    return (block * (size // len(block) + 1))[:size - 2].rstrip(b'\r\n') + b'\r\n'


def without_trace(stored):
    """A fetched message without the two header fields that receiving it added on top."""
    match = _TRACE.match(stored)
    if not match:
        raise AssertionError(f'no trace header on top: {stored[:200]!r}')
    return stored[match.end():]
