"""The benchmark programs as programs: a figure only for work that was done, else a refusal."""
import json
import os
import socket
import subprocess
import tempfile
import threading

import tap

import clients
import subjects
import workloads
from process import Failure, find_program, free_port

BUILD = os.environ["BUILD"]
PROGRAMS = os.path.join(BUILD, "bench")
PROGRAM = os.environ["MAILRACE"]
CORE = min(os.sched_getaffinity(0))
ONE_CORE = ["--server-core", str(CORE), "--client-core", str(CORE)]


class Script:
    """An SMTP server on loopback that answers each command with what its table says."""
    GOOD = {b"": b"220 mx\r\n", b"EHLO": b"250-mx\r\n250 PIPELINING\r\n", b"MAIL": b"250 a\r\n",
            b"RCPT": b"250 b\r\n", b"DATA": b"354 c\r\n", b".": b"250 d\r\n",
            b"RSET": b"250 e\r\n", b"QUIT": b"221 f\r\n"}

    def __init__(self, **changes):
        self.replies = {**self.GOOD, **{key.encode(): value for key, value in changes.items()}}
        self.recipients = []
        self.bodies = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            peer, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with peer, peer.makefile("rwb") as file:
                self._talk(file)
        except OSError:
            pass  # the client has seen enough

    def _talk(self, file):
        self._answer(file, b"")
        for line in file:
            verb = line[:4].strip()
            if verb == b"RCPT":
                self.recipients.append(line[8:].strip())
            self._answer(file, verb)
            if verb == b"DATA" and self.replies[verb].startswith(b"354"):
                body = b"".join(iter(file.readline, b".\r\n"))
                self.bodies.add(len(body))
                self._answer(file, b".")

    def _answer(self, file, what):
        file.write(self.replies[what])
        file.flush()


def blast(port, dialogue):
    place = subjects.Place(PROGRAMS, "/nonexistent", CORE, CORE)
    workload = workloads.Workload(dialogue, 3, 20, ())
    return clients.clients(PROGRAM)[workloads.BLAST].run(port, os.getpid(), workload, place)


def blast_delivers(dialogue):
    server = Script()
    figures = blast(server.port, dialogue)
    tap.equal(figures["messages"], 20)
    tap.equal(len(server.recipients), 20)
    tap.equal(server.bodies, {dialogue.size})
    for each in ["rate", "server_us", "client_us", "p50_us", "p99_us"]:
        tap.equal(figures[each] > 0, True)


def failure_of(function, *words):
    try:
        function()
    except Failure as failure:
        tap.holds(str(failure), *words)
    else:
        raise AssertionError("that was taken for a measurement")


def blast_refused():
    failure_of(lambda: blast(Script(RCPT=b"550 no\r\n").port, workloads.PLAIN),
               "0 of 20 messages were accepted", "'550': 20")


def nobody_listens():
    failure_of(lambda: blast(free_port(), workloads.PLAIN), "mailrace ended with 69")


def ceiling(turns, durable):
    with tempfile.TemporaryDirectory(dir=PROGRAMS) as folder:
        file = ["--durable", "--file", os.path.join(folder, "file")] if durable else []
        done = run_ceiling("--turns", str(turns), "--bytes-in", "70000", "--bytes-out", "9000",
                           "--connections", "5", "--messages", "101", "--json", *file)
        tap.equal((done.returncode, done.stderr), (0, ""))
        figures = json.loads(done.stdout)
        tap.equal(figures["messages"], 101)
        tap.equal(1 <= figures["messages_per_commit"] <= 5, durable)
        tap.equal(figures["rate"] > 0 and figures["server_us"] > 0, True)
        if durable:
            tap.equal(os.path.getsize(file[2]) >= 101 * 70000, True)


def run_ceiling(*arguments):
    return subprocess.run([os.path.join(PROGRAMS, "ceiling"), *ONE_CORE, *arguments],
                          capture_output=True, text=True, timeout=60, check=False)


def ceiling_without_a_place():
    done = run_ceiling("--durable", "--file", "/nonexistent/file")
    tap.equal(done.returncode, 66)
    tap.holds(done.stderr, "/nonexistent/file")


def ceiling_of_several_a_turn():
    place = subjects.Place(PROGRAMS, "/nonexistent", CORE, CORE)
    workload = workloads.Workload(workloads.CHUNKED, 5, 1000, ())
    figures = subjects.subjects(PROGRAM)[workloads.CEILING_PLAIN].run(workload, place)
    tap.equal(figures["messages"], 84 * 12)
    tap.equal(round(figures["rate"] * figures["seconds"]), 84 * 12)


def checks():
    for dialogue in [workloads.PIPELINED, workloads.RECONNECTING]:
        yield f"blast delivers, {dialogue.name}", lambda each=dialogue: blast_delivers(each)
    yield "blast: a refusal is no figure", blast_refused
    yield "blast: nobody listens", nobody_listens
    yield "what is not installed is named with its package", lambda: failure_of(
        lambda: find_program("no-such-sink", "postfix"),
        "no-such-sink is not installed (package postfix)")
    for turns, durable in [(4, False), (4, True)]:
        yield f"ceiling: {turns} turns, {'durable' if durable else 'plain'}", \
            lambda turns=turns, durable=durable: ceiling(turns, durable)
    yield "ceiling: no such place", ceiling_without_a_place
    yield "ceiling: several messages a turn", ceiling_of_several_a_turn


if __name__ == "__main__":
    tap.run(checks())
