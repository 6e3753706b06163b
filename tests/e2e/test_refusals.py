"""What can't work is refused at once: one line that names the cause, the right exit code."""
import os
import pathlib
import shutil
import socket
import unittest
from unittest import mock

from cases import FolderCase
from mailrace import Server, free_port, message, program, run

USAGE, NO_INPUT, UNAVAILABLE, SYSTEM, CANNOT_CREATE = 64, 66, 69, 71, 73
IO_ERROR, TRY_AGAIN, DENIED, CONFIG = 74, 75, 77, 78


class Refusing(FolderCase):
    def assert_refused(self, codes, *names, command, **keywords):
        """One line on stderr, with every one of `names`; warnings may precede it."""
        result = run(*command, seconds=10, **keywords)
        codes = codes if isinstance(codes, tuple) else (codes,)
        self.assertIn(result.returncode, codes, result.stderr)
        lines = [line for line in result.stderr.splitlines() if not line.startswith('warning')]
        self.assertEqual(len(lines), 1, result.stderr)
        for name in names:
            self.assertIn(str(name), lines[0])
        self.assertEqual(result.stdout, '')

    def serve(self, *flags, store='store', smtp=None):
        return ('serve', '--store', os.path.join(self.folder, store),
                '--smtp', smtp or f'127.0.0.1:{free_port()}', *flags)


class Refusals(Refusing):
    def test_wrong_usage(self):
        store = os.path.join(self.folder, 'store')
        cases = (
            (('serve', '--frob'), '--frob'),
            (('serve', '--store'), '--store'),
            (('serve', '--store', store, '--smtp', 'nonsense', '--accept-all'), '--smtp'),
            (('serve', '--store', store, '--smtp', '127.0.0.1:70000', '--accept-all'), '70000'),
            (('serve', '--smtp', '127.0.0.1:2525', '--accept-all'), '--store'),
            (('serve', '--store', store, '--accept-all'), '--smtp'),
            (self.serve(), '--accept-all'),
            (self.serve('--accept-all', '--pop3', '127.0.0.1:1'), '--any-password'),
            (self.serve('--accept-all', '--shards', 'many'), '--shards'),
            (self.serve('--accept-all', '--shards', '0'), '--shards'),
            (self.serve('--accept-all', '--max-message', '10Q'), '--max-message'),
            (self.serve('--accept-all', '--durability', 'maybe'), '--durability'),
            (self.serve('--accept-all', 'stray'), 'stray'),
            (('frob',), 'frob'),
            (('store', 'frob'), 'frob'),
            (('store', 'info'), 'store'),
            (('store', 'ls', store), 'store ls'),
            ((), '--help'),
        )
        for command, name in cases:
            with self.subTest(' '.join(command)):
                self.assert_refused(USAGE, name, '--help', command=command)

    def test_any_password_only_on_loopback(self):
        command = self.serve('--accept-all', '--any-password', '--pop3', f'0.0.0.0:{free_port()}')
        self.assert_refused(USAGE, '--any-password', command=command)

    def test_an_address_in_use(self):
        with socket.socket() as holder:
            holder.bind(('127.0.0.1', 0))
            holder.listen()
            address = f'127.0.0.1:{holder.getsockname()[1]}'
            self.assert_refused(UNAVAILABLE, address,
                                command=self.serve('--accept-all', smtp=address))

    def test_an_address_that_another_serve_has(self):
        with Server() as server:
            address = f'127.0.0.1:{server.smtp_port}'
            self.assert_refused(UNAVAILABLE, address,
                                command=self.serve('--accept-all', smtp=address))

    def test_a_store_that_another_serve_has(self):
        with Server() as server:
            self.assert_refused(TRY_AGAIN, server.store,
                                command=self.serve('--accept-all', store=server.store))
            server.send(message('still there'), 'alice@example.test')
            result = run('store', 'ls', server.store, 'alice@example.test')
            self.assertEqual(len(result.stdout.splitlines()), 1, result.stderr)

    def test_no_store_to_look_into(self):
        path = os.path.join(self.folder, 'nowhere')
        for command in (('info', path), ('verify', path), ('mailboxes', path),
                        ('ls', path, 'a@example.test'), ('cat', path, 'AAAAAAAAAAAAA.0')):
            with self.subTest(command[0]):
                self.assert_refused(NO_INPUT, path, command=('store', *command))
        self.assertFalse(os.path.exists(path))

    def test_a_message_that_is_not_there(self):
        with Server() as server:
            server.send(message('one'), 'alice@example.test')
            self.assert_refused(NO_INPUT, '0000000000000.0',
                                command=('store', 'cat', server.store, '0000000000000.0'))

    def test_files_that_are_missing_or_broken(self):
        missing = os.path.join(self.folder, 'missing')
        broken = pathlib.Path(self.folder, 'broken')
        broken.write_text('alice:{NOSUCHSCHEME}x\n')
        pop3 = ('--pop3', f'127.0.0.1:{free_port()}')
        self.assert_refused(NO_INPUT, missing, command=self.serve('--accept-all', '--passwd',
                                                                  missing, *pop3))
        self.assert_refused(NO_INPUT, missing, command=self.serve('--recipients', missing))
        self.assert_refused(CONFIG, broken, command=self.serve('--accept-all', '--passwd',
                                                               broken, *pop3))

    def test_a_store_path_that_is_a_file(self):
        path = pathlib.Path(self.folder, 'file')
        path.write_text('not a folder\n')
        self.assert_refused((SYSTEM, CANNOT_CREATE, IO_ERROR), path,
                            command=self.serve('--accept-all', store='file'))


@unittest.skipUnless(os.geteuid() == 0, 'needs root, to become somebody else')
class Permissions(Refusing):
    NOBODY = 65534

    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        # Somebody else may not be able to reach the build.
        copy = os.path.join(self.folder, 'mailrace')
        shutil.copy(program(), copy)
        self.enterContext(mock.patch.dict(os.environ, MAILRACE_PROGRAM=copy))

    def test_a_passwd_file_that_may_not_be_read(self):
        store = pathlib.Path(self.folder, 'store')
        store.mkdir()
        os.chown(store, self.NOBODY, self.NOBODY)
        secret = pathlib.Path(self.folder, 'secret')
        secret.write_text('')
        secret.chmod(0o600)
        command = self.serve('--accept-all', '--passwd', secret,
                             '--pop3', f'127.0.0.1:{free_port()}')
        self.assert_refused(DENIED, secret, command=command, user=self.NOBODY)

    def test_a_store_that_may_not_be_written(self):
        store = pathlib.Path(self.folder, 'store')
        store.mkdir(mode=0o755)
        self.assert_refused(DENIED, store, command=self.serve('--accept-all'), user=self.NOBODY)
