"""TLS as clients meet it: from the first byte, and by STARTTLS and STLS; and its certificates."""
import os
import pathlib
import poplib
import shutil
import signal
import smtplib
import ssl
import time
import unittest
from unittest import mock

import clients
from mailrace import Server, Wire, free_port, message, program, text_of, without_trace
from test_refusals import CONFIG, DENIED, NO_INPUT, USAGE, Refusing
from tls import TlsCase, make_certificate, secure, trusting


class Clients(TlsCase):
    MAIL = message('over TLS', b'Two lines,\r\n.one with a dot.\r\n' + text_of(300000))

    def smtp(self, port, *flags, scheme='smtp'):
        clients.command('curl', '--silent', '--show-error', '--insecure', *flags,
                        f'{scheme}://127.0.0.1:{port}/client.test', '--mail-from', 's@example.test',
                        '--mail-rcpt', self.mailbox, '--upload-file', '-', stdin=self.MAIL)

    def swaks(self, port, flag):
        if b'TLS supported' not in clients.command('swaks', '--support'):
            self.skipTest('swaks needs libnet-ssleay-perl')
        path = pathlib.Path(self.folder, 'swaks.eml')
        path.write_bytes(self.MAIL[:-2])
        clients.command('swaks', flag, '--server', f'127.0.0.1:{port}', '--from', 's@example.test',
                        '--to', self.mailbox, '--data', f'@{path}', '--suppress-data')

    def check(self, keyword='ESMTPS'):
        """It is there, and its trace tells how it came; fetched in every way."""
        curl = ('curl', '--silent', '--show-error', '--insecure', '--user', f'{self.mailbox}:any')
        raw = clients.command(*curl, f'pop3s://127.0.0.1:{self.pop3s_port}/1')
        self.assertEqual(without_trace(raw), self.MAIL)
        self.assertRegex(raw.decode(), rf' with {keyword} \(TLSv1\.[23] [A-Z0-9_-]+\)\r\n')
        stls = clients.command(*curl, '--ssl-reqd', f'pop3://127.0.0.1:{self.server.pop3_port}/1')
        self.assertEqual(stls, raw)
        for client in (poplib.POP3_SSL('127.0.0.1', self.pop3s_port, context=trusting()),
                       poplib.POP3('127.0.0.1', self.server.pop3_port)):
            if not isinstance(client, poplib.POP3_SSL):
                client.stls(trusting())
            client.user(self.mailbox)
            client.pass_('any')
            self.assertEqual(b''.join(line + b'\r\n' for line in client.retr(1)[1]), raw)
            client.quit()

    def setUp(self):
        super().setUp()
        self.mailbox = f'{self._testMethodName}@example.test'

    def test_curl_smtps(self):
        self.smtp(self.smtps_port, scheme='smtps')
        self.check()

    def test_curl_starttls(self):
        self.smtp(self.server.smtp_port, '--ssl-reqd')
        self.check()

    def test_curl_tls_1_2(self):
        self.smtp(self.server.smtp_port, '--ssl-reqd', '--tls-max', '1.2')
        self.check()

    def test_swaks_starttls(self):
        self.swaks(self.server.smtp_port, '--tls')
        self.check()

    def test_swaks_smtps(self):
        self.swaks(self.smtps_port, '--tls-on-connect')
        self.check()

    def test_smtplib_starttls(self):
        with smtplib.SMTP('127.0.0.1', self.server.smtp_port) as client:
            client.starttls(context=trusting())
            client.sendmail('s@example.test', [self.mailbox], self.MAIL)
        self.check()

    def test_lmtp_starttls(self):
        with Wire(self.lmtp_port) as wire:
            self.assertIn('STARTTLS', wire.command(b'LHLO client.test')[1].split())
            self.assertEqual(wire.command(b'STARTTLS')[0], 220)
            secure(wire)
            for line in (b'LHLO client.test', b'MAIL FROM:<>', b'RCPT TO:<%s>' %
                         self.mailbox.encode(), b'DATA'):
                self.assertIn(wire.command(line)[0], (250, 354))
            wire.send(self.MAIL.replace(b'\r\n.', b'\r\n..') + b'.\r\n')
            self.assertEqual(wire.reply()[0], 250)
        self.check('LMTPS')

    def test_openssl_s_client(self):
        dialogue = b'EHLO client.test\r\nNOOP\r\nquit\r\n'
        for arguments in (('-starttls', 'smtp', '-connect', f'127.0.0.1:{self.server.smtp_port}'),
                          ('-connect', f'127.0.0.1:{self.smtps_port}')):
            output = clients.command('openssl', 's_client', '-quiet', '-ign_eof', *arguments,
                                     stdin=dialogue)
            self.assertIn(b'250 2.0.0', output)
            self.assertIn(b'221 ', output)
        output = clients.command('openssl', 's_client', '-quiet', '-ign_eof', '-starttls', 'pop3',
                                 '-connect', f'127.0.0.1:{self.server.pop3_port}',
                                 stdin=b'CAPA\r\nquit\r\n')
        self.assertIn(b'USER\r\n', output)
        self.assertNotIn(b'STLS\r\n', output)


class Large(TlsCase):
    def test_much_both_ways(self):
        mail = message('large', text_of(8 << 20))
        for _ in range(3):
            wire = self.start_tls()
            wire.transaction('large@example.test')
            wire.send(mail + b'.\r\n')
            self.assertEqual(wire.reply()[0], 250)
        client = poplib.POP3_SSL('127.0.0.1', self.pop3s_port, context=trusting())
        client.user('large@example.test')
        client.pass_('any')
        client.sock.sendall(b'RETR 1\r\nRETR 2\r\nNOOP\r\nRETR 3\r\nQUIT\r\n')
        time.sleep(0.5)  # it is pushed back meanwhile
        received = client.file.read()
        self.assertEqual(received.count(mail), 3)
        self.assertEqual(received.count(b'\r\n.\r\n'), 3)

    def test_replies_that_nobody_reads(self):
        wire = self.start_tls()
        wire.socket.settimeout(2)
        with self.assertRaises((TimeoutError, ssl.SSLWantWriteError)):
            for _ in range(2000):
                wire.send(b'HELP\r\n' * 10000)
        self.assertLess(self.server.rss_peak_bytes(), 256 << 20)
        self.server.send(message('others'), 'other@example.test')
        self.assertEqual(self.stored('other@example.test'), [message('others')])


class Certificates(Refusing):
    def shown(self, port):
        with Wire(port, greet=False) as wire:
            secure(wire)
            return wire.socket.getpeercert(True)

    def test_sighup_reloads(self):
        certificate, key = make_certificate(self.folder)
        port = free_port()
        with Server('--tls-cert', certificate, '--tls-key', key,
                    '--smtps', f'127.0.0.1:{port}') as server:
            wire = Wire(port, greet=False)
            self.addCleanup(wire.close)
            secure(wire)
            self.assertEqual(wire.reply()[0], 220)
            first = self.shown(port)
            make_certificate(self.folder, 'renewed')
            self.reload(server, 'reloaded')
            second = self.shown(port)
            self.assertNotEqual(first, second)
            pathlib.Path(key).write_text('broken')
            self.reload(server, f'{key}: ')
            self.assertEqual(self.shown(port), second)
            self.assertEqual(wire.command(b'NOOP')[0], 250)
            server.signal(signal.SIGTERM)
            self.assertEqual(wire.reply()[0], 421)
            self.assertEqual(wire.socket.recv(1), b'')
            wire.close()
            self.assertEqual(server.wait(), 0)

    def reload(self, server, expected):
        before = len(server.lines)
        server.signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while not any(expected in line for line in server.lines[before:]):
            self.assertLess(time.monotonic(), deadline, server.lines)
            time.sleep(0.01)

    def test_what_can_not_be_used_is_refused(self):
        certificate, key = make_certificate(self.folder)
        other = os.path.join(self.folder, 'other')
        os.mkdir(other)
        other_key = make_certificate(other)[1]
        missing, garbage = os.path.join(self.folder, 'missing'), os.path.join(self.folder, 'bad')
        pathlib.Path(garbage).write_text('no PEM\n')
        cases = (
            (NO_INPUT, missing, missing, key),
            (NO_INPUT, missing, certificate, missing),
            (CONFIG, garbage, garbage, key),
            (CONFIG, garbage, certificate, garbage),
            (CONFIG, other_key, certificate, other_key),
        )
        for code, name, *files in cases:
            with self.subTest(files):
                self.assert_refused(code, name, command=self.serve(
                    '--accept-all', '--tls-cert', files[0], '--tls-key', files[1]))
        for flags in (('--tls-cert', certificate), ('--tls-key', key),
                      ('--smtps', f'127.0.0.1:{free_port()}'),
                      ('--pop3s', f'127.0.0.1:{free_port()}', '--any-password')):
            with self.subTest(flags):
                self.assert_refused(USAGE, '--tls-cert', '--tls-key',
                                    command=self.serve('--accept-all', *flags))
        self.assert_refused(USAGE, '--any-password', command=self.serve(
            '--accept-all', '--any-password', '--pop3s', f'0.0.0.0:{free_port()}',
            '--tls-cert', certificate, '--tls-key', key))

    @unittest.skipUnless(os.geteuid() == 0, 'needs root, to become somebody else')
    def test_a_key_that_may_not_be_read(self):
        os.chmod(self.folder, 0o755)
        copy = os.path.join(self.folder, 'mailrace')
        shutil.copy(program(), copy)
        certificate, key = make_certificate(self.folder)
        os.chmod(certificate, 0o644)
        os.chmod(key, 0o600)
        with mock.patch.dict(os.environ, MAILRACE_PROGRAM=copy):
            self.assert_refused(DENIED, key, user=65534, command=self.serve(
                '--accept-all', '--tls-cert', certificate, '--tls-key', key))

    def test_passwords_in_clear_only_on_loopback(self):
        certificate, key = make_certificate(self.folder)
        passwd = pathlib.Path(self.folder, 'passwd')
        passwd.write_text('alice@example.test:{PLAIN}secret\n')
        port = free_port()
        with Server('--tls-cert', certificate, '--tls-key', key, '--pop3', f'0.0.0.0:{port}',
                    passwd=passwd) as server:
            with server.pop3('alice@example.test', 'secret') as client:
                client.quit()
            client = poplib.POP3('127.0.0.1', port, timeout=60)
            self.assertNotIn('USER', client.capa())
            with self.assertRaises(poplib.error_proto):
                client.user('alice@example.test')
            client.stls(trusting())
            self.assertIn('USER', client.capa())
            client.user('alice@example.test')
            client.pass_('secret')
            client.quit()
