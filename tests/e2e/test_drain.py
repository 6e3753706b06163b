"""drain: what blast sent is fetched back from servers of every kind, and what somebody broke on the
way is found, exactly."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from broken_server import BrokenServer, after, close, first, flipped, hang, reset, say
from load import FAILED, FINE, UNAVAILABLE, LoadCase
from mailrace import LONG, Server, command, message, run
from servers import Dovecot, Postfix
from tls import make_certificate

MESSAGES = 300
FLAGS = ('--messages', MESSAGES, '--connections', 8, '--users', 20)
NOTHING = dict(lost=0, duplicated=0, corrupted=0, unknown=0)


class FromDovecot(LoadCase):
    """A load by LMTP into Dovecot; every test has users of its own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix='mailrace-')
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.dovecot = Dovecot(make_certificate(folder))
        cls.addClassCleanup(cls.dovecot.close)
        cls.dovecot.start()

    def setUp(self):
        super().setUp()
        self.enterContext(self.dovecot.explaining())
        name = self._testMethodName.removeprefix('test_').replace('_', '-')
        self.load = self.blast(self.dovecot.url, *FLAGS, '--pipeline', '--chunking', '--size',
                               '1k-20k', '--to', f'{name}-%d@example.test', acked=MESSAGES)

    def account(self, *flags, code=FINE, url=None, **expected):
        return self.drain(url or self.dovecot.pop3_url, self.load, '--password', 'any', *flags,
                          code=code, **{**NOTHING, **expected})

    def files(self):
        return [path for mailbox in self.load.ledger.recipients()
                for path in self.dovecot.files(mailbox)]

    def test_everything_is_there(self):
        for flags in ((), ('--connections', 1), ('--connections', 50)):
            self.account(*flags, acked=MESSAGES, fetched=MESSAGES)
        self.account(url=self.dovecot.pop3s_url, acked=MESSAGES, fetched=MESSAGES)
        self.assertEqual(len(self.files()), MESSAGES)

    def test_delete(self):
        self.account('--delete', acked=MESSAGES, fetched=MESSAGES)
        self.assertEqual(self.files(), [])
        self.account(code=FAILED, fetched=0, lost=MESSAGES)

    def test_damage(self):
        """A dozen of each, at random places."""
        files = self.files()
        random.Random(5).shuffle(files)
        for path in files[:12]:
            path.unlink()
        for path in files[12:24]:
            self.put(path.parent, path.read_bytes())
        for path in files[24:36]:
            damaged = flipped(path.read_bytes().replace(b'\n', b'\r\n')).replace(b'\r\n', b'\n')
            path.write_bytes(damaged)
        for number in range(12):
            self.put(files[36 + number].parent, message(f'foreign {number}'))
        self.account(code=FAILED, acked=MESSAGES, fetched=MESSAGES - 12 + 12 + 12, lost=12,
                     duplicated=12, corrupted=12, unknown=12)

    def put(self, folder, mail):
        with tempfile.NamedTemporaryFile(prefix='1700000000.', dir=folder, delete=False) as file:
            file.write(mail)
        os.chmod(file.name, 0o644)  # Dovecot's processes are somebody else's

    def test_delete_keeps_what_is_not_fine(self):
        files = self.files()
        damaged = flipped(files[0].read_bytes().replace(b'\n', b'\r\n')).replace(b'\r\n', b'\n')
        files[0].write_bytes(damaged)
        self.put(files[1].parent, message('foreign'))
        self.account('--delete', code=FAILED, corrupted=1, unknown=1)
        kept = [path.read_bytes() for path in self.files()]
        self.assertIn(damaged, kept)
        self.assertIn(message('foreign'), kept)
        self.assertEqual(len(kept), 2)

    def test_a_message_in_the_wrong_mailbox(self):
        """Lost where it should be, unknown where it is."""
        files = self.files()
        target = next(path for path in files if path.parts[-3] != files[0].parts[-3])
        shutil.move(files[0], target.with_name('1700000000.moved.host'))
        self.account(code=FAILED, fetched=MESSAGES, lost=1, unknown=1)

    def test_a_ledger_that_says_otherwise(self):
        lines = pathlib.Path(self.load.ledger.path).read_text().splitlines(keepends=True)
        acked = [place for place, line in enumerate(lines) if line.endswith(' acked\n')]
        never = re.sub(r'^\S+', '0123456789abcdef0123456789abcdef', lines[acked[0]])
        wrong = lines[acked[1]].split()
        wrong[2] = f'{int(wrong[2], 16) ^ 1:016x}'
        forgotten = lines[acked[2]].split()[0]
        changed = [line for line in lines if not line.startswith((wrong[0], forgotten))]
        changed += [never, ' '.join(wrong) + '\n']
        pathlib.Path(self.load.ledger.path).write_text(''.join(changed))
        self.account(code=FAILED, acked=MESSAGES, fetched=MESSAGES, lost=1, corrupted=1, unknown=1)

    def test_a_wrong_password(self):
        counts = self.account('--password', 'wrong', code=(FAILED, UNAVAILABLE), fetched=0,
                              lost=MESSAGES)
        self.assertEqual(counts['unread'], len(self.load.ledger.recipients()))


class ByPostfix(LoadCase):
    def test_a_relay_in_between(self):
        with Postfix() as postfix, Dovecot(mail=postfix.mail) as dovecot:
            load = self.blast(postfix.url, '--messages', 100, '--connections', 8, '--users', 10,
                              '--recipients', '1-3', '--pipeline', acked=100)
            postfix.delivered(postfix.users[0])
            count = len(load.ledger.of('acked'))
            self.drain(dovecot.pop3_url, load, '--password', 'any', acked=count, fetched=count,
                       **NOTHING)


class FromMailrace(LoadCase):
    def test_everything_is_there_and_goes(self):
        with Server(shards=2) as server:
            load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--messages', 2000,
                              '--connections', 16, '--recipients', '1-3', '--pipeline', acked=2000)
            count, url = len(load.ledger.of('acked')), f'pop3://127.0.0.1:{server.pop3_port}'
            for flags in ((), ('--delete',)):
                self.drain(url, load, *flags, acked=count, fetched=count, **NOTHING)
            self.drain(url, load, code=FAILED, fetched=0, lost=count)

    def test_a_corpus(self):
        folder = pathlib.Path(self.path('corpus'))
        folder.mkdir()
        mails = (message('dots', b'.\r\n..\r\n'), message('none', b''),
                 message('eight', 'Grüße\r\n'.encode()), message('blank', b'\r\n\r\n\r\n'))
        for number, mail in enumerate(mails):
            (folder / f'{number}.eml').write_bytes(mail)
        with Server() as server:
            load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--messages', 40,
                              '--corpus', folder, acked=40)
            self.drain(f'pop3://127.0.0.1:{server.pop3_port}', load, acked=40, fetched=40,
                       **NOTHING)

    def test_odd_recipients(self):
        with Server() as server:
            for name in ('o\'neil+%d@example.test', '"quoted.%d"@example.test'):
                with self.subTest(name):
                    load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--messages', 20,
                                      '--to', name, '--users', 3, acked=20)
                    self.drain(f'pop3://127.0.0.1:{server.pop3_port}', load, acked=20, fetched=20,
                               **NOTHING)


class AfterACrashOfTheGenerator(LoadCase):
    def test_its_ledger_says_nothing_wrong(self):
        """Messages of its last milliseconds may have no line: they are unknown, none is lost."""
        with Server() as server:
            for seconds in (0.3, 0.5, 0.8):
                ledger = self.path(f'{seconds}')
                with command('blast', f'smtp://127.0.0.1:{server.smtp_port}', '--quiet',
                             '--duration', '1h', '--pipeline', '--users', '20', '--to',
                             f'crash-{seconds}-%d@example.test', '--ledger', ledger) as words, \
                        subprocess.Popen(words) as process:
                    while not os.path.exists(ledger) or not os.path.getsize(ledger):
                        time.sleep(0.01)
                    time.sleep(seconds)
                    process.kill()
                counts = self.drain(f'pop3://127.0.0.1:{server.pop3_port}', ledger, lost=0,
                                    duplicated=0, corrupted=0)
                self.assertGreater(counts['acked'], 0)
                self.assertGreaterEqual(counts['fetched'], counts['acked'])


class FromTheBroken(LoadCase):
    COUNT = 5000 if LONG else 1000

    def test_what_was_broken_is_what_is_found(self):
        cases = (
            (),
            ('--pipeline', '--chunking'),
            ('--recipients', '2', '--users', '100'),
        )
        for flags in cases:
            with self.subTest(flags), BrokenServer(drop_every=100, duplicate={77, 950},
                                                   flip={13, 555, 951}) as server:
                load = self.blast(server.url, '--messages', self.COUNT, '--connections', 8,
                                  '--size', '1k', *flags, acked=self.COUNT)
                counts = self.drain(server.pop3_url, load, code=FAILED, lost=server.lost,
                                    duplicated=server.duplicated, corrupted=server.corrupted,
                                    unknown=0)
                copies = server.lost // (self.COUNT // 100)
                self.assertEqual((server.lost, server.duplicated, server.corrupted),
                                 (self.COUNT // 100 * copies, 2 * copies, 3 * copies))
                self.assertEqual(counts['fetched'],
                                 counts['acked'] - server.lost + server.duplicated)

    def test_doubt_is_neither_loss_nor_duplicate(self):
        """Refused, stored without an answer, and not stored without one."""
        for phase, fetched in (('stored', 40), ('commit', 0)):
            with self.subTest(phase), BrokenServer({phase: close}) as server:
                load = self.blast(server.url, '--messages', 40, code=FAILED, doubtful=40)
                self.drain(server.pop3_url, load, acked=0, fetched=fetched, **NOTHING)
        with BrokenServer({'rcpt': first(10, say(b'550 no\r\n'))}) as server:
            load = self.blast(server.url, '--messages', 40, code=FAILED, refused=10, acked=30)
            self.drain(server.pop3_url, load, acked=30, fetched=30, **NOTHING)

    def test_a_doubtful_message_that_is_there_twice(self):
        with BrokenServer({'stored': close}, duplicate={3}) as server:
            load = self.blast(server.url, '--messages', 5, '--connections', 1, code=FAILED,
                              doubtful=5)
            self.drain(server.pop3_url, load, code=FAILED, acked=0, fetched=6, lost=0,
                       duplicated=1, corrupted=0, unknown=0)

    def test_hostile_pop3(self):
        """It ends in time, and what could not be read is not said to be there."""
        with BrokenServer() as good:
            load = self.blast(good.url, '--messages', 10, '--users', 1, acked=10)
        def check(verb, fault):
            with BrokenServer({f'pop3 {verb}': fault}) as bad:
                bad.maildrops = good.maildrops
                self.drain(bad.pop3_url, load, '--timeout', '300ms', code=(FAILED, UNAVAILABLE),
                           fetched=0, lost=10, duplicated=0, corrupted=0)
        faults = (hang, close, reset, say(b'what?\r\n'), say(b'-ERR no\r\n'),
                  say(b'+OK half a rep', close), say(b'+OK ' + b'x' * 100000, hang))
        self.together(check, [(f'{verb}: {number}', verb, fault)
                              for verb in ('banner', 'pass', 'retr')
                              for number, fault in enumerate(faults)], threads=21)

    @unittest.skipUnless(LONG, 'takes half a minute')
    def test_a_message_without_end(self):
        with BrokenServer({'pop3 retr': endless_lines}) as server:
            load = self.blast(server.url, '--messages', 1, acked=1)
            self.drain(server.pop3_url, load, '--timeout', '300ms', code=FAILED, fetched=0, lost=1)

    def test_drops_of_the_connection_are_gone_through(self):
        with BrokenServer({'pop3 retr': after(2, first(3, close))}) as server:
            load = self.blast(server.url, '--messages', 20, '--users', 3, acked=20)
            self.drain(server.pop3_url, load, acked=20, fetched=20, **NOTHING)


async def endless_lines(session, usual):
    await session.send(usual.partition(b'\r\n')[0] + b'\r\n')
    while True:
        await session.send(b'and so on\r\n' * 100)


class Ledgers(LoadCase):
    LINE = '{} user@example.test 0123456789abcdef 1000 {}\n'

    def refused(self, text, code, *words):
        path = self.path('ledger')
        if text is not None:
            pathlib.Path(path).write_bytes(text)
        with BrokenServer() as server:
            result = run('drain', server.pop3_url, '--ledger', path)
        self.assertIn(result.returncode, code, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        for word in (path, *words):
            self.assertIn(word, lines[0])

    def test_one_that_is_not_there(self):
        self.refused(None, (66,))

    def test_one_that_is_none(self):
        good = self.LINE.format('a' * 32, 'sent').encode()
        for number, text in enumerate((b'what is this?\n', good + b'\n' + good,
                                       good.replace(b'sent', b'lost'), b'\0' * 100 + b'\n',
                                       good.replace(b'1000', b'-1'), b'x' * 10000 + b'\n')):
            with self.subTest(number):
                self.refused(text + good, (65, 78), ':2' if number == 1 else ':1')

    def test_an_empty_one_and_one_that_was_cut_off(self):
        with BrokenServer() as server:
            for number, cut in enumerate(('', self.LINE.format('a' * 32, 'sent') + 'aaaa user@')):
                path = self.path(f'ledger{number}')
                pathlib.Path(path).write_text(cut)
                self.drain(server.pop3_url, path, acked=0, fetched=0, **NOTHING)
