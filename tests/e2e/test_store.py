"""`mailrace store …` beside a running server and after it."""
import json
import os
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

    def test_a_mailbox_that_does_not_exist(self):
        with Server() as server:
            server.send(message('one'), 'alice@example.test')
            for action in (('ls',), ('export', '--mbox', os.path.join(self.folder, 'out'))):
                result = run('store', action[0], server.store, 'nobody@example.test', *action[1:])
                self.assertEqual((result.returncode, result.stdout), (66, ''), result.stderr)
                self.assertIn('nobody@example.test', result.stderr)
            self.assertEqual(os.listdir(self.folder), [])
            listed = run('store', 'ls', server.store, '"alice"@EXAMPLE.test')
            self.assertEqual(len(listed.stdout.splitlines()), 1, listed.stderr)

    def test_flags_of_other_actions(self):
        for action, *flags in (('ls', 'DIR', 'BOX', '--follow'), ('cat', 'DIR', 'ID', '--json'),
                               ('info', 'DIR', '--mbox', 'OUT'), ('tail', 'DIR', '--skip', '3'),
                               ('export', 'DIR', '--from', '0:1', '--mbox', 'OUT')):
            with self.subTest(action):
                result = run('store', action, *flags)
                self.assertEqual(result.returncode, 64, result.stderr)
                self.assertRegex(result.stderr, '--(follow|json|mbox|skip|from).*--help')

    def test_json(self):
        with Server(shards=2) as server:
            server.send(message('one'), 'b@example.test', '"a \\"b"@example.test')
            mailboxes = json.loads(run('store', 'mailboxes', server.store, '--json').stdout)
            self.assertEqual([box['name'] for box in mailboxes],
                             ['a "b@example.test', 'b@example.test'])
            self.assertEqual([box['messages'] for box in mailboxes], [1, 1])
            [listed] = json.loads(run('store', 'ls', server.store, 'b@example.test',
                                      '--json').stdout)
            self.assertEqual(listed['octets'], mailboxes[1]['octets'])
            self.assertRegex(listed['uidl'], r'^[0-9A-Z]{13}\.0$')
            verified = json.loads(run('store', 'verify', server.store, '--json').stdout)
            self.assertEqual(verified, {'findings': [], 'clean': True})

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
