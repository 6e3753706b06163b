#include "tests/engine/load/scripted_connection.h"

#include "base/clock.h"
#include "base/digest.h"
#include "tests/check_main.h"

#include <stdlib.h>

/* What may be asked for every byte: Check's own assertions write to a file each time. */
static void check(bool fine, const char *what)
{
    if (!fine)
        ck_abort_msg("%s", what);
}

/* -------------------------------------------------------------------------------- saying ---- */

struct sent {
    struct net_tx tx;
    uint8_t bytes[];
};

static void release_sent(struct net_tx *tx, void *context)
{
    (void)context;
    free(tx);
}

static void send_bytes(struct scripted_connection *connection, const void *bytes, size_t size)
{
    struct sent *sent = malloc(sizeof *sent + size);
    check(sent != NULL, "no memory");
    memcpy(sent->bytes, bytes, size);
    sent->tx =
        (struct net_tx){.data = sent->bytes, .size = (uint32_t)size, .release = release_sent};
    net_send(connection->server->net, connection->conn, &sent->tx);
}

/* When what is to be said next may be; UINT64_MAX: nothing is. */
static uint64_t may_say_ns(const struct scripted_connection *connection)
{
    const struct script *script = &connection->server->script;
    uint64_t now_ns = clock_monotonic_ns(connection->server->clock);
    if (!connection->open || (connection->said == connection->words_bytes && !connection->closing))
        return UINT64_MAX;
    if (now_ns >= script->hold_from_ns && now_ns < script->hold_from_ns + script->hold_ns)
        return script->hold_from_ns + script->hold_ns;
    return script->dribble_ns > 0 ? connection->dribbled_ns + script->dribble_ns : now_ns;
}

static void utter(struct scripted_connection *connection)
{
    uint64_t now_ns = clock_monotonic_ns(connection->server->clock);
    while (may_say_ns(connection) <= now_ns) {
        size_t size = connection->words_bytes - connection->said;
        if (size > 1 && connection->server->script.dribble_ns > 0)
            size = 1;
        if (size > 0)
            send_bytes(connection, connection->words + connection->said, size);
        connection->said += size;
        connection->dribbled_ns = now_ns;
        if (connection->said < connection->words_bytes)
            continue;
        connection->said = connection->words_bytes = 0;
        if (connection->closing) {
            net_finish(connection->server->net, connection->conn);
            connection->open = false;
        }
    }
}

static void say(struct scripted_connection *connection, const char *text)
{
    size_t size = strlen(text);
    check(connection->words_bytes + size <= SCRIPT_TEXT_BYTES_MAX, "too much to say");
    memcpy(connection->words + connection->words_bytes, text, size);
    connection->words_bytes += size;
}

static bool say_fault(struct scripted_connection *connection, const struct script_fault *fault)
{
    if (fault->text != NULL)
        say(connection, fault->text);
    connection->mute = fault->action == SCRIPT_SILENCE;
    connection->deaf = fault->action == SCRIPT_DEAFNESS;
    connection->closing = fault->action == SCRIPT_CLOSE;
    if (fault->action == SCRIPT_RESET) {
        connection->open = false;
        net_abort(connection->server->net, connection->conn);
    }
    return fault->text != NULL && fault->text[0] <= '3';
}

/* What is due at this point, or what the script wants instead. Whether it is good news. */
static bool answer(struct scripted_connection *connection, enum script_point point,
                   const char *text)
{
    if (!connection->open || connection->mute || connection->closing)
        return false;
    const struct script_fault *fault = scripted_server_fault(connection->server, point);
    if (fault != NULL && fault->action != SCRIPT_DEAFNESS)
        return say_fault(connection, fault);
    connection->deaf |= fault != NULL;
    say(connection, text);
    return text[0] <= '3';
}

static const uint8_t *find_text(const struct scripted_connection *connection, const char *text)
{
    const uint8_t *found = memmem(connection->text, connection->text_bytes, text, strlen(text));
    check(found != NULL, "a message without id or body");
    return found + strlen(text);
}

/* The whole message is here. */
static void note_message(struct scripted_connection *connection)
{
    const uint8_t *id = find_text(connection, "X-Mailrace-Id: ");
    const uint8_t *body = find_text(connection, "\r\n\r\n");
    struct span rest = span_of(body, (size_t)(connection->text + connection->text_bytes - body));
    for (uint32_t i = 0; i < connection->users_count; i++) {
        struct script_copy *copy =
            scripted_server_copy(connection->server, id, connection->users[i]);
        copy->digest = digest_of(rest);
        copy->octets = connection->text_bytes;
        copy->mail_ns = connection->mail_ns;
        copy->ended++;
    }
}

static void note_taken(struct scripted_connection *connection, uint32_t user)
{
    const uint8_t *id = find_text(connection, "X-Mailrace-Id: ");
    scripted_server_copy(connection->server, id, user)->taken++;
}

/* ------------------------------------------------------------------------------- hearing ---- */

static void end_transaction(struct scripted_connection *connection)
{
    connection->mail = false;
    connection->users_count = 0;
    connection->text_bytes = 0;
}

static void commit(struct scripted_connection *connection)
{
    connection->mode = SCRIPT_COMMANDS;
    if (connection->users_count == 0) {
        answer(connection, SCRIPT_COMMIT, "554 nobody is there\r\n");
        end_transaction(connection);
        return;
    }
    note_message(connection);
    bool lmtp = connection->server->script.lmtp;
    bool good = false;
    for (uint32_t i = 0; i < connection->users_count; i++) {
        if (lmtp || i == 0)
            good = answer(connection, SCRIPT_COMMIT, "250 taken\r\n");
        if (good)
            note_taken(connection, connection->users[i]);
    }
    end_transaction(connection);
}

static void hear_hello(struct scripted_connection *connection, const char *line)
{
    (void)line;
    end_transaction(connection);
    answer(connection, SCRIPT_HELLO,
           connection->server->script.bare
               ? "250-sim.test\r\n250 AUTH PLAIN LOGIN\r\n"
               : "250-sim.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n"
                 "250-AUTH PLAIN LOGIN\r\n250 SIZE 1048576\r\n");
}

static void hear_auth(struct scripted_connection *connection, const char *line)
{
    (void)line;
    answer(connection, SCRIPT_AUTH, "235 welcome\r\n");
}

static void hear_rset(struct scripted_connection *connection, const char *line)
{
    (void)line;
    end_transaction(connection);
    answer(connection, SCRIPT_RSET, "250 forgotten\r\n");
}

static void hear_mail(struct scripted_connection *connection, const char *line)
{
    (void)line;
    connection->mail_ns = clock_monotonic_ns(connection->server->clock);
    bool nested = connection->mail;
    if (answer(connection, SCRIPT_MAIL, nested ? "503 one by one\r\n" : "250 go on\r\n"))
        connection->mail = true;
}

static void hear_rcpt(struct scripted_connection *connection, const char *line)
{
    uint32_t user = (uint32_t)strtoul(line + strlen("RCPT TO:<user"), NULL, 10);
    check(connection->users_count < SCRIPT_RECIPIENTS_MAX, "too many recipients");
    if (answer(connection, SCRIPT_RCPT, connection->mail ? "250 go on\r\n" : "503 from whom?\r\n"))
        connection->users[connection->users_count++] = user;
}

static void hear_data(struct scripted_connection *connection, const char *line)
{
    (void)line;
    if (answer(connection, SCRIPT_DATA,
               connection->users_count > 0 ? "354 go on\r\n" : "503 for whom?\r\n"))
        connection->mode = SCRIPT_TEXT;
}

static void hear_bdat(struct scripted_connection *connection, const char *line)
{
    check(strstr(line, " LAST") != NULL, "a chunk that is not the last");
    connection->chunk_left = strtoull(line + strlen("BDAT "), NULL, 10);
    connection->mode = SCRIPT_CHUNK;
}

static void hear_quit(struct scripted_connection *connection, const char *line)
{
    (void)line;
    answer(connection, SCRIPT_QUIT, "221 bye\r\n");
    if (!connection->mute)
        connection->closing = true;
}

static void hear_line(struct scripted_connection *connection, const char *line)
{
    static const struct {
        const char *verb;
        void (*hear)(struct scripted_connection *connection, const char *line);
    } verbs[] = {
        {"EHLO ", hear_hello},        {"LHLO ", hear_hello}, {"HELO ", hear_hello},
        {"AUTH ", hear_auth},         {"RSET\r", hear_rset}, {"MAIL FROM:<", hear_mail},
        {"RCPT TO:<user", hear_rcpt}, {"DATA\r", hear_data}, {"BDAT ", hear_bdat},
        {"QUIT\r", hear_quit},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strncmp(line, verbs[i].verb, strlen(verbs[i].verb)) == 0) {
            verbs[i].hear(connection, line);
            return;
        }
    }
    ck_abort_msg("'%s' is no command", line);
}

static void hear_command_byte(struct scripted_connection *connection, uint8_t byte)
{
    check(connection->line_bytes + 1 < SCRIPT_LINE_BYTES_MAX, "a long line");
    connection->line[connection->line_bytes++] = (char)byte;
    if (byte != '\n')
        return;
    connection->line[connection->line_bytes] = '\0';
    connection->line_bytes = 0;
    hear_line(connection, connection->line);
}

static void add_text_byte(struct scripted_connection *connection, uint8_t byte)
{
    check(connection->text_bytes < SCRIPT_TEXT_BYTES_MAX, "a long message");
    connection->text[connection->text_bytes++] = byte;
    const struct script_fault *fault = NULL;
    if (connection->text_bytes == 1)
        fault = scripted_server_fault(connection->server, SCRIPT_BODY);
    if (fault != NULL)
        say_fault(connection, fault);
}

static void unstuff(struct scripted_connection *connection)
{
    uint8_t *text = connection->text, last = '\n';
    size_t kept = 0;
    for (size_t i = 0; i < connection->text_bytes; i++) {
        bool stuffing = last == '\n' && text[i] == '.';
        last = text[i];
        if (!stuffing)
            text[kept++] = last;
    }
    connection->text_bytes = kept;
}

/* RFC 5321 section 4.5.2. */
static void hear_data_byte(struct scripted_connection *connection, uint8_t byte)
{
    add_text_byte(connection, byte);
    const uint8_t *text = connection->text;
    size_t size = connection->text_bytes;
    if (size < 3 || memcmp(text + size - 3, ".\r\n", 3) != 0 ||
        (size > 3 && text[size - 4] != '\n'))
        return;
    connection->text_bytes -= 3;
    unstuff(connection);
    commit(connection);
}

static void hear_chunk_byte(struct scripted_connection *connection, uint8_t byte)
{
    add_text_byte(connection, byte);
    if (--connection->chunk_left == 0)
        commit(connection);
}

static uint64_t may_sip_ns(const struct scripted_connection *connection)
{
    return connection->sipped_ns + connection->server->script.sip_ns;
}

/* How much of so many bytes it will read now. */
static size_t sip(struct scripted_connection *connection, size_t size)
{
    uint64_t now_ns = clock_monotonic_ns(connection->server->clock);
    if (connection->server->script.sip_ns == 0)
        return size;
    connection->thirsty = now_ns < may_sip_ns(connection) || size > SCRIPT_SIP_BYTES;
    if (now_ns < may_sip_ns(connection))
        return 0;
    connection->sipped_ns = now_ns;
    return size < SCRIPT_SIP_BYTES ? size : SCRIPT_SIP_BYTES;
}

static void resume(struct scripted_connection *connection)
{
    uint64_t now_ns = clock_monotonic_ns(connection->server->clock);
    if (!connection->thirsty || now_ns < may_sip_ns(connection))
        return;
    connection->thirsty = false;
    net_resume(connection->server->net, connection->conn);
}

static size_t received(void *context, struct span bytes)
{
    struct scripted_connection *connection = context;
    size_t taken = 0, size = sip(connection, bytes.size);
    while (taken < size && !connection->deaf) {
        uint8_t byte = bytes.data[taken++];
        if (connection->mode == SCRIPT_TEXT)
            hear_data_byte(connection, byte);
        else if (connection->mode == SCRIPT_CHUNK)
            hear_chunk_byte(connection, byte);
        else
            hear_command_byte(connection, byte);
    }
    utter(connection);
    return taken;
}

/* --------------------------------------------------------------------------- life and time ---- */

void scripted_connection_go_on(struct scripted_connection *connection)
{
    utter(connection);
    resume(connection);
}

uint64_t scripted_connection_next_ns(const struct scripted_connection *connection)
{
    uint64_t say_ns = may_say_ns(connection);
    uint64_t sip_ns = connection->thirsty ? may_sip_ns(connection) : UINT64_MAX;
    return say_ns < sip_ns ? say_ns : sip_ns;
}

static void *opened(void *context, struct net_conn conn, const union net_address *peer)
{
    struct scripted_server *server = context;
    (void)peer;
    struct scripted_connection *connection = calloc(1, sizeof *connection);
    check(connection != NULL, "no memory");
    connection->server = server;
    connection->conn = conn;
    connection->open = true;
    connection->text = malloc(SCRIPT_TEXT_BYTES_MAX);
    connection->words = malloc(SCRIPT_TEXT_BYTES_MAX);
    check(connection->text != NULL && connection->words != NULL, "no memory");
    connection->next = server->connections;
    server->connections = connection;
    server->accepted++;
    answer(connection, SCRIPT_BANNER, "220 sim.test\r\n");
    utter(connection);
    return connection;
}

static void peer_finished(void *context)
{
    struct scripted_connection *connection = context;
    net_finish(connection->server->net, connection->conn);
}

static void drained(void *context)
{
    (void)context;
}

static void closed(void *context, enum net_close_reason reason)
{
    struct scripted_connection *connection = context;
    (void)reason;
    struct scripted_connection **place = &connection->server->connections;
    while (*place != connection)
        place = &(*place)->next;
    *place = connection->next;
    free(connection->text);
    free(connection->words);
    free(connection);
}

const struct net_handler scripted_connection_handler = {.opened = opened,
                                                        .received = received,
                                                        .peer_finished = peer_finished,
                                                        .drained = drained,
                                                        .closed = closed};
