"""The way between the tests and their servers: the kernel's loopback or, by run.py --over, a TCP
past the kernel. To every test a server is at 127.0.0.1 all the same, because that is what its port
of DPDK is called too."""
import contextlib
import functools
import os
import threading
import unittest

MEMORY = '--no-huge -m 512'  # huge pages may be somebody else's
HOST = '127.0.0.1'


class LeftOut(unittest.SkipTest):
    """This test is not for this way."""


def port(prefix, device, *addresses):
    """Flags for one end of a cable."""
    flags = [word for address in addresses for word in ('--dpdk-address', address)]
    return ['--io', 'dpdk', *flags,
            '--dpdk-args', f'{MEMORY} --file-prefix={prefix}{os.getpid()} --vdev={device}']


class Kernel:
    """Everything goes this way. It is what the others differ from."""
    SUITES = None  # all
    beside = HOST  # where clients in Python fetch what blast has sent
    refusals = ConnectionRefusedError  # where nobody listens

    def serve(self, command):
        """What to run for a server that is meant to be started so."""
        return command

    def starting(self, server):
        """May it?"""

    @contextlib.contextmanager
    def client(self, subcommand):
        """Further flags, for as long as it runs; `subcommand`: the first argument, if any."""
        yield []

    def need(self, what):
        """Said by what only the kernel has."""


class Bypass(Kernel):
    """A server at a time, ours, at one address: that is what is at the other end of a cable."""
    refusals = ConnectionRefusedError, TimeoutError  # the latter when its process has gone

    def __init__(self):
        self.server = None

    def starting(self, server):
        other = self.server and self.server is not server and self.server.process
        if other and other.poll() is None:
            raise LeftOut('two servers at once')
        for word in server.command:
            if word.startswith(('unix:', '[', '0.0.0.0:')):
                raise LeftOut(f'{word} is an address of the kernel')
        self.server = server

    def need(self, what):
        raise LeftOut(f'{what} is behind the kernel')


class Memif(Bypass):
    """Shared memory with blast or drain, one after the other. Both ends poll: what the clock says
    of a rate beside other tests is said of them."""
    SUITES = 'test_blast', 'test_drain'
    beside = '127.0.0.9'

    def __init__(self):
        super().__init__()
        self.turn = threading.Lock()

    def _port(self, role, address):
        return port(role, f'net_memif0,socket=mailrace{os.getpid()},rsize=11,role={role}', address)

    def serve(self, command):
        pop3 = command[command.index('--pop3') + 1].removeprefix(HOST)
        return [*command, '--pop3', self.beside + pop3, *self._port('server', f'{HOST}/8')]

    @contextlib.contextmanager
    def client(self, subcommand):
        if subcommand not in (('blast',), ('drain',)):
            yield []
            return
        with self.turn:
            yield self._port('client', '127.0.0.2/8')


class Veth(Bypass):
    """The tests are in a namespace that has no loopback, but a cable to where they were started;
    dpdk.LoopbackCable lays it."""
    SUITES = ('test_clients', 'test_content', 'test_load', 'test_memory', 'test_metrics',
              'test_newcomer', 'test_pipelining', 'test_pop3', 'test_signals', 'test_smuggling',
              'test_tls', 'test_tls_attacks')

    def serve(self, command):
        there, device = os.environ['MAILRACE_CABLE'].split()
        return ['nsenter', f'--net=/proc/{there}/ns/net', *command,
                *port('serve', f'net_af_packet0,iface={device}', f'{HOST}/8')]


BY_NAME = {'kernel': Kernel, 'memif': Memif, 'veth': Veth}


@functools.cache
def way():
    """The one that run.py was told of."""
    return BY_NAME[os.environ.get('MAILRACE_OVER', 'kernel')]()
