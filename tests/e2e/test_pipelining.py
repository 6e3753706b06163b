"""RFC 2920, and that segmentation never matters: one piece, byte by byte, many messages at once."""
from cases import ServerCase
from mailrace import message


def transaction(mail, *recipients):
    lines = [b'MAIL FROM:<sender@example.test>']
    lines += [b'RCPT TO:<%s>' % recipient.encode() for recipient in recipients]
    return b'\r\n'.join(lines + [b'DATA', mail + b'.\r\n'])


class Pipelining(ServerCase):
    def test_a_group_is_answered_in_order(self):
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.send(b'MAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT TO:<group@example.test>\r\n'
                      b'MAIL FROM:<b@example.test>\r\nNOOP\r\nRSET\r\nDATA\r\nQUIT\r\n')
            codes = wire.codes(9)
        self.assertEqual([code // 100 for code in codes], [2, 5, 2, 5, 2, 2, 5, 2, 0])
        self.assertEqual(codes[3], 503)

    def test_whole_transactions_in_one_segment(self):
        mails = [message(f'number {number}') for number in range(20)]
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.send(b''.join(transaction(mail, 'many@example.test') for mail in mails))
            self.assertEqual(wire.codes(80), [250, 250, 354, 250] * 20)
        self.assert_holds('many@example.test', *mails)

    def test_byte_by_byte(self):
        mail = message('slowly', b'a\r\n..b\r\n')
        with self.server.wire() as wire:
            sent = mail.replace(b'\r\n..', b'\r\n...')
            for byte in b'EHLO c\r\n' + transaction(sent, 'slow@example.test') + b'QUIT\r\n':
                wire.send(bytes((byte,)))
            self.assertEqual(wire.codes(6), [250, 250, 250, 354, 250, 221])
        self.assert_holds('slow@example.test', mail)

    def test_nothing_after_quit_is_executed(self):
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.send(b'QUIT\r\n' + transaction(message('late'), 'late@example.test'))
            self.assertEqual(wire.reply()[0], 221)
            self.assertEqual(wire.reply()[0], 0)
        self.assertEqual(self.server.count('late@example.test'), 0)

    def test_replies_come_whole_and_in_order_behind_a_commit(self):
        mail = message('behind')
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.send(transaction(mail, 'behind@example.test') + b'NOOP\r\nVRFY x\r\n'
                      + transaction(mail, 'behind@example.test') + b'FROB\r\nQUIT\r\n')
            self.assertEqual(wire.codes(12), [250, 250, 354, 250, 250, 252,
                                              250, 250, 354, 250, 500, 221])
        self.assert_holds('behind@example.test', mail, mail)
