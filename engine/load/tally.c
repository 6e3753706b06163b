#include "engine/load/tally.h"

#include "base/invariant.h"

const char *tally_phase_name(enum tally_phase phase)
{
    static const char *const names[TALLY_PHASES] = {
        [TALLY_CONNECT] = "connect", [TALLY_BANNER] = "banner", [TALLY_TLS] = "tls",
        [TALLY_EHLO] = "ehlo",       [TALLY_AUTH] = "auth",     [TALLY_MAIL] = "mail",
        [TALLY_RCPT] = "rcpt",       [TALLY_DATA] = "data",     [TALLY_COMMIT] = "commit",
        [TALLY_TOTAL] = "total",
    };
    INVARIANT(phase < TALLY_PHASES);
    return names[phase];
}

/* A message may begin and end between the look at what was sent and that at what has ended. */
uint64_t tally_in_flight(const struct tally_outcomes *messages)
{
    uint64_t ended = messages->acked + messages->refused + messages->failed + messages->doubtful;
    return messages->sent > ended ? messages->sent - ended : 0;
}

static void merge_outcomes(struct tally_outcomes *into, const struct tally_outcomes *from)
{
    into->sent += from->sent;
    into->acked += from->acked;
    into->refused += from->refused;
    into->failed += from->failed;
    into->doubtful += from->doubtful;
}

void tally_merge(struct tally *into, const struct tally *from)
{
    merge_outcomes(&into->messages, &from->messages);
    merge_outcomes(&into->recipients, &from->recipients);
    into->octets += from->octets;
    into->retries += from->retries;
    into->connected += from->connected;
    into->unconnected += from->unconnected;
    for (uint32_t i = 0; i < TALLY_CODES; i++)
        into->replies[i] += from->replies[i];
    for (uint32_t i = 0; i < SMTP_CLIENT_FAILURES; i++)
        into->failures[i] += from->failures[i];
    for (uint32_t i = 0; i < TALLY_PHASES; i++)
        histogram_merge(&into->latency[i], &from->latency[i]);
}
