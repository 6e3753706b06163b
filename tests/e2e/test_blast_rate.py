"""Open loop: the rate is held, and a server that stalls can't hide it."""
import json
import pathlib
import signal
import subprocess
import threading
import time

from broken_server import BrokenServer, after, hang
from load import LoadCase
from mailrace import Server, program

NO_DISK = '--durability', 'none'  # where its moods would be taken for the generator's


class OpenLoop(LoadCase):
    RATE, SECONDS = 500, 3

    def offer(self, server, *flags, **keywords):
        return self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--rate', self.RATE,
                          '--duration', f'{self.SECONDS}s', '--connections', 20, *flags, **keywords)

    def test_the_rate_is_held(self):
        with Server() as server:
            load = self.offer(server)
        self.assertAlmostEqual(load.messages['acked'], self.RATE * self.SECONDS,
                               delta=0.03 * self.RATE * self.SECONDS)
        self.assertAlmostEqual(load.report['rate'], self.RATE, delta=0.05 * self.RATE)
        self.assertLess(load.report['behind'], 0.02)
        self.assertLess(load.percentile('p50'), 100)

    def test_a_number_of_messages_at_a_rate(self):
        with Server(*NO_DISK) as server:
            load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--rate', 200, '--messages',
                              200, '--connections', 4, '--shards', 2, acked=200)
        self.assertAlmostEqual(load.report['seconds'], 1, delta=0.2)

    def test_few_messages_at_a_rate(self):
        """The last one has its share of the time: three in a second and a half are two a second."""
        with Server() as server:
            load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--rate', 2, '--messages', 3,
                              '--connections', 2, acked=3)
        self.assertAlmostEqual(load.report['rate'], 2, delta=0.02)
        self.assertEqual(load.report['behind'], 0)

    def test_what_was_not_due_when_it_was_interrupted(self):
        """Messages that nobody answers hold up the end, and make none of the others late."""
        report = self.path('report')
        with BrokenServer({'mail': after(20, hang)}) as server, subprocess.Popen(
                [program(), 'blast', server.url, '--duration', '1h', '--rate', '20', '--quiet',
                 '--connections', '40', '--timeout', '3s', '--json', report]) as process:
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            process.wait(20)
        load = json.loads(pathlib.Path(report).read_text())
        self.assertGreater(load['messages']['failed'], 5)
        self.assertLess(load['behind'], 0.01)

    def test_a_stall_shows(self):
        """For a second of three nobody is served: a third of all wait for half of it on average. In
        a closed loop only one message of each connection would."""
        with Server(*NO_DISK) as server:
            threads = [threading.Timer(after, server.signal, [number])
                       for after, number in ((1, signal.SIGSTOP), (2, signal.SIGCONT))]
            for thread in threads:
                thread.start()
            load = self.offer(server, '--timeout', '10s')
            for thread in threads:
                thread.join()
        self.assertGreater(load.percentile('p99'), 900)
        self.assertGreater(load.percentile('p90'), 500)
        self.assertLess(load.percentile('p50'), 200)
        self.assertLess(load.percentile('max'), 2500)

    def test_more_than_can_be(self):
        """Falls behind, and says so."""
        with Server() as server:
            load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--rate', 10000000,
                              '--duration', '1500ms', '--connections', 4, code=(0, 1),
                              quiet=False)
        self.assertGreater(load.report['behind'], 0.2)
        self.assertIn('behind', load.result.stdout)
