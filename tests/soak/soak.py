"""A soak: mixed delivery, deletion, expiry and compaction for half an hour, with restarts between.

  /usr/bin/python3 tests/soak/soak.py [--program PATH] [--long] [--seed N] [--folder DIR]

Without --long a short form of less than a minute. Prints TAP and a line per minute, and leaves
every sample in build/soak/samples.csv.
"""
import argparse
import dataclasses
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / 'tests/e2e'), str(ROOT / 'tests/crash')]

from kill9 import Tap
from loads import KINDS, Load, Mail, World
from mailrace import run
from test_metrics import MetricsServer
from watch import INDEX_BYTES, MIB, SMALL_BYTES, Watch, disk_of, line_of

PROMISES = {
    'load': 'every load is taken, but for what a restart disturbs',
    'fetched': 'what was acknowledged is there: once, byte for byte',
    'parted': 'what sessions deleted is gone, the rest is there',
    'young': 'nothing expires before its time',
    'aged': 'all that is too old is gone soon',
    'kept': 'of a mailbox with too many just the newest are left',
    'disk': 'the logs take no more than twice what lives, and some segments per shard',
    'memory': 'memory is flat after the warm-up of each life',
    'descriptors': 'descriptors are flat, and none is of a file that is gone',
    'errors': 'no error is counted, none is logged',
    'restart': 'every restart is in order',
    'verify': 'store verify finds no damage',
    'empty': 'when everything is deleted the space comes back',
    'busy': 'there was enough of everything',
}


JUDGED = ('fetched', 'parted', 'young', 'kept', 'kept back', 'deleted in part')


@dataclasses.dataclass
class Plan:
    load_seconds: float     # of mixed delivery
    blast_seconds: int      # of one load
    age_seconds: int        # --expire-after
    restarts: tuple         # when, and whether by kill -9
    warm_up_seconds: float  # of a life, before its memory counts: pools, the first runs
    window_seconds: float   # that medians are taken over: about from one run to the next
    rss_percent: float      # that memory may grow by
    sample_seconds: float
    lag_seconds: float      # for space to come back
    slack_seconds: float    # for a busy machine
    patience_seconds: float  # and more, for what has to happen, but need not yet
    large_pace: float       # of large messages: a short soak has to fill segments, too
    busy: tuple             # figures that must move
    keep: int = 40
    shards: int = 2
    segment_bytes: int = 16 * MIB

    def grace_seconds(self):
        """Two rounds of retention: in the first the mailbox may have been in use."""
        return 2 * min(60, self.age_seconds / 8) + self.slack_seconds


SHORT = Plan(load_seconds=19, blast_seconds=4, age_seconds=15, restarts=((5, False), (9, True)),
             warm_up_seconds=8, window_seconds=4, rss_percent=50, sample_seconds=0.5,
             lag_seconds=10, slack_seconds=4, patience_seconds=20,
             large_pace=4, busy=('messages', 'expunged', 'expired', 'reclaimed'))
LONG = Plan(load_seconds=1530, blast_seconds=20, age_seconds=120,
            restarts=((90, False), (180, True), (270, False), (360, True)),
            warm_up_seconds=480, window_seconds=240, rss_percent=5, sample_seconds=2,
            lag_seconds=20, slack_seconds=10, patience_seconds=90, large_pace=1,
            busy=(*SHORT.busy, 'compactions', 'given_back', 'recycled', 'runs'))


def check_lines(world):
    """Of the life that ended."""
    for line in world.server.lines:
        if not line.startswith('info ') and 'torn' not in line:
            world.found('errors', f'the log says: {line}')


def restart(world, watch, kill):
    with world.steady:
        world.restarting = True
        if kill:
            world.server.kill()
        elif code := world.server.terminate():
            world.found('restart', f'exit {code} after SIGTERM')
        check_lines(world)
        world.server.start()
        watch.next_life()
        world.restarts, world.restarting = world.restarts + 1, False


def missing(world):
    return [name for name in JUDGED if not world.judged[name]]


def course(world, watch):
    """Mail of all kinds, and restarts, until the time is over and every fate is met."""
    mail, began = Mail(world), time.monotonic()
    mail.start()
    for at_seconds, kill in world.plan.restarts:
        world.stopping.wait(max(0, began + at_seconds - time.monotonic()))
        if not world.stopping.is_set():
            restart(world, watch, kill)
    world.stopping.wait(max(0, began + world.plan.load_seconds - time.monotonic()))
    while missing(world) and time.monotonic() < began + 4 * world.plan.load_seconds:
        world.stopping.wait(1)  # the machine is busy with other things
    world.stopping.set()
    mail.join()


def verify(world):
    result = run('store', 'verify', world.server.store, seconds=600)
    if result.returncode:
        for line in (result.stdout + result.stderr).splitlines()[:10]:
            world.found('verify', line)


def last_load(world, watch):
    """Killed under load once more, verified as it lies there, and all of it is there."""
    load_kind = KINDS[0]._replace(name='last', rate=50)
    load = Load(world, load_kind, 0, 2)
    with world.steady:
        world.server.kill()
        check_lines(world)
        verify(world)
        world.server.start()
        watch.next_life()
        problems, counts = world.drain(load, load.outcomes(world.plan.keep), '--delete')
    for problem in problems[:5]:
        world.found('fetched', f'last: {problem}')
    world.judged['accounted'] += counts.get('fetched', 0)


def come_back(world, watch):
    """Nothing is in any mailbox: of each log one segment is open, and one ready."""
    plan = world.plan
    allowed = plan.shards * 2 * plan.segment_bytes + SMALL_BYTES
    deadline = time.monotonic() + plan.lag_seconds + plan.age_seconds + plan.grace_seconds()
    while True:
        sample = watch.sample()
        if not sample.links and sample.log_disk <= allowed and not sample.deleted_files:
            break
        if time.monotonic() > deadline:
            world.found('empty', f'more than {allowed / MIB:.0f} MiB: {line_of(sample)}')
            break
        time.sleep(1)
    print(f'# emptied: {line_of(sample)}', flush=True)


def finish(world):
    if code := world.server.terminate():
        world.found('restart', f'exit {code} after SIGTERM')
    check_lines(world)
    verify(world)
    logs, index, _ = disk_of(world.server.store)
    if index > INDEX_BYTES:
        world.found('empty', f'{index / MIB:.0f} MiB of index for nothing')
    print(f'# at rest: logs {logs / MIB:.1f} MiB, index {index / MIB:.1f} MiB', flush=True)


def check_busy(world, watch):
    """A soak in which nothing happened proves nothing."""
    wanted = {name: world.judged[name] for name in (*JUDGED, 'aged', 'accounted', 'lives')}
    for name in world.plan.busy:
        wanted[name] = max((getattr(sample, name) for sample in watch.samples), default=0)
    print('#', ', '.join(f'{name} {count:.0f}' for name, count in wanted.items()))
    for name, count in wanted.items():
        if not count:
            world.found('busy', f'{name}: none')
    for sample in watch.samples:
        if sample.errors:
            world.found('errors', f'{sample.errors:.0f} counted: {line_of(sample)}')
            break


def soak(tap, plan, folder, seed, results):
    flags = ('--expire-after', f'{plan.age_seconds}s', '--keep', plan.keep, '--memory', '64M')
    with MetricsServer(*flags, store=os.path.join(folder, 'store'), shards=plan.shards) as server:
        world = World(plan, server, folder, seed)
        watch = Watch(world, results / 'samples.csv')
        watch.start()
        try:
            course(world, watch)
            watch.end()
            if server.process.poll() is None:
                watch.judge()
                last_load(world, watch)
                come_back(world, watch)
                finish(world)
            check_busy(world, watch)
        finally:
            world.end_children()
    for key, promise in PROMISES.items():
        tap.check(promise, world.problems[key])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--program', type=pathlib.Path)
    parser.add_argument('--long', action='store_true', help='half an hour')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 32))
    parser.add_argument('--folder', help='keep ledgers and store here')
    arguments = parser.parse_args()
    if arguments.program:
        os.environ['MAILRACE_PROGRAM'] = str(arguments.program.absolute())

    results = ROOT / 'build/soak'
    results.mkdir(parents=True, exist_ok=True)
    tap = Tap(len(PROMISES))
    print(f'# seed {arguments.seed}', flush=True)
    folder = arguments.folder or tempfile.mkdtemp(prefix='mailrace-soak-')
    try:
        soak(tap, LONG if arguments.long else SHORT, folder, arguments.seed, results)
    finally:
        if tap.failed:
            print(f'# kept: {folder}')
        elif not arguments.folder:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
