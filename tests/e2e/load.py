"""`mailrace blast` and `mailrace drain` run to their end, and what they report held against itself,
against the ledger, and against what is really there."""
import collections
import concurrent.futures
import ctypes
import functools
import itertools
import json
import os
import re

from cases import FolderCase
from mailrace import run
from servers import body_of

FINE, FAILED, USAGE, UNAVAILABLE = 0, 1, 64, 69
OUTCOMES = ('acked', 'refused', 'failed', 'doubtful')
PHASES = ('connect', 'banner', 'tls', 'ehlo', 'mail', 'rcpt', 'data', 'commit', 'total')
PERCENTILES = ('p50', 'p90', 'p99', 'p999', 'max')
DRAINED = ('acked', 'fetched', 'lost', 'duplicated', 'corrupted', 'unknown')
ID = re.compile(rb'^X-Mailrace-Id: *(\S+)\r\n', re.MULTILINE)
LINE = re.compile(r'([0-9a-f]{1,64}) (\S+) ([0-9a-f]{16}) (\d+) '
                  r'(sent|acked|refused|failed|doubtful)')


@functools.cache
def _xxhash():
    library = ctypes.CDLL('libxxhash.so.0')
    library.XXH3_64bits.argtypes = ctypes.c_char_p, ctypes.c_size_t
    library.XXH3_64bits.restype = ctypes.c_uint64
    return library.XXH3_64bits


def digest_of(body):
    return f'{_xxhash()(body, len(body)):016x}'


class Ledger:
    """A ledger as the tests read it: by (id, recipient), the digest, the size and every outcome."""

    def __init__(self, path):
        self.path = path
        self.entries = {}
        with open(path, encoding='ascii', newline='') as file:
            for line in file:
                match = LINE.fullmatch(line.removesuffix('\n'))
                if not match or not line.endswith('\n'):
                    raise AssertionError(f'no line of a ledger: {line!r}')
                identity, recipient, digest, octets, outcome = match.groups()
                entry = self.entries.setdefault((identity, unescape(recipient)),
                                                (digest, int(octets), []))
                if entry[:2] != (digest, int(octets)):
                    raise AssertionError(f'{line!r} differs from what was said before')
                entry[2].append(outcome)

    def recipients(self):
        return sorted({recipient for _, recipient in self.entries})

    def of(self, outcome):
        """Every (id, recipient) that ended so."""
        return {place for place, (_, _, outcomes) in self.entries.items()
                if outcomes[-1] == outcome}

    def messages(self):
        """How many messages ended how; one that any recipient had is acked, whatever else."""
        ends = collections.defaultdict(set)
        for (identity, _), (_, _, outcomes) in self.entries.items():
            ends[identity].add('doubtful' if outcomes[-1] == 'sent' else outcomes[-1])
        order = ('acked', 'doubtful', 'failed', 'refused')
        return collections.Counter(next(word for word in order if word in end)
                                   for end in ends.values())


def unescape(text):
    return re.sub(r'\\x([0-9A-Fa-f]{2})', lambda match: chr(int(match[1], 16)), text)


class Blast:
    """What a run left: `report` (the JSON), `ledger`, `result` (exit code and output)."""

    def __init__(self, result, report, ledger):
        self.result, self.report, self.ledger = result, report, ledger
        self.messages = report['messages']

    def failures(self):
        """How sessions ended that did not end as they should, by name."""
        return {name: count for name, count in self.report['failures'].items() if count}

    def percentile(self, name, phase='total'):
        """In milliseconds."""
        return self.report['latency_us'][phase][name] / 1000


class LoadCase(FolderCase):
    def setUp(self):
        super().setUp()
        self.runs = itertools.count()

    def path(self, name):
        return os.path.join(self.folder, name)

    def together(self, check, cases, threads=8):
        """Checks every case, (name, …), in a subtest: several at a time, as most of it is waiting.
        Within, no subtests."""
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            results = [(case, pool.submit(check, *case[1:])) for case in cases]
        for case, result in results:
            with self.subTest(case[0]):
                result.result()

    def blast(self, url, *flags, code=FINE, seconds=60, quiet=True, **expected):
        """A load that ends with this exit code. `expected`: how many messages end how, those that
        are not mentioned being none. All that the reports say is held against each other."""
        name = self.path(f'blast{next(self.runs)}')
        report, ledger = f'{name}.json', f'{name}.ledger'
        result = run('blast', url, *flags, *(['--quiet'] if quiet else []), '--json', report,
                     '--ledger', ledger, seconds=seconds)
        said = f'{result.stdout[-2000:]}{result.stderr[-2000:]}'
        self.assertIn(result.returncode, code if isinstance(code, tuple) else (code,), said)
        self.assertNotRegex(result.stderr, 'INVARIANT|Sanitizer', said)
        with open(report, encoding='utf-8') as file:
            load = Blast(result, json.load(file), Ledger(ledger))
        self.check(load, code)
        for outcome in OUTCOMES if expected else ():
            self.assertEqual(load.messages[outcome], expected.get(outcome, 0),
                             f'{outcome}: {load.messages} {load.failures()} {said}')
        return load

    def check(self, load, code):
        report, messages, recipients = load.report, load.messages, load.report['recipients']
        for counts in (messages, recipients):
            self.assertEqual(counts['sent'], sum(counts[word] for word in OUTCOMES), counts)
        if code in (FINE, FAILED):
            self.assertEqual(code == FINE, recipients['acked'] == recipients['sent'] > 0, report)
        ledger = load.ledger.messages()
        for word in OUTCOMES:
            self.assertEqual(ledger[word], messages[word], (word, ledger, messages))
            self.assertEqual(len(load.ledger.of(word)), recipients[word], word)
        for outcomes in (outcomes for _, _, outcomes in load.ledger.entries.values()):
            self.assertEqual(outcomes[0], 'sent', 'said before the end of data')
        self.assertAlmostEqual(report['rate'] * report['seconds'], messages['acked'],
                               delta=0.01 * messages['acked'] + 1)
        self.assertGreater(report['cpu_seconds'], 0)
        self.assertTrue(report['settings'])
        self.check_latencies(report['latency_us'])

    def check_latencies(self, latencies):
        for phase in PHASES:
            figures = [latencies[phase][name] for name in PERCENTILES]
            if latencies[phase]['count']:
                self.assertEqual(figures, sorted(figures), phase)
                self.assertLessEqual(latencies[phase]['mean'], figures[-1], phase)
            else:
                self.assertEqual(figures, [None] * len(PERCENTILES), phase)

    def check_stored(self, load, messages_of):
        """What was accepted is there, once and whole, and nothing else. `messages_of`: gives the
        messages of a mailbox."""
        found = collections.Counter()
        for mailbox in load.ledger.recipients():
            for message in messages_of(mailbox):
                place = ID.search(message)[1].decode(), mailbox
                self.assertIn(place, load.ledger.entries)
                self.assertEqual(digest_of(body_of(message)), load.ledger.entries[place][0], place)
                found[place] += 1
        self.assertEqual(set(found), load.ledger.of('acked'))
        self.assertEqual(found.total(), len(found), found.most_common(1))

    def drain(self, url, load, *flags, code=FINE, **expected):
        """An account that ends with this exit code and these counts."""
        report = self.path(f'drain{next(self.runs)}.json')
        ledger = load.ledger.path if isinstance(load, Blast) else load
        result = run('drain', url, '--ledger', ledger, '--json', report, *flags)
        said = f'{result.stdout[-2000:]}{result.stderr[-2000:]}'
        self.assertIn(result.returncode, code if isinstance(code, tuple) else (code,), said)
        if result.returncode == UNAVAILABLE:  # there was nobody to ask, so nothing is accounted for
            self.assertEqual(result.stdout, '')
            return {}
        with open(report, encoding='utf-8') as file:
            counts = json.load(file)
        self.assertIn(' '.join(f'{word} {counts[word]}' for word in DRAINED), result.stdout)
        damage = counts['lost'] + counts['duplicated'] + counts['corrupted']
        if code in (FINE, FAILED):
            self.assertEqual(code == FINE, damage == 0 and not counts.get('unread'), said)
        for word, count in expected.items():
            self.assertEqual(counts[word], count, f'{word}: {counts} {said}')
        return counts
