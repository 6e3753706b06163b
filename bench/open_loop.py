"""How exactly blast holds a rate: the maximum of a closed loop, then shares of it as open loops.

The rate got is what was acknowledged over the time from the start of the schedule to the last
answer, so it can't be exact: the last answers take their latency, also when all began in time."""
from process import Failure
from workloads import BLAST, DURABLE, PLAIN, Key

NAME = "open loop"
CONNECTIONS = 64
MAXIMUM = Key(DURABLE, BLAST, f"{NAME}: the maximum, closed")
SHARES = {Key(DURABLE, BLAST, f"{NAME}: {share:.0%} of it"): share for share in (0.2, 0.5, 0.8)}
KEYS = [MAXIMUM, *SHARES]
SECONDS_MAXIMUM, SECONDS = 3, 5


def measure(subject, client, place, scale):
    """All of it against one server, and so a sample each: the shares are of this maximum."""
    def load(port, server, seconds, *flags):
        return client.load(port, server, PLAIN, CONNECTIONS, place,
                           "--duration", f"{max(100, round(1000 * seconds * scale))}ms", *flags)

    with subject.serve(place) as (port, server):
        samples = {MAXIMUM: load(port, server, SECONDS_MAXIMUM)}
        for key, share in SHARES.items():
            asked = round(share * samples[MAXIMUM]["rate"])
            if asked == 0:
                raise Failure("the maximum is too low to take a share of it")
            found = load(port, server, SECONDS, "--rate", str(asked))
            samples[key] = {**found, "asked": asked, "off": abs(found["rate"] / asked - 1)}
    return samples
