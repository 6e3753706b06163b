"""Every sender with every fetcher: what goes in by one comes out by any other, byte for byte."""
import os

import clients
from cases import ServerCase
from mailrace import message, without_trace

BODY = (b'Plain text, a dot at a line\'s start:\r\n.hidden\r\n..two\r\n\r\n'
        b'and a line of the longest kind\r\n' + b'x' * 998 + b'\r\nthe end.\r\n')


class Matrix(ServerCase):
    def test_every_sender_with_every_fetcher(self):
        for send in clients.SENDERS:
            mailbox = f'{send.__name__.replace("_", "-")}@example.test'
            mail = message(f'by {send.__name__}', BODY)
            send(self.server, mail, mailbox, self.folder)
            for fetch in clients.FETCHERS:
                with self.subTest(f'{send.__name__} to {fetch.__name__}'):
                    folder = os.path.join(self.folder, send.__name__ + fetch.__name__)
                    os.mkdir(folder)
                    self.assertEqual(without_trace(fetch(self.server, mailbox, folder)), mail)

    def test_curl_lists_and_takes_uidls(self):
        for subject in ('one', 'two', 'three'):
            self.server.send(message(subject), 'list@example.test')
        url = f'pop3://127.0.0.1:{self.server.pop3_port}/'
        user = ('--silent', '--show-error', '--user', 'list@example.test:any')
        sizes = clients.command('curl', *user, url).split()
        uidls = clients.command('curl', *user, '--request', 'UIDL', url).split()
        self.assertEqual([number for number in sizes[::2]], [b'1', b'2', b'3'])
        self.assertEqual(len(set(uidls[1::2])), 3)
