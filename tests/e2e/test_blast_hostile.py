"""blast against servers that do what no server should: everything is counted under its own name,
nothing hangs, and there is always a report."""
import time

from broken_server import (BrokenServer, close, deaf, endless, first, hang, late, no_handshake,
                           reset, say, twice)
from load import FAILED, FINE, UNAVAILABLE, LoadCase
from servers import fetch
from tls import make_certificate

COUNT = 6  # messages, and connections: each takes one
SHORT, PATIENT, QUICK_SECONDS = '700ms', '10s', 20

# What a server does, and the name it is known by.
ENDS = (
    (close, 'connection lost'),
    (reset, 'connection lost'),
    (hang, 'timeout'),
    (say(b'25', hang), 'timeout'),
    (say(b'250', close), 'connection lost'),
    (say(b'Hello, dear client!\r\n'), 'garbage'),
    (say(b'\x00\xff\xfe\r\n'), 'garbage'),
    (say(b'HTTP/1.1 400 Bad Request\r\n'), 'garbage'),
    (say(b'999 no such code\r\n'), 'garbage'),
    (say(b'250-one\r\n251 two\r\n'), 'mixed codes'),
    (say(b'250 ' + b'x' * 100000 + b'\r\n'), 'long line'),
    (say(b'250 ' + b'x' * 100000, hang), 'long line'),
    (endless, 'long reply'),
    (say(b'421 4.3.2 going down\r\n', close), 'shut down'),
    (say(b'421-4.3.2 going\r\n421 4.3.2 down\r\n'), 'shut down'),
)
BEFORE = ('banner', 'ehlo')
WITHIN = ('mail', 'rcpt', 'data', 'commit')


class Hostile(LoadCase):
    def hostile(self, server, *flags, timeout=PATIENT, **keywords):
        """A load that ends in time, whatever the server does."""
        started = time.monotonic()
        load = self.blast(server.url, '--messages', COUNT, '--connections', COUNT,
                          '--timeout', timeout, *flags, **keywords)
        self.assertLess(time.monotonic() - started, QUICK_SECONDS)
        return load

    def fruitless(self, name, faults, *flags, **keywords):
        """Every connection ends under this name before a message can begin."""
        with BrokenServer(faults, **keywords) as server:
            timeout = SHORT if name in ('timeout', 'long line') else PATIENT
            load = self.hostile(server, *flags, timeout=timeout, code=UNAVAILABLE)
        self.assertEqual(load.messages['sent'], 0)
        self.assertEqual(set(load.failures()), {name})
        self.assertGreaterEqual(load.failures()[name], COUNT)
        return load

    def test_the_end_of_a_session_before_any_message(self):
        self.together(self.fruitless, [(f'{phase}: {name}', name, {phase: fault})
                                       for phase in BEFORE for fault, name in ENDS])

    def test_the_end_of_a_session_within_a_message(self):
        """Each message takes a connection with it; only after the end of data there is doubt."""
        def check(phase, fault, name):
            outcome = 'doubtful' if phase == 'commit' else 'failed'
            with BrokenServer({phase: fault}) as server:
                timeout = SHORT if name in ('timeout', 'long line') else PATIENT
                load = self.hostile(server, timeout=timeout, code=FAILED, **{outcome: COUNT})
                self.assertEqual(load.failures(), {name: COUNT})
        self.together(check, [(f'{phase}: {name}', phase, fault, name) for phase in WITHIN
                              for fault, name in ENDS if name != 'shut down'])

    def test_421_at_any_point(self):
        def check(phase, then):
            with BrokenServer({phase: say(b'421 4.3.2 going down\r\n', then)}) as server:
                load = self.hostile(server, timeout=SHORT, code=FAILED, refused=COUNT)
                self.assertEqual(load.failures(), {'shut down': COUNT})
                self.assertEqual(load.report['replies']['421'], COUNT)
        self.together(check, [(f'{phase}, {then}', phase, then)
                              for phase in WITHIN for then in (None, close, hang)])

    def test_refusals_at_any_point(self):
        def check(phase, code, flags):
            with BrokenServer({phase: say(f'{code} no\r\n'.encode())}) as server:
                load = self.hostile(server, *flags, code=FAILED, refused=COUNT)
                self.assertEqual(load.report['replies'][code], COUNT)
                self.assertFalse(load.failures())
        ways = ((), ('--pipeline',), ('--chunking', '--pipeline'))
        self.together(check, [(f'{phase}: {code} {flags}', phase, code, flags) for phase in WITHIN
                              for code in ('452', '550') for flags in ways
                              if phase != 'data' or '--chunking' not in flags])

    def test_refusals_before_any_message(self):
        def check(phase, reply):
            load = self.fruitless('turned away', {phase: say(reply), 'helo': say(reply)})
            self.assertGreaterEqual(load.report['replies'][reply[:3].decode()], COUNT)
        self.together(check, [(reply, phase, reply) for phase, reply in (
            ('banner', b'554 no service\r\n'), ('banner', b'450 busy\r\n'),
            ('ehlo', b'550 who are you?\r\n'))])

    def test_some_recipients_are_refused(self):
        for flags in ((), ('--pipeline',)):
            refuse_first = {'rcpt': first(1, say(b'550 5.1.1 no such user\r\n'))}
            with self.subTest(flags), BrokenServer(refuse_first) as server:
                load = self.hostile(server, '--recipients', 3, *flags, code=FAILED, acked=COUNT)
                self.assertEqual(load.report['recipients']['refused'], 1)
                self.check_stored(load, lambda mailbox: fetch(server.pop3_port, mailbox))

    def test_replies_in_any_pieces(self):
        for keywords in ({'drip': True}, {'wordy': True}, {'drip': True, 'wordy': True}):
            for flags in ((), ('--pipeline', '--chunking')):
                with self.subTest(f'{keywords} {flags}'), BrokenServer(**keywords) as server:
                    load = self.hostile(server, *flags, acked=COUNT)
                    self.check_stored(load, lambda mailbox: fetch(server.pop3_port, mailbox))

    def test_replies_out_of_step(self):
        cases = (
            ('mail', b'354 go ahead\r\n', 'failed'),
            ('data', b'250 fine\r\n', 'failed'),
            ('commit', b'354 more\r\n', 'doubtful'),
        )
        for phase, reply, outcome in cases:
            with self.subTest(phase), BrokenServer({phase: say(reply)}) as server:
                load = self.hostile(server, code=FAILED, **{outcome: COUNT})
                self.assertEqual(load.failures(), {'out of step': COUNT})
        self.fruitless('out of step', {'banner': say(b'354 go ahead\r\n')})

    def test_a_reply_that_nobody_asked_for(self):
        """Whether it came before or after the next command is a matter of luck, what it is not."""
        for phase in ('banner', 'ehlo', 'mail', 'rcpt', 'stored'):
            with self.subTest(phase), BrokenServer({phase: twice}) as server:
                load = self.hostile(server, code=(FINE, FAILED, UNAVAILABLE))
                self.assertTrue(set(load.failures()) <= {'unasked reply', 'out of step'},
                                load.failures())
                self.assertTrue(load.failures() or phase == 'stored')

    def test_a_server_that_does_not_read(self):
        for flags in ((), ('--chunking',)):
            phase = 'rcpt' if flags else 'data'
            reply = b'250 ok\r\n' if flags else b'354 go ahead\r\n'
            with self.subTest(flags), BrokenServer({phase: say(reply, deaf)}) as server:
                load = self.hostile(server, '--size', '16M', *flags, timeout=SHORT, code=FAILED,
                                    failed=COUNT)
                self.assertEqual(load.failures(), {'timeout': COUNT})

    def test_tls_that_fails(self):
        certificate = make_certificate(self.folder)
        ready = b'220 go ahead\r\n'
        cases = (
            ('TLS failed', no_handshake),
            ('TLS failed', say(ready, close)),
            ('TLS failed', say(ready, reset)),
            ('timeout', say(ready, hang)),
            ('no TLS', say(b'454 4.7.0 not now\r\n')),
            ('connection lost', close),
        )
        self.together(self.fruitless, [(f'{name}: {fault}', name, {'starttls': fault}, '--starttls')
                                       for name, fault in cases])
        self.fruitless('no TLS', {}, '--starttls')
        with BrokenServer(certificate=certificate) as server:
            self.hostile(server, '--starttls', acked=COUNT)

    def test_smtps_to_a_server_in_clear(self):
        with BrokenServer() as server:
            server.url = server.url.replace('smtp:', 'smtps:')
            load = self.hostile(server, timeout=SHORT, code=UNAVAILABLE)
            self.assertEqual(set(load.failures()), {'TLS failed'})

    def test_a_certificate_that_nobody_vouches_for(self):
        with BrokenServer(certificate=make_certificate(self.folder)) as server:
            load = self.hostile(server, '--starttls', '--verify', code=UNAVAILABLE)
            self.assertEqual(set(load.failures()), {'TLS failed'})
            self.hostile(server, '--starttls', '--verify', '--ca', self.path('cert.pem'),
                         acked=COUNT)

    def test_authentication(self):
        with BrokenServer({'auth': late(0)}) as server:
            self.hostile(server, '--auth', 'user:pass:word', acked=COUNT)
            self.assertIn(server.verbs['auth'], range(1, COUNT + 1))
        for name, faults in (('turned away', {'auth': say(b'535 5.7.8 wrong\r\n')}),
                             ('garbage', {'auth': say(b'what?\r\n')}), ('no AUTH', {})):
            with self.subTest(name):
                self.fruitless(name, faults, '--auth', 'user:any')

    def test_lmtp_answers_for_each_recipient(self):
        with BrokenServer({'commit': first(5, say(b'452 4.2.2 full\r\n'))}) as server:
            server.url = server.url.replace('smtp:', 'lmtp:')
            load = self.hostile(server, '--recipients', 4, code=FAILED)
            self.assertEqual(load.report['recipients']['refused'], 5)
            self.assertEqual(load.report['recipients']['acked'], 4 * COUNT - 5)
            self.check_stored(load, lambda mailbox: fetch(server.pop3_port, mailbox))

    def test_what_was_refused_for_now_is_tried_again(self):
        with BrokenServer({'rcpt': first(5, say(b'450 4.2.1 later\r\n'))}) as server:
            load = self.hostile(server, '--retry', 2, acked=COUNT)
            self.assertEqual(load.report['retries'], 5)
            self.assertEqual(load.report['replies']['450'], 5)
            self.check_stored(load, lambda mailbox: fetch(server.pop3_port, mailbox))
        with BrokenServer({'mail': say(b'450 4.2.1 later\r\n')}) as server:
            load = self.hostile(server, '--retry', 1, code=FAILED, refused=COUNT)
            self.assertEqual(load.report['retries'], COUNT)
        with BrokenServer({'mail': first(1, say(b'550 5.7.1 never\r\n'))}) as server:
            load = self.hostile(server, '--retry', 1, code=FAILED, refused=1, acked=COUNT - 1)
            self.assertEqual(load.report['retries'], 0)

    def test_slow_is_not_dead(self):
        with BrokenServer({'mail': late(0.2)}) as server:
            load = self.hostile(server, acked=COUNT)
            self.assertGreater(load.percentile('p50', 'mail'), 199)

    def test_a_server_that_never_speaks(self):
        """Nothing was sent, which is no success; and it is not waited for when the time is over."""
        for flags in ((), ('--rate', 50)):
            with self.subTest(flags), BrokenServer({'banner': hang}) as server:
                started = time.monotonic()
                load = self.blast(server.url, '--duration', '1s', '--connections', 2, *flags,
                                  '--timeout', '60s', code=UNAVAILABLE, seconds=30)
                self.assertLess(time.monotonic() - started, QUICK_SECONDS)
                self.assertEqual(load.messages['sent'], 0)
                self.assertEqual(load.failures(), {'timeout': 2})
                self.assertIn('timeout', load.result.stderr)

    def test_where_nobody_listens(self):
        with BrokenServer() as server:
            url = server.url
        load = self.blast(url, '--messages', COUNT, code=UNAVAILABLE)
        self.assertEqual(load.messages['sent'], 0)
        self.assertEqual(len(load.result.stderr.splitlines()), 1, load.result.stderr)
