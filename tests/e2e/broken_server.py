r"""A mail server that breaks its promises exactly as it is told: SMTP or LMTP in, POP3 out.

  with BrokenServer(drop_every=100, duplicate={7}, flip={13}) as server: …
  with BrokenServer({'mail': first(3, say(b'451 later\r\n')), 'data': reset}) as server: …

Damage is done to the n-th message that is accepted (from 1). A fault takes the place of the reply
in a phase: `banner ehlo helo starttls auth mail rcpt data commit rset noop quit`, `stored` (the
reply to the end of data, the message being there already), and `pop3 VERB` or `pop3 banner`.
"""
import asyncio
import contextlib
import re
import socket
import ssl
import struct
import threading
import time

from ways import way

EXTENSIONS = ('PIPELINING', 'SIZE 0', '8BITMIME', 'CHUNKING', 'ENHANCEDSTATUSCODES')
STORED = b'250 2.0.0 stored\r\n'
LINE_BYTES_MAX = 1 << 26
RECEIVE_BYTES = 4096  # so that a client soon notices that nobody reads


class Over(Exception):
    """The connection is."""


# --------------------------------------------------------------------------- faults ----
# Each is called instead of sending a reply. True: the reply has been given after all.

def say(reply, then=None):
    """Another reply; afterwards perhaps another fault."""
    async def fault(session, usual):
        await session.send(reply)
        return bool(then and await then(session, usual))
    return fault


async def hang(session, usual):
    """Reads on, never answers."""
    del usual
    while await session.reader.read(65536):
        pass
    raise Over


async def deaf(session, usual):
    """Neither reads nor answers."""
    del usual
    session.writer.transport.pause_reading()
    await asyncio.sleep(3600)


async def close(session, usual):
    raise Over


async def reset(session, usual):
    connection = session.writer.get_extra_info('socket')
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    session.writer.transport.abort()
    raise Over


async def twice(session, usual):
    await session.send(usual + usual)
    return True


async def no_handshake(session, usual):
    """Agrees to TLS, then speaks something else."""
    await session.send(usual)
    await session.reader.read(1)
    await session.send(b'this is no handshake\r\n' * 4)
    raise Over


async def endless(session, usual):
    """A reply of lines without end."""
    while True:
        await session.send(usual[:3] + b'-and so on\r\n')


def late(seconds):
    async def fault(session, usual):
        await asyncio.sleep(seconds)
        await session.send(usual)
        return True
    return fault


def first(count, fault):
    """Only so many times."""
    return among(lambda number: number <= count, fault)


def after(count, fault):
    """Only from then on."""
    return among(lambda number: number > count, fault)


def every(count, fault):
    return among(lambda number: number % count == 0, fault)


def among(chosen, fault):
    number = 0

    async def counting(session, usual):
        nonlocal number
        number += 1
        if chosen(number):
            return await fault(session, usual)
        await session.send(usual)
        return True
    return counting


# --------------------------------------------------------------------------- server ----

class BrokenServer:
    """`faults`: by phase. `drip`: every reply of SMTP goes out byte by byte. `wordy`: all of them
    but the banner have several lines. `certificate`: a pair of files; STARTTLS is offered then,
    and also when it has a fault."""

    def __init__(self, faults=None, *, drop_every=0, duplicate=(), flip=(), drip=False,
                 wordy=False, certificate=None, extensions=EXTENSIONS):
        way().need(type(self).__name__)
        self.faults = dict(faults or {})
        self.drop_every, self.duplicate, self.flip = drop_every, set(duplicate), set(flip)
        self.drip, self.wordy = drip, wordy
        self.extensions = list(extensions)
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        if certificate or 'starttls' in self.faults:
            self.extensions.append('STARTTLS')
        if 'auth' in self.faults:
            self.extensions.append('AUTH PLAIN LOGIN')
        self.accepted = 0
        self.lost = self.duplicated = self.corrupted = 0  # what it did, message by recipient
        self.maildrops = {}
        self.verbs = {}  # how often each was said, over SMTP
        self.peers = set()  # addresses that connected
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()
        self._sockets = [self._listen(), self._listen()]
        self.smtp_port, self.pop3_port = (each.getsockname()[1] for each in self._sockets)
        self.url = f'smtp://127.0.0.1:{self.smtp_port}'
        self.pop3_url = f'pop3://127.0.0.1:{self.pop3_port}'

    @staticmethod
    def _listen():
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        listener.bind(('127.0.0.1', 0))
        return listener

    def __enter__(self):
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def stall(self, seconds):
        """Everybody waits for so long, from now; returns at once."""
        self._loop.call_soon_threadsafe(time.sleep, seconds)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            for listener, kind in zip(self._sockets, (SmtpSession, Pop3Session)):
                self._loop.run_until_complete(asyncio.start_server(
                    self._serve(kind), sock=listener, limit=LINE_BYTES_MAX, backlog=512))
            self._loop.call_soon(self._started.set)
            self._loop.run_forever()
        finally:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0.01))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            for listener in self._sockets:
                listener.close()

    def _serve(self, kind):
        async def serve(reader, writer):
            session = kind(self, reader, writer)
            self.peers.add(writer.get_extra_info('peername')[0])
            with contextlib.suppress(Over, OSError, EOFError, ValueError, asyncio.CancelledError):
                await session.run()
            session.writer.close()
        return serve

    def store(self, recipients, message):
        """Keeps a message, or breaks it."""
        self.accepted += 1
        number, copies = self.accepted, [message]
        if self.drop_every and number % self.drop_every == 0:
            copies = []
            self.lost += len(recipients)
        elif number in self.duplicate:
            copies *= 2
            self.duplicated += len(recipients)
        elif number in self.flip:
            copies = [flipped(message)]
            self.corrupted += len(recipients)
        for recipient in recipients:
            self.maildrops.setdefault(recipient, []).extend(copies)


def flipped(message):
    """With another letter in the middle of the body."""
    body = message.index(b'\r\n\r\n') + 4
    places = [match.start() for match in re.finditer(rb'[A-Za-z0-9 ]', message[body:])]
    place = body + places[len(places) // 2]
    return message[:place] + b'~' + message[place + 1:]


class Session:
    """One connection."""
    prefix = ''

    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, phase, usual):
        """True when the reply was given as it should be."""
        fault = self.server.faults.get(self.prefix + phase)
        if fault:
            return await fault(self, usual)
        await self.send(usual)
        return True

    async def line(self):
        line = await self.reader.readuntil(b'\r\n')
        return line[:-2]


class SmtpSession(Session):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.secure = self.lmtp = False
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.chunks = None, [], b''

    async def send(self, data):
        if not self.server.drip:
            return await super().send(data)
        for byte in data:
            await super().send(bytes([byte]))
            await asyncio.sleep(0)

    async def reply(self, phase, usual):
        if self.server.wordy and phase != 'banner':
            code, text = usual[:3], usual[4:]
            usual = b''.join(code + b'-line %d\r\n' % number for number in range(5))
            usual += code + b' ' + text
        return await super().reply(phase, usual)

    async def run(self):
        await self.reply('banner', b'220 broken.example.test ESMTP\r\n')
        while True:
            verb, _, rest = (await self.line()).partition(b' ')
            verb = verb.decode().lower()
            self.server.verbs[verb] = self.server.verbs.get(verb, 0) + 1
            method = getattr(self, 'do_' + verb, None)
            if method is None:
                await self.send(b'500 5.5.1 what?\r\n')
            else:
                await method(rest)

    async def do_lhlo(self, rest):
        self.lmtp = True
        await self.do_ehlo(rest)

    async def do_ehlo(self, _):
        hidden = ('STARTTLS',) if self.secure else ()
        lines = ['broken.example.test', *(word for word in self.server.extensions
                                          if word not in hidden)]
        reply = ''.join(f'250-{line}\r\n' for line in lines[:-1]) + f'250 {lines[-1]}\r\n'
        self.reset()
        await Session.reply(self, 'ehlo', reply.encode())  # wordy as it is

    async def do_helo(self, _):
        self.reset()
        await self.reply('helo', b'250 broken.example.test\r\n')

    async def do_starttls(self, _):
        if await self.reply('starttls', b'220 2.0.0 go ahead\r\n'):
            await self.writer.start_tls(self.server.context)
            self.secure = True

    async def do_auth(self, _):
        await self.reply('auth', b'235 2.7.0 welcome\r\n')

    async def do_mail(self, rest):
        if await self.reply('mail', b'250 2.1.0 sender ok\r\n'):
            self.reset()
            self.sender = path_of(rest)

    async def do_rcpt(self, rest):
        if self.sender is None:
            await self.send(b'503 5.5.1 MAIL first\r\n')
        elif await self.reply('rcpt', b'250 2.1.5 recipient ok\r\n'):
            self.recipients.append(path_of(rest))

    async def do_data(self, _):
        if not self.recipients:
            await self.send(b'554 5.5.1 no valid recipients\r\n')
        elif await self.reply('data', b'354 go ahead\r\n'):
            wire = b'\r\n' + await self.reader.readuntil(b'\r\n.\r\n')
            await self.commit(wire[2:-3].replace(b'\r\n..', b'\r\n.'))

    async def do_bdat(self, rest):
        words = rest.split()
        self.chunks += await self.reader.readexactly(int(words[0]))
        if not self.recipients:
            await self.send(b'554 5.5.1 no valid recipients\r\n')
        elif words[1:] == [b'LAST']:
            await self.commit(self.chunks)
        else:
            await self.send(b'250 2.0.0 more\r\n')

    async def commit(self, message):
        recipients = self.recipients
        self.reset()
        for group in [[each] for each in recipients] if self.lmtp else [recipients]:
            if 'commit' not in self.server.faults:
                self.server.store(group, message)
                await self.reply('stored', STORED)
            elif await self.reply('commit', STORED):
                self.server.store(group, message)

    async def do_rset(self, _):
        self.reset()
        await self.reply('rset', b'250 2.0.0 forgotten\r\n')

    async def do_noop(self, _):
        await self.reply('noop', b'250 2.0.0 done\r\n')

    async def do_quit(self, _):
        await self.reply('quit', b'221 2.0.0 bye\r\n')
        raise Over


def path_of(rest):
    return re.search(rb'<(.*?)>', rest)[1].decode()


class Pop3Session(Session):
    prefix = 'pop3 '

    async def run(self):
        self.messages, self.deleted, self.user = [], set(), ''
        await self.reply('banner', b'+OK broken\r\n')
        while True:
            words = (await self.line()).decode().split()
            method = getattr(self, 'do_' + words[0].lower(), None)
            if method is None:
                await self.send(b'-ERR what?\r\n')
            else:
                await method(*words[1:])

    async def do_capa(self):
        await self.reply('capa', b'+OK\r\nUSER\r\nUIDL\r\nPIPELINING\r\n.\r\n')

    async def do_user(self, user):
        self.user = user
        await self.reply('user', b'+OK\r\n')

    async def do_pass(self, *_):
        if await self.reply('pass', b'+OK\r\n'):
            self.messages = list(self.server.maildrops.get(self.user, ()))

    async def do_stat(self):
        size = sum(map(len, self.messages))
        await self.reply('stat', f'+OK {len(self.messages)} {size}\r\n'.encode())

    async def listing(self, phase, numbers, describe):
        if numbers:
            number = int(numbers[0])
            await self.reply(phase, f'+OK {number} {describe(number)}\r\n'.encode())
            return
        lines = [f'{number} {describe(number)}\r\n' for number in range(1, len(self.messages) + 1)
                 if number not in self.deleted]
        await self.reply(phase, ('+OK\r\n' + ''.join(lines) + '.\r\n').encode())

    async def do_list(self, *numbers):
        await self.listing('list', numbers, lambda number: len(self.messages[number - 1]))

    async def do_uidl(self, *numbers):
        await self.listing('uidl', numbers, lambda number: f'{number:08d}')

    async def do_retr(self, number):
        message = self.messages[int(number) - 1]
        wire = (b'+OK %d octets\r\n' % len(message) + message).replace(b'\r\n.', b'\r\n..')
        await self.reply('retr', wire + b'.\r\n')

    async def do_dele(self, number):
        if await self.reply('dele', b'+OK\r\n'):
            self.deleted.add(int(number))

    async def do_noop(self):
        await self.reply('noop', b'+OK\r\n')

    async def do_quit(self):
        if await self.reply('quit', b'+OK\r\n') and self.deleted:
            self.server.maildrops[self.user] = [
                message for number, message in enumerate(self.messages, 1)
                if number not in self.deleted]
        raise Over
