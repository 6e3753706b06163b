"""What compare.py measures: servers to start and stop, and clients to run against them.

Every server is pinned to one core and every client to another, all of them alike, and everything
listens on loopback only. A server's processor time is its whole thread group's (kernel workers of
its io_uring included), read from its process clock.
"""
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

# Whatever happens to this program, nothing that it started outlives these.
CLIENT_SECONDS_MAX = 120
SERVER_SECONDS_MAX = 300
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30

# What a message costs in bytes on the wire, as bench/load sends it and a server answers: the last
# turn of each dialogue, and how many turns there are. The ceiling moves the same.
DIALOGUES = {
    "plain": {"turns": 4, "bytes_in": 4300, "bytes_out": 60, "flags": []},
    "pipelined": {"turns": 2, "bytes_in": 4300, "bytes_out": 60, "flags": ["--pipeline"]},
    "chained": {"turns": 1, "bytes_in": 4370, "bytes_out": 130, "flags": ["--chain"]},
}


class Failure(Exception):
    """Something could not be measured: the reason in one line."""


@dataclass(frozen=True)
class Workload:
    connections: int
    dialogue: str
    messages: int

    @property
    def name(self):
        return f"{self.dialogue}, {self.connections} connections"


@dataclass(frozen=True)
class Place:
    """Where things run."""
    programs: str  # the folder of ceiling and load
    directory: str  # on the disk to measure
    server_core: int
    client_core: int


def process_ns(pid):
    """Processor time of a process so far: CPUCLOCK_SCHED of its thread group."""
    return time.clock_gettime_ns(((~pid) << 3) | 2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Failure(f"{name} is not installed (package postfix)")
    return path


def confine(core, seconds):
    """For a child before its exec: one core, and an alarm that ends it."""
    def prepare():
        os.sched_setaffinity(0, {core})
        signal.alarm(seconds)
    return prepare


def run_client(command, core):
    """Runs a client to its end; returns what it printed and its processor time in seconds."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL,
                                   preexec_fn=confine(core, CLIENT_SECONDS_MAX))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    if process.returncode != 0:
        last = text.splitlines()[-1] if text else "no message"
        raise Failure(f"{os.path.basename(command[0])} ended with {process.returncode}: {last}")
    return text, usage.ru_utime + usage.ru_stime


class Server:
    """A server process on a core of its own, from start to stop."""

    def __init__(self, command, place):
        self.name = os.path.basename(command[0])
        self.lines = []
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
            preexec_fn=confine(place.server_core, SERVER_SECONDS_MAX))
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
                last = self.lines[-1] if self.lines else "no message"
                raise Failure(f"{self.name} did not start: {last}")
            time.sleep(0.02)
        self.settle()

    def settle(self):
        """Preparing a store is not part of taking mail: waits until the server is quiet."""
        deadline = time.monotonic() + 5
        used = -1
        while time.monotonic() < deadline and process_ns(self.process.pid) - used > 500_000:
            used = process_ns(self.process.pid)
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


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Mailrace:
    def __init__(self, program, durability):
        self.program = program
        self.durability = durability
        self.name = "mailrace" if durability == "commit" else f"mailrace, durability {durability}"

    @contextlib.contextmanager
    def serve(self, place):
        store = tempfile.mkdtemp(prefix="store-", dir=place.directory)
        port, pop3 = free_port(), free_port()
        server = Server([self.program, "serve", "--smtp", f"127.0.0.1:{port}",
                         "--pop3", f"127.0.0.1:{pop3}", "--accept-all", "--any-password",
                         "--store", os.path.join(store, "store"), "--shards", "1",
                         "--durability", self.durability], place)
        try:
            server.wait(server.ready.is_set)
            yield port, server.process.pid
        finally:
            try:
                server.stop()
            finally:
                shutil.rmtree(store)
        if server.process.returncode != 0:
            raise Failure(f"mailrace ended with {server.process.returncode}")


class Sink:
    """Postfix's smtp-sink: reads mail and throws it away."""
    name = "smtp-sink"

    @contextlib.contextmanager
    def serve(self, place):
        port = free_port()
        user = ["-u", self.user()] if os.geteuid() == 0 else []
        server = Server([find_program("smtp-sink"), *user, "-m", "4096", f"127.0.0.1:{port}",
                         "4096"], place)
        try:
            server.wait(lambda: listens(port))
            yield port, server.process.pid
        finally:
            server.stop()

    @staticmethod
    def user():
        """smtp-sink refuses to run as root."""
        return pwd.getpwnam("nobody").pw_name


class Load:
    """bench/load: measures the server between the first message and the last."""
    name = "load"

    def __init__(self, dialogues=tuple(DIALOGUES)):
        self.dialogues = dialogues

    def run(self, port, server, workload, place):
        flags = DIALOGUES[workload.dialogue]["flags"]
        text, _ = run_client(
            [os.path.join(place.programs, "load"), "--port", str(port), "--server", str(server),
             "--connections", str(workload.connections), "--messages", str(workload.messages),
             "--core", str(place.client_core), "--json", *flags], place.client_core)
        return json.loads(text)


class Source:
    """Postfix's smtp-source: does not pipeline. Connecting and leaving are measured with it."""
    name = "smtp-source"
    dialogues = ("plain",)

    def run(self, port, server, workload, place):
        command = [find_program("smtp-source"), "-d", "-s", str(workload.connections),
                   "-m", str(workload.messages), "-l", "4096", "-M", "load.example.test",
                   "-f", "load@example.test", "-t", "user@example.test",
                   f"127.0.0.1:{port}"]
        used, start = process_ns(server), time.monotonic()
        _, client_seconds = run_client(command, place.client_core)
        seconds, used = time.monotonic() - start, process_ns(server) - used
        return {"messages": workload.messages, "seconds": seconds,
                "rate": workload.messages / seconds,
                "server_us": used / 1000 / workload.messages,
                "client_us": client_seconds * 1e6 / workload.messages}


class Ceiling:
    """bench/ceiling: server and client in one, the transport and nothing else."""

    def __init__(self, durable):
        self.durable = durable
        self.name = "ceiling, durable" if durable else "ceiling, plain"

    def run(self, workload, place):
        dialogue = DIALOGUES[workload.dialogue]
        text, _ = run_client(
            [os.path.join(place.programs, "ceiling"), "--turns", str(dialogue["turns"]),
             "--bytes-in", str(dialogue["bytes_in"]), "--bytes-out", str(dialogue["bytes_out"]),
             "--connections", str(workload.connections), "--messages", str(workload.messages),
             "--server-core", str(place.server_core), "--client-core", str(place.client_core),
             "--file", os.path.join(place.directory, "ceiling"), "--json",
             *(["--durable"] if self.durable else [])], place.client_core)
        return json.loads(text)
