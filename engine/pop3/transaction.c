/* What a logged-in client may do with its maildrop (RFC 1939 sections 5 to 7). */
#include "engine/pop3/reply.h"
#include "engine/pop3/session.h"
#include "engine/pop3/verbs.h"

/* One row of a listing: number, space, a UIDL of 70 characters at most, CRLF. */
#define UIDL_BYTES_MAX 70u
#define LISTING_ROW_BYTES_MAX (10u + 1u + UIDL_BYTES_MAX + 2u)

static uint64_t octets(const struct pop3_session *session, uint32_t index)
{
    return session->config->host->octets(session->owner, index);
}

static void add_row(struct pop3_session *session, uint32_t index, struct output *out)
{
    output_add_number(out, index + UINT64_C(1));
    output_add(out, SPAN(" "));
    if (session->listing_uidls) {
        char uidl[UIDL_BYTES_MAX];
        size_t size = session->config->host->uidl(session->owner, index, uidl);
        INVARIANT(size > 0 && size <= sizeof uidl);
        output_add(out, span_of(uidl, size));
    } else {
        output_add_number(out, octets(session, index));
    }
    output_add(out, SPAN("\r\n"));
}

void pop3_list_on(struct pop3_session *session, struct output *out)
{
    INVARIANT(session->state == POP3_LISTING);
    while (session->listed < session->count && output_room(out) >= LISTING_ROW_BYTES_MAX) {
        if (!pop3_is_deleted(session, session->listed))
            add_row(session, session->listed, out);
        session->listed++;
    }
    if (session->listed == session->count && output_room(out) >= LISTING_ROW_BYTES_MAX) {
        output_add(out, SPAN(".\r\n"));
        session->state = POP3_TRANSACTION;
    }
}

static void list(struct pop3_session *session, const struct pop3_arguments *arguments, bool uidls,
                 struct output *out)
{
    session->listing_uidls = uidls;
    if (arguments->has_message) {
        output_add(out, SPAN("+OK "));
        add_row(session, arguments->index, out);
        return;
    }
    session->listed = 0;
    session->state = POP3_LISTING;
    pop3_reply_maildrop(session, out);
    pop3_list_on(session, out);
}

void pop3_do_list(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    list(session, arguments, false, out);
}

void pop3_do_uidl(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    list(session, arguments, true, out);
}

void pop3_do_stat(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)arguments;
    output_add(out, SPAN("+OK "));
    output_add_number(out, session->count - session->deleted_count);
    output_add(out, SPAN(" "));
    output_add_number(out, session->octets - session->deleted_octets);
    output_add(out, SPAN("\r\n"));
}

static void fetch(struct pop3_session *session, uint32_t index)
{
    session->state = POP3_FETCHING;
    session->config->host->fetch(session->owner, index);
}

void pop3_do_retr(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)out;
    session->fetching_lines = false;
    fetch(session, arguments->index);
}

void pop3_do_top(struct pop3_session *session, const struct pop3_arguments *arguments,
                 struct output *out)
{
    (void)out;
    session->fetching_lines = true;
    session->top = pop3_top_ask(arguments->lines);
    fetch(session, arguments->index);
}

void pop3_do_dele(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    uint32_t index = arguments->index;
    session->deleted[index / 8] |= (uint8_t)(1u << index % 8);
    session->deleted_count++;
    session->deleted_octets += octets(session, index);
    INVARIANT(session->deleted_octets <= session->octets);
    pop3_reply(out, POP3_OK_DELETED);
}

void pop3_do_rset(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)arguments;
    if (session->deleted_count > 0)
        memset(session->deleted, 0, (session->count + UINT64_C(7)) / 8);
    session->deleted_count = 0;
    session->deleted_octets = 0;
    pop3_reply_maildrop(session, out);
}

void pop3_do_noop(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)session, (void)arguments;
    pop3_reply(out, POP3_OK);
}

void pop3_do_quit(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)arguments;
    if (session->state == POP3_TRANSACTION && session->deleted_count > 0) {
        session->state = POP3_EXPUNGING;
        session->config->host->expunge(session->owner);
        return;
    }
    session->state = POP3_OVER;
    pop3_reply(out, POP3_OK_BYE);
}
