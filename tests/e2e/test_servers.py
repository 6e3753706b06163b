"""The servers that other tests load do as they should, and the broken one breaks as it should:
held against clients that are not ours."""
import contextlib
import poplib
import smtplib
import tempfile
import time
import unittest

import clients
from broken_server import (BrokenServer, after, close, deaf, every, first, hang, late, no_handshake,
                           reset, say, twice)
from cases import FolderCase
from mailrace import Wire, message
from servers import Dovecot, Postfix, SmtpSink, body_of, fetch
from tls import make_certificate, secure, trusting

USER = 'user1@example.test'
MAIL = message('a test', b'.dots\r\n..\r\nand the end\r\n')


def send(port, lmtp=False, mail=MAIL, to=USER):
    """smtplib, which raises when anything is refused."""
    kind = smtplib.LMTP if lmtp else smtplib.SMTP
    with kind('127.0.0.1', port, 'client.test', timeout=10) as client:
        if client.sendmail('sender@example.test', [to], mail):
            raise AssertionError('a recipient was refused')


class Others(FolderCase):
    def test_smtp_sink_keeps_what_it_is_told_to(self):
        with SmtpSink(dump=True) as sink:
            send(sink.smtp_port)
            deadline = time.monotonic() + 10
            while not sink.dumped() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(len(sink.dumped()), 1)
            self.assertIn(b'and the end', sink.dumped()[0])

    def test_postfix_delivers_and_dovecot_serves_it(self):
        certificate = make_certificate(self.folder)
        with Postfix(certificate=certificate) as postfix:
            with Dovecot(certificate, mail=postfix.mail) as dovecot:
                clients.smtp_source(postfix, 20, 4, 1000, to=USER)
                with smtplib.SMTP('127.0.0.1', postfix.smtp_port, 'client.test') as client:
                    client.starttls(context=trusting())
                    client.sendmail('sender@example.test', [USER], MAIL)
                    with self.assertRaises(smtplib.SMTPRecipientsRefused):
                        client.sendmail('sender@example.test', ['nobody@example.test'], MAIL)
                found = [postfix.delivered(user) for user in postfix.users]
                self.assertEqual([len(mails) for mails in found], [0, 21] + [0] * 8)
                self.assertEqual(sum(body_of(mail) == body_of(MAIL) for mail in found[1]), 1)
                self.assertCountEqual(fetch(dovecot.pop3_port, USER), found[1])

    def test_dovecot_takes_lmtp_and_serves_pop3(self):
        with Dovecot(make_certificate(self.folder)) as dovecot:
            for _ in range(3):
                send(dovecot.lmtp_port, lmtp=True)
            fetched = fetch(dovecot.pop3_port, USER)
            self.assertEqual([body_of(mail) for mail in fetched], [body_of(MAIL)] * 3)
            self.assertEqual(len(dovecot.files(USER)), 3)
            with self.assertRaises(poplib.error_proto):
                fetch(dovecot.pop3_port, USER, 'wrong')
            client = poplib.POP3_SSL('127.0.0.1', dovecot.pop3s_port, context=trusting())
            client.user(USER)
            client.pass_('any')
            self.assertEqual(client.stat()[0], 3)
            client.quit()


class Broken(unittest.TestCase):
    def conversation(self, server, *lines):
        """The replies to the banner and these lines, as codes, until the connection ends."""
        with Wire(server.smtp_port, greet=False) as wire:
            wire.socket.settimeout(5)
            codes = []
            for line in (None, *lines):
                try:
                    if line is not None:
                        wire.send(line + b'\r\n')
                    code = wire.reply()[0]
                except ConnectionError:
                    code = 0
                except ValueError:
                    code = 'garbage'
                codes.append(code)
                if not code:
                    break
            return codes

    TALK = (b'EHLO client', b'MAIL FROM:<a@example.test>', b'RCPT TO:<b@example.test>', b'DATA',
            MAIL + b'.', b'QUIT')
    FINE = [220, 250, 250, 250, 354, 250, 221]

    def test_without_faults(self):
        for keywords in ({}, {'drip': True}, {'wordy': True}):
            with self.subTest(keywords), BrokenServer(**keywords) as server:
                self.assertEqual(self.conversation(server, *self.TALK), self.FINE)
                self.assertEqual(server.accepted, 1)
                send(server.smtp_port)
                send(server.smtp_port, lmtp=True)
                self.assertEqual(fetch(server.pop3_port, USER), [MAIL, MAIL])
                self.assertEqual((server.lost, server.duplicated, server.corrupted), (0, 0, 0))

    def test_faults(self):
        refuse = say(b'451 4.3.0 later\r\n')
        cases = (
            ({'banner': close}, [0]),
            ({'banner': say(b'hello there\r\n')}, ['garbage']),
            ({'ehlo': reset}, [220, 0]),
            ({'mail': refuse}, [220, 250, 451, 503, 554]),
            ({'rcpt': say(b'421 4.3.2 going down\r\n', close)}, [220, 250, 250, 421, 0]),
            ({'data': say(b'550 5.7.1 no\r\n')}, [220, 250, 250, 250, 550]),
            ({'commit': refuse}, [220, 250, 250, 250, 354, 451, 221]),
            ({'stored': close}, [220, 250, 250, 250, 354, 0]),
            ({'mail': late(0.01)}, self.FINE),
            ({'mail': twice}, [220, 250, 250, 250, 250, 354]),
            ({'mail': after(1, refuse)}, self.FINE),
            ({'mail': first(1, refuse)}, [220, 250, 451, 503, 554]),
            ({'mail': every(2, refuse)}, self.FINE),
        )
        for faults, expected in cases:
            with self.subTest(faults), BrokenServer(faults) as server:
                got = self.conversation(server, *self.TALK)
                self.assertEqual(got[:len(expected)], expected)
                self.assertEqual(server.accepted, 250 in got[5:] or 'stored' in faults)

    def test_silence(self):
        for fault in (hang, deaf):
            with BrokenServer({'banner': fault}) as server:
                with Wire(server.smtp_port, greet=False) as wire:
                    wire.socket.settimeout(0.2)
                    with self.assertRaises(TimeoutError):
                        wire.reply()
                    wire.socket.settimeout(1)
                    if fault is deaf:
                        with self.assertRaises(TimeoutError):
                            wire.send(bytes(1 << 26))
                    else:
                        wire.send(bytes(1 << 23))

    def test_a_stall_of_the_whole_server(self):
        with BrokenServer() as server, Wire(server.smtp_port) as wire:
            started = time.monotonic()
            server.stall(0.5)
            wire.command(b'NOOP')
            self.assertGreater(time.monotonic() - started, 0.4)

    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            certificate = make_certificate(folder)
            for faults, raises in (({}, None), ({'starttls': no_handshake}, OSError)):
                with BrokenServer(faults, certificate=certificate) as server:
                    with Wire(server.smtp_port) as wire:
                        self.assertIn('STARTTLS', wire.command(b'EHLO client')[1].split())
                        self.assertEqual(wire.command(b'STARTTLS')[0], 220)
                        with self.assertRaises(raises) if raises else contextlib.nullcontext():
                            secure(wire)
                            self.assertEqual(wire.command(b'EHLO client')[0], 250)

    def test_damage(self):
        with BrokenServer(drop_every=10, duplicate={3}, flip={4, 5}) as server:
            mails = [message(f'number {number}') for number in range(20)]
            for mail in mails:
                send(server.smtp_port, mail=mail)
            fetched = fetch(server.pop3_port, USER)
            self.assertEqual(len(fetched), 20 - 2 + 1)
            self.assertEqual(len(set(mails) - set(fetched)), 4)
            self.assertEqual((server.lost, server.duplicated, server.corrupted), (2, 1, 2))

    def test_pop3(self):
        with BrokenServer({'pop3 retr': after(1, close)}) as server:
            for _ in range(3):
                send(server.smtp_port)
            client = poplib.POP3('127.0.0.1', server.pop3_port, timeout=5)
            client.user(USER)
            client.pass_('any')
            self.assertEqual(client.stat(), (3, 3 * len(MAIL)))
            self.assertEqual(client.retr(1)[2], len(MAIL))
            with self.assertRaises(poplib.error_proto):
                client.retr(2)
            client.close()
        with BrokenServer() as server:
            send(server.smtp_port)
            client = poplib.POP3('127.0.0.1', server.pop3_port, timeout=5)
            client.user(USER)
            client.pass_('any')
            self.assertEqual(client.uidl()[1], [b'1 00000001'])
            client.dele(1)
            client.quit()
            self.assertEqual(fetch(server.pop3_port, USER), [])
