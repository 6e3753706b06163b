"""What the maildrops must hold after a cut, and what they hold."""
import collections
import re
import socket

from load import LINE, digest_of, unescape
from mailrace import without_trace
from servers import body_of
from workload import ID

PATIENCE_SECONDS = 60


class Promises:
    """What a run had said, and when: by (id, recipient) as in the ledger of `mailrace blast`.
    `former`: the same two texts of what had been said when the run began. Several threads may hold
    maildrops against it."""

    def __init__(self, ledger, deletions, former=('', '')):
        self._ledger, self._deletions, self._former = ledger, deletions, former
        self.sent = {}  # place → digest of its body
        self.uidls = {}  # (mailbox, UIDL) → id: at one cut as at another
        self.recipients = collections.defaultdict(set)
        for place, digest, _ in lines_of(former[0] + ledger):
            self.sent[place] = digest
            self.recipients[place[0]].add(place[1])

    def acked(self, ledger_bytes=None):
        text = self._former[0] + self._ledger[:ledger_bytes]
        return {place for place, _, outcome in lines_of(text) if outcome == 'acked'}

    def deletions(self, word, deletions_bytes=None):
        text = self._former[1] + self._deletions[:deletions_bytes]
        return {(identity, mailbox) for what, mailbox, identity in map(str.split, whole(text))
                if what == word}

    def as_of(self, before, after):
        """Both texts as of a cut between two marks: what was said before it, and what had begun."""
        sent = [line for line in whole(self._ledger) if line.endswith(' sent')]
        deleting = [line for line in whole(self._deletions[:after[1]])
                    if line.startswith('deleting')]
        return ('\n'.join(sent + whole(self._ledger[:before[0]]) + ['']),
                '\n'.join(deleting + whole(self._deletions[:before[1]]) + ['']))

    def broken(self, found, before, after):
        """What is wrong with `found`, (mailbox, UIDL, message), at a cut between two marks."""
        problems, copies = [], collections.Counter()
        for mailbox, uidl, message in found:
            if not message:
                problems.append(f'unreadable: {uidl} in {mailbox}')
                continue
            match = ID.search(message)
            place = match[1].decode() if match else '?', mailbox
            copies[place] += 1
            if self.uidls.setdefault((mailbox, uidl), place[0]) != place[0]:
                problems.append(f'UIDL {uidl}: {place}, at another cut another one')
            if place not in self.sent:
                problems.append(f'foreign: {place} was never sent')
            elif digest_of(body_of(without_trace(message))) != self.sent[place]:
                problems.append(f'torn: {place}, {len(message)} bytes')
        deleting = self.deletions('deleting', after[1])
        acked, deleted = self.acked(before[0]), self.deletions('deleted', before[1])
        problems += [f'twice: {place}' for place, count in copies.items() if count > 1]
        problems += [f'lost: {place}' for place in acked - deleting if not copies[place]]
        problems += [f'deleted, and back: {place}' for place in deleted if copies[place]]
        problems += self._in_part(copies, deleting)
        return sorted(problems)

    def _in_part(self, copies, deleting):
        for identity, recipients in self.recipients.items():
            places = [(identity, recipient) for recipient in recipients]
            there = [place for place in places if copies[place] or place in deleting]
            if len(there) < len(places) and any(copies[place] for place in places):
                yield f'in part: {identity} is with {len(there)} of {len(places)}'


def whole(text):
    """The lines that have their end."""
    return text[:text.rfind('\n') + 1].splitlines()


def lines_of(text):
    """(place, digest, outcome) of every whole line."""
    for line in whole(text):
        identity, recipient, digest, _, outcome = LINE.fullmatch(line).groups()
        yield (identity, unescape(recipient)), digest, outcome


def fetch_all(server, mailboxes):
    """(mailbox, UIDL, message) of all that POP3 gives."""
    return [(mailbox, uidl, message) for mailbox in mailboxes
            for uidl, message in fetch(server.pop3_port, mailbox)]


def fetch(port, mailbox):
    """(UIDL, message) one after the other, b'' for what can't be read; asks for everything at once,
    as it may be much."""
    uidls = _dialogue(port, mailbox, [b'UIDL'])[0].split(b'\r\n')[1:]
    wanted = [b'RETR %d' % number for number in range(1, len(uidls) + 1)]
    for uidl, reply in zip(uidls, _dialogue(port, mailbox, wanted)):
        message = (reply + b'\r\n').partition(b'\r\n')[2]
        yield uidl.split()[1].decode(), message.replace(b'\r\n..', b'\r\n.')


def _dialogue(port, mailbox, commands):
    """The answers, of many lines each, without their ends; b'' for one that is negative."""
    lines = [b'USER ' + mailbox.encode(), b'PASS any', *commands, b'QUIT', b'']
    with socket.create_connection(('127.0.0.1', port), PATIENCE_SECONDS) as connection:
        connection.sendall(b'\r\n'.join(lines))
        stream = b''.join(iter(lambda: connection.recv(1 << 20), b''))
    greeting, replies = re.match(rb'(?:\+OK[^\r\n]*\r\n){3}', stream), []
    for part in stream[greeting.end():].split(b'\r\n.\r\n') if greeting else ():
        while part.startswith(b'-ERR'):
            part = part.partition(b'\r\n')[2]
            replies.append(b'')
        replies.append(part)
    if len(replies) != len(commands) + 1 or not replies[-1].startswith(b'+OK'):
        raise AssertionError(f'{mailbox}: {len(replies)} answers to {len(commands)} commands and '
                             f'QUIT, at last {stream[-200:]!r}')
    return replies[:-1]
