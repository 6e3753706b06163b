"""`mailrace store tail`: every message once, in order, over whatever ends in between."""
import json
import pathlib
import random
import signal
import subprocess
import threading
import time

import clients
from cases import FolderCase
from mailrace import LONG, Server, message, program, run, text_of

SECONDS = 60


class Tail:
    """`store tail --follow --json` as a process; its lines come in by themselves."""

    def __init__(self, store, *flags):
        self.lines = []
        self.process = subprocess.Popen(
            [program(), 'store', 'tail', str(store), '--follow', '--json', *map(str, flags)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.endswith('\n'):  # it may have been killed inside one
                self.lines.append(json.loads(line))

    def wait_for(self, count):
        deadline = time.monotonic() + SECONDS
        while len(self.lines) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.lines

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join()
        self.process.stdout.close()
        with self.process.stderr as stream:
            return code, stream.read()


class TailCase(FolderCase):
    def setUp(self):
        super().setUp()
        self.store = pathlib.Path(self.folder, 'store')

    def tail(self, *flags, code=0):
        result = run('store', 'tail', self.store, '--json', *flags)
        self.assertEqual(result.returncode, code, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def assert_in_order(self, lines):
        """Within each shard ids and positions go up; none is there twice."""
        last = {}
        for line in lines:
            shard = line['id'][:3]
            self.assertGreater(line['id'], last.get(shard, ''))
            last[shard] = line['id']


class Lines(TailCase):
    def test_a_line(self):
        with Server(shards=1, store=self.store) as server:
            server.send(message('one'), 'alice@example.test', 'bob@example.test',
                        sender='me@example.org')
            server.send(message('two'), 'alice@example.test', sender='')
            with server.pop3('alice@example.test') as client:
                client.dele(1)
                client.dele(2)
                client.quit()
            sizes = [len(mail) for mail in server.fetch('bob@example.test')]
            one, two = self.tail()
            self.assertEqual((one['mailboxes'], one['reverse_path'], one['deleted'], one['size']),
                             (['alice@example.test', 'bob@example.test'], 'me@example.org', False,
                              sizes[0]))
            self.assertEqual((two['reverse_path'], two['deleted']), ('', True))
            self.assertRegex(one['time'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$')
            listed = run('store', 'ls', self.store, 'bob@example.test').stdout
            self.assertTrue(listed.startswith(one['id'] + '.'))
            self.assertEqual(self.tail('--from', one['position']), [two])
            self.assertEqual(self.tail('--from', two['position']), [])
            text = run('store', 'tail', self.store, '--from', '0:0').stdout.splitlines()
            self.assertEqual(text[0].split(), [one['position'], one['id'], one['time'],
                                               str(one['size']), 'kept', '<me@example.org>',
                                               'alice@example.test', 'bob@example.test'])
            self.assertEqual(text[1].split()[4:6], ['deleted', '<>'])

    def test_names_of_any_kind(self):
        with Server(store=self.store) as server, server.wire() as wire:
            for line in (b'EHLO x', b'MAIL FROM:<"a b"@example.test> SMTPUTF8',
                         'RCPT TO:<böb@example.test>'.encode(),
                         b'RCPT TO:<"b, \\"c"@example.test>', b'DATA', b'A: b\r\n\r\n.'):
                self.assertIn(wire.command(line)[0], (250, 354), line)
            [line] = self.tail()
            self.assertEqual(line['mailboxes'], ['böb@example.test', 'b, "c@example.test'])
            text = run('store', 'tail', self.store).stdout.split()
            self.assertEqual(text[5:], ['<"a\\x20b"@example.test>', 'b\\xC3\\xB6b@example.test',
                                        'b,\\x20"c@example.test'])

    def test_positions_that_are_none(self):
        with Server(shards=1, store=self.store) as server:
            server.send(message('one'), 'alice@example.test')
            for code, position in ((64, ''), (64, 'x'), (64, '0:'), (64, '0:1,0:2'), (64, '-1:0'),
                                   (66, '0:4000000000'), (66, '7:1')):
                with self.subTest(position):
                    self.assertEqual(self.tail('--from', position, code=code), [])
        self.assertEqual(run('store', 'tail', self.folder + '/nowhere').returncode, 66)

    def test_a_position_that_was_reclaimed(self):
        with Server(shards=1, store=self.store) as server:
            server.send(message('first'), 'alice@example.test')
            while len(list(self.store.glob('shard-00/*.idx'))) < 2:
                server.send(message('filling', text_of(1 << 20)), 'alice@example.test')
            self.assertEqual(server.terminate(), 0)
        first = self.tail()[0]
        for path in self.store.glob('shard-00/00000001.*'):
            path.unlink()
        result = run('store', 'tail', self.store, '--from', first['position'])
        self.assertEqual(result.returncode, 66, result.stderr)
        error = result.stderr.splitlines()[-1]
        self.assertIn(first['position'] + ' is no longer there', error)
        there = error.split()[-1]
        self.assertEqual(self.tail('--from', there), self.tail())
        self.assertGreater(len(self.tail()), 0)

    def test_after_a_crash(self):
        with Server(shards=1, store=self.store) as server:
            for number in range(20):
                server.send(message(f'number {number}'), 'alice@example.test')
            server.kill()
        lines = self.tail()
        self.assertEqual(len(lines), 20)
        self.assertEqual(self.tail('--from', lines[7]['position']), lines[8:])


class Follow(TailCase):
    def test_each_message_as_it_comes(self):
        with Server(shards=2, store=self.store) as server:
            tail = Tail(self.store)
            for number in range(10):
                server.send(message(f'number {number}'), 'alice@example.test')
                self.assertEqual(len(tail.wait_for(number + 1)), number + 1)
            self.assertEqual(tail.stop(signal.SIGINT), (0, ''))
            self.assert_in_order(tail.lines)
            self.assertEqual({line['deleted'] for line in tail.lines}, {False})

    def test_over_restarts_of_the_server(self):
        server = Server(store=self.store)
        tail = None
        count = 0
        for shards in (1, 3, 2, 1, 4):
            server = Server(shards=shards, store=self.store)
            with server:
                tail = tail or Tail(self.store)
                for number in range(12):
                    server.send(message(f'number {number}'), 'alice@example.test')
                count += 12
                self.assertEqual(len(tail.wait_for(count)), count)
                if shards == 2:
                    server.kill()
        self.assertEqual(tail.stop(), (0, ''))
        self.assert_in_order(tail.lines)
        self.assertEqual({line['id'] for line in tail.lines},
                         {line['id'] for line in self.tail()})

    def test_under_load_with_kills_on_both_sides(self):
        """Whatever is cut off, the positions go on: nothing is lost, nothing comes twice."""
        seen, position, draw = [], ('--from', '0:0'), random.Random(1)
        rounds = 12 if LONG else 5
        for number in range(rounds):
            with Server(shards=1 + number % 3, store=self.store) as server:
                load = threading.Thread(target=self.load, args=(server,))
                load.start()
                for _ in range(3):
                    tail = Tail(self.store, *position)
                    time.sleep(draw.uniform(0.05, 0.6))
                    tail.stop(draw.choice((signal.SIGTERM, signal.SIGKILL)))
                    seen += tail.lines
                    if seen:
                        position = ('--from', seen[-1]['position'])
                if number % 2:
                    server.kill()
                else:
                    self.assertEqual(server.terminate(), 0)
                load.join()
        seen += self.tail(*position)
        everything = self.tail()
        self.assert_in_order(seen)
        self.assertEqual(sorted(line['id'] for line in seen),
                         sorted(line['id'] for line in everything))
        self.assertGreater(len(seen), 1000)
        listed = run('store', 'ls', self.store, 'load@example.test').stdout.split('\n')
        self.assertEqual(sorted(line['id'] for line in everything),
                         sorted(line.split('.')[0] for line in listed if line))

    @staticmethod
    def load(server):
        try:
            clients.smtp_source(server, 3000, connections=16, size=6000)
        except Exception:  # pylint: disable=broad-except
            pass  # the server was killed

    def test_no_false_alarm_beside_a_writer(self):
        """Segments come and go while others look in: none of that is damage."""
        with Server(shards=2, store=self.store) as server:
            load = threading.Thread(target=self.load_large, args=(server,))
            load.start()
            while load.is_alive():
                for action in ('verify', 'info'):
                    result = run('store', action, self.store)
                    self.assertEqual((result.returncode, result.stderr), (0, ''), result.stdout)
            load.join()

    @staticmethod
    def load_large(server):
        clients.smtp_source(server, 1500, connections=8, size=100000)
