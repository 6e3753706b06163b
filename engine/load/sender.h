/* One connection that sends mail: the SMTP client session behind a client door.
 *
 * It takes letters from its generator whenever the protocol has room for one, writes their bytes,
 * times every phase, and hands each letter back with its fate. The turn's time stands for all that
 * happens in it: what is said counts from the beginning of the turn in which it is, so a latency is
 * never reported as less than it was. */
#ifndef ENGINE_LOAD_SENDER_H
#define ENGINE_LOAD_SENDER_H

#include "base/timer_wheel.h"
#include "engine/call.h"
#include "engine/load/letter.h"
#include "engine/smtp/client_session.h"

struct generator;

/* Letters of one connection under way at once, where pipelining allows more than one. */
#define SENDER_WINDOW 16u

struct sender {
    struct call call; /* first */
    struct generator *generator;
    struct sender *next_idle, *next_absent; /* in the generator's lists */
    struct timer timer;                     /* the generator's: until it connects again */
    struct smtp_client client;
    uint64_t asked_ns;  /* when what the server answers next was said, or connecting begun */
    uint32_t given;     /* letters, on this connection */
    uint32_t under_way; /* of them */
    uint16_t failures;  /* connections in a row that came to nothing */
    bool tried;         /* its first connection was ready, or has ended */
    bool idle;          /* on the generator's list */
    bool ready;         /* this connection has come so far that it takes letters */
    uint8_t part;       /* of the body being written: where */
    size_t offset;
};

extern const struct door sender_door, sender_lmtp_door;
extern const struct smtp_client_host sender_host;

/* Starts connecting. False: the shard has no room just now. */
bool sender_connect(struct sender *sender, const union net_address *source);
/* There may be a letter for an idle sender, or no more to come. */
void sender_offer(struct sender *sender);
/* The load has ended: what it waits for is not waited for much longer. */
void sender_hurry(struct sender *sender);

#endif
