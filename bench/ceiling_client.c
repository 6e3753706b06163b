/* The asking side of the ceiling: a closed loop, each connection sends as fast as it is answered.
 */
#include "base/clock.h"
#include "base/invariant.h"
#include "bench/ceiling.h"
#include "bench/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_NS (10 * NS_PER_S)

struct session {
    uint32_t turn;
    uint32_t wanted_bytes; /* of the answer to this turn */
};

struct client {
    const struct ceiling_options *options;
    struct endpoint *endpoint;
    struct session *sessions;
    struct span line, message;
    uint64_t begun, answered; /* messages */
    bool lost;                /* a connection ended early */
};

static void ask(struct client *client, uint32_t connection)
{
    struct session *session = &client->sessions[connection];
    bool last = session->turn + 1 == client->options->turns;
    session->wanted_bytes = last ? (uint32_t)client->options->bytes_out : CEILING_LINE_BYTES;
    endpoint_send(client->endpoint, connection, last ? client->message : client->line);
}

static void begin_message(struct client *client, uint32_t connection)
{
    if (client->begun == client->options->messages)
        return;
    client->begun++;
    client->sessions[connection].turn = 0;
    ask(client, connection);
}

static void on_received(void *context, uint32_t connection, struct span bytes)
{
    struct client *client = context;
    struct session *session = &client->sessions[connection];
    INVARIANT(bytes.size <= session->wanted_bytes);
    session->wanted_bytes -= (uint32_t)bytes.size;
    if (session->wanted_bytes > 0)
        return;
    if (++session->turn < client->options->turns) {
        ask(client, connection);
        return;
    }
    client->answered++;
    begin_message(client, connection);
}

static void on_finished(void *context, uint32_t connection)
{
    struct client *client = context;
    (void)connection;
    client->lost = true;
}

static enum status ask_all(struct client *client, struct fault *fault)
{
    for (uint32_t i = 0; i < client->options->connections; i++)
        begin_message(client, i);
    while (client->answered < client->options->messages) {
        enum status status = endpoint_turn(client->endpoint, PATIENCE_NS, fault);
        if (status != STATUS_OK)
            return status;
        if (client->lost)
            return fault_set(fault, STATUS_NETWORK, "the server closed a connection");
    }
    return STATUS_OK;
}

/* Until the server says so. */
static enum status await_server(int ready, struct fault *fault)
{
    char byte;
    return read(ready, &byte, 1) == 1
               ? STATUS_OK
               : fault_set(fault, STATUS_NETWORK, "the server did not start");
}

static enum status run(struct client *client, const struct endpoint_way *way, int ready,
                       struct ceiling_result *result)
{
    const struct endpoint_handler handler = {on_received, on_finished, client};
    uint32_t connections = (uint32_t)client->options->connections;
    enum status status = await_server(ready, &result->fault);
    if (status == STATUS_OK)
        status =
            endpoint_open(&client->endpoint, way, false, connections, &handler, &result->fault);
    if (status != STATUS_OK)
        return status;
    status = endpoint_connect(client->endpoint, connections, &result->fault);
    if (status == STATUS_OK)
        status = await_server(ready, &result->fault);
    if (status == STATUS_OK) {
        struct cpu_time start = endpoint_used(client->endpoint);
        uint64_t start_ns = clock_monotonic_ns(&clock_system);
        status = ask_all(client, &result->fault);
        result->elapsed_ns = clock_monotonic_ns(&clock_system) - start_ns;
        result->used = cpu_time_between(start, endpoint_used(client->endpoint));
        result->messages = client->answered;
    }
    endpoint_close(client->endpoint);
    return status;
}

enum status ceiling_ask(const struct ceiling_options *options, const struct endpoint_way *way,
                        int ready, struct ceiling_result *result)
{
    struct client client = {.options = options};
    uint8_t *bytes = calloc(1, CEILING_TURN_BYTES_MAX);
    client.sessions = calloc(options->connections, sizeof(*client.sessions));
    INVARIANT(bytes && client.sessions);
    client.line = span_of(bytes, CEILING_LINE_BYTES);
    client.message = span_of(bytes, options->bytes_in);
    enum status status = run(&client, way, ready, result);
    free(client.sessions);
    free(bytes);
    return status;
}
