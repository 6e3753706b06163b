"""TLS as clients meet it: from the first byte, and by STARTTLS and STLS; and as attackers do."""
import os
import pathlib
import poplib
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import tempfile
import time
import unittest
from unittest import mock

import clients
from cases import FolderCase
from mailrace import Server, Wire, free_port, message, program, text_of, without_trace
from test_refusals import CONFIG, DENIED, NO_INPUT, USAGE, Refusing


def make_certificate(folder, name='localhost'):
    """A fresh pair of files in the folder: cert.pem and key.pem."""
    files = os.path.join(folder, 'cert.pem'), os.path.join(folder, 'key.pem')
    clients.command('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                    'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', f'/CN={name}',
                    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                    '-out', files[0], '-keyout', files[1])
    return files


def trusting(version=None, alpn=()):
    context = ssl._create_unverified_context()
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end is close_notify, or raises
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class TlsCase(FolderCase):
    """One server with every kind of listener for all tests of the class."""
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.certificates = tempfile.mkdtemp(prefix='mailrace-')
        cls.addClassCleanup(shutil.rmtree, cls.certificates, ignore_errors=True)
        certificate, key = make_certificate(cls.certificates)
        cls.smtps_port, cls.pop3s_port, cls.lmtp_port = free_port(), free_port(), free_port()
        cls.server = Server('--tls-cert', certificate, '--tls-key', key,
                            '--smtps', f'127.0.0.1:{cls.smtps_port}',
                            '--pop3s', f'127.0.0.1:{cls.pop3s_port}',
                            '--lmtp', f'127.0.0.1:{cls.lmtp_port}', *cls.flags, shards=2)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def stored(self, mailbox):
        return [without_trace(raw) for raw in self.server.fetch(mailbox)]

    def start_tls(self, context=None, **keywords):
        """A wire that has gone through STARTTLS and a new EHLO."""
        wire = self.server.wire()
        self.addCleanup(wire.close)
        wire.command(b'EHLO client.test')
        self.assertEqual(wire.command(b'STARTTLS')[0], 220)
        secure(wire, context, **keywords)
        self.assertEqual(wire.command(b'EHLO client.test')[0], 250)
        return wire

    def smtps(self, context=None, **keywords):
        wire = Wire(self.smtps_port, greet=False)
        self.addCleanup(wire.close)
        secure(wire, context, **keywords)
        self.assertEqual(wire.reply()[0], 220)
        return wire


def secure(wire, context=None, **keywords):
    """Wraps the wire's socket; what was read ahead in clear must be nothing."""
    wire._stream.close()
    wire.socket = (context or trusting()).wrap_socket(wire.socket, server_hostname='localhost',
                                                      suppress_ragged_eofs=False, **keywords)
    wire._stream = wire.socket.makefile('rb')


def closes(connection):
    """What a connection still brings before it ends."""
    received = b''
    try:
        while data := connection.recv(4096):
            received += data
    except ConnectionError:
        pass
    return received


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


class Protocol(TlsCase):
    def test_starttls_forgets_and_is_offered_once(self):
        with self.server.wire() as wire:
            self.assertIn('STARTTLS', wire.command(b'EHLO client.test')[1].split())
            self.assertEqual(wire.command(b'STARTTLS now')[0], 501)
            wire.command(b'MAIL FROM:<s@example.test>')
            self.assertEqual(wire.command(b'STARTTLS')[0], 503)
            wire.command(b'RSET')
            self.assertEqual(wire.command(b'STARTTLS')[0], 220)
            secure(wire)
            self.assertEqual(wire.command(b'MAIL FROM:<s@example.test>')[0], 503)
            self.assertNotIn('STARTTLS', wire.command(b'EHLO client.test')[1].split())
            self.assertIn(wire.command(b'STARTTLS')[0], (502, 503))
            self.assertEqual(wire.command(b'QUIT')[0], 221)
            self.assertEqual(wire.socket.recv(1), b'')  # close_notify, else this raises

    def test_injection_before_starttls(self):
        for injected in (b'NOOP\r\n', b'EHLO evil.test\r\nMAIL FROM:<evil@example.test>\r\n',
                         b'x' * 3000):
            with self.server.wire() as wire:
                wire.command(b'EHLO client.test')
                wire.send(b'STARTTLS\r\n' + injected)
                self.assertEqual(wire.reply()[0], 220)
                secure(wire)
                self.assertEqual(wire.command(b'HELP')[0], 214)  # and to nothing before it
                self.assertEqual(wire.command(b'RCPT TO:<a@example.test>')[0], 503)

    def test_injection_behind_a_message(self):
        """Dropped, or the end of the session: what was sent in clear is never executed."""
        with self.server.wire() as wire:
            wire.transaction('behind@example.test')
            wire.send(message('first') + b'.\r\nSTARTTLS\r\nEHLO evil.test\r\n'
                      b'MAIL FROM:<evil@example.test>\r\nRCPT TO:<behind@example.test>\r\nDATA\r\n'
                      b'Subject: injected\r\n\r\n.\r\n')
            self.assertEqual(wire.codes(2), [250, 220])
            try:
                secure(wire)
                self.assertEqual(wire.command(b'HELP')[0], 214)
            except (ssl.SSLError, ConnectionError):
                pass
        self.assertEqual(self.stored('behind@example.test'), [message('first')])

    def test_injection_before_stls(self):
        with socket.create_connection(('127.0.0.1', self.server.pop3_port), timeout=60) as clear:
            stream = clear.makefile('rb')
            stream.readline()
            clear.sendall(b'USER evil@example.test\r\n')
            stream.readline()
            clear.sendall(b'STLS\r\nPASS any\r\n')
            self.assertEqual(stream.readline()[:3], b'+OK')
            with trusting().wrap_socket(clear) as wrapped:
                wrapped.sendall(b'PASS any\r\nNOSUCH\r\nQUIT\r\n')
                self.assertEqual(closes(wrapped).count(b'-ERR'), 2)

    def test_a_failed_handshake_never_falls_back(self):
        with self.server.wire() as wire:
            wire.command(b'EHLO client.test')
            self.assertEqual(wire.command(b'STARTTLS')[0], 220)
            wire.send(b'EHLO again.test\r\nNOOP\r\nQUIT\r\n')
            self.assertNotRegex(closes(wire.socket), rb'\d\d\d[ -]')

    def test_clear_text_where_tls_is_expected(self):
        for port in (self.smtps_port, self.pop3s_port):
            with Wire(port, greet=False) as wire:
                wire.send(b'EHLO client.test\r\nQUIT\r\n')
                self.assertNotRegex(closes(wire.socket), rb'220|\+OK')

    def test_another_protocol_is_turned_away(self):
        for offered, good in ((['smtp'], True), (['h2', 'smtp'], True), (['http/1.1'], False)):
            with self.subTest(offered):
                if good:
                    wire = self.smtps(trusting(alpn=offered))
                    self.assertEqual(wire.socket.selected_alpn_protocol(), 'smtp')
                else:
                    with self.assertRaises((ssl.SSLError, ConnectionError)):
                        self.smtps(trusting(alpn=offered))

    def test_sessions_are_taken_up_by_every_shard(self):
        context, session = trusting(), None
        for number in range(8):
            wire = self.smtps(context, **({'session': session} if session else {}))
            self.assertEqual(wire.socket.session_reused, number > 0)
            wire.command(b'NOOP')
            session = wire.socket.session

    def test_byte_by_byte(self):
        """Both the handshake and the records, in segments of a few bytes."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting().wrap_bio(incoming, outgoing)
        with Wire(self.smtps_port, greet=False) as wire:
            def until(step):
                while True:
                    try:
                        result = step()
                    except ssl.SSLWantReadError:
                        result = None
                    for byte in iter(lambda: outgoing.read(3), b''):
                        wire.send(byte)
                    if result is not None:
                        return result
                    incoming.write(wire.socket.recv(5))
            until(lambda: tls.do_handshake() or True)
            self.assertEqual(until(lambda: tls.read(4)), b'220 ')
            until(lambda: tls.write(b'EHLO client.test\r\nNOOP\r\nQUIT\r\n'))
            replies = b''
            while b'221 ' not in replies:
                replies += until(lambda: tls.read(4096))


class TornDown(TlsCase):
    """In the middle of a body: nothing is stored, and others do not notice."""

    def body_begun(self, mailbox, chunked=False):
        wire = self.start_tls()
        if chunked:
            for line in (b'MAIL FROM:<>', b'RCPT TO:<%s>' % mailbox.encode()):
                self.assertEqual(wire.command(line)[0], 250)
            wire.send(b'BDAT 100000 LAST\r\n' + text_of(60000))
        else:
            wire.transaction(mailbox)
            wire.send(message('torn', text_of(60000)))
        return wire

    @staticmethod
    def reset(wire):
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        wire._stream.close()
        wire.socket.close()

    @staticmethod
    def below(wire):
        """The connection without its TLS."""
        clear = socket.socket(fileno=os.dup(wire.socket.fileno()))
        clear.settimeout(20)
        return clear

    def finish(self, wire):
        with self.below(wire) as clear:
            clear.shutdown(socket.SHUT_WR)  # no close_notify
            closes(clear)

    @staticmethod
    def close_notify(wire):
        wire.socket.settimeout(20)
        try:
            wire.socket.unwrap()
        except (ssl.SSLError, OSError):
            pass

    def clear_text(self, wire):
        with self.below(wire) as clear:
            clear.sendall(b'\r\n.\r\n')
            self.assertNotIn(b'250', closes(clear))

    def test_torn_down(self):
        bystander = self.start_tls()
        bystander.transaction('bystander@example.test')
        for chunked in (False, True):
            for tear in (self.reset, self.finish, self.close_notify, self.clear_text):
                with self.subTest(f'{tear.__name__} {"BDAT" if chunked else "DATA"}'):
                    mailbox = f'{tear.__name__}{int(chunked)}@example.test'
                    tear(self.body_begun(mailbox, chunked))
                    self.assertEqual(self.stored(mailbox), [])
        bystander.send(message('bystander') + b'.\r\n')
        self.assertEqual(bystander.reply()[0], 250)
        self.assertEqual(self.stored('bystander@example.test'), [message('bystander')])

    def test_half_closed_hears_its_answers(self):
        wire = self.start_tls()
        wire.transaction('half@example.test')
        wire.send(message('half') + b'.\r\nNOOP\r\n')
        wire.socket.settimeout(0)
        with self.assertRaises((ssl.SSLWantReadError, ssl.SSLError)):
            wire.socket.unwrap()  # sends close_notify; the answer to it is not there yet
        wire.socket.settimeout(20)
        self.assertEqual(wire.codes(2), [250, 250])
        with self.assertRaises(ssl.SSLZeroReturnError):  # close_notify
            wire.socket.recv(1)
        self.assertEqual(self.stored('half@example.test'), [message('half')])

    def test_many_handshakes_at_once(self):
        """More than a turn has time for: the rest wait, and none is forgotten."""
        hellos = []
        self.server.signal(signal.SIGSTOP)
        try:
            for _ in range(100):
                connection = socket.create_connection(('127.0.0.1', self.smtps_port), timeout=20)
                self.addCleanup(connection.close)
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = trusting().wrap_bio(incoming, outgoing)
                with self.assertRaises(ssl.SSLWantReadError):
                    tls.do_handshake()
                connection.sendall(outgoing.read())
                hellos.append((connection, incoming, tls))
        finally:
            self.server.signal(signal.SIGCONT)
        for connection, incoming, tls in hellos:
            while True:
                incoming.write(connection.recv(4096))
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    pass

    def test_silent_handshakes_hold_nobody_up(self):
        silent = [socket.create_connection(('127.0.0.1', self.smtps_port)) for _ in range(300)]
        for connection in silent[::2]:
            connection.sendall(b'\x16\x03\x01\x02\x00\x01')  # the beginning of a hello
        self.assertEqual(self.smtps().command(b'NOOP')[0], 250)
        for connection in silent:
            connection.close()


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
