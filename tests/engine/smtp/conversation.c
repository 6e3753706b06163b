#include "tests/engine/smtp/conversation.h"

#include "base/invariant.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_BYTES 13
#define ROOM_MAX 8192u

static void text_add(struct text *text, struct span bytes)
{
    if (bytes.size == 0)
        return;
    if (text->size + bytes.size > text->capacity) {
        text->capacity = 2 * (text->size + bytes.size);
        text->data = realloc(text->data, text->capacity);
        INVARIANT(text->data);
    }
    memcpy(text->data + text->size, bytes.data, bytes.size);
    text->size += bytes.size;
}

static __attribute__((format(printf, 2, 3))) void text_print(struct text *text, const char *format,
                                                             ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    INVARIANT(size >= 0 && (size_t)size < sizeof line);
    text_add(text, span_of(line, (size_t)size));
}

/* ------------------------------------------------------------------------------- the host ---- */

static enum smtp_verdict recipient(void *owner, struct span mailbox)
{
    (void)owner;
    const struct span refused[] = {[SMTP_UNKNOWN_MAILBOX] = SPAN("unknown"),
                                   [SMTP_RELAY_DENIED] = SPAN("relay"),
                                   [SMTP_TRY_LATER] = SPAN("later")};
    for (unsigned i = SMTP_UNKNOWN_MAILBOX; i <= SMTP_TRY_LATER; i++)
        if (mailbox.size >= refused[i].size &&
            memcmp(mailbox.data, refused[i].data, refused[i].size) == 0)
            return i;
    return SMTP_ACCEPT;
}

/* How this call ends, if not well. */
static enum status fate(struct conversation *c)
{
    if (c->again && !c->waited) {
        c->waited = true;
        return STATUS_AGAIN;
    }
    bool fails = ++c->calls == c->fail_call;
    c->waited = fails && c->fail_status == STATUS_AGAIN;
    return fails ? c->fail_status : STATUS_OK;
}

static enum status stage(void *owner, struct span piece)
{
    struct conversation *c = owner;
    INVARIANT(piece.size > 0);
    enum status status = fate(c);
    if (status == STATUS_OK) {
        text_add(&c->body, piece);
        c->staged_bytes += piece.size;
    }
    return status;
}

static void discard(void *owner)
{
    struct conversation *c = owner;
    INVARIANT(c->body.size > 0);
    c->body.size = 0;
    c->discards++;
}

static const char *const tag_names[] = {
    [ENVELOPE_REVERSE_PATH] = "from", [ENVELOPE_HELO] = "helo",
    [ENVELOPE_CLIENT] = "client",     [ENVELOPE_PROTOCOL] = "with",
    [ENVELOPE_TLS] = "tls",           [ENVELOPE_ENVID] = "envid",
    [ENVELOPE_RET] = "ret",           [ENVELOPE_BODY] = "body",
    [ENVELOPE_SMTPUTF8] = "utf8",     [ENVELOPE_MAILBOX] = "to",
    [ENVELOPE_ORIGINAL] = "original", [ENVELOPE_NOTIFY] = "notify",
    [ENVELOPE_ORCPT] = "orcpt",
};

static void record_envelope(struct text *text, const struct envelope *envelope)
{
    struct envelope_cursor cursor = envelope_read(span_of(envelope->bytes, envelope->size));
    unsigned tag;
    struct span value;
    uint32_t recipients = 0;
    for (const char *blank = ""; envelope_next(&cursor, &tag, &value); blank = " ") {
        INVARIANT(tag < sizeof tag_names / sizeof *tag_names && tag_names[tag]);
        recipients += tag == ENVELOPE_MAILBOX;
        INVARIANT((tag >= ENVELOPE_MAILBOX) == (recipients > 0));
        text_print(text, "%s%s=", blank, tag_names[tag]);
        text_add(text, value);
    }
    INVARIANT(!cursor.bad && recipients == envelope->recipients && recipients > 0);
}

/* The whole body is there, and what is said about it is true. */
static void check_message(const struct smtp_message *message, struct span body)
{
    const struct span end = SPAN(".\r\n");
    INVARIANT(body.size == message->wire_bytes && body.size >= end.size);
    INVARIANT(memcmp(body.data + body.size - end.size, end.data, end.size) == 0);
    INVARIANT(message->header_bytes <= body.size - end.size);
    uint32_t dots = 0;
    bool eight_bit = false;
    for (size_t i = 0; i < body.size; i++) {
        bool start = i == 0 || (i >= 2 && body.data[i - 1] == '\n' && body.data[i - 2] == '\r');
        dots += start && body.data[i] == '.';
        eight_bit |= body.data[i] >> 7;
        INVARIANT(body.data[i] != '\n' || (i > 0 && body.data[i - 1] == '\r'));
        INVARIANT(body.data[i] != '\r' || body.data[i + 1] == '\n');
        INVARIANT(!start || body.size - i <= end.size ||
                  memcmp(body.data + i, end.data, end.size) != 0);
    }
    INVARIANT(dots == message->stuffed + 1 && eight_bit == message->eight_bit);
}

static void id_text(uint64_t id, char out[ID_BYTES + 1])
{
    snprintf(out, ID_BYTES + 1, "ID%011llu", (unsigned long long)(id % 100000000000ull));
}

static enum status store(void *owner, const struct smtp_message *message)
{
    struct conversation *c = owner;
    enum status status = fate(c);
    if (status != STATUS_OK)
        return status;
    record_envelope(&c->messages, message->envelope);
    text_print(&c->messages, "\nwire=%llu header=%llu stuffed=%u%s%s%s\n",
               (unsigned long long)message->wire_bytes, (unsigned long long)message->header_bytes,
               message->stuffed, message->eight_bit ? " 8bit" : "",
               message->smtputf8 ? " utf8" : "", message->no_final_newline ? " unended" : "");
    text_add(&c->body, message->tail);
    check_message(message, text_span(&c->body));
    text_add(&c->messages, text_span(&c->body));

    char id[ID_BYTES + 1];
    uint8_t trace[SMTP_TRACE_BYTES_MAX];
    struct clock_date_cache cache = {0};
    id_text(c->next_id + c->under_way, id);
    c->trace.size = 0;
    text_add(&c->trace, span_of(trace, smtp_trace(&c->session, span_text(id), 1795449600 * NS_PER_S,
                                                  &cache, trace)));
    c->body.size = 0;
    c->under_way++;
    c->stored++;
    return STATUS_OK;
}

static const struct smtp_host host = {recipient, stage, store, discard};

/* -------------------------------------------------------------------------- conversations ---- */

void conversation_init(struct conversation *c)
{
    const uint32_t counts[BLOCK_CLASSES] = {[BLOCK_1K] = 4, 4, 2, 2, 0};
    *c = (struct conversation){
        .config = {.hostname = SPAN("mx.test"),
                   .message_bytes_max = 100000,
                   .recipients_max = 100,
                   .text_line_bytes_max = 1000,
                   .errors_max = 50,
                   .hops_max = 100,
                   .host = &host,
                   .clock = &clock_system},
        .room = ROOM_MAX,
    };
    INVARIANT(blocks_init(&c->blocks, counts) == STATUS_OK);
}

void conversation_free(struct conversation *c)
{
    blocks_deinit(&c->blocks);
    free(c->replies.data);
    free(c->messages.data);
    free(c->trace.data);
    free(c->body.data);
}

struct lent {
    uint8_t bytes[ROOM_MAX];
    struct output out;
};

static struct output *lend(const struct conversation *c, struct lent *lent)
{
    lent->out = (struct output){lent->bytes, 0, c->room};
    return &lent->out;
}

static void hear(struct conversation *c, const struct lent *lent)
{
    text_add(&c->replies, span_of(lent->out.data, lent->out.size));
}

void conversation_open(struct conversation *c)
{
    struct lent lent;
    c->replies.size = c->messages.size = c->trace.size = c->body.size = 0;
    c->calls = c->discards = c->under_way = 0;
    c->stored = c->staged_bytes = c->next_id = 0;
    c->waited = false;
    smtp_open(&c->session, &c->config, &c->blocks, c, SPAN("192.0.2.1:4711"), c->secure,
              lend(c, &lent));
    hear(c, &lent);
}

void conversation_answer(struct conversation *c, unsigned count)
{
    for (; count > 0 && c->under_way > 0; count--) {
        struct lent lent;
        char id[ID_BYTES + 1];
        id_text(c->next_id++, id);
        c->under_way--;
        bool ok = c->stored_status == STATUS_OK;
        smtp_stored(&c->session, c->stored_status, ok ? span_text(id) : SPAN(""), lend(c, &lent));
        hear(c, &lent);
    }
}

/* One call; true if anything happened. */
static bool feed_once(struct conversation *c, struct span input, size_t *consumed)
{
    struct lent lent;
    unsigned calls = c->calls;
    bool waited = c->waited;
    *consumed = smtp_feed(&c->session, input, lend(c, &lent));
    INVARIANT(*consumed <= input.size);
    hear(c, &lent);
    return *consumed > 0 || lent.out.size > 0 || c->calls != calls || c->waited != waited;
}

void conversation_feed(struct conversation *c, struct span input)
{
    /* Exactly as large as the input, so that a sanitizer sees what reads beyond it. */
    uint8_t *copy = malloc(input.size + 1);
    INVARIANT(copy);
    memcpy(copy + 1, input.data, input.size);
    struct span rest = {copy + 1, input.size};
    for (bool going = true; going;) {
        size_t consumed;
        going = feed_once(c, rest, &consumed);
        rest = span_from(rest, consumed);
        if (c->session.last_word != REPLY_NONE)
            break;
        if (!c->lazy || !going) {
            going |= c->under_way > 0 && rest.size > 0;
            conversation_answer(c, c->lazy ? 1 : c->under_way);
        }
        going &= rest.size > 0 || c->waited;
    }
    INVARIANT(rest.size == 0 || c->session.last_word != REPLY_NONE);
    free(copy);
}

void conversation_close(struct conversation *c)
{
    size_t consumed;
    do
        conversation_answer(c, c->under_way);
    while (feed_once(c, SPAN(""), &consumed));
    smtp_close(&c->session);
    INVARIANT(c->body.size == 0);
    for (unsigned i = 0; i < BLOCK_CLASSES; i++)
        INVARIANT(c->blocks.pools[i].taken == 0);
}

void conversation_run(struct conversation *c, struct span input, size_t first, size_t piece)
{
    conversation_open(c);
    for (size_t size = first ? first : piece; input.size > 0; size = piece) {
        if (size > input.size)
            size = input.size;
        conversation_feed(c, span_of(input.data, size));
        input = span_from(input, size);
    }
    conversation_close(c);
}

static bool same(const struct conversation *c, const char *what, const struct text *got,
                 struct span want, size_t first, size_t piece)
{
    if (span_equal(text_span(got), want))
        return true;
    fprintf(stderr, "%s differ; first cut %zu, then every %zu; lazy %d again %d room %u\n", what,
            first, piece, c->lazy, c->again, c->room);
    fprintf(stderr, "--- want\n%.*s--- got\n%.*s---\n", (int)want.size, (const char *)want.data,
            (int)got->size, (const char *)got->data);
    return false;
}

static bool holds_cut(struct conversation *c, struct span input, struct span replies,
                      struct span messages, size_t first, size_t piece)
{
    conversation_run(c, input, first, piece);
    return same(c, "replies", &c->replies, replies, first, piece) &&
           same(c, "messages", &c->messages, messages, first, piece);
}

/* Every variant with a few cuts, every cut with some variant. */
static bool holds(struct conversation *c, struct span input, struct span replies,
                  struct span messages)
{
    for (unsigned variant = 0; variant < 8; variant++) {
        c->lazy = variant & 1;
        c->again = variant & 2;
        c->room = variant & 4 ? SMTP_REPLY_BYTES_MAX : ROOM_MAX;
        if (!holds_cut(c, input, replies, messages, 0, input.size) ||
            !holds_cut(c, input, replies, messages, 0, 1) ||
            !holds_cut(c, input, replies, messages, 0, 7))
            return false;
    }
    c->room = ROOM_MAX;
    for (size_t first = 1; first < input.size; first++) {
        c->lazy = first & 1;
        c->again = first & 2;
        if (!holds_cut(c, input, replies, messages, first, input.size))
            return false;
    }
    return true;
}

bool conversation_holds(struct conversation *c, struct span input, const char *replies,
                        const char *messages)
{
    conversation_run(c, input, 0, input.size);
    struct text whole_replies = c->replies, whole_messages = c->messages;
    c->replies = c->messages = (struct text){0};
    bool result = holds(c, input, replies ? span_text(replies) : text_span(&whole_replies),
                        messages ? span_text(messages) : text_span(&whole_messages));
    free(whole_replies.data);
    free(whole_messages.data);
    c->lazy = c->again = false;
    c->room = ROOM_MAX;
    return result;
}
