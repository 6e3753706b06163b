"""What blast and drain can't do is refused at once: one line that names the cause."""
import os
import pathlib
import re

from broken_server import BrokenServer
from mailrace import run
from test_refusals import CANNOT_CREATE, DENIED, IO_ERROR, NO_INPUT, UNAVAILABLE, USAGE, Refusing

BLAST_FLAGS = ('--messages --duration --connections --shards --rate --per-connection --pipeline '
               '--chunking --starttls --size --recipients --from --to --corpus --ledger --json '
               '--html --seed --quiet --allow-remote --users --auth --retry --source --timeout'
               ).split()
DRAIN_FLAGS = ('--ledger --password --connections --delete --json --quiet').split()
URL = 'smtp://127.0.0.1:1'
CAN_NOT_WRITE = USAGE, NO_INPUT, CANNOT_CREATE, IO_ERROR, DENIED
WRONG = (  # a flag and a value that it can't have
    ('--messages', '0'), ('--messages', 'many'), ('--messages', '-1'), ('--messages', '1x'),
    ('--duration', '0s'), ('--duration', '5 parsecs'), ('--duration', '5w'), ('--duration', '-1s'),
    ('--connections', '0'), ('--connections', '1e3'), ('--connections', '99999999999999999999'),
    ('--shards', '0'), ('--shards', 'all'), ('--shards', '100000'),
    ('--rate', '0'), ('--rate', 'fast'), ('--rate', '-5'), ('--rate', 'nan'), ('--rate', 'inf'),
    ('--per-connection', 'x'), ('--per-connection', '-1'),
    ('--size', ''), ('--size', '10Q'), ('--size', '5k-1k'), ('--size', 'lognormal:4k'),
    ('--size', 'lognormal:x,1'), ('--size', 'mix:'), ('--size', 'mix:1k*0'),
    ('--size', 'mix:1k*1,'),
    ('--size', '1'), ('--size', '99999999999999999999'),
    ('--recipients', '0'), ('--recipients', 'x'), ('--recipients', '3-1'),
    ('--from', 'two words'), ('--from', 'x' * 300 + '@example.test'),
    ('--to', '%d%d@example.test'), ('--to', '%s@example.test'), ('--to', ''),
    ('--to', 'x\r\nRSET'), ('--from', 'x>\r\nRSET'),
    ('--users', '0'), ('--users', 'x'),
    ('--seed', 'x'), ('--retry', 'x'), ('--retry', '-1'),
    ('--source', 'nowhere'), ('--source', ''), ('--timeout', '0s'),
    ('--auth', 'nobody'), ('--frob', None), ('--quiet=yes', None),
)


class Usage(Refusing):
    def test_blast(self):
        for flag, value in WRONG:
            with self.subTest(f'{flag} {value}'):
                arguments = [flag] if value is None else [flag, value]
                self.assert_refused(USAGE, flag.partition('=')[0],
                                    command=('blast', URL, *arguments))

    def test_a_flag_without_its_value(self):
        for flag in ('--messages', '--ledger', '--json', '--size'):
            with self.subTest(flag):
                self.assert_refused(USAGE, flag, command=('blast', URL, flag))

    def test_targets(self):
        for url in ('nonsense', 'http://127.0.0.1:80', 'pop3://127.0.0.1:110', 'smtp://',
                    'smtp://127.0.0.1:0', 'smtp://127.0.0.1:70000', 'smtp://127.0.0.1:x',
                    'smtp://[::1', 'smtp://127.0.0.1:25/path'):
            with self.subTest(url):
                self.assert_refused(USAGE, url, command=('blast', url))
        self.assert_refused(USAGE, '--help', command=('blast',))

    def test_what_excludes_each_other(self):
        for flags in (('--messages', '5', '--duration', '1s'),
                      ('--corpus', self.folder, '--size', '4k')):
            with self.subTest(flags):
                self.assert_refused(USAGE, flags[2], command=('blast', URL, *flags))

    def test_only_loopback(self):
        for url in ('smtp://192.0.2.1:25', 'lmtp://[2001:db8::1]:24', 'smtps://198.51.100.1:465'):
            with self.subTest(url):
                self.assert_refused(USAGE, '--allow-remote', command=('blast', url))
        ledger = pathlib.Path(self.folder, 'ledger')
        ledger.write_text('')
        self.assert_refused(USAGE, '--allow-remote',
                            command=('drain', 'pop3://192.0.2.1', '--ledger', ledger))

    def test_drain(self):
        url, ledger = 'pop3://127.0.0.1:1', os.path.join(self.folder, 'ledger')
        pathlib.Path(ledger).write_text('')
        cases = (
            ((url,), '--ledger'),
            ((url, '--ledger', ledger, '--connections', '0'), '--connections'),
            ((url, '--ledger', ledger, '--connections', 'x'), '--connections'),
            ((url, '--ledger', ledger, '--frob'), '--frob'),
            ((url, '--ledger'), '--ledger'),
            (('smtp://127.0.0.1:1', '--ledger', ledger), 'smtp://127.0.0.1:1'),
            (('pop3://127.0.0.1:99999', '--ledger', ledger), '99999'),
        )
        for arguments, word in cases:
            with self.subTest(arguments):
                self.assert_refused(USAGE, word, command=('drain', *arguments))

    def test_help_names_every_flag(self):
        for name, flags in (('blast', BLAST_FLAGS), ('drain', DRAIN_FLAGS)):
            text = run(name, '--help').stdout
            for flag in flags:
                with self.subTest(f'{name} {flag}'):
                    self.assertRegex(text, re.escape(flag) + r'\b')


class World(Refusing):
    """The flags are right, the world is not."""

    def test_where_nobody_listens(self):
        with BrokenServer() as server:
            url = server.url
        result = run('blast', url, '--messages', 5, '--connections', 2, '--quiet')
        self.assertEqual(result.returncode, UNAVAILABLE, result.stderr)
        self.assertIn(url.removeprefix('smtp://'), result.stderr)

    def test_files_that_can_not_be_written(self):
        missing = os.path.join(self.folder, 'missing', 'file')
        for flag in ('--ledger', '--json', '--html'):
            for path in (missing, self.folder):
                with self.subTest(f'{flag} {path}'), BrokenServer() as server:
                    self.assert_refused(CAN_NOT_WRITE, path, command=(
                        'blast', server.url, '--messages', '5', flag, path))
                    self.assertEqual(server.accepted, 0, 'found out before the load')

    def test_a_full_disk(self):
        """The load is not stopped by it, and the end is not a good one."""
        with BrokenServer() as server:
            for flag in ('--ledger', '--json'):
                result = run('blast', server.url, '--messages', 50, '--quiet', flag, '/dev/full')
                self.assertEqual(result.returncode, IO_ERROR, result.stderr)
                self.assertIn('/dev/full', result.stderr)

    def test_a_corpus_that_is_none(self):
        missing, empty = os.path.join(self.folder, 'missing'), os.path.join(self.folder, 'empty')
        os.mkdir(empty)
        for path, code in ((missing, NO_INPUT), (empty, (65, 66, 78))):
            with self.subTest(path), BrokenServer() as server:
                self.assert_refused(code, path, command=('blast', server.url, '--corpus', path))
