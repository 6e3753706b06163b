"""Stores that earlier programs have written, and what a later one may have: tests/storage/stores
keeps a store of each format, closed in order and killed, and what is in it to the byte."""
import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tarfile

from cases import FolderCase
from mailrace import ROOT, Server, message, program, run, without_trace

STORES = ROOT / 'tests/storage/stores'
NEWER = 65


def digest(raw):
    return hashlib.sha256(raw).hexdigest()


class StoreCase(FolderCase):
    def unpack(self, name):
        """The store in a folder of the test's own; and its mailboxes: UIDL, octets and digest of
        each message."""
        with tarfile.open(STORES / f'{name}.tar.xz') as archive:
            archive.extractall(self.folder)
        with open(STORES / f'{name.rpartition("-")[0]}.json', encoding='ascii') as file:
            return os.path.join(self.folder, name), json.load(file)[name]

    def store_json(self, action, store, *operands):
        result = run('store', action, store, *operands, '--json')
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def check_looked_at(self, store, mailboxes):
        """By the `store` commands."""
        result = run('store', 'verify', store)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual({row['name'] for row in self.store_json('mailboxes', store)},
                         set(mailboxes))
        for mailbox, messages in mailboxes.items():
            self.assertEqual([(row['uidl'], row['octets'])
                              for row in self.store_json('ls', store, mailbox)],
                             [(expected['uidl'], expected['octets']) for expected in messages])
            for expected in messages:
                result = subprocess.run([program(), 'store', 'cat', store, expected['uidl']],
                                        capture_output=True, check=True)
                self.assertEqual(digest(result.stdout), expected['sha256'], expected)

    def check_served(self, server, mailboxes):
        for mailbox, messages in mailboxes.items():
            with server.pop3(mailbox) as client:
                self.assertEqual([line.split()[1].decode() for line in client.uidl()[1]],
                                 [expected['uidl'] for expected in messages])
                client.quit()
            self.assertEqual([digest(raw) for raw in server.fetch(mailbox)],
                             [expected['sha256'] for expected in messages])


class KeptStores(StoreCase):
    def check(self, name):
        """Looked at, served by another number of shards, carried on, and looked at again."""
        store, mailboxes = self.unpack(name)
        self.check_looked_at(store, mailboxes)
        with Server(store=store, shards=3) as server:
            self.check_served(server, mailboxes)
            server.send(message('added'), 'new@example.test')
            self.assertEqual(server.terminate(), 0)
            server.start()
            self.check_served(server, mailboxes)
            added, = server.fetch('new@example.test')
            self.assertEqual(without_trace(added), message('added'))
            self.assertEqual(server.terminate(), 0)
        self.assertEqual(run('store', 'verify', store).returncode, 0)

    def test_format_1_closed(self):
        self.check('format-1-closed')

    def test_format_1_killed(self):
        self.check('format-1-killed')

    def test_format_2_closed(self):
        """Both of its logs have a compacted segment."""
        self.check('format-2-closed')

    def test_format_3_killed(self):
        """Its last segment was recycled, and has yet to be begun."""
        self.check('format-3-killed')

    def test_every_kept_store_is_tested(self):
        names = {path.name.removesuffix('.tar.xz').replace('-', '_')
                 for path in STORES.glob('*.tar.xz')}
        self.assertEqual(names, {name.removeprefix('test_') for name in dir(self)
                                 if name.startswith('test_format_')})


class NewerFormats(StoreCase):
    """One object of a format to come: refused by all, in one line, and nothing is touched."""

    def files(self, store):
        """All but the lock, which says who looked last."""
        return {path: (path.stat().st_mtime_ns, digest(path.read_bytes()))
                for path in pathlib.Path(store).rglob('*')
                if path.is_file() and path.name != 'lock'}

    def check(self, place, format_at, crc_at, crc_from, crc_upto):
        store, mailboxes = self.unpack('format-1-closed')
        path = pathlib.Path(store, place)
        good = path.read_bytes()
        data = bytearray(good)
        number, = struct.unpack_from('<I', data, format_at)
        struct.pack_into('<I', data, format_at, number + 98)
        crc = crc32c(data[crc_from:crc_upto])
        self.assertEqual(struct.unpack_from('<I', good, crc_at)[0],
                         crc32c(good[crc_from:crc_upto]))
        struct.pack_into('<I', data, crc_at, crc)
        path.write_bytes(data)
        with open(os.path.join(store, 'shard-00/00000003.seg'), 'wb') as unborn:
            unborn.truncate(8 << 20)  # which recovery would remove
        os.unlink(os.path.join(store, 'shard-01/00000001.idx'))  # and that it would write
        self.check_refused(store)
        shutil.rmtree(store)

    def check_refused(self, store):
        before = self.files(store)
        mail = os.path.join(self.folder, 'mail.eml')
        pathlib.Path(mail).write_bytes(message('imported'))
        serve = Server(store=store, shards=1).command[1:]
        uidl = '0000000000001.0'
        for command in (serve, ('store', 'info', store),
                        ('store', 'verify', store), ('store', 'mailboxes', store),
                        ('store', 'ls', store, 'alice@example.test'),
                        ('store', 'cat', store, uidl), ('store', 'tail', store),
                        ('store', 'export', store, '--maildir', self.folder + '/out'),
                        ('store', 'import', store, 'alice@example.test', mail),
                        ('store', 'compact', store), ('store', 'expire', store, '--keep', '1')):
            with self.subTest(' '.join(command[:2])):
                result = run(*command, seconds=20)
                self.assertEqual(result.returncode, NEWER, result.stderr)
                lines = [line for line in result.stderr.splitlines() if 'warning' not in line]
                self.assertEqual(len(lines), 1, result.stderr)
                self.assertIn('format', lines[0])
                self.assertEqual(result.stdout, '')
        self.assertEqual(self.files(store), before)
        self.assertFalse(os.path.exists(self.folder + '/out'))

    def test_store(self):
        self.check('STORE', 8, 60, 0, 60)

    def test_segment(self):
        self.check('shard-01/00000004.seg', 12, 8, 12, 48)

    def test_hint(self):
        self.check('shard-01/00000002.idx', 16, 8, 12, 128)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
