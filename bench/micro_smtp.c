#include "bench/micro_smtp.h"

#include "base/invariant.h"

#include <stdlib.h>

#define ID_TEXT SPAN("0123456789ABC")

static enum smtp_verdict host_recipient(void *owner, struct span mailbox)
{
    (void)owner, (void)mailbox;
    return SMTP_ACCEPT;
}

static enum status host_stage(void *owner, struct span piece)
{
    struct micro_smtp *smtp = owner;
    smtp->wire_bytes += piece.size;
    return STATUS_OK;
}

/* The trace header is composed here, as the shard does. */
static enum status host_store(void *owner, const struct smtp_message *message)
{
    struct micro_smtp *smtp = owner;
    uint8_t trace[SMTP_TRACE_BYTES_MAX];
    uint64_t now_ns = clock_wall_ns(&clock_system);
    smtp->wire_bytes += smtp_trace(&smtp->session, ID_TEXT, now_ns, &smtp->dates, trace);
    smtp->wire_bytes += message->tail.size;
    smtp->pending++;
    return STATUS_OK;
}

static void host_discard(void *owner)
{
    (void)owner;
}

static const struct smtp_host host = {host_recipient, host_stage, host_store, host_discard};

static const struct smtp_config config = {
    .hostname = SPAN_INIT("mx.example.test"),
    .message_bytes_max = 64u << 20,
    .recipients_max = 100,
    .text_line_bytes_max = 1000,
    .errors_max = 10,
    .hops_max = 100,
    .host = &host,
    .clock = &clock_system,
};

struct micro_smtp *micro_smtp_open(size_t size)
{
    const uint32_t counts[BLOCK_CLASSES] = {4, 4, 4, 4, 1};
    struct micro_smtp *smtp = calloc(1, sizeof(*smtp));
    INVARIANT(smtp);
    enum status status = blocks_init(&smtp->blocks, counts);
    INVARIANT(status == STATUS_OK);
    status = dialogue_open(&smtp->dialogue, MICRO_SMTP_USERS, size, NULL);
    INVARIANT(status == STATUS_OK);
    smtp->out = (struct output){.data = smtp->replies, .capacity = sizeof(smtp->replies)};
    smtp_open(&smtp->session, &config, &smtp->blocks, smtp, SPAN("192.0.2.1:4711"), false,
              &smtp->out);
    micro_smtp_feed(smtp, SPAN("EHLO load.example.test\r\n"));
    return smtp;
}

void micro_smtp_close(struct micro_smtp *smtp)
{
    smtp_close(&smtp->session);
    dialogue_close(&smtp->dialogue);
    blocks_deinit(&smtp->blocks);
    free(smtp);
}

void micro_smtp_feed(struct micro_smtp *smtp, struct span input)
{
    smtp->out.size = 0;
    size_t consumed = smtp_feed(&smtp->session, input, &smtp->out);
    INVARIANT(consumed == input.size);
}

void micro_smtp_stored(struct micro_smtp *smtp)
{
    INVARIANT(smtp->pending == 1);
    smtp->pending = 0;
    smtp->out.size = 0;
    smtp_stored(&smtp->session, STATUS_OK, ID_TEXT, &smtp->out);
    INVARIANT(smtp->replies[0] == '2');
}
