"""Disk space comes back: beside a loaded server, by hand, after kills; and mail expires."""
import json
import os
import poplib
import random
import threading
import time

from cases import FolderCase
from mailrace import LONG, Server, message, run, text_of, without_trace
from test_metrics import MetricsServer

SEGMENT = 8 << 20
FLAGS = ('--segment', '8M', '--reclaim-rate', '1G')
SECONDS = 60


def disk_bytes(store):
    return sum(os.stat(os.path.join(folder, file)).st_blocks * 512
               for folder, _, files in os.walk(store) if 'shard-' in folder for file in files)


def by_shard(ids):
    """Their order within each shard: how shards are mixed is nobody's promise."""
    return sorted(ids, key=lambda identity: identity[:3])


def fetched(server):
    return [without_trace(mail) for mail in server.fetch('kept@example.test')]


class SpaceComesBack(FolderCase):
    def load(self, server, messages, ledger, size='mix:1k*60,8k*25,40k*14,600k*1'):
        blast = run('blast', f'smtp://127.0.0.1:{server.smtp_port}', '--messages', messages,
                    '--pipeline', '--size', size, '--users', 40, '--ledger', ledger, '--quiet',
                    '--seed', messages, '--to', f'user%d.{messages}@example.test')
        self.assertEqual(blast.returncode, 0, blast.stderr)

    def drain(self, server, ledger, *flags):
        drain = run('drain', f'pop3://127.0.0.1:{server.pop3_port}', '--ledger', ledger, '--quiet',
                    *flags)
        self.assertEqual(drain.returncode, 0, drain.stdout + drain.stderr)
        self.assertRegex(drain.stdout, 'lost 0 duplicated 0 corrupted 0 unknown 0')

    def verify(self, store):
        result = run('store', 'verify', store)
        self.assertEqual((result.returncode, result.stdout), (0, 'clean\n'), result.stderr)

    def wait_for(self, what, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), deadline, 'not in time')
            time.sleep(0.1)

    def test_all_is_deleted(self):
        ledger = os.path.join(self.folder, 'ledger')
        with Server(*FLAGS, shards=2) as server:
            self.load(server, 5000, ledger)
            self.assertGreater(disk_bytes(server.store), 6 * SEGMENT)
            self.drain(server, ledger, '--delete')
            self.wait_for(lambda: disk_bytes(server.store) < 4 * SEGMENT)
            self.verify(server.store)
            self.assertEqual(server.terminate(), 0)
            self.assertLess(disk_bytes(server.store), 4 * SEGMENT)
            self.verify(server.store)
            server.start()
            self.assertFalse([line for line in server.lines if line.startswith(('error', 'warn'))])
            server.send(message('after'), 'a@example.test')
            self.assertEqual(len(server.fetch('a@example.test')), 1)

    def test_dead_segments_are_used_again(self):
        """And what is behind their new beginning is never taken for mail, or for damage."""
        ledger = os.path.join(self.folder, 'ledger')
        with MetricsServer(*FLAGS, shards=2) as server:
            for number in range(20):
                self.load(server, 1500 + number, f'{ledger}.{number}', size='5k-30k')
                self.drain(server, f'{ledger}.{number}', '--delete')
                if server.figures().sum('store_segments_recycled_total') > 1:
                    break
                time.sleep(1)  # until space is looked for
            self.assertGreater(server.figures().sum('store_segments_recycled_total'), 1)
            self.load(server, 1000, ledger, size='5k-30k')
            self.verify(server.store)
            server.kill()
            self.verify(server.store)
            server.start()
            self.assertFalse([line for line in server.lines if line.startswith(('error', 'warn'))])
            self.drain(server, ledger)
            self.verify(server.store)

    def test_under_load_with_readers(self):
        """Old mail is deleted while new mail comes in; what stays is read all the time."""
        old, new = os.path.join(self.folder, 'old'), os.path.join(self.folder, 'new')
        kept = [message(f'kept {number}', text_of(30000)) for number in range(20)]
        failures, over = [], threading.Event()

        def read(server):
            while not over.is_set():
                got = fetched(server)
                if got != kept:
                    failures.append(len(got))
                    return

        with Server(*FLAGS, shards=2) as server:
            for number, mail in enumerate(kept):
                server.send(mail, 'kept@example.test')
                if number % 5 == 0:
                    self.load(server, 300 + number, f'{old}.{number}', size='10k-60k')
            reader = threading.Thread(target=read, args=(server,))
            reader.start()
            for number in range(0, 20, 5):
                self.drain(server, f'{old}.{number}', '--delete')
                self.load(server, 400 + number, f'{new}.{number}')
            before = disk_bytes(server.store)
            self.wait_for(lambda: any('compacted' in line for line in server.lines))
            self.wait_for(lambda: disk_bytes(server.store) < before)
            over.set()
            reader.join()
            self.assertEqual(failures, [])
            for number in range(0, 20, 5):
                self.drain(server, f'{new}.{number}')
            self.verify(server.store)
            server.kill()
            server.start()
            self.assertEqual(fetched(server), kept)
            self.verify(server.store)

    def test_kills_while_compacting(self):
        ledger = os.path.join(self.folder, 'ledger')
        with Server(*FLAGS, shards=2) as server:
            kept = message('kept', text_of(2000))
            for number in range(12 if LONG else 4):
                server.send(kept, 'kept@example.test')
                self.load(server, 900 + number, f'{ledger}.{number}', size='2k-40k')
                self.drain(server, f'{ledger}.{number}', '--delete')
                time.sleep(random.uniform(0, 0.3))
                server.kill()
                self.verify(server.store)
                server.start()
                self.assertEqual(fetched(server), [kept] * (number + 1))
            self.wait_for(lambda: disk_bytes(server.store) < 5 * SEGMENT)
            self.verify(server.store)

    def test_tail_goes_on(self):
        """What is left comes once, in order, from any position, however much has gone between."""
        def tail(*flags):
            result = run('store', 'tail', server.store, '--json', *flags)
            self.assertEqual(result.returncode, 0, result.stderr)
            return [json.loads(line) for line in result.stdout.splitlines()]

        ledger = os.path.join(self.folder, 'ledger')
        with Server('--segment', '8M', '--reclaim-rate', '0', shards=2) as server:
            for number in range(3):
                server.send(message(f'kept {number}'), 'kept@example.test')
                self.load(server, 1000 + number, f'{ledger}.{number}', size='5k-30k')
            before = tail()
            for number in range(3):
                self.drain(server, f'{ledger}.{number}', '--delete')
            self.assertEqual(server.terminate(), 0)
            compacted = json.loads(run('store', 'compact', server.store, '--json').stdout)
            self.assertGreater(compacted['compacted'] + compacted['removed'], 4)
            self.assertLess(compacted['bytes_after'], compacted['bytes_before'] - 4 * SEGMENT)
            self.verify(server.store)
            after = tail()
            ids = {line['id'] for line in after}
            self.assertEqual(by_shard(line['id'] for line in after),
                             by_shard(line['id'] for line in before if line['id'] in ids))
            kept = [line['id'] for line in before if line['mailboxes'] == ['kept@example.test']]
            self.assertLessEqual(set(kept), ids)
            for middle in (0, len(before) // 3, len(before) // 2, len(before) - 1):
                rest = [line['id'] for line in before[middle + 1:] if line['id'] in ids]
                more = tail('--from', before[middle]['position'])
                self.assertEqual(by_shard(line['id'] for line in more), by_shard(rest))


class Expiry(FolderCase):
    def subjects(self, server, mailbox):
        return [mail.split(b'Subject: ')[1].split(b'\r\n')[0] for mail in server.fetch(mailbox)]

    def patiently(self, look, *arguments):
        """Expiry has a mailbox for a moment, as a session would."""
        while True:
            try:
                return look(*arguments)
            except poplib.error_proto as error:
                self.assertIn('[IN-USE]', str(error))
                time.sleep(0.05)

    def test_by_age_and_by_number(self):
        with Server('--expire-after', '3s', '--keep', '3', shards=2) as server:
            for number in range(6):
                server.send(message(str(number)), 'a@example.test', 'b@example.test')
            deadline = time.monotonic() + SECONDS
            for mailbox in ('a@example.test', 'b@example.test'):  # one after the other, or not
                while len(self.patiently(self.subjects, server, mailbox)) > 3:
                    self.assertLess(time.monotonic(), deadline)
            self.assertIn(self.patiently(self.subjects, server, 'b@example.test'),
                          ([b'3', b'4', b'5'], []))
            time.sleep(0.2)
            with server.pop3('a@example.test') as client:  # keeps what it sees
                count = client.stat()[0]
                time.sleep(5)
                self.assertEqual(len(client.list()[1]), count)
                client.quit()
            while (self.patiently(server.count, 'a@example.test') or
                   self.patiently(server.count, 'b@example.test')):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)

    def test_by_hand(self):
        with Server(shards=3) as server:
            for number in range(5):
                server.send(message(str(number)), 'a@example.test', f'{number}@example.test')
            busy = run('store', 'expire', server.store, '--keep', 2)
            self.assertEqual(busy.returncode, 75, busy.stderr)
            self.assertEqual(run('store', 'compact', server.store).returncode, 75)
            self.assertEqual(server.terminate(), 0)
            self.assertEqual(run('store', 'expire', server.store).returncode, 64)
            kept = json.loads(run('store', 'expire', server.store, '--keep', 2, '--json').stdout)
            self.assertEqual(kept['messages'], 3)
            none = json.loads(run('store', 'expire', server.store, '--older-than', '1h',
                                  '--json').stdout)
            self.assertEqual(none['messages'], 0)
            server.start()
            self.assertEqual(self.subjects(server, 'a@example.test'), [b'3', b'4'])
            self.assertEqual(self.subjects(server, '0@example.test'), [b'0'])
            self.assertEqual(server.terminate(), 0)
            time.sleep(1.1)
            result = run('store', 'expire', server.store, '--older-than', '1s')
            self.assertRegex(result.stdout, '^7 messages deleted: ')
            compacted = run('store', 'compact', server.store)
            self.assertEqual(compacted.returncode, 0, compacted.stderr)
            self.assertEqual(run('store', 'verify', server.store).stdout, 'clean\n')
            self.assertEqual(run('store', 'mailboxes', server.store).stdout, '')

    def test_without_a_store(self):
        for action in (('compact',), ('expire', '--keep', '1')):
            for folder in (self.folder, os.path.join(self.folder, 'absent')):
                result = run('store', action[0], folder, *action[1:])
                self.assertEqual(result.returncode, 66, result.stderr)
        self.assertEqual(os.listdir(self.folder), [])
