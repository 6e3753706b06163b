"""What is measured: how a message travels, how many over how many connections, who takes part."""
from dataclasses import dataclass

# Who serves and who asks, by the names under which they are reported.
DURABLE, NONE, TLS = "mailrace", "mailrace, durability none", "mailrace, STARTTLS"
SINK, CEILING, CEILING_PLAIN = "smtp-sink", "ceiling, durable", "ceiling, plain"
BLAST, BLAST_TLS, SOURCE = "blast", "blast --starttls", "smtp-source"
GATHER_200, GATHER_500 = "blast --gather 200", "blast --gather 500"
ITSELF = ""  # the ceiling brings its own client

KIB = 1024
SOURCE_PAYLOAD = 4 * KIB
# As large as smtp-source makes a payload of 4 KiB with its headers, so that both move the same.
SIZE_4K = 4245


@dataclass(frozen=True)
class Dialogue:
    """A way for messages to travel: the flags of blast for it, those of smtp-source for as near
    as it comes (it never pipelines), and what goes over the wire with blast.

    A message takes so many turns of its connection. The ceiling moves the same: the last turn
    brings `bytes_in` and gets `bytes_out`, the others are short lines. Where several messages of
    a connection share a turn, they are the bytes of all of them. Counted between blast and
    mailrace, a connection in its steady state."""
    name: str
    size: int  # of a message
    flags: tuple = ()
    turns: int = 4
    bytes_in: int = 4248
    bytes_out: int = 35
    messages_per_turn: int = 1
    source_flags: tuple = ("-d",)  # reuses its connections


PLAIN = Dialogue("4 KiB plain", SIZE_4K)
PIPELINED = Dialogue("4 KiB pipelined", SIZE_4K, ("--pipeline",), 1, 4328, 108)
CHUNKED = Dialogue("4 KiB chunked", SIZE_4K, ("--pipeline", "--chunking"),
                   1, 12 * 4341, 12 * 94, messages_per_turn=12)
CHUNKED_1K = Dialogue("1 KiB chunked", KIB, ("--pipeline", "--chunking"),
                      1, 12 * 1120, 12 * 94, messages_per_turn=12)
PIPELINED_64K = Dialogue("64 KiB pipelined", 64 * KIB, ("--pipeline",), 1, 65620, 108)
RECIPIENTS = Dialogue("4 KiB pipelined to 50 recipients", SIZE_4K,
                      ("--pipeline", "--recipients", "50"), 1, 5896, 1284,
                      source_flags=("-d", "-r", "50"))
RECONNECTING = Dialogue("4 KiB plain, a connection per message", SIZE_4K,
                        ("--per-connection", "1"), source_flags=())


@dataclass(frozen=True)
class Key:
    """One cell of the comparison: one row of one table."""
    subject: str
    client: str
    workload: str


@dataclass(frozen=True)
class Workload:
    dialogue: Dialogue
    connections: int
    messages: int
    rows: tuple  # pairs of server and client

    @property
    def name(self):
        return f"{self.dialogue.name}, {self.connections} connections"

    def key(self, subject, client=BLAST):
        return Key(subject, client, self.name)

    @property
    def keys(self):
        return [self.key(*row) for row in self.rows]


PEERS = ((DURABLE, BLAST), (SINK, BLAST))
CEILINGS = ((CEILING, ITSELF), (CEILING_PLAIN, ITSELF))
GATHERING = ((SINK, GATHER_200), (SINK, GATHER_500))
SOURCES = ((DURABLE, SOURCE), (SINK, SOURCE))

PLAIN_64 = Workload(PLAIN, 64, 20000, (*PEERS, (NONE, BLAST), (TLS, BLAST_TLS), *SOURCES,
                                       *GATHERING, *CEILINGS))
PLAIN_1000 = Workload(PLAIN, 1000, 50000, (*PEERS, (NONE, BLAST), *CEILINGS))
PIPELINED_64 = Workload(PIPELINED, 64, 100000, (*PEERS, *GATHERING, *CEILINGS))
PIPELINED_1000 = Workload(PIPELINED, 1000, 50000, (*PEERS, *CEILINGS))
CHUNKED_1K_64 = Workload(CHUNKED_1K, 64, 120000, ((DURABLE, BLAST), *CEILINGS))
CHUNKED_64 = Workload(CHUNKED, 64, 60000, ((DURABLE, BLAST), *CEILINGS))
PIPELINED_64K_64 = Workload(PIPELINED_64K, 64, 6000, (*PEERS, *CEILINGS))
RECIPIENTS_64 = Workload(RECIPIENTS, 64, 2000, (*PEERS, *SOURCES, *CEILINGS))
RECONNECTING_64 = Workload(RECONNECTING, 64, 6000, (*PEERS, *SOURCES))

WORKLOADS = [PLAIN_64, PLAIN_1000, PIPELINED_64, PIPELINED_1000, CHUNKED_1K_64, CHUNKED_64,
             PIPELINED_64K_64, RECIPIENTS_64, RECONNECTING_64]
