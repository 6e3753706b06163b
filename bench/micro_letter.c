/* A letter as the load generator writes it: addressed, made up, with the digest of its body for the
 * ledger and without. What comes on top of the protocol for each message sent. */
#include "base/clock.h"
#include "base/invariant.h"
#include "bench/harness.h"
#include "engine/load/letter.h"

#include <stdlib.h>

#define WALL_NS (1000000000ull * NS_PER_S)

struct subject {
    struct paper paper;
    struct letter_options options;
    struct letter_desk *desk;
};

static void *open_subject(uint32_t octets, uint32_t recipients, bool digest)
{
    struct subject *subject = calloc(1, sizeof *subject);
    INVARIANT(subject != NULL);
    enum status status = paper_open(&subject->paper, 1, octets, NULL);
    INVARIANT(status == STATUS_OK);
    subject->options = (struct letter_options){
        .from = SPAN("blast@example.test"),
        .to = "user%d@example.test",
        .users = 1000,
        .size = {.kind = DISTRIBUTION_UNIFORM, .low = octets, .high = octets},
        .recipients = {.kind = DISTRIBUTION_UNIFORM, .low = recipients, .high = recipients},
        .paper = &subject->paper,
        .digest = digest,
    };
    status = letter_desk_open(&subject->desk, &subject->options, 0, 1, NULL);
    INVARIANT(status == STATUS_OK);
    return subject;
}

static void *setup_bare(const struct bench *bench)
{
    return open_subject(bench->bytes, 1, false);
}

static void *setup_digest(const struct bench *bench)
{
    return open_subject(bench->bytes, 1, true);
}

static void *setup_recipients(const struct bench *bench)
{
    return open_subject(bench->bytes, 10, true);
}

static void run(void *state, uint64_t iterations)
{
    struct subject *subject = state;
    while (iterations-- > 0) {
        struct letter *letter = letter_write(subject->desk, WALL_NS);
        bench_keep(letter->digest);
        letter_free(subject->desk, letter);
    }
}

static void teardown(void *state)
{
    struct subject *subject = state;
    letter_desk_close(subject->desk);
    paper_close(&subject->paper);
    free(subject);
}

static const struct bench benches[] = {
    {"letter/bare/4096", setup_bare, run, teardown, 4096, 1},
    {"letter/digest/4096", setup_digest, run, teardown, 4096, 1},
    {"letter/digest/65536", setup_digest, run, teardown, 65536, 1},
    {"letter/digest/4096/10", setup_recipients, run, teardown, 4096, 1},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
