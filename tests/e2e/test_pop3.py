"""The maildrop: one session at a time, deletions that last, passwords from a file."""
import crypt
import os
import pathlib
import poplib
import signal
import smtplib
import time

from cases import FolderCase, ServerCase
from mailrace import ROOT, Server, message, without_trace


class Maildrop(ServerCase):
    def test_the_lock_is_exclusive(self):
        self.server.send(message('locked'), 'lock@example.test')
        with self.server.pop3('lock@example.test') as first:
            with self.assertRaisesRegex(poplib.error_proto, 'IN-USE'):
                with self.server.pop3('lock@example.test'):
                    pass
            with self.server.pop3('other@example.test') as other:
                other.quit()
            first.quit()
        self.assertEqual(self.server.count('lock@example.test'), 1)

    def test_a_dropped_connection_frees_the_lock_and_deletes_nothing(self):
        self.server.send(message('dropped'), 'drop@example.test')
        with self.server.pop3('drop@example.test') as client:
            client.dele(1)
        deadline = time.monotonic() + 10
        while True:
            try:
                self.assertEqual(self.server.count('drop@example.test'), 1)
                return
            except poplib.error_proto:
                self.assertLess(time.monotonic(), deadline, 'the lock was never freed')
                time.sleep(0.05)

    def test_a_snapshot_does_not_grow(self):
        self.server.send(message('before'), 'snap@example.test')
        with self.server.pop3('snap@example.test') as client:
            self.server.send(message('after'), 'snap@example.test')
            self.assertEqual(client.stat()[0], 1)
            client.quit()
        self.assertEqual(self.server.count('snap@example.test'), 2)

    def test_rset_top_and_bad_numbers(self):
        mail = message('top', b'one\r\ntwo\r\nthree\r\n')
        self.server.send(mail, 'top@example.test')
        with self.server.pop3('top@example.test') as client:
            lines = client.top(1, 2)[1]
            self.assertEqual(lines[-3:], [b'', b'one', b'two'])
            client.dele(1)
            for number in (0, 1, 2, -1, 1 << 31, 1 << 32, (1 << 32) + 1, 1 << 63, (1 << 64) + 1,
                           10 ** 30):
                with self.assertRaises(poplib.error_proto):
                    client.retr(number)
            client.rset()
            self.assertEqual(client.stat()[0], 1)
            client.quit()
        self.assert_holds('top@example.test', mail)


class Deletion(FolderCase):
    def test_deletions_outlive_kill_9(self):
        with Server() as server:
            for number in range(10):
                server.send(message(f'number {number}'), 'dele@example.test')
            with server.pop3('dele@example.test') as client:
                before = [line.split()[1] for line in client.uidl()[1]]
                for number in (1, 4, 10):
                    client.dele(number)
                client.quit()
            server.kill()
            server.start()
            with server.pop3('dele@example.test') as client:
                after = [line.split()[1] for line in client.uidl()[1]]
                client.quit()
            self.assertEqual(after, [uidl for place, uidl in enumerate(before, 1)
                                     if place not in (1, 4, 10)])

    def test_uidls_and_messages_survive_any_number_of_shards(self):
        mails = {f'user{number}@example.test': message(f'number {number}')
                 for number in range(20)}
        with Server(shards=1) as server:
            for name, mail in mails.items():
                server.send(mail, name)
            place = server.command.index('--shards') + 1
            for shards in ('3', '2'):
                self.assertEqual(server.terminate(), 0)
                server.command[place] = shards
                server.start()
                for name, mail in mails.items():
                    self.assertEqual([without_trace(raw) for raw in server.fetch(name)], [mail])


class ExampleFiles(FolderCase):
    def test_they_work_as_they_are(self):
        with Server(passwd=ROOT / 'contrib/passwd.example',
                    recipients=ROOT / 'contrib/recipients.example') as server:
            server.send(message('example'), 'alice@example.test', 'anybody@lists.example.test')
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                server.send(message('nobody'), 'nobody@example.test')
            with server.pop3('alice@example.test', 'change me') as client:
                self.assertEqual(client.stat()[0], 1)
                client.quit()


class Passwords(FolderCase):
    def setUp(self):
        super().setUp()
        self.passwd = pathlib.Path(self.folder, 'passwd')

    def write(self, **users):
        lines = [f'{name}@example.test:{{SHA512-CRYPT}}'
                 f'{crypt.crypt(password, "$6$rounds=1000$saltsalt")}::::::\n'
                 for name, password in users.items()]
        part = self.passwd.with_suffix('.part')
        part.write_text('# users of the test\n\n' + ''.join(lines))
        os.replace(part, self.passwd)

    def answer(self, server, name, password):
        try:
            with server.pop3(f'{name}@example.test', password) as client:
                client.quit()
                return 'OK'
        except poplib.error_proto as refusal:
            return str(refusal)

    def test_sha512_crypt(self):
        self.write(alice='correct horse', bob='battery')
        with Server(passwd=self.passwd) as server:
            self.assertEqual(self.answer(server, 'alice', 'correct horse'), 'OK')
            wrong = self.answer(server, 'alice', 'battery')
            self.assertIn('-ERR', wrong)
            self.assertEqual(self.answer(server, 'nobody', 'x'), wrong)
            self.assertEqual(self.answer(server, 'bob', 'battery'), 'OK')

    def test_sighup_reads_the_file_again(self):
        self.write(alice='old')
        with Server(passwd=self.passwd) as server:
            self.assertEqual(self.answer(server, 'alice', 'old'), 'OK')
            self.write(alice='new', bob='late')
            server.signal(signal.SIGHUP)
            deadline = time.monotonic() + 10
            while self.answer(server, 'alice', 'new') != 'OK':
                self.assertLess(time.monotonic(), deadline, 'SIGHUP changed nothing')
                time.sleep(0.05)
            self.assertIn('-ERR', self.answer(server, 'alice', 'old'))
            self.assertEqual(self.answer(server, 'bob', 'late'), 'OK')

    def test_a_bad_file_at_sighup_keeps_the_good_one(self):
        self.write(alice='old')
        with Server(passwd=self.passwd) as server:
            self.passwd.unlink()
            server.signal(signal.SIGHUP)
            time.sleep(0.3)
            self.assertEqual(self.answer(server, 'alice', 'old'), 'OK')
