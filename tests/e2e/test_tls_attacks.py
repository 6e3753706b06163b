"""TLS as attackers meet it: text injected before it, handshakes that fail, floods, torn records."""
import os
import signal
import socket
import ssl
import struct

from mailrace import Wire, message, text_of
from tls import TlsCase, closes, secure, trusting
from ways import way


class Records:
    """TLS whose records the test moves: in pieces of so many bytes, and none before it says so."""

    def __init__(self, connection, out=4096, into=4096):
        self.connection, self.out, self.into = connection, out, into
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trusting().wrap_bio(self.incoming, self.outgoing)

    def handshake(self):
        """For step and until."""
        self.tls.do_handshake()
        return True

    def step(self, do):
        """What it returns; None: not without hearing more."""
        try:
            return do()
        except ssl.SSLWantReadError:
            return None
        finally:
            for piece in iter(lambda: self.outgoing.read(self.out), b''):
                self.connection.sendall(piece)

    def until(self, do):
        while (result := self.step(do)) is None:
            if not self.incoming.write(self.connection.recv(self.into)):
                self.incoming.write_eof()  # and reading raises
        return result

    def send(self, data):
        self.until(lambda: self.tls.write(data))

    def read(self, count=4096):
        return self.until(lambda: self.tls.read(count))

    def read_up_to(self, code):
        replies = b''
        while code + b' ' not in replies:
            replies += self.read()
        return replies

    def read_to_close_notify(self):
        """Any other end raises."""
        heard = b''
        while True:
            try:
                heard += self.read()
            except ssl.SSLZeroReturnError:
                return heard


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
        """In the same segment. What comes in a later one is a handshake that fails."""
        for injected in (b'NOOP\r\n', b'EHLO evil.test\r\nMAIL FROM:<evil@example.test>\r\n',
                         b'x' * 1400):
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
        with Wire(self.smtps_port, greet=False) as wire:
            records = Records(wire.socket, out=3, into=5)
            records.until(records.handshake)
            self.assertEqual(records.read(4), b'220 ')
            records.send(b'EHLO client.test\r\nNOOP\r\nQUIT\r\n')
            records.read_up_to(b'221')


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
        with Wire(self.smtps_port, greet=False) as wire:
            records = Records(wire.socket)
            records.until(records.handshake)
            records.read_up_to(b'220')
            records.send(b'EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<half@example.test>\r\n'
                         b'DATA\r\n')
            records.read_up_to(b'354')
            records.send(message('half') + b'.\r\nNOOP\r\n')
            self.assertIsNone(records.step(records.tls.unwrap))  # close_notify; no answer to it yet
            codes = [line[:4] for line in records.read_to_close_notify().splitlines()]
            self.assertEqual(codes, [b'250 ', b'250 '])
        self.assertEqual(self.stored('half@example.test'), [message('half')])

    def test_many_handshakes_at_once(self):
        """More than a turn has time for: the rest wait, and none is forgotten."""
        way().need('who is let in while a process is stopped')
        hellos = []
        self.server.signal(signal.SIGSTOP)
        try:
            for _ in range(100):
                connection = socket.create_connection(('127.0.0.1', self.smtps_port), timeout=20)
                self.addCleanup(connection.close)
                hellos.append(Records(connection))
                self.assertIsNone(hellos[-1].step(hellos[-1].handshake))
        finally:
            self.server.signal(signal.SIGCONT)
        for records in hellos:
            records.until(records.handshake)

    def test_silent_handshakes_hold_nobody_up(self):
        silent = [socket.create_connection(('127.0.0.1', self.smtps_port)) for _ in range(300)]
        for connection in silent[::2]:
            connection.sendall(b'\x16\x03\x01\x02\x00\x01')  # the beginning of a hello
        self.assertEqual(self.smtps().command(b'NOOP')[0], 250)
        for connection in silent:
            connection.close()
