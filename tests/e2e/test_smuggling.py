"""Look-alikes of the end of data: one reply, at most one message, the session in sync after it."""
from cases import ServerCase

LOOK_ALIKES = (b'\n.\n', b'\n.\r\n', b'\r\n.\n', b'\r.\r', b'\r.\r\n', b'\r\n.\r', b'\r\r\n.\r\r\n',
               b'\r\n\0.\r\n', b'\r\n.\0\r\n', b'\n\n.\r\n', b'\r\n.\r\r\n', b'\n.\r')
SMUGGLED = (b'MAIL FROM:<evil@example.test>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\n'
            b'Subject: smuggled\r\n\r\nsmuggled\r\n')


class Smuggling(ServerCase):
    def attempt(self, look_alike, pieces):
        mailbox = b'outer@example.test'
        body = b'Subject: outer\r\n\r\nouter' + look_alike + SMUGGLED + b'.\r\n'
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.send(b'MAIL FROM:<a@example.test>\r\nRCPT TO:<' + mailbox + b'>\r\nDATA\r\n')
            self.assertEqual(wire.codes(3), [250, 250, 354])
            for start in range(0, len(body), pieces):
                wire.send(body[start:start + pieces])
            wire.send(b'NOOP\r\nQUIT\r\n')
            code = wire.reply()[0]
            self.assertIn(code // 100, (2, 5))
            self.assertEqual(wire.codes(2), [250, 221])
            self.assertEqual(wire.reply()[0], 0)
        return code

    def test_every_look_alike_at_several_segmentations(self):
        accepted = 0
        for look_alike in LOOK_ALIKES:
            for pieces in (1 << 16, 7, 1):
                with self.subTest(look_alike=look_alike, pieces=pieces):
                    accepted += self.attempt(look_alike, pieces) == 250
        self.assertEqual(self.server.count('victim@example.test'), 0)
        self.assertEqual(self.server.count('outer@example.test'), accepted)

    def test_the_real_end_still_ends(self):
        self.assertEqual(self.attempt(b'\r\n..\r\n', 1 << 16), 250)

    def test_a_bare_line_feed_is_refused(self):
        self.assertEqual(self.attempt(b'\n', 1 << 16), 550)

    def test_another_protocol_is_shown_the_door(self):
        with self.server.wire() as wire:
            wire.send(b'POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO a\r\nMAIL FROM:<>\r\n')
            codes = [wire.reply()[0]]
            while codes[-1]:
                codes.append(wire.reply()[0])
            self.assertNotIn(250, codes)
