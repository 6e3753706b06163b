"""Open loop: the rate is held, and a server that stalls can't hide it."""
import signal
import threading

from load import LoadCase
from mailrace import Server


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
        with Server() as server:
            load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--rate', 200, '--messages',
                              200, '--connections', 4, '--shards', 2, acked=200)
        self.assertAlmostEqual(load.report['seconds'], 1, delta=0.2)

    def test_a_stall_shows(self):
        """For a second of three nobody is served: a third of all wait for half of it on average. In
        a closed loop only one message of each connection would."""
        with Server() as server:
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
