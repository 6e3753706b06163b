"""A server at work on a recorded disk: mail comes in, some is fetched and deleted, and what was
promised to whom is marked in the log of the disk."""
import contextlib
import os
import poplib
import random
import re
import subprocess
import threading
import time

import machine
from file_system import EXT4, XFS
from kill9 import retrieve
from mailrace import Server, program
from recording import copy

LOAD_SECONDS = 1.5
LOAD_PATIENCE_SECONDS = 90
SOME_FAILED = 1  # blast's exit code
USERS = 12
SEGMENT = '8M'
MARK_PAUSE_SECONDS = 0.001
ID = re.compile(rb'^X-Mailrace-Id: (\S+)', re.MULTILINE)
SMALL, MIXED = '1k-6k', 'mix:1k*70,6k*20,40k*6,300k*4'


class Way:
    """How a run is done: the file system, the server, the load, what else happens. `killed`: the
    server is, midway; `after_cut`: it finds what a cut of the run before left."""

    def __init__(self, name, disk=EXT4, options=(), serve=(), blast=(), killed=False,
                 after_cut=False):
        self.name, self.disk, self._options = name, disk, options
        self.killed, self.after_cut = killed, after_cut
        self.serve = ('--segment', SEGMENT, *serve)
        self.blast = ('--duration', f'{int(LOAD_SECONDS * 1000)}ms', '--users', str(USERS), *blast)

    def mounted(self, image, folder):
        return self.disk.mounted(image, folder, self._options)


UNSAFE = 'acknowledged without a sync'
WAYS = {way.name: way for way in (
    Way('one shard', serve=('--shards', '1'),
        blast=('--pipeline', '--recipients', '1-3', '--size', MIXED, '--rate', '1200')),
    Way('after a cut', serve=('--shards', '2'),
        blast=('--recipients', '1-3', '--size', MIXED, '--rate', '1000'), after_cut=True),
    Way('two shards, data=writeback', options=('data=writeback',), serve=('--shards', '2'),
        blast=('--chunking', '--pipeline', '--size', MIXED, '--rate', '1200')),
    Way('killed and restarted', serve=('--shards', '2'),
        blast=('--recipients', '1-3', '--size', MIXED, '--rate', '1200'), killed=True),
    Way('four commits in flight', serve=('--shards', '1', '--commit-depth', '4'),
        blast=('--connections', '24', '--size', SMALL, '--rate', '3000')),
    Way('through the page cache, data=journal', options=('data=journal',), serve=('--shards', '1'),
        blast=('--pipeline', '--recipients', '1-3', '--size', SMALL, '--rate', '1200')),
    Way('xfs', XFS, serve=('--shards', '2', '--commit-depth', '2'),
        blast=('--pipeline', '--recipients', '1-3', '--size', MIXED, '--rate', '1200')),
    Way(UNSAFE, serve=('--shards', '1', '--durability', 'none'),
        blast=('--size', SMALL, '--rate', '1200')),
)}


class Marker:
    """Says in the log of the disk, again and again, how much of these files there was."""

    def __init__(self, recorder, *paths):
        self._recorder, self._paths, self._over = recorder, paths, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        last = None
        while True:
            over = self._over.is_set()
            sizes = [os.path.getsize(path) for path in self._paths]
            if sizes != last or over:
                self._recorder.mark(' '.join(map(str, sizes)))
            if over:
                return
            last = sizes
            time.sleep(MARK_PAUSE_SECONDS)


class Deleter:
    """Fetches from one mailbox after the other and deletes some of it: `deleting` is in the file
    before QUIT is sent, `deleted` when it was answered."""

    def __init__(self, server, path, seed):
        self._server, self._draw = server, random.Random(seed)
        self._file = open(path, 'w', buffering=1, encoding='ascii')
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        self._file.close()

    def _run(self):
        while not self._over.wait(0.01):
            # The server may be dead at the moment, or the maildrop not be there for two.
            with contextlib.suppress(OSError, EOFError, poplib.error_proto):
                self._visit(f'user{self._draw.randrange(USERS)}@example.test')

    def _visit(self, mailbox):
        with self._server.pop3(mailbox) as client:
            numbers = range(1, client.stat()[0] + 1)
            chosen = []
            for number in self._draw.sample(numbers, min(len(numbers), self._draw.randint(1, 8))):
                chosen.append(ID.search(retrieve(client, number))[1].decode())
                client.dele(number)
            self._note('deleting', mailbox, chosen)
            client.quit()
            self._note('deleted', mailbox, chosen)

    def _note(self, word, mailbox, identities):
        self._file.write(''.join(f'{word} {mailbox} {identity}\n' for identity in identities))
        self._file.flush()


def record(folder, way, seed, recorder_program):
    """Finds `base` in the folder, the disk as it is before. Leaves `log`, `ledger` and
    `deletions`."""
    image, ledger, deletions = folder / 'image', folder / 'ledger', folder / 'deletions'
    copy(folder / 'base', image)
    ledger.touch()
    with machine.Recorder(recorder_program, image, folder / 'log', folder / 'fuse') as recorder, \
            way.mounted(recorder.disk, folder / 'mail') as mail:
        recorder.mark('0 0')
        with Server(*way.serve, store=mail / 'store') as server, \
                Deleter(server, deletions, seed), Marker(recorder, ledger, deletions):
            load(server, way, seed, ledger)
            server.kill()  # or closing in order would vouch for everything
    image.unlink()


def load(server, way, seed, ledger):
    command = [program(), 'blast', f'smtp://127.0.0.1:{server.smtp_port}', *way.blast, '--quiet',
               '--seed', str(seed), '--ledger', str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as blast:
        try:
            if way.killed:
                time.sleep(LOAD_SECONDS / 2)
                server.kill()
                server.start()
            error = blast.communicate(timeout=LOAD_PATIENCE_SECONDS)[1]
        finally:
            blast.kill()
    if blast.returncode and not (way.killed and blast.returncode == SOME_FAILED):
        raise RuntimeError(f'blast: exit {blast.returncode}: {error.strip()}')
