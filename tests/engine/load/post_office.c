#include "tests/engine/load/post_office.h"

#include "engine/load/ledger_line.h"
#include "tests/check_main.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Each message of the office: the header that a relay left, and a body of a line. */
static const char *const texts[OFFICE_MAILBOXES][OFFICE_MESSAGES] = {
#define MESSAGE(id) "Received: from x\r\nX-Mailrace-Id: " id "\r\n\r\n" id "\r\n..dot\r\n.\r\n"
#define MAILBOX(m)                                                                                 \
    {                                                                                              \
        MESSAGE(m ".0"), MESSAGE(m ".1"), MESSAGE(m ".2")                                          \
    }
    MAILBOX("0"),
    MAILBOX("1"),
    MAILBOX("2"),
    MAILBOX("3"),
};

static const char *const users[OFFICE_MAILBOXES] = {"user0@x", "user1@x", "user2@x", "user3@x"};

/* -------------------------------------------------------------------------- the server ---- */

struct sent {
    struct net_tx tx;
    char bytes[];
};

static void release_sent(struct net_tx *tx, void *context)
{
    (void)context;
    free(tx);
}

static void say(struct office_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct office_session *session, const char *format, ...)
{
    struct sent *sent = malloc(sizeof *sent + 1024);
    ck_assert_ptr_nonnull(sent);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sent->bytes, 1024, format, arguments);
    va_end(arguments);
    ck_assert(size > 0 && size < 1024);
    sent->tx = (struct net_tx){
        .data = (const uint8_t *)sent->bytes, .size = (uint32_t)size, .release = release_sent};
    net_send(session->office->server, session->conn, &sent->tx);
}

/* Whether the mailbox is to have this trouble now. */
static bool strikes(struct office_mailbox *mailbox, enum office_trouble trouble)
{
    if (mailbox->trouble != trouble || mailbox->times == 0)
        return false;
    mailbox->times--;
    return true;
}

static void *opened(void *context, struct net_conn conn, const union net_address *peer)
{
    (void)peer;
    struct office *office = context;
    ck_assert_uint_lt(office->sessions_count, OFFICE_SESSIONS);
    struct office_session *session = &office->sessions[office->sessions_count++];
    *session = (struct office_session){.office = office, .conn = conn, .open = true};
    struct office_mailbox *first = &office->mailboxes[0];
    if (strikes(first, OFFICE_DRIPS))
        session->drips = true;
    else if (strikes(first, OFFICE_TURNS_AWAY))
        say(session, "-ERR later\r\n");
    else if (strikes(first, OFFICE_BABBLES))
        say(session, "220 ready\r\n");
    else if (!strikes(first, OFFICE_SILENT))
        say(session, "+OK ready\r\n");
    return session;
}

static void hang_up(struct office_session *session)
{
    net_abort(session->office->server, session->conn);
}

static void hear_user(struct office_session *session, const char *user)
{
    for (uint32_t i = 0; i < OFFICE_MAILBOXES; i++)
        if (strcmp(users[i], user) == 0)
            session->mailbox = &session->office->mailboxes[i];
    say(session, "+OK\r\n");
}

static void log_in(struct office_session *session)
{
    struct office_mailbox *mailbox = session->mailbox;
    if (mailbox == NULL) {
        say(session, "-ERR [AUTH] who?\r\n");
        return;
    }
    if (strikes(mailbox, OFFICE_LOGIN)) {
        say(session, "-ERR %s\r\n", mailbox->text);
    } else if (strikes(mailbox, OFFICE_HANGS_UP)) {
        hang_up(session);
    } else {
        mailbox->logins++;
        say(session, "+OK\r\n");
    }
}

static uint32_t messages_of(const struct office_mailbox *mailbox)
{
    uint32_t count = 0;
    while (count < OFFICE_MESSAGES && mailbox->messages[count] != NULL)
        count++;
    return count;
}

static void hear_retr(struct office_session *session, uint32_t number)
{
    struct office_mailbox *mailbox = session->mailbox;
    ck_assert(number >= 1 && number <= messages_of(mailbox));
    const char *text = mailbox->messages[number - 1];
    if (number == 2 && strikes(mailbox, OFFICE_RETR)) {
        say(session, "-ERR %s\r\n", mailbox->text);
    } else if (number == 2 && strikes(mailbox, OFFICE_STALLS)) {
        say(session, "+OK\r\n%.30s", text);
        session->mailbox = NULL;
    } else if (number == 2 && strikes(mailbox, OFFICE_MESSAGE_DRIPS)) {
        say(session, "+OK\r\n%.30s", text);
        session->mailbox = NULL;
        session->drips = true;
    } else if (number == 2 && strikes(mailbox, OFFICE_MESSAGE_RESETS)) {
        hang_up(session);
    } else {
        say(session, "+OK\r\n%s", text);
    }
}

static void hear_dele(struct office_session *session, uint32_t number)
{
    ck_assert(number >= 1 && number <= messages_of(session->mailbox));
    if (number == 2 && strikes(session->mailbox, OFFICE_DELE)) {
        say(session, "-ERR no\r\n");
        return;
    }
    session->deleted[number - 1] = true;
    say(session, "+OK\r\n");
}

static void hear_quit(struct office_session *session)
{
    struct office_mailbox *mailbox = session->mailbox;
    if (mailbox != NULL && strikes(mailbox, OFFICE_QUIT)) {
        say(session, "-ERR some are still there\r\n");
        return;
    }
    if (mailbox != NULL && strikes(mailbox, OFFICE_NO_QUIT)) {
        hang_up(session);
        return;
    }
    for (uint32_t i = 0; mailbox != NULL && i < OFFICE_MESSAGES; i++)
        mailbox->deleted[i] |= session->deleted[i];
    if (mailbox != NULL && strikes(mailbox, OFFICE_NO_GOODBYE)) {
        hang_up(session);
        return;
    }
    say(session, "+OK\r\n");
    net_finish(session->office->server, session->conn);
}

static void hear(struct office_session *session, const char *line)
{
    const struct office *office = session->office;
    uint32_t number;
    if (strcmp(line, "CAPA") == 0)
        say(session, "+OK\r\nUSER\r\n%s%s.\r\n", office->pipelining ? "PIPELINING\r\n" : "",
            office->sasl ? "SASL PLAIN\r\n" : "");
    else if (strncmp(line, "USER ", 5) == 0)
        hear_user(session, line + 5);
    else if (strcmp(line, "PASS secret") == 0)
        log_in(session);
    else if (session->mailbox == NULL)
        return; /* it stalls */
    else if (strcmp(line, "STAT") == 0)
        say(session, "+OK %u 1000\r\n", messages_of(session->mailbox));
    else if (sscanf(line, "RETR %u", &number) == 1)
        hear_retr(session, number);
    else if (sscanf(line, "DELE %u", &number) == 1)
        hear_dele(session, number);
    else if (strcmp(line, "QUIT") == 0)
        hear_quit(session);
    else
        ck_abort_msg("what does '%s' mean?", line);
}

static size_t received(void *context, struct span bytes)
{
    struct office_session *session = context;
    for (size_t i = 0; i < bytes.size; i++) {
        ck_assert_uint_lt(session->line_bytes, sizeof session->line);
        session->line[session->line_bytes++] = (char)bytes.data[i];
        if (bytes.data[i] != '\n')
            continue;
        session->line[session->line_bytes - 2] = '\0';
        session->line_bytes = 0;
        hear(session, session->line);
    }
    return bytes.size;
}

static void peer_finished(void *context)
{
    struct office_session *session = context;
    net_finish(session->office->server, session->conn);
}

static void drained(void *context)
{
    (void)context;
}

static void closed(void *context, enum net_close_reason reason)
{
    (void)reason;
    ((struct office_session *)context)->open = false;
}

static const struct net_handler handler = {
    .opened = opened,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};

static void drip(struct office *office)
{
    for (uint32_t i = 0; i < office->sessions_count; i++) {
        struct office_session *session = &office->sessions[i];
        if (!session->open || !session->drips || office->now_ns < session->dripped_ns + NS_PER_S)
            continue;
        session->dripped_ns = office->now_ns;
        say(session, "+");
    }
}

/* ------------------------------------------------------------------------------ the bed ---- */

static uint64_t now(void *context)
{
    return ((struct office *)context)->now_ns;
}

static void found(void *context, enum drain_finding finding, struct span mailbox,
                  struct span detail)
{
    struct office *office = context;
    ck_assert_uint_lt(office->findings_count, 64);
    struct office_finding *row = &office->findings[office->findings_count++];
    row->finding = finding;
    snprintf(row->mailbox, sizeof row->mailbox, "%.*s", (int)mailbox.size,
             (const char *)mailbox.data);
    snprintf(row->detail, sizeof row->detail, "%.*s", (int)detail.size, (const char *)detail.data);
}

void office_open(struct office *office)
{
    *office = (struct office){.now_ns = NS_PER_S, .pipelining = true};
    office->clock = (struct clock){now, now, office};
    const struct sim_network_options network = {.seed = 1,
                                                .latency_ns_min = 10000,
                                                .latency_ns_max = 50000,
                                                .segment_bytes_max = 40,
                                                .window_bytes = 65536,
                                                .connections_max = OFFICE_SESSIONS};
    ck_assert(sim_network_open(&office->network, &network, &office->clock) == STATUS_OK);
    ck_assert(net_sim_open(&office->server, office->network) == STATUS_OK);
    ck_assert(net_sim_open(&office->net, office->network) == STATUS_OK);
    office->address.ipv4 = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(110)};
    for (uint32_t i = 0; i < OFFICE_MAILBOXES; i++) {
        office->mailboxes[i] = (struct office_mailbox){.user = users[i]};
        memcpy(office->mailboxes[i].messages, texts[i], sizeof texts[i]);
    }
    drain_options_default(&office->options);
    office->options.target.address = office->address;
    office->options.target.scheme = TARGET_POP3;
    office->options.password = "secret";
    office->options.connections = 2;
    office->observer = (struct drain_observer){.found = found, .context = office};
}

static void write_all_acked(FILE *file)
{
    for (uint32_t i = 0; i < OFFICE_MAILBOXES * OFFICE_MESSAGES; i++) {
        char id[8], body[32], line[LEDGER_LINE_BYTES_MAX];
        snprintf(id, sizeof id, "%u.%u", i % OFFICE_MAILBOXES, i / OFFICE_MAILBOXES);
        snprintf(body, sizeof body, "%s\r\n.dot\r\n", id);
        const struct ledger_entry entry = {
            .id = span_text(id),
            .recipient = span_text(users[i % OFFICE_MAILBOXES]),
            .digest = digest_of(span_text(body)),
            .outcome = LEDGER_ACKED,
        };
        fwrite(line, 1, ledger_format(&entry, line), file);
    }
}

static void write_ledger(struct office *office)
{
    snprintf(office->path, sizeof office->path, "/tmp/test_office.XXXXXX");
    int fd = mkstemp(office->path);
    FILE *file = fdopen(fd, "w");
    ck_assert_ptr_nonnull(file);
    if (office->ledger != NULL)
        fputs(office->ledger, file);
    else
        write_all_acked(file);
    ck_assert_int_eq(fclose(file), 0);
}

void office_read(struct office *office)
{
    struct fault fault;
    const struct net_listener_options listen = {.backlog = 64};
    if (!office->absent)
        ck_assert(office->server->calls->listen(office->server, &office->address, &listen, &handler,
                                                office, NULL, &fault) == STATUS_OK);
    write_ledger(office);
    ck_assert(account_open(&office->account, office->path, &fault) == STATUS_OK);
    const struct collector_options options = {
        .drain = &office->options,
        .observer = &office->observer,
        .account = office->account,
        .clock = &office->clock,
    };
    ck_assert(collector_open(&office->collector, &options, office->net, &office->report, &fault) ==
              STATUS_OK);
}

static void step(struct office *office)
{
    collector_turn(&office->collector, NS_PER_S);
    net_poll(office->server, 0);
    drip(office);
    uint64_t next_ns = sim_network_next_ns(office->network);
    uint64_t most_ns = office->now_ns + 100 * NS_PER_MS;
    next_ns = next_ns < most_ns ? next_ns : most_ns;
    office->now_ns = next_ns > office->now_ns ? next_ns : office->now_ns + 1000;
}

void office_run(struct office *office, uint64_t ms)
{
    uint64_t until_ns = office->now_ns + ms * NS_PER_MS;
    while (office->now_ns < until_ns)
        step(office);
}

bool office_settles(struct office *office, uint64_t ms)
{
    uint64_t until_ns = office->now_ns + ms * NS_PER_MS;
    while (!collector_is_over(&office->collector) && office->now_ns < until_ns)
        step(office);
    return collector_is_over(&office->collector);
}

void office_count(struct office *office)
{
    account_totals(office->account, &office->totals);
}

void office_close(struct office *office)
{
    office->net->calls->deinit(office->net);
    collector_close(&office->collector);
    office->server->calls->deinit(office->server);
    sim_network_close(office->network);
    account_close(office->account);
    unlink(office->path);
}

bool office_was_told(const struct office *office, enum drain_finding finding, const char *mailbox,
                     const char *detail)
{
    for (uint32_t i = 0; i < office->findings_count; i++) {
        const struct office_finding *row = &office->findings[i];
        if (row->finding == finding && strcmp(row->mailbox, mailbox) == 0 &&
            strncmp(row->detail, detail, strlen(detail)) == 0)
            return true;
    }
    return false;
}

uint32_t office_deleted(const struct office *office)
{
    uint32_t deleted = 0;
    for (uint32_t i = 0; i < OFFICE_MAILBOXES; i++)
        for (uint32_t j = 0; j < OFFICE_MESSAGES; j++)
            deleted += office->mailboxes[i].deleted[j];
    return deleted;
}
