"""blast against servers that are not ours: smtp-sink, Postfix, Dovecot."""
import shutil
import tempfile

from load import FAILED, ID, LoadCase, digest_of
from servers import Dovecot, Postfix, SmtpSink, body_of, fetch
from tls import make_certificate

COUNT = 100
FLAGS = ('--messages', COUNT, '--connections', 8, '--users', 10)


class Sink(LoadCase):
    def test_everything_is_accepted(self):
        for name, lmtp, *flags in (
                ('plain', False), ('pipeline', False, '--pipeline'),
                ('not offered', False, '--chunking'), ('several', False, '--recipients', 3),
                ('afresh', False, '--per-connection', 1), ('lmtp', True),
                ('lmtp several', True, '--recipients', '2-5', '--pipeline')):
            with self.subTest(name), SmtpSink(lmtp=lmtp) as sink:
                self.blast(sink.url, *FLAGS, *flags, acked=COUNT)

    def test_what_it_got_is_what_was_sent(self):
        with SmtpSink(dump=True) as sink:
            load = self.blast(sink.url, *FLAGS, '--pipeline', '--size', '1k-20k', acked=COUNT)
            digests = {identity: digest
                       for (identity, _), (digest, _, _) in load.ledger.entries.items()}
            for dump in sink.dumped():
                mail = dump.replace(b'\n', b'\r\n')
                identity = ID.search(mail)[1].decode()
                self.assertEqual(digest_of(body_of(mail)[:-2]), digests.pop(identity))
            self.assertFalse(digests)

    def test_refusals(self):
        """Table: smtp-sink's flags, the reply, and what is said no more after it."""
        cases = (
            (('-f', 'MAIL', '-B', '550 5.7.1 no'), '550', 'rcpt'),
            (('-f', 'RCPT', '-B', '551 5.7.1 no'), '551', 'data'),
            (('-r', 'DATA', '-b', '452 4.3.1 full'), '452', 'commit'),
            (('-f', '.', '-B', '554 5.6.0 no'), '554', None),
        )
        for flags, code, never in cases:
            with self.subTest(flags), SmtpSink(*flags) as sink:
                load = self.blast(sink.url, *FLAGS, code=FAILED, refused=COUNT)
                self.assertEqual(load.report['replies'][code], COUNT)
                if never:
                    self.assertFalse(load.report['latency_us'].get(never, {}).get('count'))
                self.assertEqual({entry[2][-1] for entry in load.ledger.entries.values()},
                                 {'refused'})

    def test_without_esmtp(self):
        with SmtpSink('-e') as sink:
            self.blast(sink.url, *FLAGS, '--pipeline', '--chunking', acked=COUNT)


class Own(LoadCase):
    """A server for all tests of the class; each has mailboxes of its own."""
    server = messages_of = None

    @classmethod
    def begin(cls, kind, **keywords):
        folder = tempfile.mkdtemp(prefix='mailrace-')
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.server = kind(certificate=make_certificate(folder), **keywords)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def everything_is_there(self, cases):
        def check(name, *flags):
            with self.server.explaining():
                load = self.blast(self.server.url, *FLAGS, '--to', name + '%d@example.test',
                                  *flags, acked=COUNT)
                self.check_stored(load, self.messages_of)
        self.together(check, [(case[0], *case) for case in cases], threads=3)


class PostfixItself(Own):
    CASES = (
        ('plain',),
        ('pipeline', '--pipeline'),
        ('chunking', '--chunking', '--size', '1k-50k'),
        ('both', '--pipeline', '--chunking'),
        ('starttls', '--starttls', '--pipeline'),
        ('several', '--recipients', '1-4', '--pipeline'),
        ('afresh', '--per-connection', '10'),
    )

    @classmethod
    def setUpClass(cls):
        cls.begin(Postfix, names=['user', *(name for name, *_ in cls.CASES)])

    def messages_of(self, mailbox):
        return self.server.delivered(mailbox)  # none where there is no such user

    def test_everything_is_there(self):
        self.everything_is_there(self.CASES)

    def test_a_user_that_is_not_there(self):
        with self.server.explaining():
            load = self.blast(self.server.url, *FLAGS, '--to', 'user%d@example.test', '--users', 20,
                              '--pipeline', code=FAILED)
            known = {place for place in load.ledger.entries if place[1] in self.server.users}
            self.assertEqual(load.ledger.of('acked'), known)
            self.assertEqual(load.report['replies']['550'], COUNT - len(known))
            self.check_stored(load, self.messages_of)


class DovecotItself(Own):
    @classmethod
    def setUpClass(cls):
        cls.begin(Dovecot)

    def messages_of(self, mailbox):
        return fetch(self.server.pop3_port, mailbox)

    def test_everything_is_there(self):
        self.everything_is_there((
            ('plain',),
            ('pipeline', '--pipeline'),
            ('chunking', '--chunking', '--size', '1k-50k'),
            ('both', '--pipeline', '--chunking'),
            ('starttls', '--starttls'),
            ('several', '--recipients', '1-4'),
            ('afresh', '--per-connection', '10'),
        ))
