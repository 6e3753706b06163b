"""SIGTERM drains: what was begun is finished or refused, never lost, and the exit code is 0."""
import signal
import socket
import threading

from cases import FolderCase
from mailrace import Server, Wire, message, run
from ways import way


class Drain(FolderCase):
    def test_an_idle_session_is_told(self):
        with Server() as server, server.wire() as wire:
            wire.command(b'EHLO client.test')
            server.signal(signal.SIGTERM)
            self.assertEqual(wire.reply()[0], 421)
            self.assertEqual(wire.reply()[0], 0)
            wire.close()  # else it is waited for
            self.assertEqual(server.wait(), 0)
            with self.assertRaises(way().refusals):
                socket.create_connection(('127.0.0.1', server.smtp_port), timeout=1)

    def test_a_message_under_way_is_finished_or_refused(self):
        with Server() as server, server.wire() as wire:
            wire.transaction('drain@example.test')
            wire.send(message('drain')[:-2])
            server.signal(signal.SIGTERM)
            try:
                wire.send(b'\r\n.\r\n')
                code, _ = wire.reply()
            except ConnectionError:
                code = 0
            wire.close()
            self.assertEqual(server.wait(), 0)
            server.start()
            self.assertEqual(server.count('drain@example.test'), int(code == 250), f'got {code}')

    def test_under_load_nothing_acknowledged_is_lost(self):
        with Server() as server:
            acknowledged = []
            threads = [threading.Thread(target=self.pour, args=(server.smtp_port, acknowledged))
                       for _ in range(8)]
            for thread in threads:
                thread.start()
            while len(acknowledged) < 200:
                self.assertTrue(any(thread.is_alive() for thread in threads), 'nothing accepted')
            self.assertEqual(server.terminate(), 0)
            for thread in threads:
                thread.join()
            result = run('store', 'verify', server.store)
            self.assertEqual(result.returncode, 0, result.stdout)
            server.start()
            # One more is possible per connection: stored, but its reply did not get through.
            stored = server.count('load@example.test')
            self.assertGreaterEqual(stored, len(acknowledged))
            self.assertLessEqual(stored, len(acknowledged) + len(threads))

    @staticmethod
    def pour(port, acknowledged):
        try:
            with Wire(port) as wire:
                wire.command(b'EHLO client.test')
                while True:
                    wire.send(b'MAIL FROM:<>\r\nRCPT TO:<load@example.test>\r\nDATA\r\n')
                    if wire.codes(3) != [250, 250, 354]:
                        return
                    if wire.command(message('load') + b'.')[0] != 250:
                        return
                    acknowledged.append(True)
        except ConnectionError:
            return

    def test_sigint_too(self):
        with Server() as server:
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(), 0)
