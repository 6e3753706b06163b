"""What others may do to a store and its server: stop it, start a second one, take files away. What
is acknowledged is found again by the next start, or was taken away after it was."""
import concurrent.futures
import contextlib
import glob
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from disks import MEGABYTE, Ext4
from load import FAILED, FINE, LoadCase
from mailrace import Server, StartFailed, message, run, without_trace

BUSY, DENIED = 75, 77


class HostileCase(LoadCase):
    def server(self, store=None, shards=1):
        server = Server('--segment', '8M', store=store or self.path('store'), shards=shards)
        self.addCleanup(server.close)
        return server

    @contextlib.contextmanager
    def load(self, server, messages=5000, code=(FINE, FAILED)):
        """A load that runs while the block does; a call for what it left."""
        enough = self.bytes_written(server) + 10 * MEGABYTE  # 8 may be a segment to be
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(self.blast, f'smtp://127.0.0.1:{server.smtp_port}', '--messages',
                                 messages, '--size', '4k', '--users', 100, '--connections', 8,
                                 code=code)
            self.until(lambda: self.bytes_written(server) > enough)
            yield future.result

    @staticmethod
    def bytes_written(server):
        with open(f'/proc/{server.process.pid}/io', encoding='ascii') as file:
            return int(next(line for line in file if line.startswith('write_bytes')).split()[1])

    def until(self, true):
        deadline = time.monotonic() + 30
        while not true():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def account(self, server, load, *flags, **expected):
        return self.drain(f'pop3://127.0.0.1:{server.pop3_port}', load, *flags, **expected)

    def check_takes(self, server):
        server.send(message('goes on'), 'new@example.test')
        stored = server.fetch('new@example.test')
        self.assertEqual(without_trace(stored[-1]), message('goes on'))


class Processes(HostileCase):
    def test_stopped_under_load(self):
        server = self.server().start()
        with self.load(server, code=FINE) as result:
            for _ in range(3):
                server.signal(signal.SIGSTOP)
                time.sleep(0.3)
                second = self.server(server.store)
                with self.assertRaisesRegex(StartFailed, f'exit {BUSY}: .*in use by process'):
                    second.start()
                server.signal(signal.SIGCONT)
                time.sleep(0.05)
            load = result()
        self.account(server, load)

    def test_many_at_once(self):
        """On a store that is not there yet: one gets it."""
        servers = [self.server() for _ in range(5)]

        def start(server):
            try:
                return server.start()
            except StartFailed as failure:
                self.assertIn(f'exit {BUSY}: ', str(failure))
                return None
        with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
            started = [server for server in pool.map(start, servers) if server]
        self.assertEqual(len(started), 1)
        self.check_takes(started[0])


    def test_the_clock_jumps(self):
        """Back and forth under load, and back before a restart: nothing is lost, and what is
        deleted stays deleted."""
        library = next(iter(glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')), None)
        if not library:
            self.skipTest('needs libfaketime')
        clock = pathlib.Path(self.path('clock'))
        clock.write_text('+0', encoding='ascii')
        server = self.server(shards=2)
        # The library asks for memory before it can tell the time, jemalloc for the time before it
        # gives any: here the C library gives all of it.
        server.command[:0] = ['env', f'LD_PRELOAD={library} libc.so.6 libstdc++.so.6',
                              'FAKETIME_DONT_FAKE_MONOTONIC=1',
                              f'FAKETIME_TIMESTAMP_FILE={clock}', 'FAKETIME_NO_CACHE=1']
        server.start()
        with self.load(server, code=FINE) as result:
            for jump in '-1h', '+400d', '-10y', '+0':
                clock.write_text(jump, encoding='ascii')
                time.sleep(0.1)
            load = result()
        years = set(re.findall(r'"time": *"(\d+)-', self.tail(server)))
        self.assertGreater(len(years), 1, 'the clock did jump')
        server.kill()
        clock.write_text('-30d', encoding='ascii')
        server.start()
        self.account(server, load, code=FINE)
        self.account(server, load, '--delete')
        server.kill()
        server.start()
        self.account(server, load, code=FAILED, fetched=0)

    @staticmethod
    def tail(server):
        return run('store', 'tail', server.store, '--json').stdout


class Files(HostileCase):
    def test_a_segment_taken_away(self):
        """What comes after it goes into another one, and is there after a restart."""
        server = self.server().start()
        server.send(message('before'), 'old@example.test')
        for path in os.listdir(server.store + '/shard-00'):
            os.unlink(f'{server.store}/shard-00/{path}')
        with contextlib.suppress(Exception):  # the first batch may be refused
            server.send(message('refused'), 'refused@example.test')
        self.until(lambda: self.takes(server))
        self.check_takes(server)
        self.assertTrue([line for line in server.lines if 'Stale file handle' in line])
        server.kill()
        server.start()
        self.assertEqual(without_trace(server.fetch('new@example.test')[-1]), message('goes on'))

    @staticmethod
    def takes(server):
        with server.wire() as wire:
            wire.transaction('probe@example.test')
            return wire.command(message('probe') + b'.')[0] == 250

    def test_the_store_taken_away(self):
        """Then nothing is acknowledged any more; the server says why, and ends in order."""
        server = self.server().start()
        with self.load(server) as result:
            shutil.rmtree(server.store)
            load = result()
        self.assertGreater(load.messages['refused'], 0)
        self.assertFalse(self.takes(server))
        self.assertEqual(sum('takes no mail' in line for line in server.lines), 1, server.lines)
        self.assertEqual(server.terminate(), 0)

    def test_the_store_moved_away(self):
        """It goes where its folder goes."""
        server = self.server().start()
        with self.load(server, code=FINE) as result:
            os.rename(server.store, server.store + '-moved')
            load = result()
        server.kill()
        moved = self.server(server.store + '-moved').start()
        self.account(moved, load)


class ReadOnly(HostileCase):
    def test_a_file_system_that_turns_read_only(self):
        """As after an error of the disk. POP3 goes on; nothing that was acknowledged is lost."""
        disk = Ext4(self, 120 * MEGABYTE)
        server = self.server(disk.store).start()
        with self.load(server) as result:
            with self.assertRaises(subprocess.CalledProcessError):
                disk.mount('-o', 'remount,ro')  # not while it is being written
            disk.mount('-o', 'remount,abort')
            load = result()
        self.assertGreater(load.messages['refused'], 0)
        self.assertEqual(set(load.report['replies']), {'220', '221', '250', '354', '451'})
        self.account(server, load)
        self.assertEqual(sum('takes no mail' in line for line in server.lines), 1, server.lines)
        self.assertTrue([line for line in server.lines if 'Read-only file system' in line])
        for attempt in (server.terminate,
                        lambda: run('store', 'verify', disk.store).returncode):
            self.assertEqual(attempt(), 0)
        result = run(*server.command[1:])
        self.assertEqual(result.returncode, DENIED, result.stderr)
        self.assertIn('Read-only file system', result.stderr)
        disk.unmount()
        disk.mount('-o', 'loop', disk.image)
        server.start()
        self.account(server, load)
        self.check_takes(server)
