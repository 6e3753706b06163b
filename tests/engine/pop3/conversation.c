#include "tests/engine/pop3/conversation.h"

#include "base/invariant.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCKS 4

static void note(struct conversation *talk, struct span text)
{
    if (talk->transcript_bytes + text.size >= talk->transcript_capacity) {
        talk->transcript_capacity = 2 * (talk->transcript_bytes + text.size) + 4096;
        talk->transcript = realloc(talk->transcript, talk->transcript_capacity);
    }
    memcpy(talk->transcript + talk->transcript_bytes, text.data, text.size);
    talk->transcript_bytes += text.size;
    talk->transcript[talk->transcript_bytes] = '\0';
}

static void flush(struct conversation *talk)
{
    note(talk, span_of(talk->out.data, talk->out.size));
    talk->out.size = 0;
}

/* What the session has said so far comes before what it asks. */
static void note_ask(struct conversation *talk, enum conversation_ask asked, const char *format,
                     ...)
{
    char text[2400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    INVARIANT(talk->asked == ASK_NOTHING);
    talk->asked = asked;
    talk->asks[asked]++;
    flush(talk);
    note(talk, span_text(text));
}

/* ------------------------------------------------------------------------- the host ---- */

static const char *wire_of(const struct conversation *talk, uint32_t index)
{
    return talk->setup.messages[talk->setup.copies > 0 ? 0 : index];
}

static uint32_t count_of(const struct conversation *talk)
{
    return talk->setup.copies > 0 ? talk->setup.copies : talk->setup.messages_count;
}

uint64_t conversation_octets(const char *wire)
{
    uint64_t octets = 0;
    while (strcmp(wire, ".\r\n") != 0) {
        size_t line = strcspn(wire, "\n") + 1;
        octets += line - (wire[0] == '.');
        wire += line;
    }
    return octets;
}

static uint64_t header_bytes(const char *wire)
{
    if (strncmp(wire, "\r\n", 2) == 0)
        return 2;
    const char *end = strstr(wire, "\r\n\r\n");
    return end ? (size_t)(end - wire) + 4 : strlen(wire) - strlen(".\r\n");
}

static void host_log_in(void *owner, struct span user, struct span password)
{
    note_ask(owner, ASK_LOG_IN, "{log in %.*s %.*s}", (int)user.size, (const char *)user.data,
             (int)password.size, (const char *)password.data);
}

static void host_fetch(void *owner, uint32_t index)
{
    struct conversation *talk = owner;
    talk->asked_index = index;
    note_ask(talk, ASK_FETCH, "{fetch %u}", index);
}

static void host_expunge(void *owner)
{
    struct conversation *talk = owner;
    note_ask(talk, ASK_EXPUNGE, "{expunge");
    for (uint32_t i = 0; i < count_of(talk); i++)
        if (talk->deleted[i / 8] & 1 << i % 8) {
            char text[16];
            snprintf(text, sizeof text, " %u", i);
            note(talk, span_text(text));
        }
    note(talk, SPAN("}"));
}

static uint64_t host_octets(void *owner, uint32_t index)
{
    return conversation_octets(wire_of(owner, index));
}

static size_t host_uidl(void *owner, uint32_t index, char out[70])
{
    (void)owner;
    return (size_t)snprintf(out, 70, "UID%u.0", index);
}

static const struct pop3_host host = {host_log_in, host_fetch, host_expunge, host_octets,
                                      host_uidl};

static void answer_log_in(struct conversation *talk)
{
    uint64_t octets = 0;
    for (uint32_t i = 0; i < count_of(talk); i++)
        octets += host_octets(talk, i);
    memset(talk->deleted, 0, count_of(talk) / 8 + 1);
    pop3_logged_in(&talk->session, talk->setup.login, count_of(talk), octets,
                   count_of(talk) > 0 ? talk->deleted : NULL, &talk->out);
}

static void answer_fetch(struct conversation *talk)
{
    const char *wire = wire_of(talk, talk->asked_index);
    pop3_fetched(&talk->session, talk->setup.fetch, conversation_octets(wire), header_bytes(wire),
                 &talk->out);
    flush(talk);
    if (talk->setup.fetch != STATUS_OK)
        return;
    for (size_t at = 0, size = strlen(wire); at < size;) {
        size_t piece = talk->setup.piece_bytes;
        if (piece == 0 || piece > size - at)
            piece = size - at;
        size_t passed = pop3_pass(&talk->session, span_of(wire + at, piece));
        INVARIANT(passed <= piece);
        note(talk, span_of(wire + at, passed));
        if (passed < piece)
            break;
        at += piece;
    }
    pop3_fetch_done(&talk->session, &talk->out);
}

static bool answer(struct conversation *talk)
{
    enum conversation_ask asked = talk->asked;
    talk->asked = ASK_NOTHING;
    if (asked == ASK_LOG_IN)
        answer_log_in(talk);
    else if (asked == ASK_FETCH)
        answer_fetch(talk);
    else if (asked == ASK_EXPUNGE)
        pop3_expunged(&talk->session, talk->setup.expunge, &talk->out);
    return asked != ASK_NOTHING;
}

/* ------------------------------------------------------------------------- the client ---- */

void conversation_open(struct conversation *talk, const struct conversation_setup *setup)
{
    *talk = (struct conversation){.setup = *setup};
    talk->config = (struct pop3_config){
        .hostname = SPAN("mail.example"),
        .plaintext_login = !setup->tls_only,
        .stls = setup->stls,
        .errors_max = setup->errors_max ? setup->errors_max : 20,
        .host = &host,
    };
    talk->out.capacity = setup->output_bytes ? setup->output_bytes : 8192;
    talk->out.data = malloc(talk->out.capacity);
    talk->deleted = calloc(1, count_of(talk) / 8 + 1);
    const uint32_t counts[BLOCK_CLASSES] = {[BLOCK_1K] = BLOCKS};
    INVARIANT(blocks_init(&talk->blocks, counts) == STATUS_OK);
    for (uint32_t i = 0; i < setup->no_blocks; i++)
        talk->taken[i] = blocks_take(&talk->blocks, BLOCK_1K);
    pop3_open(&talk->session, &talk->config, &talk->blocks, talk, setup->secure, &talk->out);
    flush(talk);
}

static void start_tls(struct conversation *talk)
{
    note(talk, SPAN("[tls]"));
    talk->is_tls = true;
    talk->pending_bytes = 0;
    pop3_secured(&talk->session);
}

/* One step; false when nothing moves any more. */
static bool step(struct conversation *talk)
{
    size_t used =
        pop3_feed(&talk->session, span_of(talk->pending, talk->pending_bytes), &talk->out);
    INVARIANT(used <= talk->pending_bytes);
    talk->pending_bytes -= used;
    memmove(talk->pending, talk->pending + used, talk->pending_bytes);
    bool moved = used > 0 || talk->out.size > 0;
    flush(talk);
    moved |= answer(talk);
    flush(talk);
    if (pop3_wish(&talk->session) == POP3_STLS)
        start_tls(talk);
    return moved;
}

void conversation_hear(struct conversation *talk, struct span bytes)
{
    talk->pending = realloc(talk->pending, talk->pending_bytes + bytes.size + 1);
    memcpy(talk->pending + talk->pending_bytes, bytes.data, bytes.size);
    talk->pending_bytes += bytes.size;
    while (step(talk))
        ;
    if (pop3_wish(&talk->session) == POP3_CLOSE && !talk->is_over) {
        talk->is_over = true;
        note(talk, SPAN("[close]"));
    }
}

void conversation_close(struct conversation *talk)
{
    pop3_close(&talk->session);
    INVARIANT(pool_left(&talk->blocks.pools[BLOCK_1K]) == BLOCKS - talk->setup.no_blocks);
    for (uint32_t i = 0; i < talk->setup.no_blocks; i++)
        blocks_give(&talk->blocks, BLOCK_1K, talk->taken[i]);
    blocks_deinit(&talk->blocks);
    free(talk->out.data);
    free(talk->deleted);
    free(talk->pending);
    free(talk->transcript);
}

/* ------------------------------------------------------------------------- the check ---- */

/* `cut` 0: byte by byte. */
static void check_cut(const struct conversation_case *row, const struct conversation_setup *setup,
                      size_t cut)
{
    struct conversation talk;
    conversation_open(&talk, setup);
    size_t size = strlen(row->client);
    for (size_t at = 0; at < size;) {
        size_t piece = cut == 0 ? 1 : at < cut ? cut - at : size - at;
        conversation_hear(&talk, span_of(row->client + at, piece));
        at += piece;
    }
    ck_assert_msg(strncmp(talk.transcript, GREETING, strlen(GREETING)) == 0, "%s", talk.transcript);
    const char *said = talk.transcript + strlen(GREETING);
    ck_assert_msg(strcmp(said, row->transcript) == 0, "cut at %zu\nclient: %s\nsaid: %s\nnot: %s",
                  cut, row->client, said, row->transcript);
    conversation_close(&talk);
}

void conversation_check(const struct conversation_case *row)
{
    struct conversation_setup roomy = row->setup, tight = row->setup;
    tight.output_bytes = POP3_REPLY_BYTES_MAX;
    tight.piece_bytes = 1;
    size_t size = strlen(row->client);
    for (size_t cut = 0; cut <= size; cut++) {
        check_cut(row, &roomy, cut);
        check_cut(row, &tight, cut);
    }
}
