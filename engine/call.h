/* An outgoing connection: a session that a client of ours began, behind a door like any other.
 *
 * A caller embeds a struct call in its own state. Its door is given the session, finds the state
 * through session->call, and hears of every end in door->close, also when the connection never came
 * up (SESSION_CONNECTING is still set then). `open` is called once it is up, before any byte came.
 * The door's name is what ALPN asks for. */
#ifndef ENGINE_CALL_H
#define ENGINE_CALL_H

#include "engine/session.h"

struct call_plan { /* the same for many calls; outlives them */
    const struct door *door;
    const union net_address *address;
    const char *host; /* for TLS: the name, or numeric address, that was asked for */
    bool secure;      /* TLS from the start */
};

struct call {
    const struct call_plan *plan;
    struct session *session; /* NULL: no connection */
};

/* Starts connecting, from `source` (NULL: the system's choice). AGAIN: no session or connection is
 * free; nothing will be called. */
enum status call_connect(struct shard *shard, struct call *call, const struct call_plan *plan,
                         const union net_address *source) MUST_CHECK;

#endif
