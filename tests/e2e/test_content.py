"""What may be in a message, and how large it may be."""
import clients
from cases import ServerCase
from mailrace import Server, message, text_of, without_trace


class Content(ServerCase):
    def round_trip(self, mailbox, *mails, options=()):
        for mail in mails:
            self.assertEqual(self.server.send(mail, mailbox, options=options), {})
        self.assert_holds(mailbox, *mails)

    def test_dots(self):
        self.round_trip('dots@example.test', message('dots', b'.\r\n..\r\n...\r\n .\r\n.x\r\n'),
                        message('dot first', b'.\r\n'), message('dots last', b'x\r\n..\r\n'))

    def round_trip_of_ends(self, *bodies):
        self.round_trip('ends@example.test', *(message('end', body) for body in bodies))

    def test_empty_lines_and_bodies(self):
        self.round_trip_of_ends(b'', b'\r\n', b'\r\n\r\n', b'x\r\n\r\n\r\n')

    def test_no_header_at_all(self):
        self.round_trip('bare@example.test', b'\r\nbody only\r\n', b'Subject: header only\r\n')

    def test_every_octet_but_the_line_ends(self):
        octets = bytes(byte for byte in range(1, 256) if byte not in b'\r\n')
        self.round_trip('octets@example.test', message('octets', octets * 3 + b'\r\n'),
                        options=('BODY=8BITMIME',))

    def test_smtputf8(self):
        mail = 'From: sender@example.test\r\nSubject: Grüße\r\n\r\nπ ≈ 3.14\r\n'.encode()
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            for line in ('MAIL FROM:<absender@bücher.test> SMTPUTF8 BODY=8BITMIME',
                         'RCPT TO:<jürgen@bücher.test>'):
                self.assertEqual(wire.command(line.encode())[0], 250)
            self.assertEqual(wire.command(b'DATA')[0], 354)
            self.assertEqual(wire.command(mail + b'.')[0], 250)
        stored = clients.curl_pop3(self.server, 'jürgen@bücher.test', self.folder)
        self.assertEqual(without_trace(stored), mail)

    def test_utf8_without_smtputf8_is_refused(self):
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            wire.command(b'MAIL FROM:<a@example.test>')
            code, _ = wire.command('RCPT TO:<jürgen@example.test>'.encode())
            self.assertIn(code, (501, 550, 553))

    def test_a_line_that_is_too_long(self):
        with self.server.wire() as wire:
            wire.transaction('line@example.test')
            wire.send(b'Subject: x\r\n\r\n' + b'x' * 5000 + b'\r\n.\r\nNOOP\r\n')
            code, _ = wire.reply()
            self.assertEqual(code // 100, 5)
            self.assertEqual(wire.reply()[0], 250)
        self.assertEqual(self.server.count('line@example.test'), 0)

    def test_names_never_become_paths(self):
        for name in ('../../escape@example.test', '"|/bin/sh"@example.test',
                     '"a/../b c"@example.test', 'x' * 64 + '@example.test'):
            with self.subTest(name), self.server.wire() as wire:
                wire.command(b'EHLO client.test')
                wire.command(b'MAIL FROM:<>')
                if wire.command(b'RCPT TO:<' + name.encode() + b'>')[0] == 250:
                    wire.command(b'DATA')
                    self.assertEqual(wire.command(message('path') + b'.')[0], 250)
        self.assertEqual(self.server.count('escape@example.test'), 0)


class Size(ServerCase):
    flags = ('--max-message', '60M', '--shards', '1')

    def test_50_megabytes_come_back_identical(self):
        mail = message('large', text_of(50 << 20))
        self.server.send(mail, 'large@example.test')
        for fetch in (clients.curl_pop3, clients.poplib_client):
            stored = without_trace(fetch(self.server, 'large@example.test', self.folder))
            self.assertTrue(stored == mail, f'by {fetch.__name__}: {len(stored)} bytes differ '
                                            f'from the {len(mail)} sent')

    def test_declared_and_actual_excess(self):
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            self.assertEqual(wire.command(b'MAIL FROM:<a@example.test> SIZE=62914561')[0], 552)
            for size in (b'-1', b'12x', b'', b'9' * 20):
                code, _ = wire.command(b'MAIL FROM:<a@example.test> SIZE=' + size)
                self.assertEqual(code // 100, 5, size)

    def test_actual_excess_is_refused_and_in_sync(self):
        with Server('--max-message', '1M') as server, server.wire() as wire:
            wire.transaction('excess@example.test')
            wire.send(message('excess', text_of(2 << 20)) + b'.\r\nNOOP\r\n')
            self.assertEqual(wire.codes(2), [552, 250])
            self.assertEqual(server.count('excess@example.test'), 0)
