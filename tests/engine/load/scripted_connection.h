/* One connection of the scripted server: says and hears lines, bodies and chunks, as its script and
 * its pace have it. */
#ifndef TESTS_ENGINE_LOAD_SCRIPTED_CONNECTION_H
#define TESTS_ENGINE_LOAD_SCRIPTED_CONNECTION_H

#include "tests/engine/load/scripted_server.h"

enum {
    SCRIPT_LINE_BYTES_MAX = 1024,
    SCRIPT_RECIPIENTS_MAX = 128,
    SCRIPT_TEXT_BYTES_MAX = 1 << 18, /* of a message, and of what is to be said */
};

struct scripted_connection {
    struct scripted_server *server;
    struct scripted_connection *next;
    struct net_conn conn;
    bool open, mute, deaf, closing;
    bool mail; /* a transaction is open */
    enum { SCRIPT_COMMANDS, SCRIPT_TEXT, SCRIPT_CHUNK } mode;
    uint64_t chunk_left;
    uint64_t mail_ns;
    uint32_t users_count, users[SCRIPT_RECIPIENTS_MAX]; /* recipients of the transaction */
    char line[SCRIPT_LINE_BYTES_MAX];
    size_t line_bytes;
    uint8_t *text; /* of the message */
    size_t text_bytes;
    char *words; /* not yet said, from `said` on */
    size_t words_bytes, said;
    uint64_t dribbled_ns; /* when the last byte was said */
    uint64_t sipped_ns;   /* when something was last read */
    bool thirsty;         /* there is more to read */
};

/* `context` is the server. */
extern const struct net_handler scripted_connection_handler;

/* Says and reads what it may by now. */
void scripted_connection_go_on(struct scripted_connection *connection);
/* When it wants to; UINT64_MAX: never. */
uint64_t scripted_connection_next_ns(const struct scripted_connection *connection);

#endif
