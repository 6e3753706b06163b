"""What the recorder logged (recorder.c), and the images that a power cut could have left.

What was written before the last sync is there. Of what was written after it a cut leaves anything:
each sector may have its new bytes or not, whatever came of the others.
"""
import os
import random
import struct
import subprocess

WRITE, SYNC, MARK = range(3)
RECORD = struct.Struct('<IIQ')
SECTOR_BYTES = 512, 4096
KEEP = 0.0, 0.1, 0.5, 0.9, 1.0
SUPER_BLOCK_BYTES = 4096  # ext4 itself needs it whole: its checksum is in another sector


class Recording:
    """A log in memory: `records` are (kind, offset, bytes). A point is a number of records: the
    power went when so many of them had happened."""

    def __init__(self, path):
        self.records = []
        with open(path, 'rb') as file:
            while header := file.read(RECORD.size):
                kind, size, offset = RECORD.unpack(header)
                self.records.append((kind, offset, file.read(size)))

    def points(self, kind):
        """Right after each record of this kind."""
        return [number + 1 for number, record in enumerate(self.records) if record[0] == kind]

    def durable(self, point):
        """The point up to which everything is durable at this one."""
        while point and self.records[point - 1][0] != SYNC:
            point -= 1
        return point

    def marks(self, point):
        """The last mark before the point and the first one behind it, as numbers."""
        before = next(self.records[i] for i in range(point - 1, -1, -1)
                      if self.records[i][0] == MARK)
        after = next(self.records[i] for i in range(point, len(self.records))
                     if self.records[i][0] == MARK)
        return tuple(tuple(map(int, mark[2].split())) for mark in (before, after))


class Player:
    """Makes images of points in ascending order: one image moves on with what is durable."""

    def __init__(self, recording, base, image, leave_out=None):
        self.recording, self._image, self._done = recording, image, 0
        self._leave_out = leave_out  # a record that the disk forgets, to see it missed
        copy(base, image)

    def cut(self, point, image, seed):
        """Makes `image` one that a cut at this point could have left. What was drawn, in words."""
        durable = self.recording.durable(point)
        with open(self._image, 'r+b') as file:
            for number in range(self._done, durable):
                kind, offset, data = self.recording.records[number]
                if kind == WRITE and number != self._leave_out:
                    os.pwrite(file.fileno(), data, offset)
        self._done = durable
        copy(self._image, image)
        draw = random.Random(f'{seed}/{point}')
        sector, keep = draw.choice(SECTOR_BYTES), draw.choice(KEEP)
        pending = [record for record in self.recording.records[durable:point]
                   if record[0] == WRITE]
        with open(image, 'r+b') as file:
            for _, offset, data in pending:
                tear(file.fileno(), offset, data, lambda: draw.random() < keep, sector)
        return f'{len(pending)} writes since the last sync, {keep:.0%} of their {sector} bytes kept'


def tear(file, offset, data, kept, sector_bytes):
    """Writes those sectors that are kept."""
    at = 0
    while at < len(data):
        unit = SUPER_BLOCK_BYTES if offset + at < SUPER_BLOCK_BYTES else sector_bytes
        size = unit - (offset + at) % unit
        if kept():
            os.pwrite(file, data[at:at + size], offset + at)
        at += size


def copy(source, target):
    subprocess.run(['cp', '--sparse=always', source, target], check=True)
