/* The append of a record into a batch: payload copied and checksummed, header sealed. */
#include "base/envelope.h"
#include "base/invariant.h"
#include "bench/harness.h"
#include "storage/record.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_BYTES (1u << 20) /* as the store has by default */
#define SEED 1u

static const char trace[] = "Return-Path: <load@example.test>\r\n"
                            "Received: from load.example.test ([192.0.2.1])\r\n"
                            "\tby mx.example.test with ESMTP\r\n"
                            "\tid 0123456789ABC\r\n"
                            "\tfor <user1@example.test>;\r\n"
                            "\tMon, 23 Nov 2026 16:00:00 +0000\r\n";

struct subject {
    uint8_t *batch;
    uint8_t *body;
    uint32_t body_bytes;
    uint32_t used; /* of the batch */
    uint8_t envelope_bytes[128];
    struct envelope envelope;
    uint64_t lsn;
};

static void *setup(const struct bench *bench)
{
    struct subject *subject = calloc(1, sizeof(*subject));
    INVARIANT(subject);
    subject->batch = malloc(BATCH_BYTES);
    subject->body = malloc(bench->bytes);
    INVARIANT(subject->batch && subject->body);
    memset(subject->batch, 0, BATCH_BYTES);
    memset(subject->body, 'x', bench->bytes);
    subject->body_bytes = bench->bytes;
    subject->envelope = (struct envelope){.bytes = subject->envelope_bytes,
                                          .capacity = sizeof(subject->envelope_bytes)};
    bool added =
        envelope_add(&subject->envelope, ENVELOPE_REVERSE_PATH, SPAN("load@example.test")) &&
        envelope_add(&subject->envelope, ENVELOPE_MAILBOX, SPAN("user1@example.test"));
    INVARIANT(added);
    return subject;
}

static void teardown(void *state)
{
    struct subject *subject = state;
    free(subject->batch);
    free(subject->body);
    free(subject);
}

static void append(struct subject *subject)
{
    const struct record_header header = {
        .type = RECORD_MESSAGE,
        .lsn = subject->lsn++,
        .octets = sizeof(trace) - 1 + subject->body_bytes,
        .envelope_bytes = subject->envelope.size,
        .trace_bytes = sizeof(trace) - 1,
        .body_bytes = subject->body_bytes,
    };
    uint32_t size = (uint32_t)record_size((uint64_t)header.envelope_bytes + header.trace_bytes +
                                          header.body_bytes);
    if (size > BATCH_BYTES - subject->used)
        subject->used = 0; /* the next batch */
    uint8_t *record = subject->batch + subject->used;
    uint8_t *out = record + RECORD_HEADER_BYTES;
    memcpy(out, subject->envelope.bytes, header.envelope_bytes);
    memcpy(out + header.envelope_bytes, trace, header.trace_bytes);
    memcpy(out + header.envelope_bytes + header.trace_bytes, subject->body, header.body_bytes);
    record_seal(record, &header, SEED);
    subject->used += size;
}

static void run_append(void *state, uint64_t iterations)
{
    while (iterations-- > 0)
        append(state);
}

static const struct bench benches[] = {
    {"record/append/1024", setup, run_append, teardown, 1024, 1},
    {"record/append/4096", setup, run_append, teardown, 4096, 1},
    {"record/append/65536", setup, run_append, teardown, 65536, 1},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
