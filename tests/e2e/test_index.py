"""The folder of the mailbox index: derived, so whatever happens to it, every message is there."""
import os
import pathlib
import shutil
import unittest

from mailrace import Server, message, run, without_trace

MAILBOX = 'joe@example.test'


class Index(unittest.TestCase):
    def files(self, server, suffix=''):
        return [path for path in pathlib.Path(server.store, 'index').iterdir()
                if path.name.endswith(suffix) and path.is_file()]

    def setUp(self):
        self.server = self.enterContext(Server(shards=2))
        if not os.path.isdir(os.path.join(self.server.store, 'index')):
            self.skipTest('built without RocksDB')
        self.mails = []
        for number in range(5):
            self.send(f'number {number}')

    def enterContext(self, context):
        self.addCleanup(context.__exit__, None, None, None)
        return context.__enter__()

    def send(self, subject):
        self.mails.append(message(subject))
        self.server.send(self.mails[-1], MAILBOX, 'ann@example.test')

    def stop(self):
        self.assertEqual(self.server.terminate(), 0)

    def expect_all(self):
        for mailbox in (MAILBOX, 'ann@example.test'):
            stored = [without_trace(mail) for mail in self.server.fetch(mailbox)]
            self.assertEqual(stored, self.mails)
        listed = run('store', 'ls', self.server.store, MAILBOX)
        self.assertEqual(len(listed.stdout.splitlines()), len(self.mails), listed.stderr)
        self.assertEqual(run('store', 'verify', self.server.store).returncode, 0)

    def start_again(self):
        self.server.start()
        self.expect_all()

    def test_it_is_used_beside_what_is_new(self):
        self.stop()
        self.assertTrue(self.files(self.server, '.sst'))
        self.start_again()
        self.send('later')
        self.expect_all()
        with self.server.pop3(MAILBOX) as client:
            client.dele(1)
            client.quit()
        self.assertEqual(self.server.count(MAILBOX), 5)
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.count(MAILBOX), 5)
        self.assertEqual(self.server.count('ann@example.test'), 6)
        listed = run('store', 'mailboxes', self.server.store).stdout.split()
        self.assertEqual((listed[0], listed[3]), ('6', '5'))

    def test_it_is_deleted(self):
        for _ in range(2):
            self.stop()
            shutil.rmtree(os.path.join(self.server.store, 'index'))
            self.expect_offline()
            self.start_again()
            self.send('more')

    def expect_offline(self):
        listed = run('store', 'ls', self.server.store, MAILBOX)
        self.assertEqual(len(listed.stdout.splitlines()), len(self.mails), listed.stderr)

    def test_it_is_damaged(self):
        def flip(path):
            data = bytearray(path.read_bytes())
            for at in range(0, len(data), 50):
                data[at] ^= 0x55
            path.write_bytes(data)

        def cut(path):
            os.truncate(path, path.stat().st_size // 2)

        for harm in (flip, cut, pathlib.Path.unlink):
            for suffix in ('.sst', 'CURRENT', ''):
                with self.subTest(harm=harm.__name__, files=suffix or 'all'):
                    self.stop()
                    for path in self.files(self.server, suffix):
                        harm(path)
                    self.start_again()

    def test_it_is_of_another_store(self):
        with Server(shards=1) as other:
            other.send(message('not yours'), MAILBOX)
            self.assertEqual(other.terminate(), 0)
            self.stop()
            shutil.rmtree(os.path.join(self.server.store, 'index'))
            shutil.copytree(os.path.join(other.store, 'index'),
                            os.path.join(self.server.store, 'index'))
            self.start_again()


if __name__ == '__main__':
    unittest.main()
