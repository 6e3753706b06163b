"""Real mail clients as functions: each sends to, or fetches from, a Server and fails loudly."""
import os
import pathlib
import shutil
import subprocess
import unittest

PATH = os.environ['PATH'] + ':/usr/sbin:/sbin'


def command(*arguments, stdin=b'', codes=(0,), seconds=120, **environment):
    """Runs a client to its end; its stdout as bytes."""
    program = shutil.which(str(arguments[0]), path=PATH)
    if program is None:
        raise unittest.SkipTest(f'{arguments[0]} is not installed')
    result = subprocess.run([program, *map(str, arguments[1:])], input=stdin, timeout=seconds,
                            capture_output=True, env={**os.environ, **environment})
    if result.returncode not in codes:
        output = (result.stdout + result.stderr).decode(errors='replace')[-2000:]
        raise AssertionError(f'{arguments[0]} exited with {result.returncode}: {output}')
    return result.stdout


# -------------------------------------------------------------------------- senders ----
# Each takes a Server, a message that ends with CRLF, its recipient and an empty folder.

def swaks(server, message, recipient, folder):
    path = pathlib.Path(folder, 'swaks.eml')
    path.write_bytes(message[:-2])  # swaks ends the last line itself
    command('swaks', '--server', f'127.0.0.1:{server.smtp_port}', '--from', 'sender@example.test',
            '--to', recipient, '--data', f'@{path}', '--suppress-data')


def curl_smtp(server, message, recipient, folder):
    del folder
    command('curl', '--silent', '--show-error', f'smtp://127.0.0.1:{server.smtp_port}/client.test',
            '--mail-from', 'sender@example.test', '--mail-rcpt', recipient,
            '--upload-file', '-', stdin=message)


def smtplib_client(server, message, recipient, folder):
    del folder
    server.send(message, recipient)


def raw_socket(server, message, recipient, folder):
    """The body, its end and QUIT in one segment, by hand."""
    del folder
    lines = message.split(b'\r\n')
    stuffed = b'\r\n'.join(b'.' + line if line.startswith(b'.') else line for line in lines)
    with server.wire() as wire:
        wire.transaction(recipient)
        wire.send(stuffed + b'.\r\nQUIT\r\n')
        codes = wire.codes(2)
        if codes != [250, 221]:
            raise AssertionError(f'the body and QUIT were answered {codes}')


SENDERS = (swaks, curl_smtp, smtplib_client, raw_socket)


def smtp_source(server, messages, connections, size, recipients=1, to='load@example.test'):
    """Postfix's load generator on reused connections; fails unless every message is accepted."""
    command('smtp-source', '-s', connections, '-m', messages, '-l', size, '-d', '-r', recipients,
            '-f', 'sender@example.test', '-t', to,
            f'127.0.0.1:{server.smtp_port}', seconds=600)


# -------------------------------------------------------------------------- fetchers ----
# Each takes a Server, a mailbox with one message and an empty folder, and returns the message
# with CRLF line ends.

def poplib_client(server, mailbox, folder):
    del folder
    return server.fetch(mailbox)[0]


def curl_pop3(server, mailbox, folder):
    del folder
    return command('curl', '--silent', '--show-error', f'pop3://127.0.0.1:{server.pop3_port}/1',
                   '--user', f'{mailbox}:any')


def mpop(server, mailbox, folder):
    """Delivers by command, and with LF line ends."""
    path = pathlib.Path(folder, 'mpop.eml')
    command('mpop', '--file=', '--host=127.0.0.1', f'--port={server.pop3_port}', '--tls=off',
            '--auth=user', f'--user={mailbox}', '--passwordeval=echo any', '--keep=on',
            '--received-header=off', f'--uidls-file={folder}/uidls',
            f'--delivery=mda,cat > {path}', '--quiet', HOME=str(folder))
    return with_crlf(path.read_bytes())


def fetchmail(server, mailbox, folder):
    path, settings = pathlib.Path(folder, 'fetched.eml'), pathlib.Path(folder, 'fetchmailrc')
    settings.write_text(
        f'poll 127.0.0.1 protocol pop3 port {server.pop3_port} no dns\n'
        f'  user "{mailbox}" password "any" keep fetchall sslproto "" mda "cat > {path}"\n')
    settings.chmod(0o600)
    command('fetchmail', '--fetchmailrc', settings, '--invisible', '--nosyslog', '--norewrite',
            FETCHMAILHOME=str(folder), HOME=str(folder))
    return with_crlf(path.read_bytes())


def with_crlf(data):
    return data.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')


FETCHERS = (poplib_client, curl_pop3, mpop, fetchmail)
