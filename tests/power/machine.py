"""What the power cuts need of the machine: a corner of its own that vanishes with it, and the
recorder. All of it belongs to root."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import traceback

from file_system import EXT4, command, unmount

CLONE_NEWNS, CLONE_NEWPID, PR_SET_PDEATHSIG = 0x00020000, 0x20000000, 1
TO_END = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
PATIENCE_SECONDS = 20
NOT_MOUNTED = 4  # fuse_main's exit code

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """This machine can't do it, and why."""


def _unshare(flag, what):
    if _libc.unshare(flag) < 0:
        raise Unavailable(f'no {what} of its own: {os.strerror(ctypes.get_errno())}')


def contained(body):
    """Runs `body` in a child that is the first of a PID namespace: however this process or that
    one ends, all that it started ends with it. The exit code."""
    _unshare(CLONE_NEWPID, 'PID namespace')
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            code = body()
        except BaseException:  # nothing of the parent's may run here
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def settle(folder, recorder):
    """Mounts that vanish with the last process, `folder` in memory, and everything tried once, so
    that what fails later is no matter of permissions."""
    _unshare(CLONE_NEWNS, 'mount namespace')
    for words in (('--make-rprivate', '/'), ('-t', 'proc', 'proc', '/proc'),
                  ('-t', 'tmpfs', 'tmpfs', folder)):
        if problem := command('mount', *words):
            raise Unavailable(problem)
    image, log, at = (pathlib.Path(folder) / name for name in ('image', 'log', 'at'))
    if problem := lacking(EXT4, folder):
        raise Unavailable(problem)
    EXT4.make(image)
    with Recorder(recorder, image, log, at):
        pass
    image.unlink()


def lacking(file_system, folder):
    """Why a file system can't be had, or ''."""
    for tool in file_system.tools:
        if not shutil.which(tool):
            return f'{tool} is not installed'
    image, at = (pathlib.Path(folder) / name for name in ('tried', 'tried-at'))
    try:
        file_system.make(image)
        with file_system.mounted(image, at):
            return ''
    except RuntimeError as error:
        return f'no {file_system.kind} on a loop device: {error}'
    finally:
        image.unlink(missing_ok=True)


def missing(recorder):
    """What is not there that nothing here can do without, or None."""
    if os.geteuid() != 0:
        return 'not root'
    for tool in ('mount', 'umount'):
        if not shutil.which(tool):
            return f'{tool} is not installed'
    if not recorder.exists():
        return f'{recorder} was not built: no libfuse3'
    for device in ('/dev/fuse', '/dev/loop-control'):
        try:
            os.close(os.open(device, os.O_RDWR))
        except OSError as error:
            return f'{device}: {error.strerror}'
    return None


class Recorder:
    """The image as a file `disk` below `folder`, and all that happens to it in `log`."""

    def __init__(self, program, image, log, folder):
        os.makedirs(folder, exist_ok=True)
        self.disk, self._folder = pathlib.Path(folder) / 'disk', folder
        self._process = subprocess.Popen([program, image, log, folder], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.disk.exists():
            if self._process.poll() == NOT_MOUNTED:
                raise Unavailable('no mount by FUSE')
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f'the recorder does not come up: {self._process.poll()}')
            time.sleep(0.01)
        self._mark = os.open(pathlib.Path(folder) / 'mark', os.O_WRONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._mark)
        unmount(self._folder)
        if code := self._process.wait(PATIENCE_SECONDS):
            raise RuntimeError(f'the recorder ended with exit {code}')

    def mark(self, text):
        os.write(self._mark, text.encode())
