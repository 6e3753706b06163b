"""Servers and clients as processes: each on a core of its own, bounded in time, measured."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

# Whatever happens to this program, nothing that it started outlives these.
CLIENT_SECONDS_MAX = 120
SERVER_SECONDS_MAX = 300
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
SETTLE_SECONDS_MAX = 10  # before a load
QUIET_NS = 5_000_000  # of processor time in 0.1 s


class Failure(Exception):
    """Something could not be measured: the reason in one line."""


def find_program(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Failure(f"{name} is not installed (package {package})")
    return path


def cpu_ns(pid):
    """Processor time of a process so far: CPUCLOCK_SCHED of its thread group, which includes the
    kernel's workers for its io_uring."""
    return time.clock_gettime_ns(((~pid) << 3) | 2)


def written_bytes(pid):
    """What a process has had written to disks so far, as far as we may know."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            return int(re.search(r"^write_bytes: (\d+)", file.read(), re.MULTILINE)[1])
    except OSError:
        return 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def metric(port, name):
    """The sum of a metric over all shards."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        lines = page.read().decode("ascii").splitlines()
    return sum(float(line.split()[-1]) for line in lines
               if re.match(rf"mailrace_{name}[{{ ]", line))


def confine(core, seconds):
    """For a child before its exec: one core, and an alarm that ends it."""
    def prepare():
        os.sched_setaffinity(0, {core})
        signal.alarm(seconds)
    return prepare


def last_line(lines):
    return lines[-1] if lines else "no message"


class Client:
    """A client that ran to its end: what it printed and how it ended, its processor time."""

    def __init__(self, command, core):
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdout=output, stderr=errors,
                                       stdin=subprocess.DEVNULL,
                                       preexec_fn=confine(core, CLIENT_SECONDS_MAX))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.output, self.errors = (self._text(file) for file in (output, errors))
        self.name = os.path.basename(command[0])
        self.code = process.returncode
        self.seconds = usage.ru_utime + usage.ru_stime

    @staticmethod
    def _text(file):
        file.seek(0)
        return file.read().decode(errors="replace").strip()

    def must_end_well(self):
        if self.code != 0:
            raise Failure(f"{self.name} ended with {self.code}: "
                          f"{last_line((self.errors or self.output).splitlines())}")
        return self


class Server:
    """A server process on a core of its own, from start to stop."""

    def __init__(self, command, core):
        self.name = os.path.basename(command[0])
        self.lines = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
            preexec_fn=confine(core, SERVER_SECONDS_MAX))
        self.ready = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines = (self.lines + [line.rstrip()])[-20:]
            if line.strip().endswith("ready"):
                self.ready.set()

    def wait(self, condition):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.reader.join(1)
                raise Failure(f"{self.name} did not start: {last_line(self.lines)}")
            time.sleep(0.02)
        self.settle()

    def settle(self, seconds=SETTLE_SECONDS_MAX):
        """Preparing a store is not part of taking mail: waits until the server is quiet and writes
        nothing. One that polls is never quiet altogether."""
        deadline = time.monotonic() + seconds
        used, written = -1, -1
        while time.monotonic() < deadline:
            before = used, written
            used, written = cpu_ns(self.process.pid), written_bytes(self.process.pid)
            if used - before[0] <= QUIET_NS and written == before[1]:
                return
            time.sleep(0.1)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{self.name} did not stop within {STOP_SECONDS_MAX} s") from None
        finally:
            self.reader.join(1)
            self.process.stderr.close()
