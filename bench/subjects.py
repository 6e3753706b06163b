"""What is measured: servers to start and stop, and the ceiling. All listen on loopback only."""
import contextlib
import json
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass

import workloads
from process import Client, Failure, Server, find_program, free_port, listens


@dataclass(frozen=True)
class Place:
    """Where things run."""
    programs: str  # the folder of the ceiling
    directory: str  # on the disk to measure
    server_core: int
    client_core: int


class Mailrace:
    def __init__(self, program, name, *flags, tls=False):
        self.program = program
        self.name = name
        self.flags = flags
        self.tls = tls

    @contextlib.contextmanager
    def serve(self, place):
        folder = tempfile.mkdtemp(prefix="store-", dir=place.directory)
        try:
            yield from self._serve(place, folder)
        finally:
            shutil.rmtree(folder)

    def _serve(self, place, folder):
        port, pop3 = free_port(), free_port()
        tls = certificate(folder) if self.tls else []
        server = Server([self.program, "serve", "--smtp", f"127.0.0.1:{port}",
                         "--pop3", f"127.0.0.1:{pop3}", "--accept-all", "--any-password",
                         "--store", os.path.join(folder, "store"), "--shards", "1",
                         *self.flags, *tls], place.server_core)
        try:
            server.wait(server.ready.is_set)
            yield port, server.process.pid
        finally:
            server.stop()
        if server.process.returncode != 0:
            raise Failure(f"mailrace ended with {server.process.returncode}")


def certificate(folder):
    """The flags of a certificate made for the occasion."""
    paths = {name: os.path.join(folder, name) for name in ("cert", "key")}
    Client([find_program("openssl", "openssl"), "req", "-x509", "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-keyout", paths["key"], "-out", paths["cert"]],
           min(os.sched_getaffinity(0))).must_end_well()
    return ["--tls-cert", paths["cert"], "--tls-key", paths["key"]]


class Sink:
    """Postfix's smtp-sink: reads mail and throws it away."""
    name = workloads.SINK

    @contextlib.contextmanager
    def serve(self, place):
        port = free_port()
        user = ["-u", self.user()] if os.geteuid() == 0 else []
        server = Server([find_program("smtp-sink", "postfix"), *user, "-m", "4096",
                         f"127.0.0.1:{port}", "4096"], place.server_core)
        try:
            server.wait(lambda: listens(port))
            yield port, server.process.pid
        finally:
            server.stop()

    @staticmethod
    def user():
        """smtp-sink refuses to run as root."""
        return pwd.getpwnam("nobody").pw_name


class Ceiling:
    """bench/ceiling: server and client in one, the transport and nothing else."""

    def __init__(self, name, *flags):
        self.name = name
        self.flags = flags

    def run(self, workload, place):
        dialogue = workload.dialogue
        together = dialogue.messages_per_turn
        client = Client(
            [os.path.join(place.programs, "ceiling"), "--turns", str(dialogue.turns),
             "--bytes-in", str(dialogue.bytes_in), "--bytes-out", str(dialogue.bytes_out),
             "--connections", str(workload.connections),
             "--messages", str(-(-workload.messages // together)),
             "--server-core", str(place.server_core), "--client-core", str(place.client_core),
             "--file", os.path.join(place.directory, "ceiling"), "--json", *self.flags],
            place.client_core).must_end_well()
        found = json.loads(client.output)
        return {"messages": found["messages"] * together, "seconds": found["seconds"],
                "rate": found["rate"] * together, "server_us": found["server_us"] / together,
                "client_us": found["client_us"] / together,
                "messages_per_commit": found["messages_per_commit"] * together}


def subjects(program):
    """By name."""
    return {each.name: each for each in [
        Mailrace(program, workloads.DURABLE, "--durability", "commit"),
        Mailrace(program, workloads.NONE, "--durability", "none"),
        Mailrace(program, workloads.TLS, "--durability", "commit", tls=True),
        Sink(),
        Ceiling(workloads.CEILING, "--durable"),
        Ceiling(workloads.CEILING_PLAIN)]}
