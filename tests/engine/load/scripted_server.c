#include "tests/engine/load/scripted_server.h"

#include "base/clock.h"
#include "tests/check_main.h"
#include "tests/engine/load/scripted_connection.h"

#include <stdlib.h>

const struct script_fault *scripted_server_fault(struct scripted_server *server,
                                                 enum script_point point)
{
    const struct script_fault *found = NULL;
    for (uint32_t i = 0; i < SCRIPT_FAULTS_MAX; i++) {
        const struct script_fault *fault = &server->script.faults[i];
        if (fault->point != point)
            continue;
        uint32_t passed = server->passed[i]++;
        if (found == NULL && passed >= fault->skip &&
            (fault->times == 0 || passed < fault->skip + fault->times))
            found = fault;
    }
    return found;
}

static struct script_copy *find_copy(const struct scripted_server *server, const void *id,
                                     uint32_t user)
{
    for (uint32_t i = server->copies_count; i-- > 0;)
        if (server->copies[i].user == user &&
            memcmp(server->copies[i].id, id, LETTER_ID_BYTES) == 0)
            return &server->copies[i];
    return NULL;
}

struct script_copy *scripted_server_copy(struct scripted_server *server, const void *id,
                                         uint32_t user)
{
    struct script_copy *copy = find_copy(server, id, user);
    if (copy != NULL)
        return copy;
    if (server->copies_count == server->copies_room) {
        server->copies_room = server->copies_room > 0 ? 2 * server->copies_room : 256;
        server->copies = realloc(server->copies, server->copies_room * sizeof *server->copies);
        ck_assert_ptr_nonnull(server->copies);
    }
    copy = &server->copies[server->copies_count++];
    *copy = (struct script_copy){.user = user};
    memcpy(copy->id, id, LETTER_ID_BYTES);
    return copy;
}

/* -------------------------------------------------------------------------- life and time ---- */

static bool refuses(const struct scripted_server *server)
{
    const struct script *script = &server->script;
    uint64_t now_ns = clock_monotonic_ns(server->clock);
    return now_ns >= script->refuse_from_ns && now_ns < script->refuse_from_ns + script->refuse_ns;
}

static void listen_or_not(struct scripted_server *server)
{
    const struct net_listener_options options = {.backlog = 1024};
    struct fault fault;
    if (server->listening && refuses(server)) {
        server->net->calls->unlisten(server->net);
        server->listening = false;
    } else if (!server->listening && !refuses(server)) {
        ck_assert_int_eq(server->net->calls->listen(server->net, &server->address, &options,
                                                    &scripted_connection_handler, server, NULL,
                                                    &fault),
                         STATUS_OK);
        server->listening = true;
    }
}

void scripted_server_open(struct scripted_server *server, struct sim_network *network,
                          const struct clock *clock, const union net_address *address,
                          const struct script *script)
{
    *server = (struct scripted_server){.script = *script, .clock = clock, .address = *address};
    ck_assert_int_eq(net_sim_open(&server->net, network), STATUS_OK);
    listen_or_not(server);
}

void scripted_server_close(struct scripted_server *server)
{
    server->net->calls->deinit(server->net);
    free(server->copies);
}

void scripted_server_turn(struct scripted_server *server)
{
    listen_or_not(server);
    net_poll(server->net, 0);
    for (struct scripted_connection *i = server->connections; i != NULL; i = i->next)
        scripted_connection_go_on(i);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t scripted_server_next_ns(const struct scripted_server *server)
{
    const struct script *script = &server->script;
    uint64_t now_ns = clock_monotonic_ns(server->clock), next_ns = UINT64_MAX;
    const uint64_t changes[] = {script->refuse_from_ns, script->refuse_from_ns + script->refuse_ns};
    for (size_t i = 0; i < 2; i++)
        if (changes[i] > now_ns)
            next_ns = earlier(next_ns, changes[i]);
    for (const struct scripted_connection *i = server->connections; i != NULL; i = i->next)
        next_ns = earlier(next_ns, scripted_connection_next_ns(i));
    return next_ns;
}

const struct script_copy *scripted_server_find(const struct scripted_server *server, struct span id,
                                               uint32_t user)
{
    return id.size == LETTER_ID_BYTES ? find_copy(server, id.data, user) : NULL;
}
