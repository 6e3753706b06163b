/* A server that says anything at all to a POP3 client. The first byte chooses the kind of session,
 * the second how the server's bytes are cut; the rest is what it says.
 *
 * Whatever it is: the client says whole lines that fit, messages begin and end in order, each once,
 * and only those that the host wants deleted are. */
#include "base/invariant.h"
#include "engine/pop3/client_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    STLS = 1 << 0,
    SASL = 1 << 1,
    UIDL = 1 << 2,
    PIPELINE = 1 << 3,
    UNSTUFF = 1 << 4,
    OPENED = 1 << 5, /* 40 messages are waiting already */
    DELETE = 1 << 6,
    LINES = 1 << 7, /* cut at line ends: the server waits for each command */
};

struct caller {
    struct pop3_client_config config;
    struct credentials credentials;
    struct pop3_client session;
    bool delete;
    uint32_t messages, last; /* that has ended or was refused */
    uint32_t begun;          /* 0: none */
    uint32_t ended, deleted;
    uint8_t text[POP3_CLIENT_COMMAND_BYTES_MAX + 20];
    struct output out;
};

static void on_phase(void *owner, enum pop3_client_phase phase, bool ok, struct span text,
                     uint32_t number)
{
    struct caller *caller = owner;
    INVARIANT(text.size < POP3_CLIENT_COMMAND_BYTES_MAX);
    if (phase == POP3_CLIENT_RETR) {
        INVARIANT(number == caller->last + 1);
        INVARIANT(caller->begun == (ok ? number : 0));
        caller->last = number;
    }
    if (phase == POP3_CLIENT_DELE)
        INVARIANT(caller->delete &&++caller->deleted <= caller->ended);
}

static void on_maildrop(void *owner, uint32_t messages, uint64_t octets)
{
    struct caller *caller = owner;
    (void)octets;
    caller->messages = messages;
}

static void on_uidl(void *owner, uint32_t number, struct span uidl)
{
    const struct caller *caller = owner;
    INVARIANT(number >= 1 && number <= caller->messages);
    INVARIANT(uidl.size >= 1 && uidl.size <= POP3_CLIENT_UIDL_BYTES_MAX);
}

static void on_begin(void *owner, uint32_t number)
{
    struct caller *caller = owner;
    INVARIANT(caller->begun == 0 && number <= caller->messages);
    caller->begun = number;
}

static void on_bytes(void *owner, struct span bytes)
{
    const struct caller *caller = owner;
    INVARIANT(caller->begun != 0 && bytes.size > 0);
}

static bool on_end(void *owner, uint32_t number)
{
    struct caller *caller = owner;
    INVARIANT(caller->begun == number);
    caller->begun = 0;
    caller->ended++;
    return caller->delete;
}

static const struct pop3_client_host host = {on_phase, on_maildrop, on_uidl,
                                             on_begin, on_bytes,    on_end};

static void hear(struct caller *caller, struct span bytes)
{
    struct output *out = &caller->out;
    pop3_client_feed(&caller->session, bytes, out);
    for (;;) {
        INVARIANT(out->size == 0 ||
                  (out->size >= 3 && memcmp(out->data + out->size - 2, "\r\n", 2) == 0));
        out->size = 0;
        enum pop3_client_wish wish = pop3_client_wish(&caller->session);
        if (wish == POP3_CLIENT_STLS)
            pop3_client_secured(&caller->session, out);
        else if (wish == POP3_CLIENT_SPEAK)
            pop3_client_feed(&caller->session, SPAN(""), out);
        else
            break;
        INVARIANT(out->size > 0);
    }
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
    caller = (struct caller){.delete = kind & DELETE};
    caller.config = (struct pop3_client_config){.stls = (kind & STLS) && !(kind & OPENED),
                                                .sasl = kind & SASL,
                                                .uidl = kind & UIDL,
                                                .pipeline = kind & PIPELINE,
                                                .unstuff = kind & UNSTUFF,
                                                .host = &host};
    caller.credentials = (struct credentials){SPAN("joe"), SPAN("secret")};
    caller.out = (struct output){caller.text, 0, sizeof caller.text};
    pop3_client_start(&caller.session, &caller.config, &caller.credentials, &caller, false);
    if (kind & OPENED) {
        hear(&caller, SPAN("+OK\r\n"));
        hear(&caller, SPAN("+OK\r\nPIPELINING\r\nUSER\r\n.\r\n"));
        hear(&caller, SPAN("+OK\r\n"));
        hear(&caller, SPAN("+OK\r\n"));
        hear(&caller, SPAN("+OK 40 1000\r\n"));
    }
    for (struct span rest = {data + 2, size - 2}; rest.size > 0;) {
        size_t piece = piece_of(rest, kind, data[1]);
        hear(&caller, span_of(rest.data, piece));
        rest = span_from(rest, piece);
    }
    pop3_client_fail(&caller.session, POP3_CLIENT_LOST);
    INVARIANT(pop3_client_wish(&caller.session) == POP3_CLIENT_CLOSE);
    return 0;
}
