/* An SMTP or LMTP server for the tests of those who send: on the simulated network, it answers
 * every line at once, keeps an account of all that it got, and misbehaves where its script says so.
 *
 * Apart from the script it is strict: what is out of order is refused with 503. */
#ifndef TESTS_ENGINE_LOAD_SCRIPTED_SERVER_H
#define TESTS_ENGINE_LOAD_SCRIPTED_SERVER_H

#include "engine/load/letter.h"
#include "engine/net/net_sim.h"

/* Where in a conversation: what the server would answer next. */
enum script_point {
    SCRIPT_NOWHERE,
    SCRIPT_BANNER,
    SCRIPT_HELLO,
    SCRIPT_AUTH,
    SCRIPT_RSET,
    SCRIPT_MAIL,
    SCRIPT_RCPT,
    SCRIPT_DATA,
    SCRIPT_BODY,   /* its first bytes have come */
    SCRIPT_COMMIT, /* over LMTP once per recipient */
    SCRIPT_QUIT,
};

enum script_action {
    SCRIPT_SAY,      /* `text` instead of what is due */
    SCRIPT_SILENCE,  /* nothing, from now on, on this connection */
    SCRIPT_DEAFNESS, /* says what is due, but reads nothing more */
    SCRIPT_CLOSE,    /* says `text`, if there is one, then FIN */
    SCRIPT_RESET,
};

struct script_fault {
    enum script_point point;
    enum script_action action;
    const char *text; /* whole lines, with their CRLF */
    uint32_t skip;    /* so often all goes well before, over all connections */
    uint32_t times;   /* 0: always */
};

#define SCRIPT_FAULTS_MAX 4u
#define SCRIPT_SIP_BYTES 512u

struct script {
    bool lmtp;
    bool bare;                      /* offers no extensions but AUTH */
    uint64_t dribble_ns;            /* between two bytes of what it says; 0: all at once */
    uint64_t sip_ns;                /* between two readings of SCRIPT_SIP_BYTES; 0: all at once */
    uint64_t hold_from_ns, hold_ns; /* a time during which it says nothing: all later */
    uint64_t refuse_from_ns, refuse_ns; /* … and one during which nobody listens */
    struct script_fault faults[SCRIPT_FAULTS_MAX];
};

/* What the server knows of a message and one recipient whom it had accepted. */
struct script_copy {
    char id[LETTER_ID_BYTES];
    uint64_t digest, octets; /* of the last one that came */
    uint64_t mail_ns;        /* when its MAIL came */
    uint32_t user;
    uint32_t ended; /* so often it came to the end of data */
    uint32_t taken; /* … and was answered with 2xx */
};

struct scripted_connection;

struct scripted_server {
    struct script script;
    const struct clock *clock;
    struct net *net;
    union net_address address;
    bool listening;
    uint32_t passed[SCRIPT_FAULTS_MAX]; /* so often each fault's point was come to */
    struct scripted_connection *connections;
    uint32_t accepted; /* connections */
    struct script_copy *copies;
    uint32_t copies_count, copies_room;
};

/* Joins the network and listens, unless the script has it not to. */
void scripted_server_open(struct scripted_server *server, struct sim_network *network,
                          const struct clock *clock, const union net_address *address,
                          const struct script *script);
void scripted_server_close(struct scripted_server *server);

/* Does what is due now. */
void scripted_server_turn(struct scripted_server *server);
/* When it wants to do more by itself; UINT64_MAX: never. */
uint64_t scripted_server_next_ns(const struct scripted_server *server);

/* NULL: nothing of it ever came to the end of data. */
const struct script_copy *scripted_server_find(const struct scripted_server *server, struct span id,
                                               uint32_t user);

/* ------------------------------------------------------------------- for its connections ---- */

/* They have come to this point: what the script has them do; NULL: nothing special. */
const struct script_fault *scripted_server_fault(struct scripted_server *server,
                                                 enum script_point point);
/* Its account of this message and recipient, perhaps a new one. */
struct script_copy *scripted_server_copy(struct scripted_server *server, const void *id,
                                         uint32_t user);

#endif
