"""What was sent, what was acknowledged, and whether the maildrops agree with it.

Line by line in a file, written before the end of data goes out (`sent`) and when the positive
reply is in (`acked`): id, digest of header and body, size, recipients.
"""
import collections
import hashlib
import threading

SENT, ACKED, REFUSED = 'sent', 'acked', 'refused'


class Entry:
    def __init__(self, digest, size, recipients):
        self.digest, self.size, self.recipients = digest, size, recipients
        self.state = SENT


class Ledger:
    """Shared by the senders of a round; checked when none of them runs."""

    def __init__(self, path):
        self._file = open(path, 'w', buffering=1, encoding='ascii')
        self._lock = threading.Lock()
        self.entries = {}
        self.uidls = {}  # (mailbox, UIDL) of every message ever fetched, to its id
        self.deleted = set()  # (mailbox, id) whose deletion was acknowledged
        self.deleting = set()  # … or asked for, without an answer

    def sent(self, identity, message, recipients):
        entry = Entry(digest_of(message), len(message), tuple(recipients))
        with self._lock:
            self.entries[identity] = entry
            self._write(SENT, identity, entry)

    def answered(self, identity, positive):
        with self._lock:
            entry = self.entries[identity]
            entry.state = ACKED if positive else REFUSED
            self._write(entry.state, identity, entry)

    def _write(self, state, identity, entry):
        self._file.write(f'{state} {identity} {entry.digest} {entry.size} '
                         f'{",".join(entry.recipients)}\n')

    def count(self, state):
        return sum(entry.state == state for entry in self.entries.values())

    def account(self, fetched):
        """`fetched`: mailbox → list of (UIDL, id, digest, size), the trace not counted. Returns the
        findings by promise, and settles what was in doubt: what is there now must stay, what is
        not must not come."""
        found = collections.defaultdict(list)
        copies = collections.Counter()
        for mailbox, messages in fetched.items():
            for uidl, identity, digest, size in messages:
                copies[mailbox, identity] += 1
                self._check_message(found, mailbox, uidl, identity, (digest, size))
        for identity, entry in self.entries.items():
            self._check_entry(found, identity, entry, copies)
        return found

    def _check_message(self, found, mailbox, uidl, identity, content):
        entry = self.entries.get(identity)
        if entry is None or mailbox not in entry.recipients:
            found['foreign'].append(f'{identity} in {mailbox} was never sent to it')
        elif content != (entry.digest, entry.size):
            found['torn'].append(f'{identity} in {mailbox}: {content[1]} bytes, not those '
                                 f'{entry.size} that were sent')
        if self.uidls.setdefault((mailbox, uidl), identity) != identity:
            found['uidl'].append(f'{uidl} in {mailbox} was {self.uidls[mailbox, uidl]} once, '
                                 f'now {identity}')
        if (mailbox, identity) in self.deleted:
            found['deleted'].append(f'{identity} is back in {mailbox}')

    def _check_entry(self, found, identity, entry, copies):
        places = [(mailbox, identity) for mailbox in entry.recipients]
        for place in places:
            if copies[place] > 1:
                found['once'].append(f'{identity} is {copies[place]} times in {place[0]}')
        gone = self.deleted | self.deleting
        missing = [place[0] for place in places if not copies[place] and place not in gone]
        if entry.state == ACKED and missing:
            found['lost'].append(f'{identity} ({entry.size} bytes) is not in {missing}')
        if entry.state == SENT and 0 < len(missing) < len(places):
            found['part'].append(f'{identity}, never acknowledged, is in all but {missing}')
        if entry.state == REFUSED and len(missing) < len(places):
            found['refused'].append(f'{identity} is stored after all')
        if entry.state == SENT:
            entry.state = REFUSED if missing else ACKED


def digest_of(message):
    return hashlib.sha256(message).hexdigest()
