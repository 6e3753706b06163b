"""Bytes that change on disk: a verification names it, a server starts all the same, what is damaged
is never served and all the rest always is."""
import os
import pathlib
import poplib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import store_map
from cases import FolderCase
from disks import MEMORY
from mailrace import LONG, Server, message, run, without_trace
from store_map import BATCH_BYTES, BLOCK, CHUNK, DELETION, MESSAGE, RECORD_BYTES, StoreMap
from test_metrics import MetricsServer

SEED = int(os.environ.get('MAILRACE_SEED', 4711))


def export(store, out):
    """What the store gives, as it was stored: {(mailbox, id_place): bytes}."""
    run('store', 'export', store, '--maildir', out)
    found = {}
    for path in pathlib.Path(out).glob('*/new/*'):
        mailbox = path.parent.parent.name
        found[mailbox, re.search(r'R(\w+)\.', path.name)[1]] = path.read_bytes().replace(
            f'Delivered-To: {mailbox}\n'.encode(), b'', 1)
    shutil.rmtree(out, ignore_errors=True)
    return found


def id_of(key):
    return key[1].partition('_')[0]


class DamageCase(FolderCase):
    """A store of one log: sealed segments, one in use and one to be; long and short messages,
    several recipients, deletions; closed in order. Each test has a copy of its own."""

    @classmethod
    def setUpClass(cls):
        cls.shelf = tempfile.mkdtemp(prefix='mailrace-', dir=MEMORY)
        cls.addClassCleanup(shutil.rmtree, cls.shelf, ignore_errors=True)
        original = os.path.join(cls.shelf, 'original')
        with Server('--segment', '8M', store=original, shards=1) as server:
            cls.fill(server)
            cls.ever = export(original, os.path.join(cls.shelf, 'out'))
            for number in range(0, 30, 3):
                with server.pop3(f'user{number}@example.test') as client:
                    client.dele(1)
                    client.quit()
            if server.terminate() != 0:
                raise AssertionError(server.lines)
        cls.live = export(original, os.path.join(cls.shelf, 'out'))
        cls.map = StoreMap(os.path.join(original, 'shard-00'))
        cls.last = max(number for number, segment in cls.map.segments.items() if segment.batches)
        cls.original = original

    @staticmethod
    def fill(server):
        for messages, size, recipients in ((80, 'mix:2k*3,20k*1', '1-3'), (42, '300k', '1')) * 2:
            result = run('blast', f'smtp://127.0.0.1:{server.smtp_port}', '--messages', messages,
                         '--users', 30, '--recipients', recipients, '--size', size,
                         '--connections', 8, '--pipeline', '--quiet')
            if result.returncode:
                raise AssertionError(result.stderr)

    def setUp(self):
        super().setUp()
        self.store = os.path.join(self.shelf, 'copy')
        shutil.copytree(self.original, self.store)
        self.addCleanup(shutil.rmtree, self.store, ignore_errors=True)
        self.random = random.Random(SEED)

    def path(self, number, suffix='seg'):
        return os.path.join(self.store, 'shard-00', f'{number:08}.{suffix}')

    def flip(self, path, offset):
        """Changes one byte; returns what undoes it."""
        with open(path, 'r+b', buffering=0) as file:
            good = os.pread(file.fileno(), 1, offset)
            bad = bytes((good[0] ^ self.random.randrange(1, 256),))
            os.pwrite(file.fileno(), bad, offset)
        return lambda: self.put(path, offset, good)

    @staticmethod
    def put(path, offset, data):
        with open(path, 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), data, offset)

    def check_given(self, found, lost, deletion_lost):
        """All that is live and not lost, and nothing that is not what was once there."""
        for key, data in found.items():
            self.assertTrue(self.ever.get(key) == data, f'{key} was given, but is not what it was')
        missing = {key for key in self.live if key not in found and id_of(key) not in lost}
        self.assertFalse(missing, f'not given though undamaged, and {lost} is damaged')
        if not deletion_lost:
            self.assertFalse(set(found) - set(self.live), 'deleted, and given')

    def check_looked_at(self, named, lost, deletion_lost=False):
        result = run('store', 'verify', self.store)
        self.assertEqual(result.returncode, 1 if named else 0, result.stdout + result.stderr)
        if named:
            self.assertRegex(result.stdout, r'log 0, segment 0000000\d')
        found = export(self.store, os.path.join(self.shelf, 'out'))
        self.check_given(found, lost, deletion_lost)


class Bytes(DamageCase):
    """One byte, anywhere."""

    def each(self, places):
        for path, offset, what, named, lost, deletion_lost in places:
            with self.subTest(what, file=os.path.basename(path), offset=offset, seed=SEED):
                undo = self.flip(path, offset)
                try:
                    self.check_looked_at(named, lost, deletion_lost)
                finally:
                    undo()

    def in_segment(self, number, offset, what):
        return self.path(number), offset, what, *self.map.at(number, offset)

    def fields(self, table, what, targets):
        """A byte of each field of one of the targets (of each, in a long run): (segment, place)."""
        self.each([self.in_segment(number, base + at + self.random.randrange(size),
                                   f'{what} {name}')
                   for name, at, size in table
                   for number, base in (targets if LONG else [self.random.choice(targets)])])

    def some(self, items, count):
        items = list(items)
        return self.random.sample(items, min(len(items), count if not LONG else 8 * count))

    def test_segment_headers(self):
        self.fields(store_map.SEGMENT, 'segment', [(number, 0) for number in self.map.segments])

    def test_batch_headers(self):
        targets = []
        for number in 2, self.last:
            batches = self.map.segments[number].batches
            for batch in batches[0], batches[len(batches) // 2], batches[-1]:
                targets.append((number, batch.offset))
        self.fields(store_map.BATCH, 'batch', targets)

    def test_record_headers(self):
        targets = []
        for number, types in (1, (CHUNK, MESSAGE)), (self.last, (DELETION, MESSAGE)):
            for kind in types:
                record = self.random.choice(self.map.segments[number].records(kind))
                targets.append((number, record.offset))
        self.fields(store_map.RECORD, 'record', targets)

    def test_anywhere_in_a_record(self):
        records = [(number, record) for number, segment in self.map.segments.items()
                   for record in segment.records(MESSAGE, CHUNK, DELETION)]
        self.each([self.in_segment(number, self.random.randrange(record.offset, record.end),
                                   'record') for number, record in self.some(records, 25)])

    def test_anywhere_in_a_segment(self):
        self.each([self.in_segment(number, self.random.randrange(segment.bytes), 'anywhere')
                   for number, segment in self.some(list(self.map.segments.items()) * 8, 8)])

    def test_hints(self):
        places = []
        for number in (1, 2) if LONG else (1,):
            path = self.path(number, 'idx')
            places += [(path, at + self.random.randrange(size), f'hint {name}', True, set(), False)
                       for name, at, size in store_map.HINT]
            places += [(path, offset, 'hint', True, set(), False)
                       for offset in self.some(range(128, os.path.getsize(path)), 4)]
        self.each(places)

    def test_store(self):
        """Refused by all, with one line."""
        path = os.path.join(self.store, 'STORE')
        serve = Server(store=self.store, shards=1).command[1:]
        for name, at, size in store_map.STORE:
            undo = self.flip(path, at + self.random.randrange(size))
            for command in (('store', 'info', self.store), tuple(serve)):
                with self.subTest(name, command=command[0]):
                    self.check_refused(command)
            undo()
        self.check_looked_at(False, set())

    def check_refused(self, command, code=65, text='STORE'):
        result = run(*command, seconds=20)
        self.assertEqual(result.returncode, code, result.stderr)
        lines = [line for line in result.stderr.splitlines() if 'warning' not in line]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(text, lines[0])


class Files(DamageCase):
    """What can happen to whole files."""

    def check_segment(self, number, first=0):
        """All that is behind `first` in the segment is gone."""
        bytes = self.map.segments[number].bytes
        lost = self.map.within(number, first, bytes)
        deletions = [record for record in self.map.segments[number].records(DELETION)
                     if record.end > first]
        self.check_looked_at(True, lost, bool(deletions))
        self.check_served(lost, bool(deletions))

    def check_served(self, lost, deletion_lost):
        with Server('--segment', '8M', store=self.store, shards=1) as server:
            server.send(message('goes on'), 'new@example.test')
            self.assertEqual(server.count('new@example.test'), 1)
            self.assertTrue([line for line in server.lines if line.startswith('error log 0, seg')],
                            server.lines)
            self.assertEqual(server.terminate(), 0)
        found = export(self.store, os.path.join(self.shelf, 'out'))
        self.check_given({key: data for key, data in found.items() if key[0] != 'new@example.test'},
                         lost, deletion_lost)

    def test_cut_short(self):
        segment = self.map.segments[2]
        cut = segment.batches[len(segment.batches) // 2].offset
        os.truncate(self.path(2), cut + 1000)
        self.check_segment(2, cut)

    def test_cut_short_within_the_last_batches(self):
        """Nothing behind it vouches for them, but no batch is begun where it has no room."""
        batch = next(batch for batch in reversed(self.map.segments[self.last].batches)
                     if batch.end > batch.offset + BLOCK)
        os.truncate(self.path(self.last), batch.offset + BLOCK)
        self.check_segment(self.last, batch.offset)

    def test_empty(self):
        os.truncate(self.path(1), 0)
        self.check_segment(1)

    def test_missing(self):
        os.unlink(self.path(2))
        self.check_segment(2)

    def test_another_segment_in_its_place(self):
        shutil.copy(self.path(1), self.path(2))
        self.check_segment(2)

    def test_a_folder_in_its_place(self):
        os.unlink(self.path(2))
        os.mkdir(self.path(2))
        self.check_segment(2)

    def test_a_folder_for_a_hint(self):
        os.unlink(self.path(1, 'idx'))
        os.mkdir(self.path(1, 'idx'))
        self.check_looked_at(True, set())
        self.check_served(set(), False)

    def test_a_folder_for_the_identity(self):
        os.unlink(os.path.join(self.store, 'STORE'))
        os.mkdir(os.path.join(self.store, 'STORE'))
        result = run('store', 'info', self.store)
        self.assertEqual(result.returncode, 65, result.stderr)

    @unittest.skipUnless(os.geteuid() == 0, 'needs root, to become another user')
    def test_not_allowed_to_read(self):
        """No damage: mail must not seem to be gone. Refused, and the line names the segment."""
        subprocess.run(['chown', '-R', 'nobody', self.store], check=True)
        os.chmod(self.shelf, 0o755)
        os.chmod(self.path(2), 0)
        os.chmod(self.path(2, 'idx'), 0)
        serve = Server(store=self.store, shards=1).command[1:]
        for command in ('store', 'verify', self.store), ('store', 'info', self.store), serve:
            with self.subTest(command[:2]):
                result = run(*command, user='nobody')
                self.assertEqual(result.returncode, 77, result.stderr)
                self.assertIn('segment 00000002: permission denied', result.stderr)


class Serving(DamageCase):
    """What clients see."""
    FIGURES = ('recovery_corrupt_batches', 'recovery_corrupt_records', 'recovery_corrupt_segments',
               'recovery_corrupt_hints')

    def start(self):
        server = MetricsServer('--segment', '8M', store=self.store, shards=1)
        self.addCleanup(server.close)
        return server.start()

    def check_mailboxes(self, server, lost):
        """Every message by RETR: the damaged ones refused for good or not listed, and each session
        goes on after a refusal. Returns how many were refused."""
        refused, seen = 0, set()
        for mailbox in sorted({key[0] for key in self.live}):
            with server.pop3(mailbox) as client:
                for line in client.uidl()[1]:
                    number, uidl = line.decode().split()
                    key = mailbox, uidl.replace('.', '_')
                    seen.add(key)
                    try:
                        data = b'\n'.join(client.retr(number)[1]) + b'\n'
                    except poplib.error_proto as error:
                        self.assertRegex(str(error), r'-ERR \[SYS/PERM\]')
                        self.assertIn(id_of(key), lost)
                        refused += 1
                    else:
                        self.assertTrue(data == self.ever[key], f'{key} is not what it was')
                client.quit()
        self.assertFalse({key for key in self.live if id_of(key) not in lost} - seen)
        return refused

    def check_goes_on(self, server):
        server.send(message('goes on'), 'new@example.test')
        stored, = server.fetch('new@example.test')
        self.assertEqual(without_trace(stored), message('goes on'))

    def check_start(self, path, offset, named, lost, _):
        """Named in the log and in the figures, at the start or when the message is asked for."""
        self.flip(path, offset)
        server = self.start()
        refused = self.check_mailboxes(server, lost)
        self.check_goes_on(server)
        figures = server.figures()
        found = sum(figures.sum(name) for name in self.FIGURES)
        self.assertEqual(figures.sum('store_damaged_fetches_total'), refused)
        self.assertEqual(bool(found or refused), named)
        self.assertEqual(any(line.startswith('error') for line in server.lines), named,
                         server.lines)
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.check_mailboxes(server, lost)
        self.assertEqual(server.count('new@example.test'), 1)
        self.assertEqual(server.terminate(), 0)

    def place_in(self, number, *types, header=False):
        record = self.random.choice(self.map.segments[number].records(*types))
        offset = record.offset + (16 if header else RECORD_BYTES + 1)
        return self.path(number), offset, *self.map.at(number, offset)

    def test_in_a_sealed_message(self):
        self.check_start(*self.place_in(1, MESSAGE))

    def test_in_a_chunk(self):
        self.check_start(*self.place_in(2, CHUNK, header=True))

    def test_in_the_last_segment(self):
        self.check_start(*self.place_in(self.last, MESSAGE))

    def test_in_a_deletion(self):
        self.check_start(*self.place_in(self.last, DELETION))

    def test_in_a_batch_header(self):
        batch = next(batch for batch in self.map.segments[self.last].batches if batch.records)
        offset = batch.offset + self.random.randrange(BATCH_BYTES)
        self.check_start(self.path(self.last), offset, *self.map.at(self.last, offset))

    def test_in_a_segment_header(self):
        self.check_start(self.path(2), 33, True, set(), False)

    def test_in_a_hint(self):
        # A start reads a hint only for what the index does not have.
        shutil.rmtree(os.path.join(self.store, 'index'), ignore_errors=True)
        self.check_start(self.path(1, 'idx'), 200, True, set(), False)

    def test_behind_the_end(self):
        segment = self.map.segments[self.last]
        self.check_start(segment.path, segment.end + 5000, False, set(), False)

    def test_while_it_runs(self):
        """Wherever the bytes change: the index in memory finds all that is undamaged."""
        server = self.start()
        lost, places = set(), []
        for number, segment in self.map.segments.items():
            for record in self.random.sample(segment.records(MESSAGE, CHUNK), 3) \
                    if segment.batches else ():
                places.append((number, self.random.randrange(record.offset, record.payload_end)))
                lost |= self.map.at(*places[-1])[1]
            for batch in segment.batches[:3]:
                places.append((number, batch.offset + 8))
            places.append((number, 20))
        for number, offset in places:
            self.flip(self.path(number), offset)
        refused = self.check_mailboxes(server, lost)
        self.assertEqual(refused, sum(id_of(key) in lost for key in self.live))
        self.assertEqual(server.figures().sum('store_damaged_fetches_total'), refused)
        self.check_goes_on(server)
        self.assertEqual(server.terminate(), 0)
        self.assertEqual(run('store', 'verify', self.store).returncode, 1)


class Ruin(DamageCase):
    """Much at once, at random: no promise of what is left but that it is right."""

    def ruin(self, path):
        size = os.path.getsize(path)
        if not size:
            return
        place = self.random.randrange(size)
        with open(path, 'r+b') as file:
            kind = self.random.choice(('byte', 'byte', 'byte', 'header', 'hole', 'copy', 'cut'))
            if kind == 'byte':
                self.flip(path, place)
            elif kind == 'header':
                self.flip(path, min(size - 1, place // BLOCK * BLOCK + place % BATCH_BYTES))
            elif kind == 'hole':
                file.seek(place)
                file.write(bytes(min(self.random.randrange(1, 5 * BLOCK), size - place)))
            elif kind == 'copy':
                number = self.random.choice(list(self.map.segments))
                data = self.map.segments[number].path.read_bytes()
                start = self.random.randrange(len(data)) // BLOCK * BLOCK
                file.seek(place // BLOCK * BLOCK)
                file.write(data[start:start + 10 * BLOCK])
            else:
                file.truncate(place)

    def check_right(self, *more):
        found = export(self.store, os.path.join(self.shelf, 'out'))
        for key, data in found.items():
            if key[0] not in more:
                self.assertTrue(data == self.ever.get(key), f'{key} is not what it was')

    def check_ruin(self):
        result = run('store', 'verify', self.store)
        self.assertIn(result.returncode, (0, 1), result.stderr)
        self.check_right()
        with Server('--segment', '8M', store=self.store, shards=1) as server:
            server.send(message('goes on'), 'new@example.test')
            server.kill()
            server.start()
            stored, = server.fetch('new@example.test')
            self.assertEqual(without_trace(stored), message('goes on'))
            self.assertEqual(server.terminate(), 0, server.lines)
        self.check_right('new@example.test')

    def test_much_at_once(self):
        files = sorted(os.listdir(os.path.join(self.original, 'shard-00')))
        for round_ in range(100 if LONG else 6):
            shutil.rmtree(self.store)
            shutil.copytree(self.original, self.store)
            with self.subTest(seed=SEED, round=round_):
                for _ in range(self.random.choice((2, 10, 60, 300))):
                    self.ruin(os.path.join(self.store, 'shard-00', self.random.choice(files)))
                self.check_ruin()
