/* One whole message through an SMTP session: envelope, body, trace header, the answer when it is
 * durable. What the protocol costs beyond the transport and the store. */
#include "base/invariant.h"
#include "bench/harness.h"
#include "bench/micro_smtp.h"

#define ENVELOPE (DIALOGUE_MAIL | DIALOGUE_RCPT | DIALOGUE_DATA)

static void *setup(const struct bench *bench)
{
    return micro_smtp_open(bench->bytes);
}

static void teardown(void *state)
{
    micro_smtp_close(state);
}

/* Feeds these parts of the dialogue one by one, then the body. */
static void run_turns(struct micro_smtp *smtp, const unsigned *parts, size_t count,
                      uint64_t iterations)
{
    const struct dialogue *dialogue = &smtp->dialogue;
    uint32_t user = 0;
    while (iterations-- > 0) {
        for (size_t i = 0; i < count; i++)
            micro_smtp_feed(smtp, dialogue_envelope(dialogue, parts[i], user));
        micro_smtp_feed(smtp, dialogue_body(dialogue));
        micro_smtp_stored(smtp);
        user = user + 1 == MICRO_SMTP_USERS ? 0 : user + 1;
    }
    bench_keep(smtp->wire_bytes);
}

static void run_plain(void *state, uint64_t iterations)
{
    static const unsigned parts[] = {DIALOGUE_MAIL, DIALOGUE_RCPT, DIALOGUE_DATA};
    run_turns(state, parts, 3, iterations);
}

static void run_pipelined(void *state, uint64_t iterations)
{
    static const unsigned parts[] = {ENVELOPE};
    run_turns(state, parts, 1, iterations);
}

static const struct bench benches[] = {
    {"session/plain/4096", setup, run_plain, teardown, 4096, 1},
    {"session/pipelined/4096", setup, run_pipelined, teardown, 4096, 1},
    {"session/pipelined/65536", setup, run_pipelined, teardown, 65536, 1},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
