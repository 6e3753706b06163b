#include "tests/engine/smtp/client_talk.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void note(struct client_talk *talk, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof talk->transcript - talk->transcript_bytes;
    int size = vsnprintf(talk->transcript + talk->transcript_bytes, room, format, arguments);
    va_end(arguments);
    ck_assert(size >= 0 && (size_t)size < room);
    talk->transcript_bytes += (size_t)size;
}

/* What the session has said so far comes before what it tells. */
static void flush(struct client_talk *talk)
{
    note(talk, "%.*s", (int)talk->out.size, (const char *)talk->said);
    talk->out.size = 0;
}

/* ------------------------------------------------------------------------- the host ---- */

static unsigned number_of(const struct client_talk *talk, const struct smtp_client_message *message)
{
    ck_assert(message >= talk->messages && message < talk->messages + talk->sent);
    return (unsigned)(message - talk->messages) + 1;
}

static void on_phase(void *owner, enum smtp_client_phase phase, uint16_t code, struct span text,
                     struct smtp_client_message *message)
{
    static const char *const names[SMTP_CLIENT_PHASES] = {
        "banner", "hello", "tls", "auth", "rset", "mail", "rcpt", "data", "commit", "quit"};
    struct client_talk *talk = owner;
    flush(talk);
    note(talk, "{%s %u", names[phase], code);
    if (message)
        note(talk, " %u", number_of(talk, message));
    if (talk->setup.texts)
        note(talk, " %.*s", (int)text.size, (const char *)text.data);
    note(talk, "}");
}

static void on_done(void *owner, struct smtp_client_message *message)
{
    static const char *const names[] = {"pending", "taken",  "accepted",
                                        "refused", "failed", "doubtful"};
    struct client_talk *talk = owner;
    flush(talk);
    note(talk, "{done %u", number_of(talk, message));
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        const struct smtp_client_recipient *recipient = &message->recipients[i];
        ck_assert_uint_ge(recipient->outcome, SMTP_CLIENT_ACCEPTED);
        note(talk, " %s", names[recipient->outcome]);
        if (recipient->code)
            note(talk, " %u", recipient->code);
    }
    note(talk, "}");
    ck_assert_ptr_eq(message, &talk->messages[talk->done]); /* in order */
    talk->done++;
}

static const struct smtp_client_host host = {on_phase, on_done};

/* ------------------------------------------------------------------------- the caller ---- */

static void send_message(struct client_talk *talk)
{
    static const char *const paths[CLIENT_TALK_RECIPIENTS_MAX] = {"0@b", "1@b", "2@b", "3@b",
                                                                  "4@b", "5@b", "6@b", "7@b"};
    unsigned number = talk->sent++;
    struct smtp_client_message *message = &talk->messages[number];
    memset(message, 0xA5, sizeof *message); /* what is the session's needs no initialising */
    message->reverse_path = SPAN("s@a");
    message->recipients = talk->recipients[number];
    message->recipient_count = talk->setup.recipients ? talk->setup.recipients : 1;
    message->eight_bit = talk->setup.eight_bit;
    message->smtputf8 = talk->setup.smtputf8;
    message->octets = 5;
    for (uint32_t i = 0; i < message->recipient_count; i++)
        message->recipients[i] = (struct smtp_client_recipient){.path = span_text(paths[i])};
    smtp_client_send(&talk->session, message, &talk->out);
}

static void do_ready(struct client_talk *talk)
{
    if (talk->sent < talk->setup.messages) {
        send_message(talk);
        return;
    }
    ck_assert(!talk->quit);
    talk->quit = true;
    smtp_client_quit(&talk->session, &talk->out);
}

static bool do_body(struct client_talk *talk, const char *kind)
{
    if (talk->setup.no_body)
        return false;
    note(talk, "[%s %u]", kind, number_of(talk, smtp_client_body(&talk->session)));
    smtp_client_body_sent(&talk->session, &talk->out);
    return true;
}

static void do_tls(struct client_talk *talk)
{
    note(talk, "[tls]");
    if (talk->setup.tls_fails)
        smtp_client_fail(&talk->session, SMTP_CLIENT_TLS_FAILED);
    else
        smtp_client_secured(&talk->session, &talk->out);
}

/* What the session wishes; false: nothing to do but wait. */
static bool step(struct client_talk *talk)
{
    flush(talk);
    switch (smtp_client_wish(&talk->session)) {
    case SMTP_CLIENT_GO_ON:
        return false;
    case SMTP_CLIENT_SPEAK:
        smtp_client_feed(&talk->session, SPAN(""), &talk->out);
        return true;
    case SMTP_CLIENT_READY:
        do_ready(talk);
        return true;
    case SMTP_CLIENT_SEND_DATA:
        return do_body(talk, "body");
    case SMTP_CLIENT_SEND_CHUNK:
        return do_body(talk, "chunk");
    case SMTP_CLIENT_STARTTLS:
        do_tls(talk);
        return true;
    case SMTP_CLIENT_CLOSE:
        break;
    }
    if (!talk->closed)
        note(talk, "[close %s]", smtp_client_failure_name(smtp_client_failure(&talk->session)));
    talk->closed = true;
    return false;
}

void client_talk_open(struct client_talk *talk, const struct client_talk_setup *setup,
                      uint32_t output_bytes)
{
    *talk = (struct client_talk){.setup = *setup};
    talk->config = (struct smtp_client_config){
        .hello = SPAN("me"),
        .lmtp = setup->lmtp,
        .starttls = setup->starttls,
        .pipeline = setup->pipeline,
        .chunking = setup->chunking,
        .host = &host,
    };
    if (setup->user)
        talk->config.credentials = (struct credentials){span_text(setup->user), SPAN("secret")};
    talk->out = (struct output){talk->said, 0, output_bytes ? output_bytes : sizeof talk->said};
    memset(&talk->session, 0xA5, sizeof talk->session);
    smtp_client_start(&talk->session, &talk->config, talk, setup->secure);
}

void client_talk_hear(struct client_talk *talk, struct span bytes)
{
    uint8_t *copy = malloc(bytes.size); /* so that reading beyond it is found out */
    memcpy(copy, bytes.data, bytes.size);
    if (span_equal(bytes, SPAN("!lost")))
        smtp_client_fail(&talk->session, SMTP_CLIENT_LOST);
    else if (span_equal(bytes, SPAN("!timeout")))
        smtp_client_fail(&talk->session, SMTP_CLIENT_TIMEOUT);
    else
        smtp_client_feed(&talk->session, span_of(copy, bytes.size), &talk->out);
    free(copy);
    while (step(talk))
        ;
}

void client_talk_close(struct client_talk *talk)
{
    smtp_client_fail(&talk->session, SMTP_CLIENT_LOST);
    ck_assert_int_eq(smtp_client_wish(&talk->session), SMTP_CLIENT_CLOSE);
    ck_assert_uint_eq(talk->done, talk->sent);
    ck_assert_uint_eq(smtp_client_patience_ms(&talk->session), 0);
    smtp_client_body_sent(&talk->session, &talk->out);
    smtp_client_feed(&talk->session, SPAN("250 late\r\n"), &talk->out);
    ck_assert_uint_eq(talk->out.size, 0);
}

/* ------------------------------------------------------------------------- the check ---- */

/* Hears all the server says, its text number `which` in pieces: one of `first` bytes and one of the
 * rest, or (`first` 0) byte by byte. */
static void check_cut(const struct client_talk_case *row, uint32_t output_bytes, size_t which,
                      size_t first)
{
    static struct client_talk talk;
    client_talk_open(&talk, &row->setup, output_bytes);
    for (size_t i = 0; row->server[i]; i++) {
        struct span text = span_text(row->server[i]);
        bool whole = i != which || text.data[0] == '!';
        for (size_t at = 0, size; at < text.size; at += size) {
            size = whole ? text.size : first == 0 ? 1 : at == 0 ? first : text.size - at;
            client_talk_hear(&talk, span_of(text.data + at, size));
        }
    }
    ck_assert_msg(strcmp(talk.transcript, row->transcript) == 0,
                  "text %zu cut at %zu, %u for output\nsaid: %s\nnot:  %s", which, first,
                  output_bytes, talk.transcript, row->transcript);
    client_talk_close(&talk);
}

void client_talk_check(const struct client_talk_case *row)
{
    for (uint32_t room = 0; room <= SMTP_CLIENT_COMMAND_BYTES_MAX;
         room += SMTP_CLIENT_COMMAND_BYTES_MAX)
        for (size_t which = 0; row->server[which]; which++)
            for (size_t first = 0; first <= strlen(row->server[which]); first++)
                check_cut(row, room, which, first);
}
