"""Ports of DPDK for tests, on a machine that has no network card to spare: shared memory between
two processes, and a virtual cable into a network namespace where the kernel's clients are."""
import contextlib
import functools
import os
import pathlib
import shutil
import subprocess
import unittest

from mailrace import run
from ways import MEMORY, port

ADDRESS, CLIENT = '10.77.0.1', '10.77.0.2'
SBIN = os.environ['PATH'] + ':/usr/sbin:/sbin'


@functools.cache
def _refusal():
    """Why this program has no --io dpdk; empty: it has."""
    result = run('serve', '--store', '/nonexistent', '--smtp', '127.0.0.1:1', '--accept-all',
                 '--io', 'dpdk', '--dpdk-address', '192.0.2.1/24',
                 '--dpdk-args', '--no-huge -m 64 --no-pci')
    return result.stderr if result.returncode == 78 and 'built without' in result.stderr else ''


def need():
    if _refusal():
        raise unittest.SkipTest(_refusal().strip())


class Memif:
    """A cable of shared memory: flags for the process at each end."""

    def __init__(self, folder, long_frames=False, own_frames=False):
        """`own_frames`: the server reads and writes the client's own, and none are copied there."""
        need()
        self.socket = pathlib.Path(folder, 'memif')  # abstract: it goes with the process
        self.device = f'net_memif0,socket={self.socket},rsize=11'
        self.more = []
        if long_frames:
            self.device += ',bsize=9216'
            self.more = ['--dpdk-mtu', '9000', '--dpdk-unchecked']
        self.client_only = ',zero-copy=yes --single-file-segments' if own_frames else ''

    def _flags(self, role, address, more=''):
        return [*port(role, f'{self.device},role={role}{more}', f'{address}/24'), *self.more]

    def server(self, *flags):
        return [*self._flags('server', ADDRESS), '--smtp', f'{ADDRESS}:25', *flags]

    def client(self):
        return [*self._flags('client', CLIENT, self.client_only), '--allow-remote']


def _tool(*words):
    program = shutil.which(words[0], path=SBIN)
    if program is None:
        raise unittest.SkipTest(f'{words[0]} is not installed')
    result = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=30)
    if result.returncode != 0:
        raise unittest.SkipTest(f'{" ".join(words)}: {result.stderr.strip()}')


class Space:
    """A network namespace with the kernel's clients in it. Leaves nothing behind."""

    def __init__(self):
        need()
        if os.geteuid() != 0:
            raise unittest.SkipTest('a network namespace needs root')
        self.space, self.device = f'mailrace{os.getpid()}', f'mr{os.getpid()}'
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        with self._undo as undo:
            _tool('ip', 'netns', 'add', self.space)
            undo.callback(_tool, 'ip', 'netns', 'del', self.space)
            self.make()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    def make(self):
        """What is in it from the beginning."""

    def bring_up(self, device):
        inside = ('ip', '-n', self.space)
        _tool(*inside, 'addr', 'add', f'{CLIENT}/24', 'dev', device)
        _tool(*inside, 'addr', 'add', 'fd77::2/64', 'dev', device, 'nodad')
        _tool(*inside, 'link', 'set', device, 'up')
        # the kernel leaves checksums to a card that is not there
        _tool('ip', 'netns', 'exec', self.space, 'ethtool', '-K', device, 'tx', 'off', 'tso', 'off',
              'gso', 'off')

    def server(self, device):
        return [*port('serve', device, f'{ADDRESS}/24', 'fd77::1/64'), '--smtp',
                f'{ADDRESS}:25', '--smtp', '[fd77::1]:25', '--pop3', f'{ADDRESS}:110']

    def run(self, *words, stdin=b''):
        """A client in the namespace, to its end; its stdout."""
        if shutil.which(words[0], path=SBIN) is None:
            raise unittest.SkipTest(f'{words[0]} is not installed')
        result = subprocess.run(['ip', 'netns', 'exec', self.space, *words], input=stdin,
                                capture_output=True, timeout=60, env={**os.environ, 'PATH': SBIN})
        if result.returncode != 0:
            raise AssertionError(f'{words[0]} exited with {result.returncode}: '
                                 f'{result.stderr.decode(errors="replace")}')
        return result.stdout


class Cable(Space):
    """A virtual cable from here, where DPDK has its end, into the namespace."""

    def make(self):
        _tool('ip', 'link', 'add', self.device, 'type', 'veth', 'peer', 'name', 'far', 'netns',
              self.space)
        pathlib.Path(f'/proc/sys/net/ipv6/conf/{self.device}/disable_ipv6').write_text('1')
        self.bring_up('far')
        _tool('ip', 'link', 'set', self.device, 'up')

    def server(self, driver):
        return super().server(f'net_{driver}0,iface={self.device}')


class LoopbackCable(Cable):
    """In the namespace, what is sent to this machine itself goes out by the cable."""

    def bring_up(self, device):
        _tool('ip', 'netns', 'exec', self.space, 'sysctl', '-qw', 'net.ipv4.ip_nonlocal_bind=1',
              'net.ipv4.conf.all.route_localnet=1')
        super().bring_up(device)
        _tool('ip', '-n', self.space, 'addr', 'add', '127.0.0.2/8', 'dev', device)


class Tap(Space):
    """A server in the namespace, on a device that it makes there: one queue for each shard."""

    def server(self):
        return super().server(f'net_tap0,iface={self.device}')

    def inside(self, server):
        server.command = ['ip', 'netns', 'exec', self.space, *server.command]
        return server
