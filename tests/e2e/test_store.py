"""`mailrace store …` beside a running server and after it."""
import json
import subprocess

from cases import FolderCase
from mailrace import Server, message, run, without_trace


class Tools(FolderCase):
    def look(self, server, uidls, mails):
        info = run('store', 'info', server.store)
        self.assertEqual(info.returncode, 0, info.stderr)
        figures = json.loads(run('store', 'info', '--json', server.store).stdout)
        self.assertIsInstance(figures, dict)
        self.assertIn('tools@example.test', run('store', 'mailboxes', server.store).stdout)
        listed = run('store', 'ls', server.store, 'tools@example.test').stdout.splitlines()
        self.assertEqual(len(listed), len(mails))
        for uidl, line, mail in zip(uidls, listed, mails):
            self.assertIn(uidl, line)
            shown = subprocess.run([server.command[0], 'store', 'cat', server.store, uidl],
                                   capture_output=True, check=True).stdout
            self.assertEqual(without_trace(shown), mail)
        self.assertEqual(run('store', 'verify', server.store).returncode, 0)

    def test_beside_a_server_and_after_it(self):
        mails = [message(f'number {number}', b'.dot\r\n') for number in range(3)]
        with Server(shards=2) as server:
            for mail in mails:
                server.send(mail, 'tools@example.test')
            with server.pop3('tools@example.test') as client:
                uidls = [line.decode().split()[1] for line in client.uidl()[1]]
                client.quit()
            self.look(server, uidls, mails)
            self.assertEqual(server.terminate(), 0)
            self.look(server, uidls, mails)

    def test_an_unknown_mailbox_is_empty(self):
        with Server() as server:
            result = run('store', 'ls', server.store, 'nobody@example.test')
            self.assertEqual((result.returncode, result.stdout), (0, ''), result.stderr)

    def test_looking_changes_nothing(self):
        with Server(shards=1) as server:
            server.send(message('one'), 'alice@example.test')
            self.assertEqual(server.terminate(), 0)
            before = self.digest(server.store)
            for command in (('info',), ('verify',), ('mailboxes',), ('ls', 'alice@example.test')):
                run('store', command[0], server.store, *command[1:])
            self.assertEqual(self.digest(server.store), before)

    @staticmethod
    def digest(store):
        listing = f'cd {store} && find . -type f | sort | xargs sha256sum'
        return subprocess.run(['sh', '-c', listing], capture_output=True, check=True).stdout
