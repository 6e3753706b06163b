/* load: a closed loop of SMTP clients on one ring, cheap enough to saturate what it measures.
 *
 * All connections are made and greeted before the clock starts, and reused; each sends its next
 * turn as soon as the last one is answered. Any reply that is not the awaited 2xx or 3xx ends the
 * run with a failure: a figure is only printed for mail that was taken. */
#include "base/clock.h"
#include "base/invariant.h"
#include "bench/arguments.h"
#include "bench/cpu.h"
#include "bench/dialogue.h"
#include "bench/endpoint.h"
#include "bench/reply_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_NS (10 * NS_PER_S)
#define SECONDS_MAX 120 /* whatever happens, the process does not outlive this */

struct settings {
    uint64_t port, connections, messages, size, users, core, server;
    bool pipeline, chain, json, help;
};

enum stage { GREETING, HELLO, READY, SENDING, LEAVING, GONE };

struct session {
    enum stage stage;
    struct reply_reader_reader reader;
    const char *awaited; /* first digits of the replies still to come */
    unsigned turn;       /* of the script, while SENDING */
    bool ending;         /* the next reply takes a message over */
    uint32_t user;
};

struct load {
    const struct settings *settings;
    struct endpoint endpoint;
    struct dialogue dialogue;
    struct session *sessions;
    uint64_t begun, accepted; /* messages */
    uint64_t ready, gone;     /* connections */
    struct fault fault;
};

struct figures {
    uint64_t elapsed_ns, server_ns;
    struct cpu_time own;
};

static void fail(struct load *load, const char *what, unsigned code)
{
    if (load->fault.status == STATUS_OK)
        (void)fault_set(&load->fault, STATUS_NETWORK, what, code);
}

static void say(struct load *load, uint32_t connection, struct span text, const char *awaited)
{
    load->sessions[connection].awaited = awaited;
    endpoint_send(&load->endpoint, connection, text, SPAN(""));
}

static void send_turn(struct load *load, uint32_t connection, const struct dialogue_turn *turn)
{
    struct session *session = &load->sessions[connection];
    struct span body = dialogue_body(&load->dialogue, turn->parts);
    struct span envelope = dialogue_envelope(&load->dialogue, turn->parts, session->user);
    session->awaited = turn->replies;
    session->ending = body.size > 0;
    if (body.size > 0)
        endpoint_send(&load->endpoint, connection, body, envelope);
    else
        endpoint_send(&load->endpoint, connection, envelope, SPAN(""));
}

static bool take_message(struct load *load, struct session *session)
{
    if (load->begun == load->settings->messages)
        return false;
    session->user = (uint32_t)(load->begun++ % load->dialogue.user_count);
    return true;
}

static void begin_message(struct load *load, uint32_t connection)
{
    struct session *session = &load->sessions[connection];
    if (!take_message(load, session)) {
        session->stage = READY;
        return;
    }
    session->stage = SENDING;
    session->turn = 0;
    send_turn(load, connection, &load->dialogue.script.turns[0]);
}

/* A body that takes the next envelope along is answered with that one's 354: its body is next. */
static void go_on(struct load *load, uint32_t connection)
{
    const struct dialogue_script *script = &load->dialogue.script;
    struct session *session = &load->sessions[connection];
    if (session->turn + 1 == script->turn_count) {
        begin_message(load, connection);
        return;
    }
    unsigned next = session->turn + 1;
    bool body = next + 1 == script->turn_count;
    if (body && script->chained && take_message(load, session)) {
        send_turn(load, connection, script->chained);
        return;
    }
    session->turn = next;
    send_turn(load, connection, &script->turns[next]);
}

/* Every reply of the turn is there. */
static void advance(struct load *load, uint32_t connection)
{
    struct session *session = &load->sessions[connection];
    switch (session->stage) {
    case GREETING:
        session->stage = HELLO;
        say(load, connection, SPAN("EHLO load.example.test\r\n"), "2");
        return;
    case HELLO:
        session->stage = READY;
        load->ready++;
        return;
    case SENDING:
        go_on(load, connection);
        return;
    case LEAVING:
        session->stage = GONE;
        load->gone++;
        return;
    case READY:
    case GONE:
        INVARIANT(false); /* they await nothing, and on_reply refuses what nobody awaits */
    }
}

static void on_reply(struct load *load, uint32_t connection, unsigned code)
{
    struct session *session = &load->sessions[connection];
    if (*session->awaited == '\0') {
        fail(load, "the server answered %u unasked", code);
        return;
    }
    if (code / 100 != (unsigned)(*session->awaited - '0')) {
        fail(load, "the server answered %u", code);
        return;
    }
    session->awaited++;
    load->accepted += session->ending;
    session->ending = false;
    if (*session->awaited == '\0')
        advance(load, connection);
}

static void on_received(void *context, uint32_t connection, struct span bytes)
{
    struct load *load = context;
    unsigned code;
    while (load->fault.status == STATUS_OK) {
        switch (reply_reader_next(&load->sessions[connection].reader, &bytes, &code)) {
        case REPLY_READER_DONE:
            on_reply(load, connection, code);
            break;
        case REPLY_READER_MORE:
            return;
        case REPLY_READER_BAD:
            fail(load, "a reply is not SMTP", 0);
            break;
        }
    }
}

static void on_finished(void *context, uint32_t connection)
{
    struct load *load = context;
    if (load->sessions[connection].stage != GONE)
        fail(load, "the server closed a connection", 0);
}

/* Turns until `*count` has reached `goal`. */
static enum status turn_until(struct load *load, const uint64_t *count, uint64_t goal,
                              struct fault *fault)
{
    while (*count < goal) {
        enum status status = endpoint_turn(&load->endpoint, PATIENCE_NS, fault);
        if (status != STATUS_OK)
            return status;
        if (load->fault.status != STATUS_OK) {
            *fault = load->fault;
            return fault->status;
        }
    }
    return STATUS_OK;
}

static enum status connect_all(struct load *load, struct fault *fault)
{
    const struct settings *settings = load->settings;
    for (uint64_t i = 0; i < settings->connections; i++)
        load->sessions[i].awaited = "2"; /* the greeting */
    enum status status = endpoint_connect(&load->endpoint, (uint16_t)settings->port,
                                          (uint32_t)settings->connections, fault);
    return status == STATUS_OK ? turn_until(load, &load->ready, settings->connections, fault)
                               : status;
}

static enum status leave_all(struct load *load, struct fault *fault)
{
    for (uint32_t i = 0; i < load->settings->connections; i++) {
        INVARIANT(load->sessions[i].stage == READY);
        load->sessions[i].stage = LEAVING;
        say(load, i, SPAN("QUIT\r\n"), "2");
    }
    return turn_until(load, &load->gone, load->settings->connections, fault);
}

static enum status server_time(const struct settings *settings, uint64_t *used_ns,
                               struct fault *fault)
{
    *used_ns = 0;
    if (settings->server > 0 && cpu_time_of((pid_t)settings->server, used_ns) != STATUS_OK)
        return fault_set(fault, STATUS_ABSENT, "no process %" PRIu64, settings->server);
    return STATUS_OK;
}

static enum status send_all(struct load *load, struct figures *figures, struct fault *fault)
{
    const struct settings *settings = load->settings;
    uint64_t server_start_ns;
    enum status status = server_time(settings, &server_start_ns, fault);
    if (status != STATUS_OK)
        return status;
    struct cpu_time own_start = cpu_time_self();
    uint64_t start_ns = clock_monotonic_ns(&clock_system);
    for (uint32_t i = 0; i < settings->connections; i++)
        begin_message(load, i);
    status = turn_until(load, &load->accepted, settings->messages, fault);
    figures->elapsed_ns = clock_monotonic_ns(&clock_system) - start_ns;
    figures->own = cpu_time_between(own_start, cpu_time_self());
    if (status == STATUS_OK)
        status = server_time(settings, &figures->server_ns, fault);
    figures->server_ns -= server_start_ns;
    return status;
}

static enum status run(struct load *load, struct figures *figures, struct fault *fault)
{
    const struct settings *settings = load->settings;
    const struct endpoint_handler handler = {on_received, on_finished, load};
    enum dialogue_kind kind = settings->chain      ? DIALOGUE_CHAINED
                              : settings->pipeline ? DIALOGUE_PIPELINED
                                                   : DIALOGUE_PLAIN;
    enum status status =
        dialogue_open(&load->dialogue, kind, (uint32_t)settings->users, settings->size, fault);
    if (status != STATUS_OK)
        return status;
    status = endpoint_open(&load->endpoint, (uint32_t)settings->connections, &handler, fault);
    if (status != STATUS_OK)
        goto close_dialogue;
    status = connect_all(load, fault);
    if (status == STATUS_OK)
        status = send_all(load, figures, fault);
    if (status == STATUS_OK)
        status = leave_all(load, fault);
    endpoint_close(&load->endpoint);
close_dialogue:
    dialogue_close(&load->dialogue);
    return status;
}

static void report(const struct settings *settings, const struct figures *figures)
{
    double messages = (double)settings->messages;
    double seconds = (double)figures->elapsed_ns / (double)NS_PER_S;
    double own_us = (double)(figures->own.user_ns + figures->own.system_ns) / 1000.0 / messages;
    double server_us = (double)figures->server_ns / 1000.0 / messages;
    if (settings->json)
        printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"rate\": %.1f, "
               "\"server_us\": %.3f, \"client_us\": %.3f}\n",
               settings->messages, seconds, messages / seconds, server_us, own_us);
    else
        printf("%" PRIu64 " messages accepted in %.3f s: %.0f messages/s, client %.2f us per "
               "message, server %.2f us\n",
               settings->messages, seconds, messages / seconds, own_us, server_us);
}

static enum status settings_read(struct settings *settings, int argc, char **argv,
                                 struct fault *fault)
{
    const struct argument arguments[] = {
        {"port", "of the server on 127.0.0.1", &settings->port, .minimum = 1, .maximum = 65535},
        {"connections", "at once", &settings->connections, .minimum = 1, .maximum = 16384},
        {"messages", "in all", &settings->messages, .minimum = 1, .maximum = UINT32_MAX},
        {"size", "bytes of a message without its headers", &settings->size, .minimum = 2,
         .maximum = 64u << 20},
        {"users", "to user0@example.test, user1@...", &settings->users, .minimum = 1,
         .maximum = 1000000},
        {"pipeline", "MAIL RCPT DATA in one write", .flag = &settings->pipeline},
        {"chain", "the next message's too, with the body", .flag = &settings->chain},
        {"server", "its process id: measures its processor time (0: don't)", &settings->server,
         .maximum = INT32_MAX},
        {"core", "where the client runs", &settings->core, .maximum = 1023},
        {"json", "one JSON object instead of a line", .flag = &settings->json},
        {"help", "this list", .flag = &settings->help},
        {.name = NULL},
    };
    enum status status = arguments_read(arguments, argc, argv, fault);
    if (settings->help)
        arguments_help("load", arguments);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .port = 2525, .connections = 64, .messages = 20000, .size = 4096, .users = 1000, .core = 1};
    struct figures figures = {0};
    struct fault fault = {0};
    enum status status = settings_read(&settings, argc, argv, &fault);
    if (status == STATUS_OK && !settings.help) {
        struct load load = {.settings = &settings};
        load.sessions = calloc(settings.connections, sizeof(*load.sessions));
        INVARIANT(load.sessions);
        alarm(SECONDS_MAX);
        status = cpu_pin((unsigned)settings.core, &fault);
        if (status == STATUS_OK)
            status = run(&load, &figures, &fault);
        free(load.sessions);
        if (status == STATUS_OK)
            report(&settings, &figures);
    }
    if (status != STATUS_OK)
        fprintf(stderr, "load: %s\n", fault.text);
    return status_exit_code(status);
}
