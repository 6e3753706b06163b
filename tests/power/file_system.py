"""File systems on loop devices: how each is made, mounted and looked over."""
import contextlib
import os
import subprocess
import time

DISK_MEGABYTES = 320  # the least that XFS takes
UNMOUNT_SECONDS = 20


def command(*words, seconds=60):
    """Runs a tool; what is wrong, or ''."""
    result = subprocess.run([*map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors='replace', timeout=seconds)
    return f'{words[0]}: exit {result.returncode}: {result.stdout}' if result.returncode else ''


def need(*words):
    if problem := command(*words):
        raise RuntimeError(problem)


class FileSystem:
    def __init__(self, kind, make, check, options=()):
        self.kind, self._make, self._check = kind, make, check
        self._options = ('loop', *options)
        self.tools = make[0], check[0]

    def make(self, image):
        with open(image, 'wb') as file:
            file.truncate(DISK_MEGABYTES << 20)
        need(*self._make, image)

    @contextlib.contextmanager
    def mounted(self, image, folder, options=()):
        """The loop device goes with the mount."""
        os.makedirs(folder, exist_ok=True)
        need('mount', '-t', self.kind, '-o', ','.join((*self._options, *options)), image, folder)
        try:
            yield folder
        finally:
            unmount(folder)

    def unsound(self, image):
        """What its own checker says of an image that is in use no more, or ''."""
        return command(*self._check, image)


EXT4 = FileSystem('ext4', ('mkfs.ext4', '-q', '-b', '4096', '-J', 'size=16', '-E',
                           'lazy_itable_init=0,lazy_journal_init=0,nodiscard'), ('e2fsck', '-fn'))
XFS = FileSystem('xfs', ('mkfs.xfs', '-q', '-K'), ('xfs_repair', '-n'), ('nouuid',))


def unmount(folder):
    """The kernel takes a ring down, and with it the files in it, after its process."""
    deadline = time.monotonic() + UNMOUNT_SECONDS
    while problem := command('umount', folder):
        if time.monotonic() > deadline:
            raise RuntimeError(problem)
        time.sleep(0.05)
