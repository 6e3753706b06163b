/* The serving side of the ceiling: counts bytes, answers with bytes. */
#include "base/clock.h"
#include "base/invariant.h"
#include "bench/ceiling.h"
#include "bench/ceiling_commit.h"
#include "bench/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct session {
    uint32_t turn;
    uint32_t got_bytes; /* of this turn */
};

struct server {
    const struct ceiling_options *options;
    struct endpoint *endpoint;
    struct ceiling_commit commit;
    struct session *sessions;
    struct span line, answer;
    uint64_t messages;
    uint32_t open; /* connections */
    struct cpu_time start, end;
};

static void answer(void *context, uint32_t connection)
{
    struct server *server = context;
    server->messages++;
    endpoint_send(server->endpoint, connection, server->answer);
}

static void end_turn(struct server *server, uint32_t connection)
{
    struct session *session = &server->sessions[connection];
    session->got_bytes = 0;
    if (++session->turn < server->options->turns) {
        endpoint_send(server->endpoint, connection, server->line);
        return;
    }
    session->turn = 0;
    if (server->options->durable)
        ceiling_commit_wait(&server->commit, connection);
    else
        answer(server, connection);
}

static void on_received(void *context, uint32_t connection, struct span bytes)
{
    struct server *server = context;
    struct session *session = &server->sessions[connection];
    while (bytes.size > 0) {
        bool last = session->turn + 1 == server->options->turns;
        size_t wanted =
            (last ? server->options->bytes_in : CEILING_LINE_BYTES) - (size_t)session->got_bytes;
        size_t got = bytes.size < wanted ? bytes.size : wanted;
        if (last && server->options->durable)
            ceiling_commit_add(&server->commit, span_of(bytes.data, got));
        session->got_bytes += (uint32_t)got;
        bytes = span_from(bytes, got);
        if (got == wanted)
            end_turn(server, connection);
    }
}

/* The peer closes when everything is answered: the first one to go marks the end. */
static void on_finished(void *context, uint32_t connection)
{
    struct server *server = context;
    (void)connection;
    if (server->open-- == server->options->connections)
        server->end = endpoint_used(server->endpoint);
}

/* Tells the client to go on. */
static enum status tell(int ready, struct fault *fault)
{
    if (write(ready, "", 1) != 1)
        return fault_set(fault, STATUS_SYSTEM, "pipe: %s", strerror(errno));
    return STATUS_OK;
}

static enum status accept_all(struct server *server, int ready, struct fault *fault)
{
    server->open = (uint32_t)server->options->connections;
    enum status status = endpoint_accept(server->endpoint, server->open, fault);
    if (status != STATUS_OK)
        return status;
    server->start = endpoint_used(server->endpoint);
    return tell(ready, fault);
}

static enum status serve(struct server *server, struct fault *fault)
{
    while (server->open > 0) {
        enum status status = endpoint_turn(server->endpoint, UINT64_MAX, fault);
        if (status != STATUS_OK)
            return status;
        if (server->options->durable)
            ceiling_commit_turn(&server->commit);
        if (server->commit.fault.status != STATUS_OK) {
            *fault = server->commit.fault;
            return fault->status;
        }
    }
    return STATUS_OK;
}

static enum status run(struct server *server, const struct endpoint_way *way, int ready,
                       struct fault *fault)
{
    const struct ceiling_options *options = server->options;
    const struct endpoint_handler handler = {on_received, on_finished, server};
    enum status status = endpoint_open(&server->endpoint, way, true, (uint32_t)options->connections,
                                       &handler, fault);
    if (status != STATUS_OK)
        return status;
    if (options->durable) {
        status =
            ceiling_commit_open(&server->commit, &server->endpoint->ring, options->file,
                                (uint32_t)options->connections, (uint32_t)options->bytes_in, fault);
        if (status != STATUS_OK)
            goto close_endpoint;
        server->commit.durable = answer;
        server->commit.context = server;
    }
    status = tell(ready, fault);
    if (status == STATUS_OK)
        status = accept_all(server, ready, fault);
    if (status == STATUS_OK)
        status = serve(server, fault);
    if (options->durable)
        ceiling_commit_close(&server->commit);
close_endpoint:
    endpoint_close(server->endpoint);
    return status;
}

enum status ceiling_serve(const struct ceiling_options *options, const struct endpoint_way *way,
                          int ready, struct ceiling_result *result)
{
    struct server server = {.options = options};
    uint8_t *bytes = calloc(1, CEILING_TURN_BYTES_MAX);
    server.sessions = calloc(options->connections, sizeof(*server.sessions));
    INVARIANT(bytes && server.sessions);
    server.line = span_of(bytes, CEILING_LINE_BYTES);
    server.answer = span_of(bytes, options->bytes_out);

    enum status status = run(&server, way, ready, &result->fault);
    if (status == STATUS_OK) {
        result->used = cpu_time_between(server.start, server.end);
        result->messages = server.messages;
        result->commits = server.commit.commits;
    }
    free(server.sessions);
    free(bytes);
    return status;
}
