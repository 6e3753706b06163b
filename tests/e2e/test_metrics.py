"""--metrics: figures that move exactly by what was done, and an HTTP server nobody can hold up."""
import contextlib
import os
import poplib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from cases import FolderCase
from mailrace import Server, Wire, free_port, message, run
from tls import make_certificate, secure

SCRAPE_SECONDS = 10
SCRAPES_MAX = 16

SAMPLE = re.compile(r'(mailrace_[a-z_]+)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


class Figures:
    """A page, parsed."""

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            if not line.startswith('# '):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or '')), float(value)))

    def sum(self, name, **labels):
        """Over all samples with these labels; there must be one."""
        values = [value for its_name, its_labels, value in self.samples
                  if its_name == f'mailrace_{name}' and labels.items() <= its_labels.items()]
        if not values:
            raise AssertionError(f'no {name} {labels}')
        return sum(values)


class MetricsServer(Server):
    def __init__(self, *flags, **keywords):
        self.metrics_port = free_port()
        super().__init__('--metrics', self.metrics_port, *flags, **keywords)

    def curl(self, *arguments, path='/metrics'):
        """Headers and content as curl got them, with plain line ends; fails when the connection
        broke."""
        result = subprocess.run(
            ['curl', '--silent', '--show-error', '--include', '--max-time', '30', *arguments,
             f'http://127.0.0.1:{self.metrics_port}{path}'],
            capture_output=True, text=True, timeout=60, check=True)
        return result.stdout

    def figures(self):
        head, _, text = self.curl().partition('\n\n')
        if ' 200 ' not in head.splitlines()[0]:
            raise AssertionError(head)
        return Figures(text)

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.metrics_port), timeout=60)

    def raw(self, request):
        """Everything that is answered to these bytes."""
        with self.connect() as client:
            client.sendall(request)
            return read_all(client)

    def await_figure(self, value, name, seconds=10, **labels):
        deadline = time.monotonic() + seconds
        while self.figures().sum(name, **labels) != value:
            if time.monotonic() > deadline:
                raise AssertionError(f'{name} {labels} never became {value}')
            time.sleep(0.05)


def read_all(client):
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b''.join(parts)


class Moving(unittest.TestCase):
    def assert_moved(self, before, after, *rows):
        for by, name, labels in rows:
            with self.subTest(name, **labels):
                moved = after.sum(name, **labels) - before.sum(name, **labels)
                self.assertAlmostEqual(moved, by, places=6)

    def test_counters_move_by_what_was_done(self):
        with MetricsServer(shards=2) as server:
            before = server.figures()
            for number in range(5):
                server.send(message(f'number {number}'), 'a@example.test', 'b@example.test')
            with server.wire() as wire:
                wire.command(b'QUIT')
            with server.pop3('a@example.test') as client:
                with self.assertRaises(poplib.error_proto):
                    with server.pop3('a@example.test'):
                        pass
                client.retr(1)
                client.top(2, 0)
                for number in (1, 2, 3):
                    client.dele(number)
                client.quit()
            server.await_figure(0, 'sessions_open', door='pop3')
            after = server.figures()
            self.assert_moved(
                before, after,
                (5, 'messages_stored_total', {}), (0, 'messages_failed_total', {}),
                (6, 'sessions_opened_total', {'door': 'smtp'}),
                (2, 'sessions_opened_total', {'door': 'pop3'}),
                (0, 'sessions_opened_total', {'door': 'lmtp'}),
                (0, 'sessions_refused_total', {}), (0, 'session_timeouts_total', {}),
                (1, 'logins_total', {}), (1, 'login_failures_total', {}), (2, 'fetches_total', {}),
                (10, 'store_links_total', {}), (3, 'store_expunged_total', {}),
                (5, 'store_batch_messages_sum', {}), (5, 'store_batch_messages_count', {}),
                (5, 'store_batch_messages_bucket', {'le': '1'}),
                (6, 'store_batches_total', {}), (6, 'store_commit_seconds_count', {}),
                (6 * 4096, 'store_written_bytes_total', {}), (0, 'store_batch_errors_total', {}))
            scrapes = (after.sum('sessions_opened_total', door='metrics') -
                       before.sum('sessions_opened_total', door='metrics'))
            self.assert_moved(before, after, (8 + scrapes, 'net_accepted_total', {}),
                              (8 + scrapes, 'net_closed_total', {}))
            self.assertEqual(after.sum('sessions_opened_total', door='metrics', shard='1'), 0)
            self.assertGreater(after.sum('store_commit_seconds_sum'), 0)
            self.assertGreater(after.sum('process_cpu_seconds_total'),
                               before.sum('process_cpu_seconds_total'))
            self.assertGreater(after.sum('process_resident_memory_bytes'), 1 << 20)

    def test_tls_is_counted_by_its_door(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = make_certificate(folder)
            with MetricsServer('--tls-cert', certificate, '--tls-key', key,
                               '--smtps', f'127.0.0.1:{port}') as server:
                with Wire(port, greet=False) as inside, server.wire() as upgraded:
                    secure(inside)
                    self.assertEqual(inside.reply()[0], 220)
                    upgraded.command(b'EHLO client.test')
                    self.assertEqual(upgraded.command(b'STARTTLS')[0], 220)
                    secure(upgraded)
                    self.assertEqual(upgraded.command(b'NOOP')[0], 250)
                    figures = server.figures()
                    self.assertEqual(figures.sum('sessions_open', door='smtps'), 1)
                    self.assertEqual(figures.sum('sessions_open', door='smtp'), 1)
                with Wire(port, greet=False) as clear:
                    clear.send(b'EHLO client.test\r\n')
                    server.await_figure(1, 'tls_failures_total')
                server.await_figure(0, 'sessions_open', door='smtps')
                figures = server.figures()
                self.assertEqual(figures.sum('tls_handshakes_total'), 2)
                self.assertEqual(figures.sum('sessions_opened_total', door='smtps'), 2)
                self.assertEqual(figures.sum('sessions_opened_total', door='pop3s'), 0)

    def test_blast_resumes_its_sessions(self):
        """One after the other: each has the ticket of the one before. Of two at once one may find
        that the other has it."""
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = make_certificate(folder)
            with MetricsServer('--tls-cert', certificate, '--tls-key', key, shards=1) as server:
                load = run('blast', f'smtp://127.0.0.1:{server.smtp_port}', '--starttls',
                           '--messages', 40, '--connections', 1, '--per-connection', 1, '--quiet')
                self.assertEqual(load.returncode, 0, load.stderr)
                figures = server.figures()
                handshakes = figures.sum('tls_handshakes_total')
                self.assertGreaterEqual(handshakes, 40)
                self.assertGreaterEqual(figures.sum('tls_resumed_total'), handshakes - 2)

    def test_gauges_follow_sessions(self):
        with MetricsServer() as server:
            self.assertEqual(server.figures().sum('sessions_open', door='metrics'), 1)
            with server.wire(), server.wire():
                self.assertEqual(server.figures().sum('sessions_open', door='smtp'), 2)
            server.await_figure(0, 'sessions_open', door='smtp')
            self.assertEqual(server.figures().sum('sessions_opened_total', door='smtp'), 2)

    def test_long_messages_stage_and_chunk(self):
        with MetricsServer(shards=1) as server:
            server.send(message('short'), 'a@b.test')
            self.assertEqual(server.figures().sum('store_chunks_total'), 0)
            server.send(message('long', (b'x' * 70 + b'\r\n') * 30000), 'a@b.test')
            figures = server.figures()
            self.assertGreaterEqual(figures.sum('store_chunks_total'), 10)
            self.assertGreater(figures.sum('store_staged_peak_bytes'), 0)
            self.assertEqual(figures.sum('store_staged_bytes'), 0)

    def test_what_recovery_found(self):
        with MetricsServer(shards=3) as server:
            self.assertEqual(server.figures().sum('log_messages'), 0)
            for number in range(4):
                server.send(message(f'number {number}'), f'user{number}@example.test')
            server.kill()
            server.command[server.command.index('--shards') + 1] = '1'
            server.start()
            figures = server.figures()
            self.assertEqual(figures.sum('shards'), 1)
            self.assertEqual(figures.sum('log_messages'), 4)
            self.assertGreaterEqual(figures.sum('recovery_segments', shard='2'), 1)
            self.assertEqual(figures.sum('recovery_corrupt_batches'), 0)

    def test_durability_and_version(self):
        version = run('--version').stdout.split()[1]
        for flags, mode in (((), 'commit'), (('--durability', 'none'), 'none')):
            with self.subTest(mode), MetricsServer(*flags) as server:
                figures = server.figures()
                self.assertEqual(figures.sum('durability', mode=mode), 1)
                self.assertEqual(figures.sum('durability'), 1)
                self.assertEqual(figures.sum('build_info', version=version), 1)


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MetricsServer()
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def test_the_page(self):
        for flags in (('--http1.0',), ('--http1.1',)):
            answer = self.server.curl(*flags)
            self.assertRegex(answer, r'\AHTTP/1\.1 200 OK\n')
            self.assertIn('\nContent-Type: text/plain; version=0.0.4; charset=utf-8\n', answer)
            self.assertTrue(answer.endswith('\n'))
            self.assertIn('\n# TYPE mailrace_messages_stored_total counter\n', answer)

    def test_head(self):
        answer = self.server.raw(b'HEAD /metrics HTTP/1.0\r\n\r\n')
        self.assertTrue(answer.startswith(b'HTTP/1.1 200 OK\r\n'))
        self.assertTrue(answer.endswith(b'\r\n\r\n'))

    def test_refusals(self):
        self.assertRegex(self.server.curl(path='/'), r'\AHTTP/1\.1 404 ')
        answer = self.server.curl('--data', 'x' * 100000)
        self.assertRegex(answer, r'\AHTTP/1\.1 405 ')
        self.assertIn('\nAllow: GET, HEAD\n', answer)
        cases = (
            (b'garbage\r\n', b'400'), (b'\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03\n', b'400'),
            (b'GET /metrics HTTP/1.1\r\n\r\n', b'400'),
            (b'GET /metrics HTTP/2.0\r\n\r\n', b'505'),
            (b'GET /' + b'x' * 5000 + b' HTTP/1.0\r\n\r\n', b'414'),
            (b'GET / HTTP/1.0\r\nA: ' + b'x' * 5000 + b'\r\n\r\n', b'431'),
            (b'GET /metrics HTTP/1.0\r\n\r\n' + b'GET / HTTP/1.0\r\n\r\n' * 1000, b'200'),
        )
        for request, status in cases:
            with self.subTest(request[:30]):
                self.assertEqual(self.server.raw(request)[9:12], status)

    def test_a_request_byte_by_byte(self):
        with self.server.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n':
                client.send(bytes([byte]))
                time.sleep(0.002)
            self.assertTrue(read_all(client).startswith(b'HTTP/1.1 200 OK\r\n'))

    def test_slow_clients_end(self):
        """Also one that sends a byte now and then, and one of mail that stays after its QUIT;
        meanwhile others are served."""
        started = time.monotonic()
        with self.server.connect() as idle, self.server.connect() as dripping, \
                self.server.wire() as staying:
            staying.command(b'QUIT')
            dripping.sendall(b'GET /metrics HTTP/1.0\r\nA: ')
            dripping.settimeout(0.5)
            answer = b''
            while not answer and time.monotonic() < started + 3 * SCRAPE_SECONDS:
                dripping.sendall(b'x')
                with contextlib.suppress(TimeoutError):
                    answer = dripping.recv(65536)
            self.assertLess(time.monotonic() - started, SCRAPE_SECONDS + 5)
            self.assertGreater(time.monotonic() - started, SCRAPE_SECONDS - 1)
            self.assertTrue(answer.startswith(b'HTTP/1.1 408 '))
            self.assertTrue(read_all(idle).startswith(b'HTTP/1.1 408 '))
            self.server.await_figure(0, 'sessions_open', door='smtp')
        self.assertEqual(self.server.figures().sum('session_timeouts_total'), 2)


class Crowds(unittest.TestCase):
    def test_a_crowd_is_told_and_mail_goes_on(self):
        with MetricsServer(shards=1) as server, contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(server.connect()) for _ in range(SCRAPES_MAX)]
            server.send(message('through'), 'crowd@example.test')
            answer = server.raw(b'GET /metrics HTTP/1.0\r\n\r\n')
            self.assertTrue(answer.startswith(b'HTTP/1.1 503 '), answer[:30])
            crowd.pop().close()
            deadline = time.monotonic() + 10
            while not server.raw(b'GET /metrics HTTP/1.0\r\n\r\n').startswith(b'HTTP/1.1 200 '):
                self.assertLess(time.monotonic(), deadline, 'no room again')
            self.assertEqual(server.count('crowd@example.test'), 1)

    def test_sigterm_waits_for_no_idle_client(self):
        with MetricsServer() as server, server.connect() as idle:
            server.await_figure(2, 'sessions_open', door='metrics')
            started = time.monotonic()
            server.signal(signal.SIGTERM)
            self.assertTrue(read_all(idle).startswith(b'HTTP/1.1 503 '))
            idle.close()
            self.assertEqual(server.wait(), 0)
            self.assertLess(time.monotonic() - started, 5)


class Flags(FolderCase):
    def test_a_unix_socket(self):
        path = os.path.join(self.folder, 'metrics')
        with Server('--metrics', f'unix:{path}'):
            text = subprocess.run(['curl', '--silent', '--fail', '--unix-socket', path,
                                   'http://localhost/metrics'],
                                  capture_output=True, text=True, timeout=60, check=True).stdout
            self.assertEqual(Figures(text).sum('durability', mode='commit'), 1)

    def test_metrics_alone_are_nothing_to_serve(self):
        result = run('serve', '--store', os.path.join(self.folder, 'store'), '--accept-all',
                     '--metrics', str(free_port()))
        self.assertEqual(result.returncode, 64)
        self.assertIn('--smtp', result.stderr)
