"""--io dpdk: what the tests that run.py sends over the same two cables do not see."""
import os
import threading
import time

import dpdk
from load import FAILED, UNAVAILABLE, USAGE, LoadCase
from mailrace import Server, message, run, without_trace
from test_metrics import MetricsServer

URL = f'smtp://{dpdk.ADDRESS}:25'
CONFIG = 78


class Memif(LoadCase):
    def setUp(self):
        super().setUp()
        self.memif = dpdk.Memif(self.folder)

    def test_large_messages_in_long_frames(self):
        self.check_large_messages(dpdk.Memif(self.folder, long_frames=True))

    def test_large_messages_in_frames_that_nobody_copies(self):
        self.check_large_messages(dpdk.Memif(self.folder, long_frames=True, own_frames=True))

    def check_large_messages(self, memif):
        with Server(*memif.server(), shards=1) as server:
            load = self.blast(URL, *memif.client(), '--messages', 60, '--connections', 20,
                              '--size', '1k-3M', acked=60)
            self.check_stored(load, server.fetch)
            self.assertIn('MTU 9000, no checksums', '\n'.join(server.lines))

    def test_kill_under_load(self):
        with Server(*self.memif.server(), shards=1) as server:
            def kill():
                time.sleep(1.5)
                server.kill()
                server.start()
            killer = threading.Thread(target=kill)
            killer.start()
            load = self.blast(URL, *self.memif.client(), '--duration', '3s', '--connections', 50,
                              '--timeout', '4s', code=(FAILED, UNAVAILABLE))
            killer.join()
            self.assertGreater(load.messages['acked'], 50)  # more than one on each connection
            self.drain(f'pop3://127.0.0.1:{server.pop3_port}', load, lost=0, corrupted=0)
            self.assertEqual(server.terminate(), 0)
            self.assertEqual(run('store', 'verify', server.store).returncode, 0)

    def test_all_speak_at_once(self):
        """More than there are frames, at both ends: neither waits for the other for good."""
        count = 11000
        memif = dpdk.Memif(self.folder, long_frames=True, own_frames=True)
        with Server(*memif.server(), '--max-connections', count, shards=1) as server:
            load = self.blast(URL, *memif.client(), '--messages', count, '--connections', count,
                              acked=count)
            self.assertEqual(load.report['failures'], {})
            self.assertEqual(load.report['connections']['ended_well'],
                             load.report['connections']['connected'])
            self.assertEqual(server.terminate(), 0)

    def test_who_leaves_is_not_waited_for(self):
        """His last words arrive although the memory that they are in goes with him."""
        passwd = self.path('passwd')
        with open(passwd, 'w', encoding='ascii') as file:
            file.writelines(f'user{i}@example.test:{{PLAIN}}mailrace\n' for i in range(5))
        flags = self.memif.server('--pop3', f'{dpdk.ADDRESS}:110')
        with MetricsServer(*flags, passwd=passwd, shards=2) as server:
            load = self.blast(URL, *self.memif.client(), '--messages', 20, '--users', 5, acked=20)
            for _ in range(8):
                self.drain(f'pop3://{dpdk.ADDRESS}:110', load, *self.memif.client(), fetched=20)
                server.await_figure(0, 'sessions_open', door='pop3', seconds=2)

    def test_rests_while_nothing_comes(self):
        with Server(*self.memif.server(), shards=1) as server:
            def used():
                with open(f'/proc/{server.process.pid}/stat', encoding='ascii') as file:
                    fields = file.read().rsplit(')', 1)[1].split()
                return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
            time.sleep(1)
            before = used()
            time.sleep(2)
            self.assertLess(used() - before, 0.4)
            # and is awake again at once
            self.blast(URL, *self.memif.client(), '--messages', 200, acked=200)

    def test_nobody_at_the_other_end(self):
        result = run('blast', URL, *self.memif.client())
        self.assertEqual(result.returncode, UNAVAILABLE, result.stderr)
        self.assertIn('is the other end there?', result.stderr)

    def test_what_is_wrong_is_one_line(self):
        address = ('--dpdk-address', '192.0.2.1/24')
        cases = (
            (USAGE, '--dpdk-address', ('--io', 'dpdk')),
            (USAGE, '--io dpdk', address),
            (USAGE, '192.0.2.1/40', ('--io', 'dpdk', '--dpdk-address', '192.0.2.1/40')),
            (USAGE, 'a quote is open', ('--io', 'dpdk', *address, '--dpdk-args', '--vdev="x')),
            (USAGE, "'epoll'", ('--io', 'epoll')),
            (CONFIG, 'there is no port 0',
             ('--io', 'dpdk', *address, '--dpdk-args', f'{dpdk.MEMORY} --no-pci')),
            (USAGE, '--dpdk-mtu', ('--io', 'dpdk', *address, '--dpdk-mtu', '1279')),
            (USAGE, '--io dpdk', ('--dpdk-unchecked',)),
            (CONFIG, 'only net_memif', ('--io', 'dpdk', *address, '--dpdk-unchecked', '--dpdk-args',
                                        f'{dpdk.MEMORY} --vdev=net_null0')),
            (CONFIG, 'bsize=9216', ('--io', 'dpdk', *address, '--dpdk-mtu', '9000', '--dpdk-args',
                                     f'{dpdk.MEMORY} --vdev=net_memif0,socket=mtu')),
            (71, 'nr_hugepages', ('--io', 'dpdk', *address, '--dpdk-args', '--no-pci -m 9999999')),
            (71, "Invalid 'command line' arguments",
             ('--io', 'dpdk', *address, '--dpdk-args', '--bogus')),
            (71, 'no_such_device', ('--io', 'dpdk', *address, '--dpdk-args',
                                    f'{dpdk.MEMORY} --vdev=no_such_device0')),
        )
        for code, words, flags in cases:
            with self.subTest(words):
                result = run('serve', '--store', self.path('store'), '--smtp', '127.0.0.1:0',
                             '--accept-all', *flags)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(words, result.stderr)
                self.assertEqual(result.stdout, '')
                self.assertEqual(result.stderr.count('\n'), 1, result.stderr)


class Kernel(LoadCase):
    """The kernel's clients at the other end."""

    def setUp(self):
        super().setUp()
        self.passwd = self.path('passwd')
        with open(self.passwd, 'w', encoding='ascii') as file:
            file.write('kernel@example.test:{PLAIN}secret\n')

    def send_and_fetch(self, space):
        mail = message('from afar', (b'y' * 900 + b'\r\n.\r\n') * 200)
        for host in dpdk.ADDRESS, '[fd77::1]':
            space.run('curl', '--silent', '--show-error', f'smtp://{host}/client.test',
                      '--mail-from', 'sender@example.test', '--mail-rcpt', 'kernel@example.test',
                      '--upload-file', '-', stdin=mail)
        space.run('swaks', '--server', dpdk.ADDRESS, '--from', 'sender@example.test', '--to',
                  'kernel@example.test', '--body', 'hello')
        space.run('smtp-source', '-s', '20', '-m', '500', '-l', '4096', '-f',
                  'sender@example.test', '-t', 'kernel@example.test', f'{dpdk.ADDRESS}:25')
        curl = ('curl', '--silent', '--show-error', '--user', 'kernel@example.test:secret')
        first = space.run(*curl, f'pop3://{dpdk.ADDRESS}/1')
        self.assertEqual(without_trace(first), mail)
        listed = space.run(*curl, f'pop3://{dpdk.ADDRESS}/')
        self.assertEqual(len(listed.splitlines()), 503)

    def check_cable(self, driver):
        with dpdk.Cable() as cable, \
                Server(*cable.server(driver), passwd=self.passwd, shards=1) as server:
            self.send_and_fetch(cable)
            self.assertEqual(server.terminate(), 0)

    def test_af_packet(self):
        self.check_cable('af_packet')

    def test_af_xdp(self):
        self.check_cable('af_xdp')

    def test_a_queue_for_each_shard(self):
        with dpdk.Tap() as tap, \
                tap.inside(Server(*tap.server(), passwd=self.passwd, shards=2)) as server:
            self.assertIn('2 queues', '\n'.join(server.lines))
            tap.bring_up(tap.device)
            self.send_and_fetch(tap)
            self.assertEqual(server.terminate(), 0)
