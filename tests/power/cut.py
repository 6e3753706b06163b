"""The power goes while `mailrace serve` is at work on a real file system: what it had promised by
then is there.

  /usr/bin/python3 tests/power/cut.py [--recorder PATH] [--program PATH] [--points N] [--long]
                                      [--seed N] [--replay FOLDER --point N]

A recorder below ext4 or XFS logs every write and every sync of the disk while `mailrace blast`
sends and others delete. Afterwards the power goes at points of that log, drawn by lot: what was
synced is there, of the rest anything may be. Every such disk must mount, be sound, and hold what
had been acknowledged by then, once and whole; what had been deleted stays so. Then deliberate
mistakes, to see that they would be found. Prints TAP. What fails is kept in build/power, and the
command that repeats it is printed. All else is in memory, some 300 MB. Needs root, FUSE and loop
devices; says which is missing, and skips.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import shutil
import signal
import struct
import sys
import tempfile
import threading
import traceback

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / 'tests/e2e'), str(ROOT / 'tests/crash')]

import machine
import workload
from account import Promises, fetch_all
from file_system import EXT4
from kill9 import Tap
from mailrace import Server, message, run
from recording import MARK, SYNC, WRITE, Player, Recording, copy

POINTS, LONG_POINTS, POINTS_OF_A_RUN = 50, 500, 25
WORKERS = 2
ACKED_MIN = 300
UNSAFE_POINTS = 8
COMMAND = '/usr/bin/python3 tests/power/cut.py'
KEPT = ROOT / 'build/power'
TEXTS = 'ledger', 'deletions', 'former-ledger', 'former-deletions'
FILES = 'way', 'base', 'log', *TEXTS
BATCH_HEADER = struct.Struct('<4s36xII12xI')  # magic, shard, segment, records: storage/FORMAT.md
SOON = 20  # so many records after something


class Batch(collections.namedtuple('Batch', 'number shard segment records')):
    """What a log was told to write, by its number among the records of the disk."""

    def place(self):
        return self.shard, self.segment


class Run:
    """One recording and what it promised."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        name, self.seed = (self.folder / 'way').read_text().rsplit(' ', 1)
        self.way = workload.WAYS[name]
        self.recording = Recording(self.folder / 'log')
        ledger, deletions, *former = [(self.folder / name).read_text() for name in TEXTS]
        self.promises = Promises(ledger, deletions, former)
        self.mailboxes = sorted({recipient for _, recipient in self.promises.sent})
        self._lock = threading.Lock()

    def draw(self, count):
        """Points of all kinds: after a sync, after a mark, while the server starts, soon after a
        log has moved on to its next segment, and in between, the more likely the more is not
        durable there."""
        draw, recording = random.Random(self.seed), self.recording
        marks = recording.points(MARK)
        syncs = [point for point in recording.points(SYNC) if marks[0] < point < marks[-1]]
        first = {batch.place(): batch.number for batch in reversed(self.batches())}
        between, weights = range(marks[0], marks[-1]), []
        for point in between:
            kind = recording.records[point - 1][0]
            weights.append(weights[-1] + (kind == WRITE) if weights and kind != SYNC else 0)
        chosen = set()
        while len(chosen) < count:
            point = draw.choice((
                draw.choice(syncs), draw.choice(marks[:-1]), draw.randrange(marks[0], marks[1]),
                draw.choice(list(first.values())) + draw.randrange(SOON),
                *draw.choices(between, weights, k=2)))
            chosen.add(min(point, marks[-1] - 1))
        return sorted(chosen)

    def batches(self):
        """What looks like one."""
        found = []
        for number, (kind, _, data) in enumerate(self.recording.records):
            if kind == WRITE and data.startswith(b'Mbth') and len(data) >= BATCH_HEADER.size:
                _, shard, segment, records = BATCH_HEADER.unpack_from(data)
                found.append(Batch(number, shard, segment, records))
        return found

    def cut_all(self, points, leave_out=None):
        """Yields (point, what was drawn, problems)."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            player = Player(self.recording, self.folder / 'base', f'{scratch}/image', leave_out)
            ascending = iter(points)

            def one(number):
                image = f'{scratch}/{number}'
                with self._lock:
                    point = next(ascending)
                    drawn = player.cut(point, image, self.seed)
                problems = self.examine(point, image)
                os.unlink(image)
                return point, drawn, problems

            with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
                yield from sorted(pool.map(one, range(len(points))))

    def examine(self, point, image):
        """Everything that is wrong with a disk that was cut at this point."""
        try:
            with self.way.mounted(image, pathlib.Path(f'{image}.mail')) as mail:
                problems = self.recover(point, mail / 'store')
        except Exception as error:  # whatever it is, the cut is not survived
            problems = [f'{type(error).__name__}: {error}']
        return problems + list(filter(None, [self.way.disk.unsound(image)]))

    def recover(self, point, store):
        with Server(*self.way.serve, store=store) as server:
            found = fetch_all(server, self.mailboxes)
            problems = self.promises.broken(found, *self.recording.marks(point))
            server.send(message(), 'new@example.test')
            if server.count('new@example.test') != 1:
                problems.append('new mail is not taken')
            if code := server.terminate():
                problems.append(f'serve: exit {code}: {server.lines[-3:]}')
        verified = run('store', 'verify', store)
        if verified.returncode:
            problems += ['store verify: ' + line for line in verified.stdout.splitlines()[:5]]
        return problems

    def keep(self, point):
        """The command that does it again."""
        kept = KEPT / f'{self.seed}'
        kept.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            copy(self.folder / name, kept / name)
        return f'{COMMAND} --replay {kept.relative_to(ROOT)} --point {point}'

    def leave(self, folder):
        """What the next run finds: this one's disk after a cut, and what it had promised."""
        marks = self.recording.points(MARK)
        point = random.Random(self.seed).choice(marks[len(marks) // 2:-1])
        Player(self.recording, self.folder / 'base', folder / 'image').cut(
            point, folder / 'base', self.seed)
        (folder / 'image').unlink()
        former = self.promises.as_of(*self.recording.marks(point))
        for name, text in zip(TEXTS[2:], former):
            (folder / name).write_text(text)


def record(folder, name, seed, recorder, before=None):
    """A run, on a new file system or, by the way it is done, on what the one before left."""
    folder, way = pathlib.Path(folder), workload.WAYS[name]
    folder.mkdir()
    (folder / 'way').write_text(f'{name} {seed}')
    if way.after_cut:
        before.leave(folder)
    else:
        way.disk.make(folder / 'base')
        for text in TEXTS[2:]:
            (folder / text).touch()
    workload.record(folder, way, seed, recorder)
    return Run(folder)


def cuts(tap, run_, count):
    """Checks of so many points; whatever fails is kept."""
    for point, drawn, problems in run_.cut_all(run_.draw(count)):
        if problems:  # first, as only so many are shown
            problems.insert(0, f'again: {run_.keep(point)}')
        tap.check(f'{run_.way.name}, cut after {point} of {len(run_.recording.records)} records: '
                  f'{drawn}', problems)


def ways(folder):
    """Names of those that this machine can do, and (name, why not) of the others."""
    why = {name: machine.lacking(way.disk, folder) for name, way in workload.WAYS.items()
           if name != workload.UNSAFE}
    return [name for name in why if not why[name]], [pair for pair in why.items() if pair[1]]


def runs(tap, names, arguments, folder):
    run_ = None
    for number, count in enumerate(shares(arguments.points, len(names))):
        before, run_ = run_, record(f'{folder}/run{number}', names[number % len(names)],
                                    arguments.seed + number, arguments.recorder, run_)
        if before:
            shutil.rmtree(before.folder)
        check_load(tap, run_)
        cuts(tap, run_, count)
        if number == 0:
            tap.check('a disk that forgot one write of acknowledged mail is found out',
                      forgetful(run_))


def check_load(tap, run_):
    acked, deleted = len(run_.promises.acked()), len(run_.promises.deletions('deleted'))
    writes, syncs, marks = (len(run_.recording.points(kind)) for kind in (WRITE, SYNC, MARK))
    segments = len({batch.place() for batch in run_.batches()})
    print(f'# {run_.way.name}, seed {run_.seed}: {acked} acked, {deleted} deleted, {segments} '
          f'segments; {writes} writes, {syncs} syncs, {marks} marks')
    tap.check(f'{run_.way.name}: there was something to lose',
              [] if acked > ACKED_MIN and deleted else [f'{acked} acked, {deleted} deleted'])


def shares(points, ways_count):
    """How many for each run: every way has one at least."""
    count = max(ways_count, points // POINTS_OF_A_RUN)
    return [points * (i + 1) // count - points * i // count for i in range(count)]


# --------------------------------------------------------------- mistakes to be found ----

def forgetful(run_):
    """The fullest batch of the first half is never written, and the power goes later."""
    marks = run_.recording.points(MARK)
    forgotten = max((batch for batch in run_.batches()
                     if batch.number < marks[len(marks) // 2]), key=lambda batch: batch.records)
    (_, _, problems), = run_.cut_all([marks[-2]], leave_out=forgotten.number)
    return [] if is_lost(problems) else ['nothing was missed', *problems]


def unsafe(folder, arguments):
    """A server that acknowledges what is not durable."""
    run_ = record(f'{folder}/unsafe', workload.UNSAFE, arguments.seed, arguments.recorder)
    draw = random.Random(arguments.seed)
    points = sorted(draw.sample(run_.recording.points(MARK)[1:-1], UNSAFE_POINTS))
    results = list(run_.cut_all(points))
    shutil.rmtree(run_.folder)
    return [] if any(is_lost(problems) for _, _, problems in results) else ['nothing was lost']


def is_lost(problems):
    return any(problem.startswith('lost') for problem in problems)


def sync_is_seen(folder, recorder):
    """What a program had synced is before a sync in the log, and that is before what it did next.
    Without this nothing here means anything."""
    folder, data = pathlib.Path(folder) / 'seen', os.urandom(4096)
    folder.mkdir()
    image, log = folder / 'image', folder / 'log'
    EXT4.make(image)
    with machine.Recorder(recorder, image, log, folder / 'fuse') as disk, \
            EXT4.mounted(disk.disk, folder / 'mail') as mail, \
            open(mail / 'file', 'wb', buffering=0) as file:
        file.write(data)
        disk.mark('written')
        os.fsync(file.fileno())
        disk.mark('synced')
    recording = Recording(log)
    shutil.rmtree(folder)
    marks = recording.points(MARK)
    before, durable = marks[0], recording.durable(marks[1])
    seen = [number for number, (kind, _, written) in enumerate(recording.records)
            if kind == WRITE and data in written]
    problems = [] if seen and before <= seen[0] < durable else [f'written at {seen}, durable up to '
                                                                f'{durable}, marks {marks}']
    return problems


# ------------------------------------------------------------------------------- main ----

def everything(arguments, folder):
    names, others = ways(folder)
    tap = Tap(len(shares(arguments.points, len(names))) + arguments.points + len(others) + 3)
    command = f'{COMMAND} --seed {arguments.seed} --points {arguments.points}'
    print(f'# again: {command}')
    try:
        tap.check('a sync is in the log, behind what it made durable',
                  sync_is_seen(folder, arguments.recorder))
        for name, reason in others:
            tap.check(f'{name} # SKIP {" ".join(reason.split())}', [])
        runs(tap, names, arguments, folder)
        tap.check('a server that acknowledges without a sync is found out',
                  unsafe(folder, arguments))
    except Exception as error:  # a run that can't be recorded, for one
        traceback.print_exc()
        tap.check('the power cuts come to their end', [f'again: {command}', f'{error!r}'])
    return tap


def again(arguments, folder):
    tap = Tap(1)
    run_ = Run(shutil.copytree(arguments.replay, f'{folder}/run'))
    (_, drawn, problems), = run_.cut_all([arguments.point])
    tap.check(f'{run_.way.name}, cut after {arguments.point}: {drawn}', problems)
    return tap


def skip(reason):
    print(f'1..1\nok 1 - power cuts # SKIP {" ".join(reason.split())}')
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--recorder', type=pathlib.Path,
                        default=ROOT / 'build/test/tests/power/recorder')
    parser.add_argument('--points', type=int, default=POINTS)
    parser.add_argument('--long', action='store_true', help=f'{LONG_POINTS} points')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    parser.add_argument('--replay', type=pathlib.Path, help='a run that was kept')
    parser.add_argument('--point', type=int, help='the one of it')
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())
    if arguments.long:
        arguments.points = LONG_POINTS
    if reason := machine.missing(arguments.recorder):
        return skip(reason)

    def inside():
        try:
            machine.settle(folder, arguments.recorder)
        except machine.Unavailable as reason:
            return skip(str(reason))
        return 1 if (again if arguments.replay else everything)(arguments, folder).failed else 0

    for number in machine.TO_END:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix='mailrace-power-') as folder:
        try:
            return machine.contained(inside)
        except machine.Unavailable as reason:
            return skip(str(reason))


if __name__ == '__main__':
    sys.exit(main())
