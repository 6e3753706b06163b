"""What is where in a store's files, read as storage/FORMAT.md says: for tests that damage a byte
and must know whose it was."""
import collections
import pathlib
import struct

BLOCK = 4096
MESSAGE, CHUNK, DELETION = 1, 2, 3
DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

# Name, place and size of each field.
STORE = (('magic', 0, 8), ('format', 8, 4), ('shards', 12, 4), ('identity', 16, 16), ('key', 32, 8),
         ('created', 40, 8), ('zero', 48, 12), ('crc', 60, 4))
SEGMENT = (('magic', 0, 8), ('crc', 8, 4), ('format', 12, 4), ('identity', 16, 16),
           ('epoch', 32, 8), ('shard', 40, 4), ('number', 44, 4))
BATCH = (('magic', 0, 4), ('crc', 4, 4), ('epoch', 8, 8), ('sequence', 16, 8),
         ('durable_upto', 24, 8), ('first_lsn', 32, 8), ('shard', 40, 4), ('segment', 44, 4),
         ('block', 48, 4), ('bytes', 52, 4), ('used', 56, 4), ('records', 60, 4),
         ('previous_crc', 64, 4), ('format', 68, 2), ('flags', 70, 2))
RECORD = (('header_crc', 0, 4), ('payload_crc', 4, 4), ('type', 8, 1), ('zero', 9, 1),
          ('shard', 10, 2), ('flags', 12, 2), ('back', 14, 2), ('lsn', 16, 8), ('received', 24, 8),
          ('octets', 32, 8), ('record_bytes', 40, 4), ('envelope_bytes', 44, 4),
          ('chunk_count', 48, 4), ('trace_bytes', 52, 4), ('body_bytes', 56, 4),
          ('stuffed', 60, 4), ('header_bytes', 64, 8))
HINT = (('magic', 0, 8), ('header_crc', 8, 4), ('body_crc', 12, 4), ('format', 16, 4),
        ('shard', 20, 4), ('segment', 24, 4), ('last_crc', 28, 4), ('identity', 32, 16),
        ('epoch', 48, 8), ('body_bytes', 56, 8), ('first_sequence', 64, 8),
        ('last_sequence', 72, 8), ('first_lsn', 80, 8), ('end_lsn', 88, 8), ('end_offset', 96, 8),
        ('record_bytes', 104, 8), ('zero', 112, 16))
BATCH_BYTES, RECORD_BYTES = 72, 72

Batch = collections.namedtuple('Batch', 'offset end used sequence records')
Record = collections.namedtuple('Record', 'offset end payload_end type id chunks')


def id_text(number):
    return ''.join(DIGITS[number >> shift & 31] for shift in range(60, -1, -5))


class Segment:
    """`batches` with their `records`; `users`: of each chunk's offset, the ids of its messages."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.number = int(self.path.stem)
        self.hinted = self.path.with_suffix('.idx').is_file()
        data = self.path.read_bytes()
        self.bytes = len(data)
        self.batches = []
        at = BLOCK
        epoch = data[32:40]  # what follows another one is of a former life
        while data[at:at + 4] == b'Mbth' and data[at + 8:at + 16] == epoch:
            sequence, = struct.unpack_from('<Q', data, at + 16)
            size, used, count = struct.unpack_from('<III', data, at + 52)
            records = list(records_of(data, at + BATCH_BYTES, count))
            self.batches.append(Batch(at, at + size, at + used, sequence, records))
            at += size
        self.end = at

    def records(self, *types):
        return [record for batch in self.batches for record in batch.records
                if record.type in types]


def records_of(data, at, count):
    for _ in range(count):
        kind, _, shard, _, back, lsn = struct.unpack_from('<BBHHHQ', data, at + 8)
        size, envelope, chunks, trace, body = struct.unpack_from('<IIIII', data, at + 40)
        refs = [struct.unpack_from('<II', data, at + RECORD_BYTES + envelope + 16 * i)
                for i in range(chunks)]
        payload = envelope + 16 * chunks + trace + body
        yield Record(at, at + size, at + RECORD_BYTES + payload, kind,
                     id_text(shard << 52 | lsn - back),
                     [(number, slot * 8) for number, slot in refs])
        at += size


class StoreMap:
    """One log's segments, by number."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.segments = {segment.number: segment
                         for segment in map(Segment, sorted(self.folder.glob('*.seg')))}
        self.last_sequence = max(batch.sequence for segment in self.segments.values()
                                 for batch in segment.batches)
        self.users = collections.defaultdict(set)
        self.places = collections.defaultdict(set)
        for number, segment in self.segments.items():
            for record in segment.records(MESSAGE):
                self.places[record.id].add((number, record.offset))
                for chunk in record.chunks:
                    self.users[chunk].add(record.id)
                    self.places[record.id].add(chunk)

    def within(self, number, first, last):
        """Ids of messages of which these bytes of the segment hold a part."""
        return {id for id, places in self.places.items()
                if any(place[0] == number and first <= place[1] < last for place in places)}

    def at(self, number, offset):
        """What a damaged byte there harms: (named by a verification, ids that are lost, whether
        a deletion is)."""
        segment = self.segments[number]
        if offset < BLOCK:
            return offset < 48, set(), False
        for batch in segment.batches:
            if batch.offset <= offset < batch.offset + BATCH_BYTES:
                last = batch.sequence == self.last_sequence
                lost = {record.id for record in batch.records if record.type == MESSAGE}
                deletion = any(record.type == DELETION for record in batch.records)
                return not last, set() if segment.hinted else lost, deletion and not segment.hinted
            for record in batch.records:
                if record.offset <= offset < record.payload_end:
                    lost = {MESSAGE: {record.id}, DELETION: set(),
                            CHUNK: self.users[number, record.offset]}[record.type]
                    return True, lost, record.type == DELETION and not segment.hinted
        return False, set(), False
