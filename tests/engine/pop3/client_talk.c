#include "tests/engine/pop3/client_talk.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void note(struct client_talk_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->text - text->size;
    int size = vsnprintf(text->text + text->size, room, format, arguments);
    va_end(arguments);
    ck_assert(size >= 0 && (size_t)size < room);
    text->size += (size_t)size;
}

static void flush(struct client_talk *talk)
{
    note(&talk->said, "%.*s", (int)talk->out.size, (const char *)talk->output);
    talk->out.size = 0;
}

/* ------------------------------------------------------------------------- the host ---- */

static void on_phase(void *owner, enum pop3_client_phase phase, bool ok, struct span text,
                     uint32_t number)
{
    static const char *const names[POP3_CLIENT_PHASES] = {
        "greeting", "capa", "tls", "login", "stat", "uidl", "retr", "dele", "quit"};
    struct client_talk *talk = owner;
    note(&talk->told, "{%s", names[phase]);
    if (number > 0)
        note(&talk->told, " %u", number);
    if (!ok)
        note(&talk->told, " refused");
    if (talk->setup.texts)
        note(&talk->told, ": %.*s", (int)text.size, (const char *)text.data);
    note(&talk->told, "}");
}

static void on_maildrop(void *owner, uint32_t messages, uint64_t octets)
{
    struct client_talk *talk = owner;
    note(&talk->told, "{maildrop %u %llu}", messages, (unsigned long long)octets);
}

static void on_uidl(void *owner, uint32_t number, struct span uidl)
{
    struct client_talk *talk = owner;
    note(&talk->told, "{%u is %.*s}", number, (int)uidl.size, (const char *)uidl.data);
}

static void on_begin(void *owner, uint32_t number)
{
    struct client_talk *talk = owner;
    ck_assert_uint_eq(talk->begun, 0);
    ck_assert_uint_gt(number, 0);
    talk->begun = number;
    note(&talk->told, "{begin %u}", number);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct client_talk *talk = owner;
    ck_assert_uint_gt(talk->begun, 0);
    ck_assert_uint_gt(bytes.size, 0);
    note(&talk->told, "%.*s", (int)bytes.size, (const char *)bytes.data);
}

static bool on_end(void *owner, uint32_t number)
{
    struct client_talk *talk = owner;
    ck_assert_uint_eq(talk->begun, number);
    talk->begun = 0;
    return talk->setup.delete_all || number == talk->setup.delete_number;
}

static const struct pop3_client_host host = {on_phase, on_maildrop, on_uidl,
                                             on_begin, on_bytes,    on_end};

/* ------------------------------------------------------------------------- the caller ---- */

/* What the session wishes; false: nothing to do but wait. */
static bool step(struct client_talk *talk)
{
    flush(talk);
    switch (pop3_client_wish(&talk->session)) {
    case POP3_CLIENT_GO_ON:
        return false;
    case POP3_CLIENT_SPEAK:
        pop3_client_feed(&talk->session, SPAN(""), &talk->out);
        ck_assert_uint_gt(talk->out.size, 0);
        return true;
    case POP3_CLIENT_STLS:
        note(&talk->said, "[tls]");
        if (talk->setup.tls_fails)
            pop3_client_fail(&talk->session, POP3_CLIENT_TLS_FAILED);
        else
            pop3_client_secured(&talk->session, &talk->out);
        return true;
    case POP3_CLIENT_CLOSE:
        break;
    }
    if (!talk->closed)
        note(&talk->said, "[close %s]",
             pop3_client_failure_name(pop3_client_failure(&talk->session)));
    talk->closed = true;
    return false;
}

void client_talk_open(struct client_talk *talk, const struct client_talk_setup *setup,
                      uint32_t output_bytes)
{
    *talk = (struct client_talk){.setup = *setup};
    talk->config = (struct pop3_client_config){
        .stls = setup->stls,
        .sasl = setup->sasl,
        .uidl = setup->uidl,
        .pipeline = setup->pipeline,
        .unstuff = setup->unstuff,
        .host = &host,
    };
    talk->credentials =
        (struct credentials){span_text(setup->user ? setup->user : "joe"), SPAN("secret")};
    talk->out = (struct output){talk->output, 0, output_bytes ? output_bytes : sizeof talk->output};
    memset(&talk->session, 0xA5, sizeof talk->session);
    pop3_client_start(&talk->session, &talk->config, &talk->credentials, talk, setup->secure);
}

void client_talk_hear(struct client_talk *talk, struct span bytes)
{
    if (span_equal(bytes, SPAN("!lost"))) {
        pop3_client_fail(&talk->session, POP3_CLIENT_LOST);
    } else if (span_equal(bytes, SPAN("!timeout"))) {
        pop3_client_fail(&talk->session, POP3_CLIENT_TIMEOUT);
    } else if (span_equal(bytes, SPAN("!quit"))) {
        pop3_client_quit(&talk->session, &talk->out);
    } else {
        uint8_t *copy = malloc(bytes.size); /* so that reading beyond it is found out */
        memcpy(copy, bytes.data, bytes.size);
        pop3_client_feed(&talk->session, span_of(copy, bytes.size), &talk->out);
        free(copy);
    }
    while (step(talk))
        ;
}

void client_talk_close(struct client_talk *talk)
{
    pop3_client_fail(&talk->session, POP3_CLIENT_LOST);
    ck_assert_int_eq(pop3_client_wish(&talk->session), POP3_CLIENT_CLOSE);
    ck_assert_int_eq(pop3_client_awaits(&talk->session), POP3_CLIENT_PHASES);
    size_t told = talk->told.size;
    pop3_client_feed(&talk->session, SPAN("+OK late\r\n"), &talk->out);
    ck_assert_uint_eq(talk->out.size, 0);
    ck_assert_uint_eq(talk->told.size, told);
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
    ck_assert_msg(strcmp(talk.said.text, row->said) == 0,
                  "text %zu cut at %zu, %u for output\nsaid: %s\nnot:  %s", which, first,
                  output_bytes, talk.said.text, row->said);
    ck_assert_msg(strcmp(talk.told.text, row->told) == 0,
                  "text %zu cut at %zu, %u for output\ntold: %s\nnot:  %s", which, first,
                  output_bytes, talk.told.text, row->told);
    client_talk_close(&talk);
}

void client_talk_check(const struct client_talk_case *row)
{
    for (uint32_t room = 0; room <= POP3_CLIENT_COMMAND_BYTES_MAX;
         room += POP3_CLIENT_COMMAND_BYTES_MAX)
        for (size_t which = 0; row->server[which]; which++)
            for (size_t first = 0; first <= strlen(row->server[which]); first++)
                check_cut(row, room, which, first);
}
