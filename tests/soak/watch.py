"""What a soak looks at while it goes on: disk, memory, descriptors, figures; and their bounds."""
import collections
import csv
import os
import pathlib
import re
import statistics
import subprocess
import threading
import time

MIB = 1 << 20
SEGMENTS_PER_SHARD = 5  # being written, ready, just sealed, being compacted, to be recycled
INDEX_BYTES = 48 * MIB  # the index's own files, logs included
SMALL_BYTES = 2 * MIB   # STORE, hints, stones
FIGURES = {
    'messages': 'messages_stored_total', 'links': 'log_links', 'live': 'log_live_bytes',
    'dead': 'log_dead_bytes', 'expunged': 'store_expunged_total',
    'expired': 'store_expired_total', 'compactions': 'store_compactions_total',
    'given_back': 'store_segments_reclaimed_total', 'reclaimed': 'store_reclaimed_bytes_total',
    'recycled': 'store_segments_recycled_total',
    'runs': 'index_runs_total', 'delta': 'index_delta_bytes', 'sessions': 'sessions_open',
    'cpu': 'process_cpu_seconds_total',
}
# Logins are not among them: a mailbox that retention has at hand is in use.
ERRORS = ('messages_failed_total', 'store_batch_errors_total', 'index_failures_total',
          'net_errors_total')
DAMAGE = 'mailrace_recovery_corrupt_'
FIELDS = ('seconds', 'life', 'age', 'rss', 'log_disk', 'index_disk', 'segments', 'sockets',
          'store_files', 'deleted_files', 'other_files', 'errors', *FIGURES)
Sample = collections.namedtuple('Sample', FIELDS)


def disk_of(store):
    """Bytes allocated by logs and by the index, and the number of segments."""
    logs = index = segments = 0
    for folder, _, names in os.walk(store):
        inside = os.path.relpath(folder, store).split(os.sep)[0] == 'index'
        for name in names:
            try:
                size = os.stat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
            index, logs = index + size * inside, logs + size * (not inside)
            segments += not inside and name.endswith('.seg')
    return logs, index, segments


def descriptors_of(pid, store):
    """How many are sockets, files of the store, files that are gone, and others."""
    count = collections.Counter()
    for entry in os.scandir(f'/proc/{pid}/fd'):
        try:
            target = os.readlink(entry.path)
        except FileNotFoundError:
            continue
        count['sockets' if target.startswith('socket:') else
              'deleted_files' if target.endswith(' (deleted)') and store in target else
              'store_files' if target.startswith(store) else 'other_files'] += 1
    return count


def errors_of(page):
    damage = [value for name, _, value in page.samples if name.startswith(DAMAGE)]
    return sum(damage) + sum(page.sum(name) for name in ERRORS)


class Watch(threading.Thread):
    """Samples until it is told to end, and judges them then."""

    def __init__(self, world, path):
        super().__init__(daemon=True)
        self.world, self.samples, self.path = world, [], path
        self.began, self.life, self.life_began = time.monotonic(), 0, time.monotonic()
        self._end = threading.Event()

    def next_life(self):
        self.life, self.life_began = self.life + 1, time.monotonic()

    def sample(self):
        server, now = self.world.server, time.monotonic()
        store, pid = os.path.realpath(server.store), server.process.pid
        page = server.figures()
        rss = re.search(r'VmRSS:\s*(\d+) kB',
                        pathlib.Path(f'/proc/{pid}/status').read_text())[1]
        logs, index, segments = disk_of(store)
        files = descriptors_of(pid, store)
        return Sample(
            round(now - self.began, 1), self.life, round(now - self.life_began, 1),
            int(rss) * 1024, logs, index, segments, files['sockets'], files['store_files'],
            files['deleted_files'], files['other_files'], errors_of(page),
            *(page.sum(name) for name in FIGURES.values()))

    def run(self):
        with open(self.path, 'w', encoding='ascii', newline='') as file:
            table, minute = csv.writer(file), 0
            table.writerow(FIELDS)
            while not self._end.wait(self.world.plan.sample_seconds):
                try:
                    with self.world.steady:
                        sample = self.sample()
                except (OSError, AssertionError, subprocess.SubprocessError) as problem:
                    self.world.found('errors', f'no sample: {problem!r}')
                    if self.world.server.process.poll() is not None:
                        self.world.stopping.set()
                        return
                    continue
                self.samples.append(sample)
                table.writerow(sample)
                file.flush()
                if sample.seconds >= 60 * minute:
                    minute = int(sample.seconds // 60) + 1
                    print(f'# {line_of(sample)}', flush=True)

    def end(self):
        self._end.set()
        self.join()

    # -- bounds -------------------------------------------------------------------------------

    def judge(self):
        plan, found = self.world.plan, self.world.found
        if not self.samples:
            return  # each that could not be had was found already
        for problem in disk_problems(self.samples, plan)[:3]:
            found('disk', problem)
        lives = collections.defaultdict(list)
        for sample in self.samples:
            lives[sample.life].append(sample)
        for samples in lives.values():
            warm = [sample for sample in samples if sample.age >= plan.warm_up_seconds]
            if warm and warm[-1].age - warm[0].age >= 2 * plan.window_seconds:
                self.world.judged['lives'] += 1
                self._judge_life(warm, plan, found)
        if self.samples[-1].deleted_files:
            found('descriptors', f'{self.samples[-1].deleted_files} files held that are gone')

    def _judge_life(self, warm, plan, found):
        first = [sample for sample in warm if sample.age < warm[0].age + plan.window_seconds]
        last = [sample for sample in warm if sample.age > warm[-1].age - plan.window_seconds]
        before, after = (statistics.median(sample.rss for sample in part)
                         for part in (first, last))
        print(f'# life {warm[0].life}: {warm[-1].age:.0f} s, memory {before / MIB:.1f} MiB after '
              f'warm-up, {after / MIB:.1f} MiB at its end', flush=True)
        if after > before * (1 + plan.rss_percent / 100):
            found('memory', f'life {warm[0].life}: {before / MIB:.1f} MiB to '
                            f'{after / MIB:.1f} MiB')
        before, after = (statistics.median(sample.other_files for sample in part)
                         for part in (first, last))
        if after != before:
            found('descriptors', f'life {warm[0].life}: {before} to {after} others')
        for sample in warm:
            # A reader per shard and segment, the log's own, and those of the index.
            allowed = (plan.shards + 1) * sample.segments + 64
            if sample.store_files > allowed or sample.deleted_files > sample.segments:
                found('descriptors', f'{sample.store_files} files of the store, '
                                     f'{sample.deleted_files} gone: {line_of(sample)}')
                break


def disk_allowed(live, plan):
    """Of logs: what is sealed is compacted when less than half of it lives; and what each shard is
    at work on."""
    return 2 * live + plan.shards * SEGMENTS_PER_SHARD * plan.segment_bytes + SMALL_BYTES


def disk_problems(samples, plan):
    """Space is to come back within the lag: what lived at its beginning counts."""
    problems = []
    for place, sample in enumerate(samples):
        live = max(other.live for other in samples[:place + 1]
                   if other.seconds >= sample.seconds - plan.lag_seconds)
        allowed = disk_allowed(live, plan)
        if sample.log_disk > allowed:
            problems.append(f'logs take {sample.log_disk / MIB:.0f} MiB of {allowed / MIB:.0f}: '
                            f'{line_of(sample)}')
        if sample.index_disk > INDEX_BYTES:
            problems.append(f'the index takes {sample.index_disk / MIB:.0f} MiB')
    return problems


def line_of(sample):
    return (f'{sample.seconds:.0f} s: life {sample.life}, {sample.messages:.0f} messages, '
            f'{sample.links:.0f} in mailboxes, {sample.expunged:.0f} deleted '
            f'({sample.expired:.0f} expired), {sample.live / MIB:.0f} MiB live on '
            f'{sample.log_disk / MIB:.0f} + {sample.index_disk / MIB:.0f} MiB, '
            f'{sample.segments} segments, {sample.compactions:.0f} compacted, '
            f'{sample.given_back:.0f} given back, {sample.rss / MIB:.1f} MiB of memory, '
            f'{sample.store_files + sample.other_files} files, {sample.cpu:.0f} s of CPU')
