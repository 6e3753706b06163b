#include "engine/load/fetcher.h"

#include "base/log.h"
#include "engine/load/collector.h"
#include "engine/session_tls.h"
#include "engine/shard_state.h"

#include <stdio.h>

#define CONNECT_MS_MAX 15000u

static struct fetcher *fetcher_of(const struct session *session)
{
    return (struct fetcher *)(void *)session->call;
}

static uint32_t now_ms(const struct fetcher *fetcher)
{
    return (uint32_t)shard_now_ms(fetcher->collector->shard);
}

/* With one to spare: when none is left the message is too long. */
static uint64_t message_room(const struct fetcher *fetcher)
{
    return fetcher->collector->options->message_bytes_max + 1;
}

/* ------------------------------------------------------------------- what the client tells ---- */

/* RFC 2449 section 8, RFC 3206: codes of refusals that pass. */
static bool is_temporary(struct span text)
{
    static const struct span codes[] = {SPAN_INIT("[IN-USE"), SPAN_INIT("[LOGIN-DELAY"),
                                        SPAN_INIT("[SYS/TEMP")};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (text.size >= codes[i].size &&
            span_equal_nocase(span_of(text.data, codes[i].size), codes[i]))
            return true;
    return false;
}

/* Of what a server must do, or the mailbox is not read; NULL: it may refuse. */
static const char *required(enum pop3_client_phase phase)
{
    static const char *const names[POP3_CLIENT_PHASES] = {
        [POP3_CLIENT_GREETING] = "greeting", [POP3_CLIENT_TLS] = "STLS",
        [POP3_CLIENT_LOGIN] = "log-in",      [POP3_CLIENT_STAT] = "STAT",
        [POP3_CLIENT_RETR] = "RETR",         [POP3_CLIENT_DELE] = "DELE",
        [POP3_CLIENT_QUIT] = "QUIT",
    };
    return names[phase];
}

static void host_phase(void *owner, enum pop3_client_phase phase, bool ok, struct span text,
                       uint32_t number)
{
    (void)number;
    struct fetcher *fetcher = owner;
    char escaped[FETCHER_REASON_BYTES - 32];
    fetcher->since_ms = now_ms(fetcher);
    if (ok) {
        fetcher->deleted += phase == POP3_CLIENT_DELE;
        return;
    }
    fetcher->skipped |= phase == POP3_CLIENT_RETR;
    fetcher->later |= phase == POP3_CLIENT_GREETING || is_temporary(text);
    if (required(phase) != NULL && fetcher->reason[0] == '\0')
        snprintf(fetcher->reason, sizeof fetcher->reason, "%s was refused: %s", required(phase),
                 log_escape(text, escaped, sizeof escaped));
}

static void host_maildrop(void *owner, uint32_t messages, uint64_t octets)
{
    (void)octets;
    struct fetcher *fetcher = owner;
    fetcher->opened = true;
    fetcher->count = messages;
    collector_opened(fetcher->collector, fetcher);
}

static void host_uidl(void *owner, uint32_t number, struct span uidl)
{
    (void)owner, (void)number, (void)uidl;
}

static void host_begin(void *owner, uint32_t number)
{
    (void)number;
    struct fetcher *fetcher = owner;
    fetcher->message_left = message_room(fetcher);
    fetched_start(&fetcher->message);
}

static void host_bytes(void *owner, struct span bytes)
{
    struct fetcher *fetcher = owner;
    uint32_t silent_ms = now_ms(fetcher) - fetcher->since_ms;
    fetcher->since_ms += bytes.size < silent_ms ? (uint32_t)bytes.size : silent_ms;
    fetcher->message_left -=
        bytes.size < fetcher->message_left ? bytes.size : fetcher->message_left;
    fetched_add(&fetcher->message, bytes);
}

static bool host_end(void *owner, uint32_t number)
{
    (void)number;
    struct fetcher *fetcher = owner;
    uint64_t octets = message_room(fetcher) - fetcher->message_left;
    fetcher->read++;
    bool delete = collector_found(fetcher->collector, fetcher, octets);
    fetcher->condemned += delete;
    return delete;
}

const struct pop3_client_host fetcher_host = {
    .phase = host_phase,
    .maildrop = host_maildrop,
    .uidl = host_uidl,
    .begin = host_begin,
    .bytes = host_bytes,
    .end = host_end,
};

/* ------------------------------------------------------------------- what the shard asks ---- */

/* Without QUIT nothing is deleted: that must not happen in a mailbox that was not read whole. What
 * has ended badly is not worth waiting for its FIN either. */
static bool must_be_cut(struct fetcher *fetcher)
{
    struct pop3_client *client = &fetcher->client;
    if (fetcher->message_left == 0)
        pop3_client_fail(client, POP3_CLIENT_LONG_REPLY);
    return (pop3_client_awaits(client) == POP3_CLIENT_QUIT && fetcher->condemned > 0 &&
            fetcher->read < fetcher->count) ||
           (pop3_client_wish(client) == POP3_CLIENT_CLOSE &&
            pop3_client_failure(client) != POP3_CLIENT_FINE);
}

static void serve(struct session *session)
{
    struct fetcher *fetcher = fetcher_of(session);
    while (pop3_client_wish(&fetcher->client) == POP3_CLIENT_SPEAK) {
        struct output *out = session_output(session, POP3_CLIENT_COMMAND_BYTES_MAX, false);
        if (out == NULL) {
            session_wait(session);
            break;
        }
        pop3_client_feed(&fetcher->client, span_of(NULL, 0), out);
    }
    if (must_be_cut(fetcher))
        net_abort(session->shard->net, session->conn);
    session->active_ms = fetcher->since_ms;
}

static void door_open(struct session *session, const struct session_listener *listener,
                      struct span client, struct output *out)
{
    (void)listener, (void)client, (void)out;
    struct fetcher *fetcher = fetcher_of(session);
    struct collector *collector = fetcher->collector;
    fetcher->since_ms = now_ms(fetcher);
    fetcher->up = true;
    collector_connected(collector);
    pop3_client_start(&fetcher->client, &collector->client, &fetcher->credentials, fetcher,
                      collector->plan.secure);
}

static void secured(struct session *session, struct span cipher)
{
    (void)cipher;
    struct fetcher *fetcher = fetcher_of(session);
    fetcher->since_ms = now_ms(fetcher);
    if (fetcher->collector->plan.secure)
        return; /* the greeting comes next */
    struct output nowhere = {0};
    struct output *out = session_output(session, POP3_CLIENT_COMMAND_BYTES_MAX, true);
    pop3_client_secured(&fetcher->client, out != NULL ? out : &nowhere);
    serve(session);
}

static size_t feed(struct session *session, struct span input, struct output *out)
{
    pop3_client_feed(&fetcher_of(session)->client, input, out);
    serve(session);
    return input.size;
}

static void go_on(struct session *session)
{
    (void)session; /* all that is ever said comes from input */
}

static enum session_wish wish(const struct session *session)
{
    switch (pop3_client_wish(&fetcher_of(session)->client)) {
    case POP3_CLIENT_CLOSE:
        return SESSION_CLOSE;
    case POP3_CLIENT_STLS:
        return SESSION_STARTTLS;
    case POP3_CLIENT_GO_ON:
    case POP3_CLIENT_SPEAK:
        break;
    }
    return SESSION_GO_ON;
}

static bool expects(const struct session *session)
{
    (void)session;
    return false;
}

static uint32_t patience_ms(const struct session *session)
{
    uint32_t timeout_ms = fetcher_of(session)->collector->timeout_ms;
    bool connecting = session->flags & SESSION_CONNECTING;
    return connecting && timeout_ms > CONNECT_MS_MAX ? CONNECT_MS_MAX : timeout_ms;
}

static void end(struct session *session, bool shutdown, struct output *out)
{
    (void)shutdown, (void)out;
    if (!(session->flags & SESSION_CONNECTING))
        pop3_client_fail(&fetcher_of(session)->client, POP3_CLIENT_TIMEOUT);
    net_abort(session->shard->net, session->conn);
}

static bool busy(const struct session *session)
{
    (void)session;
    return true;
}

static bool door_close(struct session *session)
{
    struct fetcher *fetcher = fetcher_of(session);
    bool connected = !(session->flags & SESSION_CONNECTING);
    if (connected) {
        bool no_tls = session->tls != NULL && session_tls_is_shaking_hands(session);
        pop3_client_fail(&fetcher->client, no_tls ? POP3_CLIENT_TLS_FAILED : POP3_CLIENT_LOST);
    }
    fetcher->call.session = NULL;
    collector_closed(fetcher->collector, fetcher, connected);
    return false;
}

const struct door fetcher_door = {
    .name = "pop3",
    .open = door_open,
    .secured = secured,
    .feed = feed,
    .go_on = go_on,
    .wish = wish,
    .expects = expects,
    .patience_ms = patience_ms,
    .end = end,
    .busy = busy,
    .close = door_close,
};

/* ------------------------------------------------------------------ for the collector ---- */

enum status fetcher_connect(struct fetcher *fetcher, struct span mailbox)
{
    struct collector *collector = fetcher->collector;
    fetcher->credentials = (struct credentials){.user = mailbox, .password = collector->password};
    fetcher->count = fetcher->read = fetcher->condemned = fetcher->deleted = 0;
    fetcher->message_left = message_room(fetcher);
    fetcher->up = fetcher->opened = fetcher->skipped = fetcher->later = false;
    fetcher->reason[0] = '\0';
    return call_connect(collector->shard, &fetcher->call, &collector->plan, NULL);
}

bool fetcher_has_read(const struct fetcher *fetcher)
{
    return fetcher->opened && fetcher->read == fetcher->count;
}

/* What another attempt may find changed is worth some. */
uint32_t fetcher_worth(const struct fetcher *fetcher)
{
    enum { ONE = 1, TWO = 2, SOME = 6 };
    static const uint8_t worth[POP3_CLIENT_FAILURES] = {
        [POP3_CLIENT_FINE] = ONE,       [POP3_CLIENT_TURNED_AWAY] = ONE,
        [POP3_CLIENT_NO_TLS] = ONE,     [POP3_CLIENT_NOT_DELETED] = ONE,
        [POP3_CLIENT_GARBAGE] = ONE,    [POP3_CLIENT_LONG_LINE] = ONE,
        [POP3_CLIENT_LONG_REPLY] = ONE, [POP3_CLIENT_OUT_OF_STEP] = ONE,
        [POP3_CLIENT_UNASKED] = ONE,    [POP3_CLIENT_LOST] = SOME,
        [POP3_CLIENT_TIMEOUT] = TWO,    [POP3_CLIENT_TLS_FAILED] = TWO,
    };
    if (!fetcher->up || fetcher->later)
        return SOME;
    if (fetcher->skipped)
        return ONE;
    return worth[pop3_client_failure(&fetcher->client)];
}

const char *fetcher_reason(const struct fetcher *fetcher)
{
    if (!fetcher->up)
        return "no connection";
    if (fetcher->reason[0] != '\0')
        return fetcher->reason;
    return pop3_client_failure_name(pop3_client_failure(&fetcher->client));
}

uint32_t fetcher_deleted(const struct fetcher *fetcher)
{
    bool done = fetcher->up && pop3_client_failure(&fetcher->client) == POP3_CLIENT_FINE;
    return done ? fetcher->deleted : 0;
}

uint32_t fetcher_undeleted(const struct fetcher *fetcher)
{
    return fetcher->condemned - fetcher_deleted(fetcher);
}
