/* One connection's session inside a shard: a protocol behind a door, its output of the turn, its
 * timer.
 *
 * Private to engine/shard.c, session.c and the doors. A door adapts one sans-I/O protocol session
 * to the shard: it is the table through which the shard feeds bytes and learns what the session
 * wishes. */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "base/blocks.h"
#include "base/timer_wheel.h"
#include "engine/http/session.h"
#include "engine/metrics.h"
#include "engine/pop3/session.h"
#include "engine/shard.h"
#include "engine/smtp/session.h"

struct call;
struct session;
struct session_listener;
struct session_tls;

enum session_wish { SESSION_GO_ON, SESSION_CLOSE, SESSION_STARTTLS };

struct door {
    const char *name;
    void (*open)(struct session *session, const struct session_listener *listener,
                 struct span client, struct output *out);
    /* TLS is up: forgets what was said in clear. `cipher` lives as long as the session. NULL where
     * there never is TLS. */
    void (*secured)(struct session *session, struct span cipher);
    /* An outgoing session takes all of the input, also when there is no room in `out` because the
     * server leaves too much unread. */
    size_t (*feed)(struct session *session, struct span input, struct output *out);
    /* There may be room again for what does not come from input: a message being sent. */
    void (*go_on)(struct session *session);
    enum session_wish (*wish)(const struct session *session);
    /* Some answer is on its way that will call session_pump. */
    bool (*expects)(const struct session *session);
    uint32_t (*patience_ms)(const struct session *session);
    /* The peer was silent for too long, or (`shutdown`) the shard is draining: says so, then
     * closes. */
    void (*end)(struct session *session, bool shutdown, struct output *out);
    /* In the middle of something that a draining shard should let it finish. */
    bool (*busy)(const struct session *session);
    /* False once everything was given back; true: something is still away, session_ended follows.
     */
    bool (*close)(struct session *session);
    /* Has the cache fetch what the session leads to, before it is fed. NULL: nothing that matters.
     */
    void (*fetch)(const struct session *session);
};

extern const struct door door_smtp, door_lmtp, door_pop3, door_metrics;

enum session_flag {
    SESSION_PAUSED = 1 << 0,     /* consumed less than it got: net_resume is owed */
    SESSION_WAITING = 1 << 1,    /* on the shard's list of those to try again after progress */
    SESSION_DIRTY = 1 << 2,      /* has output of this turn: on the shard's list to flush */
    SESSION_FINISHED = 1 << 3,   /* we have said everything; net_finish was called */
    SESSION_GONE = 1 << 4,       /* the connection is closed */
    SESSION_PEER_DONE = 1 << 5,  /* the peer will send nothing more */
    SESSION_STUCK = 1 << 6,      /* had more to say than there was room for */
    SESSION_CONNECTING = 1 << 7, /* an outgoing one that has not come up yet */
};

struct session_pop3 {
    struct pop3_session session;
    struct store_fetch fetch;
    struct maildrop *maildrop;
    struct crossing crossing; /* our errand; its name is a block, from PASS until it is known */
    bool away;                /* the crossing is at another thread: nothing may be freed */
    bool fetching;            /* between store_fetch_start and its end */
    bool answered;            /* pop3_fetched was called: what follows are pieces */
    bool last;                /* no piece after this one is wanted */
    uint32_t owner;           /* of the maildrop: a shard */
    struct span piece;        /* what is left to send of the present piece */
};

#define SCRAPES_MAX 16 /* sessions of the metrics door that are served at once */

struct session_metrics {
    struct http_session session;
    struct metrics_page page;
    uint32_t opened_ms; /* low bits */
};

/* A piece of output: a send buffer with its own header, from the shard's blocks. */
struct session_block {
    struct net_tx tx;
    struct output out;
    enum block_class class;
    uint8_t bytes[];
};

struct session {
    struct shard *shard;
    const struct door *door;
    struct session_tls *tls; /* NULL: in clear */
    struct net_conn conn;
    struct timer timer;
    struct session *next_dirty, *next_waiting;
    struct session_block *block; /* output of this turn, not yet handed to the network */
    uint32_t generation;         /* of this slot: with it a stale cookie is found out */
    uint32_t active_ms;          /* low bits of the time of the last sign of life */
    uint32_t unsent_bytes;       /* of blocks handed over since the network last ran dry */
    uint16_t under_way;          /* messages appended and not yet answered */
    uint8_t flags;
    uint8_t kind; /* enum door_kind, or DOOR_OUTGOING */
    union {
        struct session_metrics *metrics; /* from the shard's pool; NULL: too many are open */
        struct {
            struct smtp_session session;
            struct store_draft *draft; /* from the shard's pool while a message arrives in pieces */
        } smtp;
        struct session_pop3 pop3;
        struct call *call; /* of DOOR_OUTGOING: its caller's */
    };
};
/* With one of the network's connections, of 64 bytes, and nothing else while it is idle. */
_Static_assert(sizeof(struct session) <= 448, "an idle session costs at most 512 bytes");

/* The handler the network calls; `context` of a listener is a struct session_listener. */
struct session_listener {
    struct shard *shard;
    const struct door *door;
    enum door_kind kind;
    struct pop3_config pop3; /* what is allowed in clear depends on who can listen */
};
extern const struct net_handler session_handler;

/* Where to write a reply: at least `room` bytes, or NULL when no block is free or the peer leaves
 * too much unread. `must`: however much that is, for replies that can't wait in the session. */
struct output *session_output(struct session *session, uint32_t room, bool must);
/* Appends as much of the bytes as blocks and the peer allow; returns how many. */
size_t session_write(struct session *session, struct span bytes);
/* Before writing so much piece by piece: takes a block that fits it, if there is none yet. */
void session_expect(struct session *session, size_t bytes);
/* Calls session_pump once there is room again. */
void session_wait(struct session *session);
/* Something the session waited for has happened: lets it go on with what input and output it has.
 */
void session_pump(struct session *session);
/* Hands the turn's output to the network. */
void session_flush(struct session *session);
/* Sees to it that session_flush is called at the end of the turn. */
void session_mark_dirty(struct session *session);
/* Feeds the protocol with plain bytes and does as it wishes; returns how many it took. Fewer: the
 * session is paused. */
size_t session_take(struct session *session, struct span bytes);
/* What the network tells a session: see struct net_handler. */
size_t session_received(void *session, struct span bytes);
void session_fetch(const void *session, unsigned step);
void session_peer_finished(void *session);
void session_drained(void *session);
void session_closed(void *session, enum net_close_reason reason);
/* Nothing more will be said. */
void session_finish(struct session *session);
/* Starts the clock of the state that the session is in. */
void session_set_timer(struct session *session);
/* A buffer for what is no protocol's output; NULL: none free. It must be sent. */
struct session_block *session_block_take(struct shard *shard, enum block_class class);
/* Hands the buffer to the network, or back to the shard when it is empty. */
void session_block_send(struct session *session, struct session_block *block);
/* The peer takes what it is sent: another block of this class is not too much. */
bool session_may_send(const struct session *session, enum block_class class);
/* What was away when door->close ran has come back: frees the session. */
void session_ended(struct session *session);
/* The timer fired. */
void session_expired(struct session *session);
/* The shard drains: says goodbye unless the session is in the middle of something or has more to
 * say than there was room for; `force`: cuts it off. */
void session_drain(struct session *session, bool force);

/* A name for the store's callbacks that outlives the session harmlessly. */
uint64_t session_cookie(const struct session *session);
struct session *session_of_cookie(struct shard *shard, uint64_t cookie);

/* What the doors answer for: a message has ended, an errand has come back. */
void door_smtp_stored(struct session *session, uint64_t id, enum status status);
void door_pop3_answered(struct session *session, struct crossing *crossing);

#endif
