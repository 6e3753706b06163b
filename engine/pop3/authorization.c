/* What a client may say before it is logged in (RFC 1939 section 4, RFC 2449, 2595, 5034, 6856). */
#include "engine/pop3/reply.h"
#include "engine/pop3/sasl.h"
#include "engine/pop3/session.h"
#include "engine/pop3/verbs.h"

static bool may_log_in(const struct pop3_session *session)
{
    return session->secure || session->config->plaintext_login;
}

static bool may_start_tls(const struct pop3_session *session)
{
    return session->config->stls && !session->secure;
}

void pop3_do_capa(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)arguments;
    output_add(out, SPAN("+OK capabilities follow\r\n"
                         "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
                         "EXPIRE NEVER\r\nUTF8\r\nIMPLEMENTATION mailrace\r\n"));
    if (may_log_in(session))
        output_add(out, SPAN("USER\r\nSASL PLAIN\r\n"));
    if (may_start_tls(session))
        output_add(out, SPAN("STLS\r\n"));
    output_add(out, SPAN(".\r\n"));
}

void pop3_forget_user(struct pop3_session *session)
{
    if (!session->user)
        return;
    blocks_give(session->blocks, BLOCK_1K, session->user);
    session->user = NULL;
    session->user_bytes = 0;
}

/* The answer says nothing about whether there is such a user (RFC 1939 section 13). */
void pop3_do_user(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    if (!may_log_in(session)) {
        pop3_refuse(session, POP3_NO_CLEAR, out);
        return;
    }
    if (!session->user)
        session->user = blocks_take(session->blocks, BLOCK_1K);
    if (!session->user) {
        pop3_reply(out, POP3_NO_MEMORY);
        return;
    }
    INVARIANT(arguments->text.size <= POP3_COMMAND_BYTES_MAX);
    memcpy(session->user, arguments->text.data, arguments->text.size);
    session->user_bytes = (uint16_t)arguments->text.size;
    pop3_reply(out, POP3_OK_USER);
}

static void log_in(struct pop3_session *session, struct span user, struct span password)
{
    session->state = POP3_LOGGING_IN;
    session->config->host->log_in(session->owner, user, password);
    pop3_forget_user(session);
}

void pop3_do_pass(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    if (!may_log_in(session))
        pop3_refuse(session, POP3_NO_CLEAR, out);
    else if (!session->user)
        pop3_refuse(session, POP3_NO_USER, out);
    else
        log_in(session, span_of(session->user, session->user_bytes), arguments->text);
}

static void log_in_plain(struct pop3_session *session, struct span base64, struct output *out)
{
    uint8_t message[POP3_SASL_BYTES_MAX];
    size_t size;
    struct span user, password;
    if (pop3_base64_decode(base64, message, &size) &&
        pop3_plain_parse(span_of(message, size), &user, &password))
        log_in(session, user, password);
    else
        pop3_refuse(session, POP3_NO_SASL, out);
    explicit_bzero(message, sizeof message);
}

/* "AUTH" SP mechanism [SP initial-response]; "=" is an empty one (RFC 5034 section 4). */
void pop3_do_auth(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    struct span text = arguments->text, plain = SPAN("PLAIN");
    bool is_plain = text.size >= plain.size &&
                    span_equal_nocase(span_of(text.data, plain.size), plain) &&
                    (text.size == plain.size || text.data[plain.size] == ' ');
    if (!may_log_in(session)) {
        pop3_refuse(session, POP3_NO_CLEAR, out);
    } else if (!is_plain) {
        pop3_refuse(session, POP3_NO_MECHANISM, out);
    } else if (text.size == plain.size) {
        session->state = POP3_SASL;
        pop3_reply(out, POP3_CONTINUE);
    } else {
        struct span response = span_from(text, plain.size + 1);
        log_in_plain(session, span_equal(response, SPAN("=")) ? SPAN("") : response, out);
    }
}

void pop3_do_sasl_response(struct pop3_session *session, struct span response, struct output *out)
{
    session->state = POP3_AUTHORIZATION;
    if (span_equal(response, SPAN("*")))
        pop3_refuse(session, POP3_NO_SASL_CANCELLED, out);
    else
        log_in_plain(session, response, out);
}

void pop3_do_stls(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)arguments;
    if (!may_start_tls(session)) {
        pop3_refuse(session, POP3_NO_STLS, out);
        return;
    }
    session->state = POP3_SECURING;
    pop3_reply(out, POP3_OK_STLS);
}

/* Messages are sent as they were stored, names are bytes: the mode changes nothing here. */
void pop3_do_utf8(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)session, (void)arguments;
    pop3_reply(out, POP3_OK_UTF8);
}

void pop3_do_http(struct pop3_session *session, const struct pop3_arguments *arguments,
                  struct output *out)
{
    (void)arguments;
    session->state = POP3_OVER;
    pop3_reply(out, POP3_NO_HTTP);
}
