#include "engine/pop3/client_login.h"

#include "base/invariant.h"
#include "engine/pop3/client_list.h"

static void say(struct pop3_client *session, struct span command, enum pop3_client_phase phase,
                struct output *out)
{
    output_add(out, command);
    pop3_client_listen_for(session, phase);
}

/* ---------------------------------------------------------------------- greeting and CAPA ---- */

void pop3_client_hear_greeting(struct pop3_client *session, enum pop3_client_status status,
                               struct span text)
{
    pop3_client_report(session, POP3_CLIENT_GREETING, status == POP3_CLIENT_OK, text, 0);
    if (status == POP3_CLIENT_OK)
        session->turn = POP3_CLIENT_SAY_CAPA;
    else
        pop3_client_fail(session, POP3_CLIENT_TURNED_AWAY);
}

void pop3_client_say_capa(struct pop3_client *session, struct output *out)
{
    session->capabilities = 0;
    say(session, SPAN("CAPA\r\n"), POP3_CLIENT_CAPA, out);
}

/* A server from before RFC 2449 has USER and PASS and nothing else. */
static void choose_login(struct pop3_client *session)
{
    bool wants_tls = session->config->stls && !session->secure;
    bool plain = pop3_client_has(session, POP3_CLIENT_HAS_PLAIN);
    bool user = pop3_client_has(session, POP3_CLIENT_HAS_USER);
    if (wants_tls && !pop3_client_has(session, POP3_CLIENT_HAS_STLS))
        pop3_client_fail(session, POP3_CLIENT_NO_TLS);
    else if (wants_tls)
        session->turn = POP3_CLIENT_SAY_STLS;
    else if (plain && (session->config->sasl || !user))
        session->turn = POP3_CLIENT_SAY_AUTH;
    else
        session->turn = POP3_CLIENT_SAY_USER;
}

void pop3_client_hear_capa(struct pop3_client *session, enum pop3_client_status status,
                           struct span text)
{
    if (status == POP3_CLIENT_OK) {
        session->listing = true;
        session->rows = 0;
        return;
    }
    pop3_client_report(session, POP3_CLIENT_CAPA, false, text, 0);
    choose_login(session);
}

/* ----------------------------------------------------------------------------------- STLS ---- */

void pop3_client_say_stls(struct pop3_client *session, struct output *out)
{
    say(session, SPAN("STLS\r\n"), POP3_CLIENT_TLS, out);
}

void pop3_client_hear_stls(struct pop3_client *session, enum pop3_client_status status,
                           struct span text)
{
    if (status == POP3_CLIENT_OK) {
        session->turn = POP3_CLIENT_HANDSHAKE;
        return;
    }
    pop3_client_report(session, POP3_CLIENT_TLS, false, text, 0);
    pop3_client_fail(session, POP3_CLIENT_NO_TLS);
}

/* ------------------------------------------------------------------------------- logging in ----
 */

static void listen_for_login(struct pop3_client *session, enum pop3_client_turn ok,
                             enum pop3_client_turn more, struct output *out)
{
    output_add(out, SPAN("\r\n"));
    session->login_ok = (uint8_t)ok;
    session->login_more = (uint8_t)more;
    pop3_client_listen_for(session, POP3_CLIENT_LOGIN);
}

void pop3_client_say_user(struct pop3_client *session, struct output *out)
{
    INVARIANT(session->credentials->user.size <= CREDENTIALS_BYTES_MAX);
    output_add(out, SPAN("USER "));
    output_add(out, session->credentials->user);
    listen_for_login(session, POP3_CLIENT_SAY_PASS, POP3_CLIENT_LISTEN, out);
}

void pop3_client_say_pass(struct pop3_client *session, struct output *out)
{
    INVARIANT(session->credentials->password.size <= CREDENTIALS_BYTES_MAX);
    output_add(out, SPAN("PASS "));
    output_add(out, session->credentials->password);
    listen_for_login(session, POP3_CLIENT_SAY_STAT, POP3_CLIENT_LISTEN, out);
}

/* The response comes in a line of its own: RFC 5034 section 4 leaves room for 255 bytes in the
 * command's. */
void pop3_client_say_auth(struct pop3_client *session, struct output *out)
{
    output_add(out, SPAN("AUTH PLAIN"));
    listen_for_login(session, POP3_CLIENT_LISTEN, POP3_CLIENT_SAY_RESPONSE, out);
}

void pop3_client_say_response(struct pop3_client *session, struct output *out)
{
    credentials_plain(session->credentials, out);
    listen_for_login(session, POP3_CLIENT_SAY_STAT, POP3_CLIENT_LISTEN, out);
}

void pop3_client_hear_login(struct pop3_client *session, enum pop3_client_status status,
                            struct span text)
{
    uint8_t next = status == POP3_CLIENT_OK ? session->login_ok : session->login_more;
    bool in = status == POP3_CLIENT_OK && next == POP3_CLIENT_SAY_STAT;
    if (status == POP3_CLIENT_ERR || in)
        pop3_client_report(session, POP3_CLIENT_LOGIN, in, text, 0);
    if (status == POP3_CLIENT_ERR)
        pop3_client_fail(session, POP3_CLIENT_TURNED_AWAY);
    else if (next == POP3_CLIENT_LISTEN)
        pop3_client_fail(session, POP3_CLIENT_OUT_OF_STEP);
    else
        session->turn = next;
}

/* --------------------------------------------------------------------------- STAT and UIDL ---- */

void pop3_client_say_stat(struct pop3_client *session, struct output *out)
{
    say(session, SPAN("STAT\r\n"), POP3_CLIENT_STAT, out);
}

void pop3_client_hear_stat(struct pop3_client *session, enum pop3_client_status status,
                           struct span text)
{
    uint64_t octets;
    pop3_client_report(session, POP3_CLIENT_STAT, status == POP3_CLIENT_OK, text, 0);
    if (status == POP3_CLIENT_ERR) {
        pop3_client_fail(session, POP3_CLIENT_TURNED_AWAY);
    } else if (!pop3_client_stat_parse(text, &session->count, &octets)) {
        pop3_client_fail(session, POP3_CLIENT_GARBAGE);
    } else {
        session->config->host->maildrop(session->owner, session->count, octets);
        session->turn = session->config->uidl ? POP3_CLIENT_SAY_UIDL : POP3_CLIENT_FETCH;
    }
}

void pop3_client_say_uidl(struct pop3_client *session, struct output *out)
{
    say(session, SPAN("UIDL\r\n"), POP3_CLIENT_UIDL, out);
}

void pop3_client_hear_uidl(struct pop3_client *session, enum pop3_client_status status,
                           struct span text)
{
    if (status == POP3_CLIENT_OK) {
        session->listing = true;
        session->rows = 0;
        return;
    }
    pop3_client_report(session, POP3_CLIENT_UIDL, false, text, 0);
    session->turn = POP3_CLIENT_FETCH;
}

/* ----------------------------------------------------------------------------------- lists ---- */

static void hear_uidl_row(struct pop3_client *session, struct span row)
{
    uint32_t number;
    struct span uidl;
    if (pop3_client_uidl_parse(row, session->count, &number, &uidl))
        session->config->host->uidl(session->owner, number, uidl);
    else
        pop3_client_fail(session, POP3_CLIENT_GARBAGE);
}

void pop3_client_hear_row(struct pop3_client *session, struct span row)
{
    bool capa = session->hearing == POP3_CLIENT_CAPA;
    if (span_equal(row, SPAN("."))) {
        session->listing = false;
        pop3_client_report(session, (enum pop3_client_phase)session->hearing, true, SPAN(""), 0);
        if (capa)
            choose_login(session);
        else
            session->turn = POP3_CLIENT_FETCH;
    } else if (session->rows++ == (capa ? POP3_CLIENT_CAPABILITIES_MAX : session->count)) {
        pop3_client_fail(session, POP3_CLIENT_LONG_REPLY);
    } else if (capa) {
        session->capabilities |= (uint8_t)pop3_client_capabilities_of(row);
    } else {
        hear_uidl_row(session, row);
    }
}
