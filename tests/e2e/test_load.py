"""Load by a client that is not ours: everything accepted, everything there, the store sound."""
import re

import clients
from cases import FolderCase
from mailrace import LONG, Server, message, run, without_trace

MESSAGES = 20000 if LONG else 2000


class Load(FolderCase):
    def test_smtp_source_on_64_connections(self):
        with Server() as server:
            clients.smtp_source(server, MESSAGES, connections=64, size=4096)
            self.assertEqual(server.count('load@example.test'), MESSAGES)
            with server.pop3('load@example.test') as client:
                lines = [line.split() for line in client.uidl()[1]]
                self.assertEqual(len({uidl for _, uidl in lines}), MESSAGES)
                sizes = [int(line.split()[1]) for line in client.list()[1]]
                self.assertEqual(client.stat(), (MESSAGES, sum(sizes)))
                self.assertGreater(min(sizes), 4096)
                client.quit()
            self.assertEqual(server.terminate(), 0)
            self.verify_clean(server)
            listed = run('store', 'ls', server.store, 'load@example.test')
            self.assertEqual(len(listed.stdout.splitlines()), MESSAGES, listed.stderr)

    def verify_clean(self, server):
        result = run('store', 'verify', server.store)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_many_recipients_share_one_message(self):
        names = [f'user{number}@example.test' for number in range(100)]
        mail = message('to all', b'x' * 900 + b'\r\n')
        with Server() as server:
            self.assertEqual(server.send(mail, *names), {})
            for name in names:
                self.assertEqual([without_trace(raw) for raw in server.fetch(name)], [mail])
            first = server.fetch(names[0])[0]
            for name in names[1:]:  # a trace that names one recipient would betray the others
                self.assertNotIn(name.encode(), first)
            self.assertEqual(server.terminate(), 0)
            self.verify_clean(server)

    def test_smtp_source_with_50_recipients(self):
        with Server() as server:
            clients.smtp_source(server, 100, connections=8, size=2048, recipients=50,
                                to='many@example.test')
            result = run('store', 'mailboxes', server.store)
            names = set(re.findall(r'\S+@example\.test', result.stdout))
            self.assertEqual(len(names), 50, result.stderr)
            for name in names:
                self.assertEqual(server.count(name), 100)

    def test_recipients_beyond_the_limit_wait_for_another_transaction(self):
        with Server() as server, server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.command(b'MAIL FROM:<a@example.test>')
            codes = [wire.command(b'RCPT TO:<u%d@example.test>' % number)[0]
                     for number in range(3000)]
            taken = codes.count(250)
            self.assertGreaterEqual(taken, 100)
            self.assertEqual(codes, [250] * taken + [452] * (3000 - taken))
            wire.command(b'DATA')
            self.assertEqual(wire.command(message('limit') + b'.')[0], 250)
            self.assertEqual(server.count('u0@example.test'), 1)
            self.assertEqual(server.count(f'u{taken - 1}@example.test'), 1)
