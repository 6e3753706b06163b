/* ceiling: measures the transport ceiling and prints messages per second and the server's processor
 * time per message. See ceiling.h for what is served, docs/BENCHMARKS.md for what it means. */
#include "bench/ceiling.h"
#include "base/clock.h"
#include "bench/arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_MAX 120 /* whatever happens, neither process outlives this */

struct settings {
    struct ceiling_options ceiling;
    uint64_t server_core, client_core;
    bool json, help;
};

static enum status settings_read(struct settings *settings, int argc, char **argv,
                                 struct fault *fault)
{
    struct ceiling_options *ceiling = &settings->ceiling;
    const struct argument arguments[] = {
        {"turns", "turns per message", &ceiling->turns, .minimum = 1, .maximum = 16},
        {"bytes-in", "of the last turn", &ceiling->bytes_in, .minimum = 1,
         .maximum = CEILING_TURN_BYTES_MAX},
        {"bytes-out", "of its answer", &ceiling->bytes_out, .minimum = 1,
         .maximum = CEILING_TURN_BYTES_MAX},
        {"connections", "at once", &ceiling->connections, .minimum = 1, .maximum = 16384},
        {"messages", "in all", &ceiling->messages, .minimum = 1, .maximum = UINT32_MAX},
        {"durable", "answer the last turn after a durable write", .flag = &ceiling->durable},
        {"file", "what is written when durable, on the disk to measure", .text = &ceiling->file},
        {"memif", "past the kernel, over shared memory, with these flags of DPDK's",
         .text = &ceiling->memory},
        {"server-core", "where the server runs", &settings->server_core, .maximum = 1023},
        {"client-core", "where the client runs", &settings->client_core, .maximum = 1023},
        {"json", "one JSON object instead of a line", .flag = &settings->json},
        {"help", "this list", .flag = &settings->help},
        {.name = NULL},
    };
    enum status status = arguments_read(arguments, argc, argv, fault);
    if (settings->help)
        arguments_help("ceiling", arguments);
    return status;
}

static double per_message_us(uint64_t ns, uint64_t messages)
{
    return (double)ns / 1000.0 / (double)messages;
}

static void report(const struct settings *settings, const struct ceiling_result *server,
                   const struct ceiling_result *client)
{
    uint64_t messages = client->messages;
    double rate = (double)messages * (double)NS_PER_S / (double)client->elapsed_ns;
    double user_us = per_message_us(server->used.user_ns, messages);
    double system_us = per_message_us(server->used.system_ns, messages);
    double client_us = per_message_us(client->used.user_ns + client->used.system_ns, messages);
    double group = server->commits > 0 ? (double)messages / (double)server->commits : 0;
    const struct ceiling_options *ceiling = &settings->ceiling;
    if (settings->json)
        printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"rate\": %.1f, "
               "\"server_us\": %.3f, \"server_user_us\": %.3f, \"server_system_us\": %.3f, "
               "\"client_us\": %.3f, \"messages_per_commit\": %.2f}\n",
               messages, (double)client->elapsed_ns / (double)NS_PER_S, rate, user_us + system_us,
               user_us, system_us, client_us, group);
    else
        printf("%s, %" PRIu64 " turns, %" PRIu64 " -> %" PRIu64 " bytes, %" PRIu64
               " connections: %.0f messages/s, server %.2f us per message (user %.2f, system "
               "%.2f), client %.2f us, %.1f messages per commit\n",
               ceiling->durable ? "durable" : "plain", ceiling->turns, ceiling->bytes_in,
               ceiling->bytes_out, ceiling->connections, rate, user_us + system_us, user_us,
               system_us, client_us, group);
}

static void serve_in_child(const struct settings *settings, const struct endpoint_way *way,
                           int ready, struct ceiling_result *result)
{
    alarm(SECONDS_MAX);
    enum status status = cpu_pin((unsigned)settings->server_core, &result->fault);
    if (status == STATUS_OK)
        status = ceiling_serve(&settings->ceiling, way, ready, result);
    _exit(status_exit_code(status));
}

static enum status ask(const struct settings *settings, const struct endpoint_way *way, int ready,
                       struct ceiling_result *result)
{
    enum status status = cpu_pin((unsigned)settings->client_core, &result->fault);
    if (status == STATUS_OK)
        status = ceiling_ask(&settings->ceiling, way, ready, result);
    return status;
}

/* `server` is shared with the child. A child that failed explains more than its client can. */
static enum status measure(const struct settings *settings, struct ceiling_result *server,
                           struct ceiling_result *client)
{
    struct endpoint_way way;
    int ready[2];
    enum status status = endpoint_way_open(&way, settings->ceiling.memory, &client->fault);
    if (status != STATUS_OK)
        return status;
    if (pipe(ready) != 0)
        return fault_set(&client->fault, STATUS_SYSTEM, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        return fault_set(&client->fault, STATUS_SYSTEM, "fork: %s", strerror(errno));
    if (child == 0) {
        close(ready[0]);
        serve_in_child(settings, &way, ready[1], server);
    }
    endpoint_way_close(&way);
    close(ready[1]);
    status = ask(settings, &way, ready[0], client);
    close(ready[0]);
    if (status != STATUS_OK && server->fault.status == STATUS_OK)
        kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    if (server->fault.status == STATUS_OK)
        return status;
    client->fault = server->fault;
    return client->fault.status;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .ceiling = {.turns = 4,
                    .bytes_in = 4300,
                    .bytes_out = 60,
                    .connections = 64,
                    .messages = 20000,
                    .file = "ceiling.tmp"},
        .client_core = 1,
    };
    struct ceiling_result client = {0};
    enum status status = settings_read(&settings, argc, argv, &client.fault);
    if (status == STATUS_OK && !settings.help) {
        struct ceiling_result *server =
            mmap(NULL, sizeof(*server), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (server == MAP_FAILED)
            return status_exit_code(STATUS_SYSTEM);
        alarm(SECONDS_MAX);
        status = measure(&settings, server, &client);
        if (status == STATUS_OK)
            report(&settings, server, &client);
    }
    if (status != STATUS_OK)
        fprintf(stderr, "ceiling: %s\n", client.fault.text);
    return status_exit_code(status);
}
