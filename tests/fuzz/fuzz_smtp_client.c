/* A server that says anything at all to an SMTP or LMTP client. The first byte chooses the kind of
 * session, the second how the server's bytes are cut; the rest is what it says.
 *
 * Whatever it is: the client says whole lines that fit, every message handed in is done once and in
 * order, and nothing is accepted or in doubt whose body was not sent. */
#include "base/invariant.h"
#include "engine/smtp/client_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LMTP = 1 << 0,
    STARTTLS = 1 << 1,
    PIPELINE = 1 << 2,
    CHUNKING = 1 << 3,
    AUTH = 1 << 4,
    GREETED = 1 << 5, /* the server has offered everything already */
    LAZY = 1 << 6,    /* bodies are sent only before the next piece comes */
    LINES = 1 << 7,   /* cut at line ends: the server waits for each command */
};

enum { MESSAGES = 5, RECIPIENTS = 3 };

struct caller {
    struct smtp_client_config config;
    struct smtp_client session;
    struct smtp_client_message messages[MESSAGES];
    struct smtp_client_recipient recipients[MESSAGES][RECIPIENTS];
    bool body_sent[MESSAGES];
    unsigned sent, done;
    bool quit, lazy;
    uint8_t text[SMTP_CLIENT_COMMAND_BYTES_MAX + 64];
    struct output out;
};

static void on_phase(void *owner, enum smtp_client_phase phase, uint16_t code, struct span text,
                     struct smtp_client_message *message)
{
    struct caller *caller = owner;
    bool in_transaction = phase >= SMTP_CLIENT_RSET && phase <= SMTP_CLIENT_COMMIT;
    INVARIANT(code >= 200 && code <= 599);
    INVARIANT(text.size < SMTP_CLIENT_COMMAND_BYTES_MAX);
    INVARIANT((message != NULL) == in_transaction);
    INVARIANT(message == NULL || message == &caller->messages[caller->done]);
}

static void on_done(void *owner, struct smtp_client_message *message)
{
    struct caller *caller = owner;
    unsigned number = caller->done++;
    INVARIANT(caller->done <= caller->sent && message == &caller->messages[number]);
    for (unsigned i = 0; i < message->recipient_count; i++) {
        const struct smtp_client_recipient *recipient = &message->recipients[i];
        bool answered =
            recipient->outcome == SMTP_CLIENT_ACCEPTED || recipient->outcome == SMTP_CLIENT_REFUSED;
        INVARIANT(recipient->outcome >= SMTP_CLIENT_ACCEPTED);
        INVARIANT(answered == (recipient->code != 0));
        if (recipient->outcome == SMTP_CLIENT_FAILED)
            INVARIANT(!caller->body_sent[number]);
        else if (recipient->outcome != SMTP_CLIENT_REFUSED)
            INVARIANT(caller->body_sent[number]);
    }
}

static const struct smtp_client_host host = {on_phase, on_done};

static void flush(struct caller *caller)
{
    struct output *out = &caller->out;
    INVARIANT(out->size == 0 ||
              (out->size >= 3 && memcmp(out->data + out->size - 2, "\r\n", 2) == 0));
    out->size = 0;
}

static void hand_in(struct caller *caller)
{
    unsigned number = caller->sent++;
    struct smtp_client_message *message = &caller->messages[number];
    *message = (struct smtp_client_message){.reverse_path = SPAN("sender@example.test"),
                                            .recipients = caller->recipients[number],
                                            .recipient_count = 1 + number % RECIPIENTS,
                                            .octets = 100};
    for (unsigned i = 0; i < message->recipient_count; i++)
        message->recipients[i].path = SPAN("recipient@example.test");
    smtp_client_send(&caller->session, message, &caller->out);
}

static void send_body(struct caller *caller)
{
    caller->body_sent[smtp_client_body(&caller->session) - caller->messages] = true;
    smtp_client_body_sent(&caller->session, &caller->out);
}

/* Does what the session wishes; false: it only waits. */
static bool step(struct caller *caller, bool lazy)
{
    flush(caller);
    switch (smtp_client_wish(&caller->session)) {
    case SMTP_CLIENT_SPEAK:
        smtp_client_feed(&caller->session, SPAN(""), &caller->out);
        INVARIANT(caller->out.size > 0);
        return true;
    case SMTP_CLIENT_READY:
        if (caller->sent < MESSAGES)
            hand_in(caller);
        else
            smtp_client_quit(&caller->session, &caller->out);
        return true;
    case SMTP_CLIENT_SEND_DATA:
    case SMTP_CLIENT_SEND_CHUNK:
        if (!lazy)
            send_body(caller);
        return !lazy;
    case SMTP_CLIENT_STARTTLS:
        smtp_client_secured(&caller->session, &caller->out);
        return true;
    case SMTP_CLIENT_GO_ON:
    case SMTP_CLIENT_CLOSE:
        break;
    }
    return false;
}

static void hear(struct caller *caller, struct span bytes)
{
    while (step(caller, false))
        ;
    smtp_client_feed(&caller->session, bytes, &caller->out);
    while (step(caller, caller->lazy))
        ;
}

static size_t piece_of(struct span input, unsigned kind, unsigned cut)
{
    size_t size = 1 + cut % 100u;
    if (kind & LINES) {
        const uint8_t *end = memchr(input.data, '\n', input.size);
        size = end ? (size_t)(end - input.data) + 1 : input.size;
    }
    return size < input.size ? size : input.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    unsigned kind = data[0];
    static struct caller caller;
    caller = (struct caller){.lazy = kind & LAZY};
    caller.config = (struct smtp_client_config){.hello = SPAN("client.example.test"),
                                                .lmtp = kind & LMTP,
                                                .starttls = kind & STARTTLS,
                                                .pipeline = kind & PIPELINE,
                                                .chunking = kind & CHUNKING,
                                                .host = &host};
    if (kind & AUTH)
        caller.config.credentials = (struct credentials){SPAN("joe"), SPAN("secret")};
    caller.out = (struct output){caller.text, 0, sizeof caller.text};
    smtp_client_start(&caller.session, &caller.config, &caller, false);
    if (kind & GREETED) {
        hear(&caller, SPAN("220 mx\r\n"));
        hear(&caller, SPAN("250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-AUTH LOGIN\r\n"
                           "250 STARTTLS\r\n"));
    }
    for (struct span rest = {data + 2, size - 2}; rest.size > 0;) {
        size_t piece = piece_of(rest, kind, data[1]);
        hear(&caller, span_of(rest.data, piece));
        rest = span_from(rest, piece);
    }
    smtp_client_fail(&caller.session, SMTP_CLIENT_LOST);
    INVARIANT(caller.done == caller.sent);
    INVARIANT(smtp_client_wish(&caller.session) == SMTP_CLIENT_CLOSE);
    return 0;
}
