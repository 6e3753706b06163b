#include "engine/smtp/client_greeting.h"

static void listen_for(struct smtp_client *session, enum smtp_client_phase phase)
{
    session->awaited++;
    session->turn = SMTP_CLIENT_LISTEN;
    session->hearing = (uint8_t)phase;
}

/* ---------------------------------------------------------------------------- EHLO, HELO ---- */

void smtp_client_greet(struct smtp_client *session)
{
    session->offers = 0;
    session->size_max = 0;
    session->helo = false;
    session->turn = SMTP_CLIENT_SAY_EHLO;
}

static void say_name(struct smtp_client *session, struct span verb, struct output *out)
{
    output_add(out, verb);
    output_add(out, session->config->hello);
    output_add(out, SPAN("\r\n"));
    listen_for(session, SMTP_CLIENT_HELLO);
}

void smtp_client_say_ehlo(struct smtp_client *session, struct output *out)
{
    say_name(session, session->config->lmtp ? SPAN("LHLO ") : SPAN("EHLO "), out);
}

void smtp_client_say_helo(struct smtp_client *session, struct output *out)
{
    session->helo = true;
    say_name(session, SPAN("HELO "), out);
}

void smtp_client_hear_banner(struct smtp_client *session, uint16_t code, bool good)
{
    (void)code;
    if (good)
        smtp_client_greet(session);
    else
        smtp_client_fail(session, SMTP_CLIENT_TURNED_AWAY);
}

static void log_in(struct smtp_client *session)
{
    if (session->config->credentials.user.size == 0)
        session->turn = SMTP_CLIENT_IDLE;
    else if (smtp_client_offered(session, SMTP_CLIENT_AUTH_PLAIN))
        session->turn = SMTP_CLIENT_SAY_PLAIN;
    else if (smtp_client_offered(session, SMTP_CLIENT_AUTH_LOGIN))
        session->turn = SMTP_CLIENT_SAY_LOGIN;
    else
        smtp_client_fail(session, SMTP_CLIENT_NO_AUTH);
}

void smtp_client_hear_hello(struct smtp_client *session, uint16_t code, bool good)
{
    bool wants_tls = session->config->starttls && !session->secure;
    if (!good && code >= 500 && !session->helo && !session->config->lmtp)
        session->turn = SMTP_CLIENT_SAY_HELO;
    else if (!good)
        smtp_client_fail(session, SMTP_CLIENT_TURNED_AWAY);
    else if (!wants_tls)
        log_in(session);
    else if (smtp_client_offered(session, SMTP_CLIENT_OFFERS_STARTTLS))
        session->turn = SMTP_CLIENT_SAY_STARTTLS;
    else
        smtp_client_fail(session, SMTP_CLIENT_NO_TLS);
}

/* ------------------------------------------------------------------------------ STARTTLS ---- */

void smtp_client_say_starttls(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("STARTTLS\r\n"));
    listen_for(session, SMTP_CLIENT_TLS);
}

void smtp_client_hear_tls(struct smtp_client *session, uint16_t code, bool good)
{
    (void)code;
    if (good)
        session->turn = SMTP_CLIENT_HANDSHAKE;
    else
        smtp_client_fail(session, SMTP_CLIENT_NO_TLS);
}

/* ---------------------------------------------------------------------------------- AUTH ---- */

/* A 334 asks for what comes `next`; LISTEN: it may not come. */
static void listen_for_auth(struct smtp_client *session, enum smtp_client_turn next)
{
    session->auth_answer = (uint8_t)next;
    listen_for(session, SMTP_CLIENT_AUTH);
}

void smtp_client_say_plain(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("AUTH PLAIN "));
    credentials_plain(&session->config->credentials, out);
    output_add(out, SPAN("\r\n"));
    listen_for_auth(session, SMTP_CLIENT_LISTEN);
}

void smtp_client_say_login(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("AUTH LOGIN\r\n"));
    listen_for_auth(session, SMTP_CLIENT_SAY_USER);
}

void smtp_client_say_user(struct smtp_client *session, struct output *out)
{
    credentials_base64(session->config->credentials.user, out);
    output_add(out, SPAN("\r\n"));
    listen_for_auth(session, SMTP_CLIENT_SAY_PASSWORD);
}

void smtp_client_say_password(struct smtp_client *session, struct output *out)
{
    credentials_base64(session->config->credentials.password, out);
    output_add(out, SPAN("\r\n"));
    listen_for_auth(session, SMTP_CLIENT_LISTEN);
}

void smtp_client_hear_auth(struct smtp_client *session, uint16_t code, bool good)
{
    if (good)
        session->turn = SMTP_CLIENT_IDLE;
    else if (code >= 400)
        smtp_client_fail(session, SMTP_CLIENT_TURNED_AWAY);
    else if (session->auth_answer != SMTP_CLIENT_LISTEN)
        session->turn = session->auth_answer;
    else
        smtp_client_fail(session, SMTP_CLIENT_OUT_OF_STEP);
}
