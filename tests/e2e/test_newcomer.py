"""What the README promises: serve, one mail in, the same mail out."""
import os
import pathlib
import pwd
import re
import unittest

import clients
from cases import FolderCase
from mailrace import ROOT, Server, message, run, without_trace


class Newcomer(FolderCase):
    def test_serve_then_swaks_then_curl(self):
        mail = message('first mail', b'Is anybody there?\r\n')
        with Server() as server:
            clients.swaks(server, mail, 'alice@example.test', self.folder)
            fetched = clients.curl_pop3(server, 'alice@example.test', self.folder)
            self.assertEqual(without_trace(fetched), mail)
            self.assertEqual(server.terminate(), 0)

    def test_one_line_per_listener_then_ready(self):
        with Server() as server:
            text = '\n'.join(server.lines)
            for port in (server.smtp_port, server.pop3_port):
                self.assertEqual(len(re.findall(rf'127\.0\.0\.1:{port}\b', text)), 1, text)
            self.assertRegex(server.lines[-1], r'\bready$')

    def test_the_banner_and_extensions(self):
        with Server('--hostname', 'mx.example.test') as server:
            with server.wire() as wire:
                code, text = wire.command(b'EHLO client.test')
                self.assertEqual(code, 250)
                self.assertTrue(text.startswith('mx.example.test'), text)
                for word in ('PIPELINING', 'SIZE', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES'):
                    self.assertIn(word, text.split())
                self.assertEqual(wire.command(b'QUIT')[0], 221)


@unittest.skipUnless(os.geteuid() == 0, 'needs root, to become somebody else')
class Privileges(FolderCase):
    def test_user_is_taken_on_for_good(self):
        os.chmod(self.folder, 0o755)
        nobody = pwd.getpwnam('nobody')
        with Server('--user', 'nobody', store=os.path.join(self.folder, 'store')) as server:
            status = pathlib.Path(f'/proc/{server.process.pid}/status').read_text()
            for name, number in (('Uid', nobody.pw_uid), ('Gid', nobody.pw_gid)):
                numbers = re.search(rf'^{name}:\s+(.*)$', status, re.MULTILINE)[1].split()
                self.assertEqual(set(numbers), {str(number)})
            server.send(message('as nobody'), 'alice@example.test')
            self.assertEqual(server.count('alice@example.test'), 1)
            self.assertEqual(os.stat(server.store).st_uid, nobody.pw_uid)


class Commands(FolderCase):
    def subcommands(self):
        """Those that the program's own help lists."""
        result = run('--help')
        self.assertEqual(result.returncode, 0, result.stderr)
        names = re.findall(r'^  (?:mailrace )?([a-z]+)\b', result.stdout, re.MULTILINE)
        self.assertIn('serve', names)
        self.assertIn('store', names)
        return sorted(set(names) - {'help'})

    def test_every_command_has_help(self):
        for name in self.subcommands():
            with self.subTest(name):
                result = run(name, '--help')
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn('mailrace ' + name, result.stdout)
                self.assertRegex(result.stdout, '(?i)example')

    def test_every_command_has_a_man_page(self):
        for name in self.subcommands():
            with self.subTest(name):
                self.assertTrue(pathlib.Path(ROOT, f'man/mailrace-{name}.1').exists())

    def test_the_man_page_names_every_flag(self):
        for name in self.subcommands():
            page = pathlib.Path(ROOT, f'man/mailrace-{name}.1')
            known = page.read_text().replace('\\-', '-') if page.exists() else ''
            for flag in sorted(set(re.findall(r'--[a-z][a-z-]+', run(name, '--help').stdout))):
                with self.subTest(f'{name} {flag}'):
                    self.assertIn(flag, known)
