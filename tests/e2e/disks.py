"""Small file systems for one test, seen by the tests alone: in a mount namespace of their own."""
import contextlib
import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import unittest

CLONE_NEWNS = 0x20000
MEGABYTE = 1 << 20
MEMORY = '/dev/shm' if os.path.isdir('/dev/shm') else None  # images there do without a disk


@functools.cache
def cannot_mount():
    """Why there can be no file systems here; '' when there can. From here on, what this process
    mounts is seen by it and its children only, and gone with them."""
    if os.geteuid() != 0:
        return 'needs root, to mount small file systems'
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        return f'no mount namespace: {os.strerror(ctypes.get_errno())}'
    result = subprocess.run(['mount', '--make-rprivate', '/'], capture_output=True, text=True)
    return result.stderr.strip()


class Disk:
    """A file system at `path`; also unmounted when the test fails."""

    def __init__(self, test):
        if cannot_mount():
            raise unittest.SkipTest(cannot_mount())
        self.folder = tempfile.mkdtemp(prefix='mailrace-', dir=MEMORY)
        test.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, 'disk')
        self.store = os.path.join(self.path, 'store')
        os.mkdir(self.path)
        test.addCleanup(subprocess.run, ['umount', '--lazy', self.path], capture_output=True)

    def mount(self, *arguments):
        """Also what is mounted there already, with other options."""
        return subprocess.run(['mount', *arguments, self.path], check=True, capture_output=True)

    def unmount(self):
        subprocess.run(['umount', self.path], check=True)

    def bytes_free(self):
        about = os.statvfs(self.path)
        return about.f_bavail * about.f_frsize

    def take(self, size=None):
        """A file of so many bytes, or of all that is left; its path."""
        path = tempfile.mktemp(dir=self.path, prefix='ballast-')
        with open(path, 'wb', buffering=0) as file:
            for step in (MEGABYTE, 4096):
                with contextlib.suppress(OSError):
                    while size is None or file.tell() < size:
                        file.write(bytes(step))
        return path

    def take_inodes(self, all_but):
        """Empty files until there is no inode left but these; their paths."""
        paths = [os.path.join(self.path, f'inode-{number}') for number in range(1 << 10)]
        for number, path in enumerate(paths):
            try:
                open(path, 'wb').close()
            except OSError:
                del paths[number:]
                break
        for _ in range(all_but):
            os.unlink(paths.pop())
        return paths


class Tmpfs(Disk):
    def __init__(self, test, size, *options):
        super().__init__(test)
        self.mount('-t', 'tmpfs', '-o', ','.join((f'size={size}', *options)), 'tmpfs')

    def resize(self, size, *options):
        self.mount('-o', ','.join(('remount', f'size={size}', *options)))


class Ext4(Disk):
    """On a loop device: O_DIRECT, a journal, and real errors."""

    def __init__(self, test, size, *flags):
        super().__init__(test)
        self.image = os.path.join(self.folder, 'image')
        with open(self.image, 'wb') as file:
            file.truncate(size)
        subprocess.run(['mkfs.ext4', '-q', '-F', '-m0', *flags, self.image], check=True)
        result = subprocess.run(['mount', '-o', 'loop', self.image, self.path],
                                capture_output=True, text=True)
        if result.returncode:
            raise unittest.SkipTest(f'no loop device: {result.stderr.strip()}')
