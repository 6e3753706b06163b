"""Many large messages at once: memory stays within its budget, and every message is whole."""
import concurrent.futures
import hashlib
import pathlib

from cases import FolderCase
from mailrace import LONG, Server, message, text_of, without_trace

SESSIONS, MEGABYTES = (200, 50) if LONG else (20, 10)
RSS_BYTES_MAX = 256 << 20


class Memory(FolderCase):
    def test_large_messages_side_by_side(self):
        block = text_of(1 << 20)
        with Server('--shards', '1', '--max-message', '64M') as server:
            wires = [server.wire() for _ in range(SESSIONS)]
            for number, wire in enumerate(wires):
                wire.transaction(f'large{number}@example.test')
                wire.send(message(f'large {number}', b''))
            # Round robin: all of them are half sent for nearly the whole time.
            parts = [wires[start::4] for start in range(4)]
            with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(lambda part: self.pour(part, block), parts))
            for wire in wires:
                wire.send(b'.\r\n')
            for wire in wires:
                self.assertEqual(wire.reply()[0], 250)
                wire.close()
            peak = server.rss_peak_bytes()
            self.assertLess(peak, RSS_BYTES_MAX, f'{SESSIONS} messages of {MEGABYTES} MB')
            self.check_whole(server, block)

    @staticmethod
    def pour(wires, block):
        for _ in range(MEGABYTES):
            for wire in wires:
                wire.send(block)

    def check_whole(self, server, block):
        expected = hashlib.sha256(block * MEGABYTES).hexdigest()
        for number in range(0, SESSIONS, max(1, SESSIONS // 10)):
            stored, = server.fetch(f'large{number}@example.test')
            body = without_trace(stored)[len(message(f'large {number}', b'')):]
            self.assertEqual(hashlib.sha256(body).hexdigest(), expected, f'message {number}')

    def test_allocator(self):
        """What a linker drops when nothing but malloc is wanted of it."""
        with Server('--shards', '1') as server:
            maps = pathlib.Path(f'/proc/{server.process.pid}/maps').read_text()
            self.assertIn('/libjemalloc.so', maps)
            threads = pathlib.Path(f'/proc/{server.process.pid}/task').glob('*/comm')
            self.assertIn('jemalloc_bg_thd\n', [comm.read_text() for comm in threads])

    def test_replies_that_nobody_reads(self):
        with Server('--shards', '1') as server, server.wire() as wire:
            wire.socket.settimeout(2)
            with self.assertRaises(TimeoutError):  # pushed back, not buffered without end
                for _ in range(2000):
                    wire.send(b'HELP\r\n' * 10000)
            self.assertLess(server.rss_peak_bytes(), RSS_BYTES_MAX)
            server.send(message('others are served'), 'other@example.test')
            self.assertEqual(server.count('other@example.test'), 1)
