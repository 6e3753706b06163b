"""Disks that are full, out of inodes, or suddenly read-only: new mail is refused for now, POP3 and
deletions go on, what was acknowledged is there, and mail is taken again as soon as it can be."""
import os
import re
import time

from disks import MEGABYTE, Ext4, Tmpfs
from load import FAILED, LoadCase
from mailrace import (LONG, Server, StartFailed, Wire, free_port, message, run, text_of,
                      without_trace)
from test_metrics import MetricsServer

REFUSED, ACCEPTED = 452, 250
RECOVERY_SECONDS = 30


class DiskCase(LoadCase):
    def server(self, disk, *flags, segment='8M'):
        server = Server('--segment', segment, *flags, store=disk.store, shards=1)
        self.addCleanup(server.close)
        return server.start()

    def overfill(self, server, *flags, messages=8000):
        """More than there is room for: what is not accepted is refused for now, and every
        connection stays in step."""
        load = self.blast(f'smtp://127.0.0.1:{server.smtp_port}', '--messages', messages,
                          '--size', '4k', '--connections', 16, '--pipeline', *flags, code=FAILED)
        self.assertEqual(load.messages['failed'] + load.messages['doubtful'], 0, load.messages)
        self.assertGreater(load.messages['acked'], 0)
        self.assertEqual(load.report['replies'].get(str(REFUSED), 0), load.messages['refused'])
        return load

    def account(self, server, load, *flags, **expected):
        return self.drain(f'pop3://127.0.0.1:{server.pop3_port}', load, *flags, **expected)

    @staticmethod
    def offer(server, mail, options=b''):
        """The reply code to one message."""
        with server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.send(b'MAIL FROM:<>%s\r\nRCPT TO:<full@example.test>\r\nDATA\r\n' % options)
            codes = wire.codes(3)
            if codes != [250, 250, 354]:
                return max(codes)
            return wire.command(mail + b'.')[0]

    def until_accepted(self, server, mail):
        deadline = time.monotonic() + RECOVERY_SECONDS
        while self.offer(server, mail) != ACCEPTED:
            self.assertLess(time.monotonic(), deadline, 'no recovery after space was freed')
            time.sleep(0.2)

    def assert_said_once(self, server, *texts):
        for text in texts:
            said = [line for line in server.lines if text in line]
            self.assertEqual(len(said), 1, (text, server.lines))


class FullDisk(DiskCase):
    def check_brim(self, disk):
        """Everything is deleted, mailbox after mailbox, each a commit, while there is no room for
        one block; then mail is taken again, by the same process."""
        ballast = [disk.take(20 * MEGABYTE)]
        server = self.server(disk, segment='16M')
        load = self.overfill(server, '--users', 900, messages=8500)
        ballast.append(disk.take())
        self.account(server, load, '--delete', '--connections', 1)
        self.assertEqual(self.offer(server, message('still full', text_of(1 << 17))), REFUSED)
        self.assert_said_once(server, 'takes no mail: no space left')
        server.kill()
        server.start()
        self.account(server, load, code=FAILED, fetched=0)
        self.assertEqual(self.offer(server, message('full again', text_of(1 << 17))), REFUSED)
        for path in ballast:
            os.unlink(path)
        mail = message('room')
        self.until_accepted(server, mail)
        self.assertEqual([without_trace(raw) for raw in server.fetch('full@example.test')], [mail])
        self.assert_said_once(server, 'takes no mail', 'takes mail again')
        self.assertEqual(server.terminate(), 0)
        self.assertEqual(run('store', 'verify', disk.store).returncode, 0)

    def test_to_the_brim_on_tmpfs(self):
        self.check_brim(Tmpfs(self, '62m'))

    def test_to_the_brim_on_ext4(self):
        self.check_brim(Ext4(self, 70 * MEGABYTE))

    def check_inodes(self, disk):
        """There is space, but no inode for the third segment."""
        ballast = disk.take_inodes(all_but=6)
        server = self.server(disk)
        load = self.overfill(server, '--users', 50)
        self.assertGreater(disk.bytes_free(), 16 * MEGABYTE)
        self.account(server, load, '--delete')
        for path in ballast[:4]:
            os.unlink(path)
        self.until_accepted(server, message('room'))
        self.assert_said_once(server, 'takes no mail: no space left', 'takes mail again')
        server.kill()
        server.start()
        self.account(server, load, code=FAILED, fetched=0)
        self.assertEqual(server.count('full@example.test'), 1)

    def test_inodes_on_tmpfs(self):
        self.check_inodes(Tmpfs(self, '120m', 'nr_inodes=40'))

    def test_inodes_on_ext4(self):
        self.check_inodes(Ext4(self, 120 * MEGABYTE, '-N', '32'))

    def test_no_room_to_begin_with(self):
        disk = Tmpfs(self, '1m')
        server = MetricsServer('--segment', '8M', store=disk.store, shards=1)
        self.addCleanup(server.close)
        server.start()
        mail = message('no room')
        self.assertEqual(self.offer(server, mail), REFUSED)
        for purpose in 'mail', 'deletions':
            self.assertEqual(server.figures().sum('store_refused', purpose=purpose), 1)
        self.assertEqual(self.offer(server, mail, b' SIZE=999999999'), 552)
        self.assertEqual(server.count('full@example.test'), 0)
        disk.resize('40m')
        self.until_accepted(server, mail)
        self.assertEqual(server.figures().sum('store_refused'), 0)
        self.assertEqual(server.count('full@example.test'), 1)

    def test_long_messages_stay_in_step(self):
        """Refused in the middle: the rest is read and forgotten, each recipient told by LMTP."""
        disk, port = Tmpfs(self, '12m'), free_port()
        server = self.server(disk, '--lmtp', f'127.0.0.1:{port}')
        for lmtp in False, True:
            with Wire(port if lmtp else server.smtp_port) as wire:
                wire.command(b'LHLO client.test' if lmtp else b'EHLO client.test')
                for mail in message('long', text_of(20 * MEGABYTE)), message('short'):
                    wire.send(b'MAIL FROM:<>\r\nRCPT TO:<a@full.test>\r\nRCPT TO:<b@full.test>\r\n'
                              b'DATA\r\n')
                    self.assertEqual(wire.codes(4), [250, 250, 250, 354])
                    wire.send(mail + b'.\r\nNOOP\r\n')
                    self.assertEqual(wire.codes(3 if lmtp else 2),
                                     [REFUSED] * (2 if lmtp else 1) + [250])
        self.assertEqual(server.count('a@full.test'), 0)

    def test_an_import_says_how_far_it_came(self):
        disk = Tmpfs(self, '12m')
        for number in range(9):
            with open(self.path(f'{number}.eml'), 'wb') as file:
                file.write(message(f'number {number}', text_of(MEGABYTE)))
        result = run('store', 'import', disk.store, 'a@full.test', self.folder, '--segment', '8M')
        self.assertEqual(result.returncode, 74, result.stderr)
        imported = int(re.search(r'go on with --skip (\d+)', result.stderr)[1])
        self.assertGreater(imported, 2)
        disk.resize('40m')
        result = run('store', 'import', disk.store, 'a@full.test', self.folder, '--segment', '8M',
                     '--skip', imported)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(run('store', 'mailboxes', disk.store).stdout, r'^ *9 .* a@full\.test\n$')

    def test_no_room_for_the_store_itself(self):
        with self.assertRaisesRegex(StartFailed, 'exit 74: .*No space left|exit 74: .*no space'):
            self.server(Tmpfs(self, '4k'))

    def test_full_at_every_step(self):
        """One block more each time, around what one, two and three segments need with the little
        files beside them."""
        for segments in 1, 2, 3:
            for blocks in range(0, 8, 1 if LONG else 5):
                with self.subTest(segments=segments, blocks=blocks):
                    self.check_size(segments * 8 * MEGABYTE + blocks * 4096)

    def check_size(self, size):
        disk = Tmpfs(self, size)
        server = self.server(disk)
        mail = message('filling', text_of(1 << 20))
        codes = [self.offer(server, mail)]
        while codes[-1] == ACCEPTED:
            codes.append(self.offer(server, mail))
        self.assertEqual(codes[-1], REFUSED)
        server.kill()
        server.start()
        accepted = codes.count(ACCEPTED)
        stored = [without_trace(raw) == mail for raw in server.fetch('full@example.test')]
        self.assertEqual(stored, [True] * accepted)
        disk.resize('40m')
        self.until_accepted(server, mail)
        self.assertEqual(server.count('full@example.test'), accepted + 1)
        self.assertEqual(server.terminate(), 0)
        self.assertEqual(run('store', 'verify', disk.store).returncode, 0)
        disk.unmount()
