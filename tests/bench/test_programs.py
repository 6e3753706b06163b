"""The benchmark programs as programs: a figure only for work that was done, else a refusal."""
import json
import os
import socket
import subprocess
import tempfile
import threading

import tap

BENCH = os.environ["BENCH"]
ONE_CORE = ["--client-core", "0"]


class Script:
    """An SMTP server on loopback that answers each command with what its table says."""
    GOOD = {b"": b"220 mx\r\n", b"EHLO": b"250-mx\r\n250 PIPELINING\r\n", b"MAIL": b"250 a\r\n",
            b"RCPT": b"250 b\r\n", b"DATA": b"354 c\r\n", b".": b"250 d\r\n",
            b"QUIT": b"221 e\r\n"}

    def __init__(self, **changes):
        self.replies = {**self.GOOD, **{key.encode(): value for key, value in changes.items()}}
        self.recipients = []
        self.bodies = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
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
            if verb not in self.replies or not self._answer(file, verb):
                return
            if verb == b"DATA":
                body = b"".join(iter(file.readline, b".\r\n"))
                self.bodies.add(len(body))
                self._answer(file, b".")

    def _answer(self, file, what):
        file.write(self.replies[what])
        file.flush()
        return self.replies[what]


def run(program, *arguments):
    return subprocess.run([os.path.join(BENCH, program), *arguments], capture_output=True,
                          text=True, timeout=60, check=False)


def load(server, *arguments):
    return run("load", "--port", str(server.port), "--connections", "3", "--messages", "20",
               "--size", "500", "--users", "7", "--core", "0", "--json", *arguments)


def load_delivers(flags):
    server = Script()
    done = load(server, "--server", str(os.getpid()), *flags)
    tap.equal((done.returncode, done.stderr), (0, ""))
    figures = json.loads(done.stdout)
    tap.equal(figures["messages"], 20)
    tap.equal(len(server.recipients), 20)
    tap.equal(sorted(set(server.recipients)), [b"<user%d@example.test>" % i for i in range(7)])
    tap.equal(len(server.bodies), 1)
    tap.equal(figures["rate"] > 0 and figures["server_us"] > 0, True)


def load_refuses(flags, changes, words):
    done = load(Script(**changes), *flags)
    tap.equal((done.returncode, done.stdout), (69, ""))
    if words not in done.stderr:
        raise AssertionError(done.stderr)


def nobody_listens():
    server = Script()
    server.listener.close()
    tap.equal(load(server).returncode, 69)


def ceiling(turns, durable):
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        file = ["--durable", "--file", os.path.join(folder, "file")] if durable else []
        done = run("ceiling", "--turns", str(turns), "--bytes-in", "70000", "--bytes-out", "9000",
                   "--connections", "5", "--messages", "101", "--json", *ONE_CORE, *file)
        tap.equal((done.returncode, done.stderr), (0, ""))
        figures = json.loads(done.stdout)
        tap.equal(figures["messages"], 101)
        tap.equal(1 <= figures["messages_per_commit"] <= 5, durable)
        tap.equal(figures["rate"] > 0 and figures["server_us"] > 0, True)
        if durable:
            tap.equal(os.path.getsize(file[2]) >= 101 * 70000, True)


def ceiling_without_a_place():
    done = run("ceiling", "--durable", "--file", "/nonexistent/file", *ONE_CORE)
    tap.equal(done.returncode, 66)
    tap.equal("/nonexistent/file" in done.stderr, True)


def checks():
    for flags in [[], ["--pipeline"], ["--chain"]]:
        name = " ".join(["load", *flags])
        yield f"{name}: delivers", lambda flags=flags: load_delivers(flags)
    for flags in [[], ["--chain"]]:
        name = " ".join(["load", *flags])
        for verb, reply, words in [
                ("", "421 no", "answered 421"), ("EHLO", "502 no", "answered 502"),
                ("MAIL", "550 no", "answered 550"), ("RCPT", "550 no", "answered 550"),
                ("DATA", "451 no", "answered 451"), ("DATA", "250 no", "answered 250"),
                (".", "452 no", "answered 452"), ("QUIT", "500 no", "answered 500"),
                ("MAIL", "+OK", "not SMTP"), ("RCPT", None, "closed")]:
            changes = {verb: f"{reply}\r\n".encode() if reply else b""}
            yield f"{name}: {reply or 'hangs up'} after {verb or 'connecting'}", \
                lambda flags=flags, changes=changes, words=words: load_refuses(
                    flags, changes, words)
    yield "load: nobody listens", nobody_listens
    for turns, durable in [(1, False), (4, False), (4, True)]:
        yield f"ceiling: {turns} turns, {'durable' if durable else 'plain'}", \
            lambda turns=turns, durable=durable: ceiling(turns, durable)
    yield "ceiling: no such place", ceiling_without_a_place


if __name__ == "__main__":
    tap.run(checks())
