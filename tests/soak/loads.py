"""The mail of a soak: loads one after the other, and what becomes of each of them.

Every load has users of its own and is of one kind: what it leaves behind is fetched and deleted,
deleted in part, left to its age, or left to its number. What must be there then, and what must not,
follows from its ledger and the rules alone; `drain` finds out whether it is so.
"""
import collections
import itertools
import pathlib
import poplib
import random
import re
import subprocess
import threading
import time

from load import Ledger
from mailrace import program, run

NEVER = ('lost', 'duplicated', 'corrupted', 'unknown', 'unread', 'undeleted')
WAYS = ((), ('--pipeline',), ('--chunking', '--pipeline'), ('--per-connection', '5'))
SIZES = ('lognormal:8k,1.2', 'mix:1k*60,5k*25,20k*15', '512-32k')
LARGE = 'mix:256k*50,1M*40,3M*10'
STALL_SECONDS = 180  # a busy machine stands still for longer than one likes
FETCHED, PARTED, AGED, KEPT = 'fetched', 'parted', 'aged', 'kept'

Kind = collections.namedtuple('Kind', 'name fate rate users recipients sizes connections')
KINDS = (
    Kind('fetched', FETCHED, 10, 300, '1-4', SIZES, 6),
    Kind('parted', PARTED, 6, 80, '1-3', SIZES, 4),
    Kind('aged', AGED, 5, 100, '1-3', SIZES, 4),
    Kind('kept', KEPT, 15, 1, '1', ('mix:1k*70,4k*30',), 1),  # one connection: one order
    Kind('large', AGED, 1.5, 50, '1-2', (LARGE,), 2),  # about 5 % of the messages
    # Fills the index: runs replace each other, and blocks of old ones, until its cache is full.
    Kind('listed', AGED, 10, 1600, '60-100', ('mix:1k*70,4k*30',), 2),
    Kind('bulky', FETCHED, 0.5, 20, '1-2', (LARGE,), 2),
)


class Load:
    """One run of blast: its ledger, and when it was sent."""

    def __init__(self, world, kind, number, seconds):
        self.kind, self.name = kind, f'{kind.name}{number}'
        self.path = f'{world.folder}/{self.name}.ledger'
        self.began, restarts = time.time(), world.restarts
        draw = random.Random(f'{world.seed}/{self.name}')
        rate = kind.rate * (world.plan.large_pace if kind.sizes == (LARGE,) else 1)
        with world.started(
                [program(), 'blast', f'smtp://127.0.0.1:{world.server.smtp_port}',
                 *WAYS[number % len(WAYS)], '--quiet', '--duration', f'{seconds}s', '--rate',
                 str(rate), '--connections', str(kind.connections), '--users',
                 str(kind.users), '--to', f'{self.name}-%d@example.test', '--recipients',
                 kind.recipients, '--size', kind.sizes[number % len(kind.sizes)], '--seed',
                 str(draw.randrange(1 << 32)), '--timeout', f'{STALL_SECONDS}s', '--ledger',
                 self.path]) as blast:
            error = blast.communicate(timeout=seconds + 2 * STALL_SECONDS)[1].strip()
        self.ended = time.time()
        disturbed = restarts != world.restarts or world.restarting
        # Through a restart messages fail, or are left in doubt; otherwise all are taken.
        if blast.returncode not in ((0, 1, 69) if disturbed else (0,)):
            world.found('load', f'{self.name}: exit {blast.returncode}: {error}')
        self.ledger = Ledger(self.path)
        self.deleted, self.doubted = set(), set()

    def outcomes(self, keep):
        """What must be there (acked), may be (doubtful) and must not (refused), by place; `keep`:
        of each mailbox only so many, the newest, are left."""
        outcomes = {}
        certain, possible = collections.Counter(), collections.Counter()
        for place, (_, _, said) in reversed(self.ledger.entries.items()):
            mailbox = place[1]
            had = 'doubtful' if said[-1] == 'sent' or place in self.doubted else said[-1]
            if had not in ('acked', 'doubtful') or place in self.deleted:
                outcomes[place] = 'refused'
            elif certain[mailbox] >= keep:
                outcomes[place] = 'refused'
            else:
                outcomes[place] = had if possible[mailbox] < keep else 'doubtful'
            if outcomes[place] != 'refused':
                certain[mailbox] += had == 'acked'
                possible[mailbox] += 1
        return outcomes

    def rewrite(self, outcomes):
        """A ledger of these outcomes; drain looks into the mailbox of every line."""
        path = f'{self.path}.now'
        with open(path, 'w', encoding='ascii') as file:
            for place, outcome in outcomes.items():
                digest, octets, _ = self.ledger.entries[place]
                file.write(f'{place[0]} {place[1]} {digest} {octets} {outcome}\n')
        return path

    def forget(self):
        for path in (self.path, f'{self.path}.now', f'{self.path}.json'):
            pathlib.Path(path).unlink(missing_ok=True)


class World:
    """What loads, fates, restarts and samples share."""

    def __init__(self, plan, server, folder, seed):
        self.plan, self.server, self.folder, self.seed = plan, server, folder, seed
        self.steady = threading.RLock()  # held by what a restart must not disturb
        self.stopping = threading.Event()
        self.restarts, self.restarting = 0, False
        self.problems = collections.defaultdict(list)
        self.judged = collections.Counter()
        self._children, self._lock = set(), threading.Lock()

    def found(self, promise, problem):
        self.problems[promise].append(problem)
        print(f'# {promise}: {problem}', flush=True)

    def started(self, command):
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True, errors='replace')
        with self._lock:
            self._children = {old for old in self._children if old.poll() is None} | {child}
        return child

    def end_children(self):
        with self._lock:
            for child in self._children:
                if child.poll() is None:
                    child.kill()

    def drain(self, load, outcomes, *flags):
        """Problems of an account that is to be clean, and what it found."""
        path = load.rewrite(outcomes)
        result = run('drain', f'pop3://127.0.0.1:{self.server.pop3_port}', '--ledger', path,
                     '--connections', '4', '--quiet', '--json', f'{load.path}.json', *flags,
                     seconds=2 * STALL_SECONDS)
        said = result.stdout + result.stderr
        counts = {name: int(count) for name, count in re.findall(r'(\w+) (\d+)', said)}
        problems = [line for line in said.splitlines() if result.returncode]
        problems += [f'{name} {counts[name]}' for name in NEVER if counts.get(name)]
        return problems, counts


def _account(world, load, promise, keep, until, *flags, patience=0):
    """Drains the load; what came after `until` tells nothing. True when it was judged.
    `patience`: so many seconds it may take to become true."""
    outcomes, deadline = load.outcomes(keep), time.time() + patience
    while outcomes:
        with world.steady:
            if world.server.process.poll() is not None:
                raise ConnectionError('the server is gone')
            problems, counts = world.drain(load, outcomes, *flags)
        if not problems or time.time() > deadline:
            break
        time.sleep(2)
    if not outcomes or time.time() > until:
        return False
    for problem in problems[:5]:
        world.found(promise, f'{load.name}: {problem}')
    world.judged[promise] += 1
    world.judged['accounted'] += counts.get('fetched', 0)
    return True


def fetch(world, load):
    """All of it is there, once, byte for byte; it goes."""
    until = load.began + world.plan.age_seconds
    _account(world, load, 'fetched', world.plan.keep, until, '--delete')


def part(world, load):
    """Sessions delete about half; the other half is there."""
    draw = random.Random(f'{world.seed}/{load.name}/part')
    for mailbox in load.ledger.recipients():
        asked = set()
        try:
            with world.server.pop3(mailbox) as client:
                for number in range(1, client.stat()[0] + 1):
                    head = b'\n'.join(client.top(number, 0)[1])
                    identity = re.search(rb'^X-Mailrace-Id: *(\S+)', head, re.MULTILINE)[1]
                    if draw.random() < 0.5:
                        client.dele(number)
                        asked.add((identity.decode(), mailbox))
                load.doubted |= asked
                client.quit()
                load.doubted -= asked
                load.deleted |= asked
        except (OSError, EOFError, poplib.error_proto):
            continue  # a restart came between; without an answer to QUIT they are in doubt
    world.judged['deleted in part'] += len(load.deleted)
    until = load.began + world.plan.age_seconds
    _account(world, load, 'parted', world.plan.keep, until, '--delete')


def age(world, load):
    """It is there until it is old enough, and gone soon after."""
    plan = world.plan
    _account(world, load, 'young', plan.keep, load.began + plan.age_seconds)
    time.sleep(max(0, load.ended + plan.age_seconds + plan.grace_seconds() - time.time()))
    _account(world, load, 'aged', 0, float('inf'), patience=plan.patience_seconds)


def keep_newest(world, load):
    """Of each mailbox the newest are there, and no more."""
    plan = world.plan
    time.sleep(plan.grace_seconds())
    if _account(world, load, 'kept', plan.keep, load.began + plan.age_seconds, '--delete'):
        world.judged['kept back'] += sum(outcome == 'refused'
                                         for outcome in load.outcomes(plan.keep).values())


FATES = {FETCHED: fetch, PARTED: part, AGED: age, KEPT: keep_newest}


class Mail:
    """Loads of all kinds, until it is told to stop."""

    def __init__(self, world):
        self.world = world
        self._threads, self._lock = [], threading.Lock()

    def start(self):
        for kind in KINDS:
            self._run(self._send, kind)

    def _run(self, function, *arguments):
        thread = threading.Thread(target=self._guarded, args=(function, *arguments), daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _guarded(self, function, *arguments):
        try:
            function(*arguments)
        except Exception as problem:  # a thread that ends unheard would make the soak easier
            self.world.found('load', f'{function.__name__}: {problem!r}')

    def _send(self, kind):
        for number in itertools.count():
            if self.world.stopping.is_set():
                return
            load = Load(self.world, kind, number, self.world.plan.blast_seconds)
            self._run(self._meet_fate, load)

    def _meet_fate(self, load):
        FATES[load.kind.fate](self.world, load)
        load.forget()

    def join(self):
        """Until the last fate is met."""
        while True:
            with self._lock:
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                threads = list(self._threads)
            if not threads:
                return
            threads[0].join(1)
