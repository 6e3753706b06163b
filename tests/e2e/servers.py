"""Servers that are not ours, each on free loopback ports in a folder of its own: smtp-sink, Postfix
and Dovecot. `with Postfix() as postfix:` starts one and ends it; a failure inside shows the end of
its log."""
import contextlib
import getpass
import grp
import os
import pathlib
import poplib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import clients
from mailrace import free_port
from ways import way

START_SECONDS, DELIVERY_SECONDS = 30, 60
LOG_LINES = 12
NOBODY = 'nobody'


def is_root():
    return os.geteuid() == 0


def needs(program):
    path = shutil.which(program, path=clients.PATH)
    if path is None:
        raise unittest.SkipTest(f'{program} is not installed')
    return path


class Daemon:
    """A process and its folder, which holds its log too."""

    def __init__(self):
        way().need(type(self).__name__)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='mailrace-'))
        self.folder.chmod(0o755)  # some of them give up root
        self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, _, error, trace):
        self.explain(error)
        self.close()

    def path(self, *names):
        return self.folder.joinpath(*names)

    def start(self):
        with open(self.path('log'), 'ab') as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        for port in self.ports():
            while not listens(port):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f'{type(self).__name__} did not start:\n{self.log()}')
                time.sleep(0.02)
        return self

    def close(self):
        """With whatever it started: all of it is in a process group of its own, and has nothing to
        put in order."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        lines = self.path('log').read_text(errors='replace').splitlines()
        return '\n'.join(line[:300] for line in lines[-LOG_LINES:])

    def explain(self, error):
        if error is not None:
            error.add_note(f'the log of {type(self).__name__} ends with:\n{self.log()}')

    @contextlib.contextmanager
    def explaining(self):
        """For servers that outlive the test."""
        try:
            yield self
        except Exception as error:
            self.explain(error)
            raise


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


class SmtpSink(Daemon):
    """Accepts everything and forgets it; or, dumping, keeps one file per message. No TLS, no
    CHUNKING. `flags` are its own, as ('-f', 'RCPT')."""

    def __init__(self, *flags, lmtp=False, dump=False):
        super().__init__()
        self.program = needs('smtp-sink')
        self.smtp_port = free_port()
        self.url = f'{"lmtp" if lmtp else "smtp"}://127.0.0.1:{self.smtp_port}'
        self.flags = [*flags, *(['-L'] if lmtp else [])]
        if is_root():
            self.flags += ['-u', NOBODY]
        if dump:
            self.path('dump').mkdir()
            self.path('dump').chmod(0o777)
            self.flags += ['-d', str(self.path('dump', '%M.'))]

    def command(self):
        return [self.program, *self.flags, f'127.0.0.1:{self.smtp_port}', '128']

    def ports(self):
        return [self.smtp_port]

    def dumped(self):
        """Every message with LF line ends, behind what smtp-sink says about its envelope and ahead
        of an empty line; a file is complete when its connection has ended."""
        return [path.read_bytes() for path in self.path('dump').iterdir()]


# -------------------------------------------------------------------------- Postfix ----

POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
local_transport = error
notify_classes =
biff = no
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = {tls}
smtpd_tls_cert_file = {folder}/cert.pem
smtpd_tls_key_file = {folder}/key.pem
in_flow_delay = 0
message_size_limit = 67108864
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = example.test
virtual_mailbox_base = {mail}
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_transport = virtual
"""

# service type private unprivileged chroot wakeup maxproc command
POSTFIX_MASTER = """\
127.0.0.1:{port} inet n - n - 60 smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
virtual unix - n n - 4 virtual
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming', 'pid',
          'private', 'public', 'saved', 'trace')


class Postfix(Daemon):
    """A whole instance that delivers user0@example.test … user9 to Maildirs of these names.
    `names`: other words than "user". `certificate`: a pair of files, for STARTTLS. `mail`: where
    the Maildirs go."""

    def __init__(self, names=('user',), certificate=None, mail=None):
        if not is_root():
            raise unittest.SkipTest('Postfix needs root')
        super().__init__()
        self.postconf = needs('postconf')
        self.smtp_port = free_port()
        self.url = f'smtp://127.0.0.1:{self.smtp_port}'
        self.mail = pathlib.Path(mail or self.path('mail'))
        self.users = [f'{name}{number}@example.test' for name in names for number in range(10)]
        self._create_folders()
        nobody = pwd.getpwnam(NOBODY)
        for name, place in zip(certificate or (), ('cert.pem', 'key.pem')):
            shutil.copy(name, self.path(place))
        self.path('etc', 'main.cf').write_text(POSTFIX_MAIN.format(
            folder=self.folder, mail=self.mail, uid=nobody.pw_uid, gid=nobody.pw_gid,
            tls='may' if certificate else 'none'))
        self.path('etc', 'master.cf').write_text(POSTFIX_MASTER.format(port=self.smtp_port))
        self.path('etc', 'mailboxes').write_text(
            ''.join(f'{user} {user}/\n' for user in self.users))
        for path in self.path('etc').iterdir():
            os.utime(path, (0, 0))  # it waits for files that were changed a moment ago

    def _create_folders(self):
        own, nobody = pwd.getpwnam('postfix'), pwd.getpwnam(NOBODY)
        for name in ('etc', 'queue'):
            self.path(name).mkdir()
        for place in ('data', *(f'queue/{name}' for name in QUEUES)):
            self.path(place).mkdir(mode=0o755 if place.endswith('pid') else 0o700)
            os.chown(self.path(place), own.pw_uid, own.pw_gid)
        os.chown(self.path('queue/pid'), 0, 0)
        os.chown(self.path('queue/public'), own.pw_uid, grp.getgrnam('postdrop').gr_gid)
        self.mail.mkdir(exist_ok=True)
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)

    def command(self):
        daemons = subprocess.run([self.postconf, '-dh', 'daemon_directory'], check=True,
                                 capture_output=True, text=True).stdout.strip()
        return [f'{daemons}/master', '-c', str(self.path('etc')), '-d']

    def ports(self):
        return [self.smtp_port]

    def delivered(self, user):
        """The user's messages with CRLF line ends, once all that was accepted is delivered."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        while queued := [path for queue in ('incoming', 'active', 'deferred')
                         for path in self.path('queue', queue).rglob('*') if path.is_file()]:
            if time.monotonic() > deadline:
                raise AssertionError(f'{len(queued)} messages are still in the queues')
            time.sleep(0.05)
        return [clients.with_crlf(path.read_bytes())
                for path in self.mail.joinpath(user, 'new').glob('*')]


# -------------------------------------------------------------------------- Dovecot ----

DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
instance_name = {folder}
protocols = lmtp pop3
listen = 127.0.0.1
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
default_process_limit = 200
default_client_limit = 1000
mail_location = maildir:{mail}/%u
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 0
hostname = dovecot.example.test
lmtp_save_to_detail_mailbox = no
auth_mechanisms = plain
auth_failure_delay = 0
disable_plaintext_auth = no
pop3_no_flag_updates = no
passdb {{
  driver = static
  args = password=any
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%u allow_all_users=yes
}}
service auth {{
  user = {internal}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service lmtp {{
  process_min_avail = 4
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service pop3-login {{
  chroot =
  service_count = 0
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3s_port}
  }}
}}
service pop3 {{
  process_min_avail = 2
  service_count = 1000
}}
"""

DOVECOT_TLS = """\
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
"""


class Dovecot(Daemon):
    """LMTP in, POP3 out, of any mailbox with the password "any". `certificate`: a pair of files,
    for POP3S and STLS. `mail`: a Maildir per mailbox, as Postfix above fills them."""

    def __init__(self, certificate=None, mail=None):
        super().__init__()
        self.program = needs('dovecot')
        self.lmtp_port, self.pop3_port = free_port(), free_port()
        self.pop3s_port = free_port() if certificate else 0
        self.url = f'lmtp://127.0.0.1:{self.lmtp_port}'
        self.pop3_url = f'pop3://127.0.0.1:{self.pop3_port}'
        self.pop3s_url = f'pop3s://127.0.0.1:{self.pop3s_port}'
        self.mail = pathlib.Path(mail or self.path('mail'))
        self.mail.mkdir(exist_ok=True)
        owner = pwd.getpwnam(NOBODY if is_root() else getpass.getuser())
        if is_root():
            os.chown(self.mail, owner.pw_uid, owner.pw_gid)
        internal = 'dovecot' if is_root() else owner.pw_name
        text = DOVECOT.format(
            folder=self.folder, mail=self.mail, uid=owner.pw_uid, gid=owner.pw_gid,
            internal=internal, login='dovenull' if is_root() else owner.pw_name,
            internal_group=grp.getgrgid(pwd.getpwnam(internal).pw_gid).gr_name,
            lmtp_port=self.lmtp_port, pop3_port=self.pop3_port, pop3s_port=self.pop3s_port)
        text += (DOVECOT_TLS.format(certificate=certificate[0], key=certificate[1])
                 if certificate else 'ssl = no\n')
        self.path('dovecot.conf').write_text(text)

    def command(self):
        return [self.program, '-F', '-c', str(self.path('dovecot.conf'))]

    def ports(self):
        return [port for port in (self.lmtp_port, self.pop3_port, self.pop3s_port) if port]

    def files(self, mailbox):
        """Of its messages, oldest first."""
        return sorted(path for folder in ('new', 'cur')
                      for path in self.mail.joinpath(mailbox, folder).glob('*'))


def fetch(port, mailbox, password='any'):
    """Every message of a mailbox on any POP3 server, as bytes with CRLF line ends."""
    client = poplib.POP3(way().beside, port, timeout=60)
    try:
        client.user(mailbox)
        client.pass_(password)
        messages = [b''.join(line + b'\r\n' for line in client.retr(number)[1])
                    for number in range(1, client.stat()[0] + 1)]
        client.quit()
        return messages
    finally:
        client.close()


def body_of(message):
    """What no relay may touch."""
    return message.partition(b'\r\n\r\n')[2]
