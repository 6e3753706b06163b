"""blast against mailrace, in every way it can send: what it reports is what is there."""
import collections
import json
import pathlib
import re
import signal
import subprocess
import time

from broken_server import BrokenServer, after, hang
from load import FINE, ID, PHASES, Blast, Ledger, LoadCase
from mailrace import LONG, Server, free_port, message, program, run, without_trace
from servers import fetch
from tls import TlsCase

MESSAGES = 2000 if LONG else 100


class Blasting(TlsCase, LoadCase):
    """Every load has mailboxes of its own."""

    def url(self, scheme='smtp'):
        port = {'smtp': self.server.smtp_port, 'smtps': self.smtps_port,
                'lmtp': self.lmtp_port}[scheme]
        return f'{scheme}://127.0.0.1:{port}'

    def load(self, name, *flags, scheme='smtp', messages=MESSAGES, **keywords):
        """`messages` sent, accepted and there."""
        keywords.setdefault('acked', messages)
        load = self.blast(self.url(scheme), '--messages', messages, '--connections', 8,
                          '--users', 10, '--to', f'{name}-%d@example.test', *flags, **keywords)
        self.check_stored(load, self.messages_of)
        return load

    def messages_of(self, mailbox):
        return fetch(self.server.pop3_port, mailbox)

    def sizes(self, load):
        return [octets for _, octets, _ in load.ledger.entries.values()]


class Ways(Blasting):
    """Table: name, scheme, flags, and what must show."""
    CASES = (
        ('plain', 'smtp', ()),
        ('one', 'smtp', ('--connections', 1)),
        ('pipeline', 'smtp', ('--pipeline',)),
        ('chunking', 'smtp', ('--chunking',)),
        ('both', 'smtp', ('--pipeline', '--chunking')),
        ('starttls', 'smtp', ('--starttls',)),
        ('secure-both', 'smtp', ('--starttls', '--pipeline', '--chunking')),
        ('smtps', 'smtps', ()),
        ('smtps-pipeline', 'smtps', ('--pipeline',)),
        ('smtps-afresh', 'smtps', ('--per-connection', 5)),
        ('lmtp', 'lmtp', ()),
        ('lmtp-both', 'lmtp', ('--pipeline', '--chunking')),
        ('three', 'smtp', ('--recipients', 3)),
        ('few', 'smtp', ('--recipients', '1-5', '--pipeline')),
        ('lmtp-few', 'lmtp', ('--recipients', '1-5')),
        ('afresh', 'smtp', ('--per-connection', 1)),
        ('seven', 'smtp', ('--per-connection', 7, '--pipeline')),
        ('shards', 'smtp', ('--shards', 2, '--pipeline')),
    )

    def test_everything_sent_is_there(self):
        def check(name, scheme, flags):
            load = self.load(name, *flags, scheme=scheme)
            used = {phase for phase, figures in load.report['latency_us'].items()
                    if figures['count']} - {'auth'}
            expected = set(PHASES)
            expected -= {'data'} if '--chunking' in flags else set()
            expected -= set() if scheme == 'smtps' or '--starttls' in flags else {'tls'}
            self.assertEqual(used, expected)
            self.assertEqual(load.report['latency_us']['total']['count'], MESSAGES)
            self.assertFalse(load.failures())
        self.together(check, [(case[0], *case) for case in self.CASES], threads=3)

    def test_connections_are_counted(self):
        """At the end some may be up for which there is no message left."""
        for flags, at_least, spare in (((), 8, 0), (('--per-connection', 1), MESSAGES, 8),
                                       (('--per-connection', 7), (MESSAGES + 6) // 7, 8)):
            load = self.load('connections' + ''.join(map(str, flags)), *flags)
            made = load.report['latency_us']['connect']['count']
            self.assertGreaterEqual(made, at_least)
            self.assertLessEqual(made, at_least + spare)

    def test_replies_are_counted(self):
        replies = self.load('replies', '--recipients', 2, '--connections', 1).report['replies']
        # EHLO, MAIL, two times RCPT and the end of data; the banner; QUIT
        self.assertEqual({code: count for code, count in replies.items() if count},
                         {'220': 1, '250': 1 + 4 * MESSAGES, '354': MESSAGES, '221': 1})

    def test_a_time_instead_of_a_number(self):
        load = self.blast(self.url(), '--duration', '700ms', '--connections', 4, '--users', 4,
                          '--to', 'time-%d@example.test')
        self.assertGreater(load.messages['acked'], 4)  # more than one on each connection
        self.assertLess(abs(load.report['seconds'] - 0.7), 0.4)
        self.assertEqual(load.messages['sent'], load.messages['acked'])
        count = sum(self.server.count(mailbox) for mailbox in load.ledger.recipients())
        self.assertEqual(count, load.messages['acked'])


class Shapes(Blasting):
    """Sizes, recipients, envelopes."""

    def test_sizes(self):
        cases = (
            ('fixed', '4096', lambda sizes: set(sizes) == {4096}),
            ('fixed-k', '4k', lambda sizes: set(sizes) == {4096}),
            ('range', '1k-8k', lambda sizes: 1024 <= min(sizes) < 2000 < 7000 < max(sizes) <= 8192),
            ('lognormal', 'lognormal:4k,0.5',
             lambda sizes: 3000 < sorted(sizes)[len(sizes) // 2] < 5500 and len(set(sizes)) > 50),
            ('mix', 'mix:1k*60,5k*25,17k*10,300k*5',
             lambda sizes: set(sizes) == {1024, 5120, 17408, 307200}
             and 0.4 < sizes.count(1024) / len(sizes) < 0.8),
        )
        for name, spec, holds in cases:
            with self.subTest(name):
                load = self.load(f'size-{name}', '--size', spec, '--chunking')
                sizes = self.sizes(load)
                self.assertTrue(holds(sizes), sorted(sizes))
                self.assertAlmostEqual(load.report['bytes_per_second'] * load.report['seconds'],
                                       sum(sizes), delta=0.02 * sum(sizes))

    def test_the_size_is_of_the_message_as_it_is_stored(self):
        self.load('octets', '--size', '5000', '--users', 1)
        stored = fetch(self.server.pop3_port, 'octets-0@example.test')
        self.assertEqual({len(without_trace(raw)) for raw in stored}, {5000})

    def test_large(self):
        for flags in ((), ('--chunking', '--pipeline'), ('--starttls',)):
            self.load('large' + '-'.join(flags), '--size', '3M', *flags, messages=6)

    def test_recipients(self):
        per_message = {}
        for name, spec in (('always', '4'), ('between', '2-6'), ('mixed', 'mix:1*5,3*5')):
            load = self.load(f'recipients-{name}', '--recipients', spec, '--users', 50)
            ids = collections.Counter(identity for identity, _ in load.ledger.entries)
            per_message[name] = set(ids.values())
            self.assertEqual(load.report['recipients']['acked'], ids.total())
        self.assertEqual(per_message, {'always': {4}, 'between': {2, 3, 4, 5, 6},
                                       'mixed': {1, 3}})

    def test_users(self):
        load = self.load('users', '--users', 5)
        self.assertEqual(load.ledger.recipients(),
                         [f'users-{number}@example.test' for number in range(5)])

    def test_one_recipient_by_name(self):
        load = self.load('named', '--to', 'Just.One+tag@example.test')
        self.assertEqual(load.ledger.recipients(), ['Just.One+tag@example.test'])

    def test_the_reverse_path(self):
        for name, sender in (('somebody', 'somebody@example.test'), ('bounce', '')):
            self.load(f'from-{name}', '--from', sender, '--users', 1, messages=2)
            for raw in fetch(self.server.pop3_port, f'from-{name}-0@example.test'):
                self.assertTrue(raw.startswith(b'Return-Path: <%s>\r\n' % sender.encode()), raw)

    def test_the_same_seed_is_the_same_load(self):
        def shape(seed):
            load = self.blast(self.url(), '--messages', 50, '--connections', 4, '--seed', seed,
                              '--size', '1k-9k', '--recipients', '1-4', '--users', 9)
            return sorted((identity[16:], recipient, octets) for (identity, recipient),
                          (_, octets, _) in load.ledger.entries.items())
        first, again, other = map(shape, (7, 7, 8))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_every_run_has_ids_of_its_own(self):
        runs = []
        for _ in range(2):
            load = self.blast(self.url(), '--messages', 5, '--seed', 7)
            runs.append({identity for identity, _ in load.ledger.entries})
        self.assertFalse(runs[0] & runs[1])


class Corpora(Blasting):
    MAILS = (
        message('first', b'Plain.\r\n'),
        message('dots', b'.\r\n..\r\n.a dot\r\nFrom the start\r\n>From quoted\r\n'),
        message('eight bits', 'Grüße aus der Ferne\r\n'.encode(), Content_Transfer_Encoding='8bit'),
        message('no body', b''),
        message('long', b'x' * 998 + b'\r\n' + b'line\r\n' * 10000),
    )

    def sent(self, name, path, *flags, mails=MAILS):
        """All of a corpus is sent as it is, but for one field."""
        load = self.load(name, '--corpus', path, '--users', 3, *flags, messages=40)
        counts = collections.Counter()
        for mailbox in load.ledger.recipients():
            for raw in fetch(self.server.pop3_port, mailbox):
                mail = without_trace(raw)
                self.assertEqual(len(ID.findall(mail)), 1)
                counts[ID.sub(b'', mail)] += 1
        self.assertEqual(set(counts), set(mails))
        self.assertEqual(counts.total(), 40)

    def lf(self, mail):
        return mail.replace(b'\r\n', b'\n')

    def test_a_folder_of_eml_files(self):
        folder = pathlib.Path(self.path('corpus'))
        folder.mkdir()
        for number, mail in enumerate(self.MAILS):
            data = mail if number % 2 else self.lf(mail)
            (folder / f'{number}.eml').write_bytes(data)
        (folder / 'README').write_text('no mail\n')
        for name, flags in (('data', ()), ('bdat', ('--chunking',)), ('pipe', ('--pipeline',))):
            with self.subTest(name):
                self.sent(f'eml-{name}', folder, *flags)

    def test_one_eml_file(self):
        path = pathlib.Path(self.path('one.eml'))
        path.write_bytes(self.MAILS[1])
        self.sent('one-eml', path, mails=self.MAILS[1:2])

    def test_a_maildir(self):
        folder = pathlib.Path(self.path('Maildir'))
        for name in ('cur', 'new', 'tmp'):
            (folder / name).mkdir(parents=True)
        for number, mail in enumerate(self.MAILS):
            place = 'cur' if number % 2 else 'new'
            (folder / place / f'{number}.host:2,S').write_bytes(self.lf(mail))
        (folder / 'tmp/unfinished').write_bytes(b'Subject: unfin')
        self.sent('maildir', folder)

    def test_an_mbox(self):
        path = pathlib.Path(self.path('mbox'))
        with path.open('wb') as file:
            for mail in self.MAILS:
                quoted = re.sub(rb'^(>*From )', rb'>\1', self.lf(mail), flags=re.MULTILINE)
                # the field, but not its value, is the same as that of the envelope
                quoted = quoted.replace(b'>From: ', b'From: ')
                file.write(b'From sender@example.test Mon Nov 23 12:00:00 2026\n' + quoted + b'\n')
        self.sent('mbox', path)

    def test_its_own_id_gives_way(self):
        path = pathlib.Path(self.path('again.eml'))
        path.write_bytes(message('again', b'x\r\n', X_Mailrace_Id='older'))
        self.sent('again', path, mails=[message('again', b'x\r\n')])


class Addresses(LoadCase):
    def test_every_kind_of_address(self):
        path, port, lmtp_port = self.path('socket'), free_port(), free_port()
        with Server('--smtp', f'[::1]:{port}', '--lmtp', f'unix:{path}',
                    '--lmtp', f'127.0.0.1:{lmtp_port}') as server:
            for number, url in enumerate((f'smtp://[::1]:{port}', f'lmtp://unix:{path}',
                                          f'smtp://localhost:{server.smtp_port}',
                                          f'lmtp://127.0.0.1:{lmtp_port}')):
                with self.subTest(url):
                    load = self.blast(url, '--messages', 20, '--users', 2, '--to',
                                      f'{number}-%d@example.test', acked=20)
                    self.check_stored(load, server.fetch)

    def test_several_addresses_of_our_own(self):
        sources = {f'127.0.0.{number}' for number in (1, 2, 9)}
        with BrokenServer() as server:
            self.blast(server.url, '--messages', 30, '--connections', 6, '--per-connection', 1,
                       '--source', ','.join(sorted(sources)), acked=30)
            self.assertEqual(server.peers, sources)


class Interrupted(LoadCase):
    def interrupt(self, server, *numbers):
        """A load without end gets these signals; what it leaves."""
        report, ledger = self.path('report'), self.path('ledger')
        with subprocess.Popen([program(), 'blast', server.url, '--duration', '1h', '--quiet',
                               '--connections', '8', '--json', report, '--ledger', ledger],
                              stderr=subprocess.PIPE, text=True) as process:
            while server.accepted < 48:
                time.sleep(0.01)
            for number in numbers:
                process.send_signal(number)
                time.sleep(0.2)
            error = process.communicate(timeout=20)[1]
        with open(report, encoding='utf-8') as file:
            load = Blast(process, json.load(file), Ledger(ledger))
        self.assertEqual(error, '')
        self.check(load, process.returncode)
        return load

    def test_one_signal_ends_it_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), BrokenServer() as server:
                load = self.interrupt(server, number)
                self.assertEqual(load.result.returncode, FINE)
                self.assertEqual(load.messages['acked'], server.accepted)
                self.check_stored(load, lambda mailbox: fetch(server.pop3_port, mailbox))

    def test_a_second_one_ends_it_at_once(self):
        with BrokenServer({'stored': after(40, hang)}) as server:
            load = self.interrupt(server, signal.SIGINT, signal.SIGINT)
            self.assertEqual(load.messages['acked'], 40)
            self.assertEqual(load.messages['doubtful'], 8)


class Reports(Blasting):
    def test_the_table_and_the_page(self):
        page = self.path('page.html')
        load = self.load('report', '--html', page, quiet=False)
        text = load.result.stdout
        for word in ('connect', 'banner', 'ehlo', 'mail', 'rcpt', 'data', 'commit', 'p50', 'p99.9',
                     '250'):
            self.assertIn(word, text)
        self.assertRegex(text, rf'\nmessages +{MESSAGES:,} +{MESSAGES:,} +0 +0 +0\n')
        html = pathlib.Path(page).read_text(encoding='utf-8')
        self.assertRegex(html, r'"acked": ?%d\b' % MESSAGES)
        self.assertNotRegex(html, r'(?i)(?:src|href)\s*=\s*["\']?(?:https?:)?//|@import|url\(http')

    def test_quiet_is_quiet(self):
        flags = ('--messages', 50, '--connections', 2, '--to', 'quiet-%d@example.test')
        self.assertEqual(self.blast(self.url(), *flags, acked=50).result.stderr, '')

    def test_json_to_stdout(self):
        result = run('blast', self.url(), '--messages', 5, '--json', '-', '--quiet')
        self.assertEqual(result.returncode, FINE, result.stderr)
        self.assertEqual(json.loads(result.stdout)['messages']['acked'], 5)
