"""A disk that lies: what was acknowledged is served, or its loss is named."""
import os
import pathlib
import poplib

from cases import FolderCase
from mailrace import Server, Wire, message, run, without_trace


class Damage(FolderCase):
    """Three messages, each in a batch of its own, and one byte of the second one's body changed."""

    def fill(self, server):
        self.mails = [message(f'number {number}', b'marker-%d ' % number * 50 + b'\r\n')
                      for number in range(3)]
        for number, mail in enumerate(self.mails):
            server.send(mail, f'user{number}@example.test')

    def damage(self, server):
        """Returns the segment's path."""
        for path in sorted(pathlib.Path(server.store).glob('shard-*/*.seg')):
            data = path.read_bytes()
            place = data.find(b'marker-1')
            if place >= 0:
                with path.open('r+b') as segment:
                    segment.seek(place + 3)
                    segment.write(bytes((data[place + 3] ^ 1,)))
                    os.fsync(segment.fileno())
                return path
        return self.fail('the message is in no segment')

    def check_served(self, server):
        for number in (0, 2):
            stored, = server.fetch(f'user{number}@example.test')
            self.assertEqual(without_trace(stored), self.mails[number])
        with server.pop3('user1@example.test') as client:
            with self.assertRaisesRegex(poplib.error_proto, '-ERR'):
                client.retr(1)
            client.noop()
            client.quit()
        with Wire(server.smtp_port) as wire:
            wire.transaction('user3@example.test')
            self.assertEqual(wire.command(message('goes on') + b'.')[0], 250)
        self.assertEqual(server.count('user3@example.test'), 1)

    def test_while_serving(self):
        with Server(shards=1) as server:
            self.fill(server)
            self.damage(server)
            self.check_served(server)

    def test_found_by_verify_and_survived_by_serve(self):
        with Server(shards=1) as server:
            self.fill(server)
            self.assertEqual(server.terminate(), 0)
            path = self.damage(server)
            result = run('store', 'verify', server.store)
            self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
            self.assertRegex(result.stdout, rf'segment 0*{int(path.stem)}\b')
            server.start()
            self.check_served(server)
            self.assertEqual(server.terminate(), 0)
            self.assertEqual(run('store', 'verify', server.store).returncode, 1)

    def test_a_torn_tail_is_no_damage(self):
        with Server(shards=1) as server:
            self.fill(server)
            server.kill()
            server.start()
            for number, mail in enumerate(self.mails):
                self.assertEqual([without_trace(raw)
                                  for raw in server.fetch(f'user{number}@example.test')], [mail])
            self.assertEqual(server.terminate(), 0)
            result = run('store', 'verify', server.store)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
