"""`mailrace store export` and `import`: out of a store, into another, and nothing has changed."""
import json
import mailbox
import os
import pathlib
import signal
import subprocess
import time

from cases import FolderCase
from mailrace import Server, message, program, run, text_of, without_trace

SEGMENT = ('--segment', '8M')

MAILS = (
    message('plain'),
    message('dots', b'.\r\n..\r\n.From here\r\n'),
    message('from', b'From here\r\n>From there\r\n>>From nowhere\r\n> From\r\nFrom\r\n'),
    message('blank', b'\r\n\r\nlast\r\n\r\n\r\n'),
    message('latin', 'Grüße\r\n'.encode('latin1')),
    message('long', b'x' * 900 + b'\r\n' + text_of(300000)),
    b'Subject: no body\r\n',
)


class ExportCase(FolderCase):
    def path(self, *parts):
        return pathlib.Path(self.folder, *parts)

    def run_well(self, *arguments):
        result = run('store', *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    @staticmethod
    def messages(maildir):
        """What is in a Maildir, in the order of receipt."""
        names = sorted(os.listdir(maildir / 'new'), key=lambda name: name.split('R')[0])
        return [(maildir / 'new' / name).read_bytes() for name in names]

    def imported(self, name, source, *flags):
        """A new store with the source in one mailbox."""
        store = self.path(f'store-{len(os.listdir(self.folder))}')
        self.run_well('import', store, name, source, *SEGMENT, *flags)
        self.assertEqual(run('store', 'verify', store).returncode, 0)
        return store


class RoundTrip(ExportCase):
    def setUp(self):
        super().setUp()
        with Server(shards=2, store=self.path('store')) as server:
            for number, mail in enumerate(MAILS):
                server.send(mail, 'alice@example.test', '"b/ob .."@example.test',
                            sender='me@example.org' if number else '')
            self.beside = self.export('maildir', 'beside', 'alice@example.test')
            self.stored = server.fetch('alice@example.test')
            self.assertEqual(server.terminate(), 0)

    def export(self, form, out, *name, store=None):
        self.run_well('export', store or self.path('store'), *name, f'--{form}', self.path(out))
        return self.path(out)

    def test_maildir(self):
        first = self.export('maildir', 'first', 'alice@example.test')
        self.assertEqual(self.messages(first), self.messages(self.beside))
        self.assertEqual(sorted(os.listdir(first)), ['cur', 'new', 'tmp'])
        self.assertEqual(os.listdir(first / 'tmp') + os.listdir(first / 'cur'), [])
        for mail, found in zip(self.stored, self.messages(first)):
            lines = found.replace(b'\n', b'\r\n').split(b'\r\n')
            self.assertRegex(lines[0], rb'^Return-Path: <(me@example\.org)?>$')
            self.assertEqual(lines.pop(1), b'Delivered-To: alice@example.test')
            self.assertEqual(b'\r\n'.join(lines), mail)
        for name in ('alice@example.test', 'other@example.test'):
            store = self.imported(name, first)
            second = self.export('maildir', f'second-{name}', name, store=store)
            self.assertEqual(self.messages(second), self.messages(first))

    def test_mbox(self):
        first = self.export('mbox', 'first', 'alice@example.test')
        text = first.read_bytes()
        self.assertNotIn(b'\r', text)
        self.assertRegex(text, rb'^From MAILER-DAEMON \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n')
        self.assertIn(b'\n\nFrom me@example.org ', text)
        self.assertIn(b'\n>From here\n>>From there\n>>>From nowhere\n> From\nFrom\n', text)
        box = mailbox.mbox(first)
        self.assertEqual([mail['subject'] for mail in box],
                         ['plain', 'dots', 'from', 'blank', 'latin', 'long', 'no body'])
        box.close()
        for name in ('alice@example.test', 'other@example.test'):
            store = self.imported(name, first)
            second = self.export('mbox', f'second-{name}', name, store=store)
            self.assertEqual(second.read_bytes(), text)

    def test_what_comes_back_is_what_was_received(self):
        first = self.export('maildir', 'first', 'alice@example.test')
        store = self.imported('alice@example.test', first)
        with Server(store=store) as server:
            self.assertEqual(server.fetch('alice@example.test'), self.stored)
            with server.pop3('alice@example.test') as client:
                top = client.top(2, 0)[1]
                self.assertEqual(top[-2:], [b'Subject: dots', b''])
                client.quit()

    def test_eml(self):
        first = self.export('maildir', 'first', 'alice@example.test')
        folder = self.path('eml')
        folder.mkdir()
        for number, mail in enumerate(self.messages(first)):
            folder.joinpath(f'{number}.eml').write_bytes(mail)
        store = self.imported('eml@example.test', folder)
        second = self.export('maildir', 'second', store=store) / 'eml@example.test'
        self.assertEqual(sorted(self.messages(second)), sorted(self.messages(first)))
        store = self.imported('eml@example.test', folder / '3.eml')
        second = self.export('maildir', 'third', 'eml@example.test', store=store)
        self.assertEqual(self.messages(second), [self.messages(first)[3]])

    def test_all_mailboxes_with_safe_names(self):
        names = ['alice@example.test', 'b%2Fob%20..@example.test']
        folders = self.export('maildir', 'folders')
        self.assertEqual(sorted(os.listdir(folders)), names)
        files = self.export('mbox', 'files')
        self.assertEqual(sorted(os.listdir(files)), [f'{name}.mbox' for name in names])
        self.assertEqual(len(self.messages(folders / names[1])), len(MAILS))

    def test_places_that_are_taken(self):
        taken = self.path('taken')
        taken.mkdir()
        taken.joinpath('file').write_text('mine')
        for out in (taken, taken / 'file', taken / 'none' / 'there'):
            for form in ('--maildir', '--mbox'):
                for name in ((), ('alice@example.test',)):
                    with self.subTest(f'{form} {out} {name}'):
                        result = run('store', 'export', self.path('store'), *name, form, out)
                        self.assertEqual(result.returncode, 73, result.stderr)
                        self.assertIn(str(taken), result.stderr)
        self.assertEqual(os.listdir(taken), ['file'])
        self.assertEqual(taken.joinpath('file').read_text(), 'mine')
        for flags in ((), ('--mbox', taken, '--maildir', taken)):
            self.assertEqual(run('store', 'export', self.path('store'), *flags).returncode, 64)


class Damage(ExportCase):
    def damage(self, store, what):
        """Flips a bit where `what` is in the log."""
        [segment] = [path for path in store.glob('shard-*/*.seg') if what in path.read_bytes()]
        data = bytearray(segment.read_bytes())
        data[data.index(what)] ^= 1
        segment.write_bytes(data)

    def make(self, seal):
        """A store of ten messages, in a segment that is sealed or is not."""
        store = self.path('store')
        with Server(shards=1, store=store) as server:
            for number in range(10):
                server.send(message(f'number {number} '), 'alice@example.test')
            while seal and not list(store.glob('shard-00/*.idx')):
                server.send(message('filling', text_of(1 << 20)), 'filling@example.test')
            self.assertEqual(server.terminate(), 0)
        self.damage(store, b'number 4 ')
        return store

    def test_the_rest_is_exported(self):
        for seal in (False, True):
            for form in ('maildir', 'mbox'):
                with self.subTest(f'{form} {seal}'):
                    store = self.make(seal)
                    out = self.path(f'{form}-{seal}')
                    result = run('store', 'export', store, 'alice@example.test', f'--{form}', out)
                    self.assertEqual(result.returncode, 1, result.stderr)
                    found = (self.messages(out) if form == 'maildir'
                             else out.read_bytes().split(b'\nFrom sender')[:10])
                    numbers = [int(mail.split(b'number ')[1].split()[0]) for mail in found]
                    self.assertEqual(numbers, [0, 1, 2, 3, 5, 6, 7, 8, 9])
                    self.assertRegex(result.stderr, r'segment 00000001|message \w{13}')
                    if form == 'maildir':
                        self.assertEqual(os.listdir(out / 'tmp'), [])
                    subprocess.run(['rm', '-r', store], check=True)


class Import(ExportCase):
    def mails(self, store, name):
        out = self.path(f'out-{len(os.listdir(self.folder))}')
        self.run_well('export', store, name, '--maildir', out)
        return self.messages(out)

    def test_what_other_programs_wrote(self):
        maildir = mailbox.Maildir(self.path('maildir'))
        mbox = mailbox.mbox(self.path('mbox'))
        texts = []
        for number in range(5):
            mail = mailbox.MaildirMessage(message(f'number {number}', b'From me\n.\n\n'
                                                  ).replace(b'\r\n', b'\n'))
            mail.set_date(1700000000 + number)
            maildir.add(mail)
            mbox.add(mailbox.mboxMessage(mail))
            texts.append(mail.as_bytes())
        mbox.close()
        for source in ('maildir', 'mbox'):
            with self.subTest(source):
                store = self.imported('a@example.test', self.path(source))
                self.assertEqual(self.mails(store, 'a@example.test'), texts)
                listed = json.loads(run('store', 'ls', store, 'a@example.test', '--json').stdout)
                if source == 'maildir':
                    self.assertEqual(listed[3]['received'], '2023-11-14T22:13:23Z')

    def test_line_ends_and_ends_of_files(self):
        folder = self.path('eml')
        folder.mkdir()
        cases = {'1': b'A: b\n\nlf\n', '2': b'A: b\r\n\r\ncrlf\r\n', '3': b'A: b\n\nnothing',
                 '4': b'A: b\n\n.\n', '5': b'A: b\n\n..'}
        for number, text in cases.items():
            folder.joinpath(number + '.eml').write_bytes(text)
            os.utime(folder / (number + '.eml'), (int(number), int(number)))
        store = self.imported('a@example.test', folder)
        self.assertEqual(self.mails(store, 'a@example.test'),
                         [text.replace(b'\r\n', b'\n') for text in cases.values()])
        with Server(store=store) as server:
            self.assertEqual(server.fetch('a@example.test')[2], b'A: b\r\n\r\nnothing\r\n')

    def test_what_cannot_be_taken_is_named(self):
        folder = self.path('eml')
        folder.mkdir()
        for name, text in (('good', b'A: b\n\nc\n'), ('bare', b'A: b\n\nc\rd\n'), ('empty', b''),
                           ('large', b'A: b\n\n' + b'x' * 3000), ('better', b'A: b\n\nd\n')):
            folder.joinpath(name + '.eml').write_bytes(text)
        store = self.path('store')
        result = run('store', 'import', store, 'a@example.test', folder, '--max-message', '2k',
                     *SEGMENT)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn('2 messages', result.stdout)
        for name in ('bare', 'empty', 'large'):
            self.assertIn(f'{name}.eml', result.stderr)
        self.assertNotIn('good', result.stderr)
        self.assertEqual(len(self.mails(store, 'a@example.test')), 2)

    def test_refusals(self):
        mail = self.path('mail.eml')
        mail.write_bytes(b'A: b\n\nc\n')
        store = self.path('store')
        for code, name, source in ((66, 'a@example.test', self.path('nowhere')),
                                   (64, 'nobody', mail), (64, '', mail),
                                   (64, 'a\n@example.test', mail),
                                   (66, 'a@example.test', '/dev/null')):
            with self.subTest(f'{name} {source}'):
                result = run('store', 'import', store, name, source)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertFalse(store.exists())
        with Server(store=store) as server:
            result = run('store', 'import', store, 'a@example.test', mail)
            self.assertEqual(result.returncode, 75, result.stderr)
            server.send(message('still there'), 'a@example.test')
            self.assertEqual(server.count('a@example.test'), 1)

    def test_the_return_path(self):
        mbox = self.path('mbox')
        date = 'Mon Nov 23 16:00:00 2026'
        mbox.write_text(f'From one@example.org {date}\nA: b\n\nFrom - {date}\n'
                        f'Return-Path: <two@example.org>\n\nFrom MAILER-DAEMON {date}\nA: b\n\n')
        store = self.imported('a@example.test', mbox)
        lines = [json.loads(line) for line in
                 run('store', 'tail', store, '--json').stdout.splitlines()]
        self.assertEqual([line['reverse_path'] for line in lines],
                         ['one@example.org', 'two@example.org', ''])
        self.assertEqual({line['time'] for line in lines}, {'2026-11-23T16:00:00.000000Z'})

    def test_interrupted_it_says_how_far_it_came(self):
        mbox, store, out = self.path('mbox'), self.path('store'), self.path('out')
        with mbox.open('wb') as file:
            for number in range(20000):
                file.write(b'From a@b Mon Nov 23 16:00:00 2026\nSubject: %d\n\n%s\n\n'
                           % (number, b'x' * 4000))
        process = subprocess.Popen([program(), 'store', 'import', store, 'a@example.test', mbox,
                                    '--segment', '16M'], stderr=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE)
        while process.poll() is None and run('store', 'ls', store, 'a@example.test').returncode:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        told, error = process.communicate(timeout=60)
        if process.returncode == 0:
            self.skipTest('it was over before it could be interrupted: ' + told)
        self.assertEqual(process.returncode, 75, error)
        self.assertIn('interrupted', error)
        done = int(error.split('--skip ')[1])
        listed = run('store', 'ls', store, 'a@example.test').stdout.splitlines()
        self.assertEqual(len(listed), done)
        self.assertIn(f'{done} messages', error)
        self.run_well('import', store, 'a@example.test', mbox, '--skip', done, '--segment', '16M')
        self.run_well('export', store, 'a@example.test', '--mbox', out)
        self.assertEqual(subprocess.run(['cmp', mbox, out], check=False).returncode, 0)


class Received(ExportCase):
    def test_a_mail_from_an_import_has_no_trace_of_it(self):
        mail = self.path('mail.eml')
        mail.write_bytes(b'Received: from afar\nSubject: x\n\nbody\n')
        store = self.imported('a@example.test', mail)
        with Server(store=store) as server:
            self.assertEqual(server.fetch('a@example.test'),
                             [b'Received: from afar\r\nSubject: x\r\n\r\nbody\r\n'])
            server.send(message('next'), 'a@example.test')
            self.assertEqual(without_trace(server.fetch('a@example.test')[1]), message('next'))
