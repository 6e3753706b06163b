"""What the tests of TLS share: certificates, wires inside TLS, a server with every listener."""
import os
import shutil
import ssl
import tempfile

import clients
from cases import FolderCase
from mailrace import Server, Wire, free_port, without_trace


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
