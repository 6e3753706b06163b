"""The clients that drive a server: mailrace blast, and Postfix's smtp-source."""
import json
import time

import workloads
from process import Client, Failure, cpu_ns, find_program


def sample(messages, seconds, server_ns, client_seconds):
    """What every client's measurement has."""
    return {"messages": messages, "seconds": seconds, "rate": messages / seconds,
            "server_us": server_ns / 1000 / messages, "client_us": client_seconds * 1e6 / messages}


class Blast:
    """mailrace blast: says itself how long its load took, and what it used for it."""

    def __init__(self, program, name, *flags):
        self.program = program
        self.name = name
        self.flags = flags

    def run(self, port, server, workload, place):
        return self.load(port, server, workload.dialogue, workload.connections, place,
                         "--messages", str(workload.messages))

    def load(self, port, server, dialogue, connections, place, *flags):
        """A load of this dialogue, over so many connections, as the flags say how much."""
        command = [self.program, "blast", f"smtp://127.0.0.1:{port}",
                   "--connections", str(connections), "--size", str(dialogue.size),
                   *dialogue.flags, *self.flags, *flags, "--json", "-", "--quiet"]
        used = cpu_ns(server)
        client = Client(command, place.client_core)
        used = cpu_ns(server) - used
        report = self._whole(client)
        total = report["latency_us"]["total"]
        return {**sample(report["messages"]["acked"], report["seconds"], used,
                         report["cpu_seconds"]),
                "p50_us": total["p50"], "p99_us": total["p99"], "behind": report["behind"]}

    def _whole(self, client):
        """The report of a load of which everything was accepted: there is no figure else."""
        if client.code == 1:
            report = json.loads(client.output)
            messages = report["messages"]
            raise Failure(f"{self.name}: {messages['acked']} of {messages['sent']} messages were "
                          f"accepted; replies {report['replies']}")
        return json.loads(client.must_end_well().output)


class Source:
    """Postfix's smtp-source: does not pipeline. Connecting and leaving are measured with it."""
    name = workloads.SOURCE

    def run(self, port, server, workload, place):
        command = [find_program("smtp-source", "postfix"), *workload.dialogue.source_flags,
                   "-s", str(workload.connections), "-m", str(workload.messages),
                   "-l", str(workloads.SOURCE_PAYLOAD),
                   "-M", "load.example.test", "-f", "load@example.test",
                   "-t", "user@example.test", f"127.0.0.1:{port}"]
        used, start = cpu_ns(server), time.monotonic()
        client = Client(command, place.client_core).must_end_well()
        seconds, used = time.monotonic() - start, cpu_ns(server) - used
        return sample(workload.messages, seconds, used, client.seconds)


def clients(program):
    """By name."""
    return {each.name: each for each in [
        Blast(program, workloads.BLAST),
        Blast(program, workloads.BLAST_TLS, "--starttls"),
        Blast(program, workloads.GATHER_200, "--gather", "200"),
        Blast(program, workloads.GATHER_500, "--gather", "500"),
        Source()]}
