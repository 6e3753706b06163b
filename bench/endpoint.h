/* One end of many TCP connections on one ring: the transport that the ceiling's two sides share,
 * with nothing in it but what moving the bytes costs.
 *
 * Connections are numbered 0, 1, … in the order they were added. Multishot receive into one ring of
 * provided buffers; received bytes are borrowed for the call. At most one send is under way per
 * connection: whoever uses an endpoint speaks in turns. All calls belong to the thread that opened
 * it; handlers run from endpoint_turn only and may send. */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include "base/ring.h"
#include "base/span.h"
#include "base/status.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct endpoint_handler {
    void (*received)(void *context, uint32_t connection, struct span bytes);
    void (*finished)(void *context, uint32_t connection); /* the peer has closed or vanished */
    void *context;
};

struct endpoint {
    struct ring ring; /* for what else the owner does: the disk */
    struct endpoint_handler handler;
    int *sockets;
    uint32_t connection_count, connections_max;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    unsigned receive_operation, send_operation;
    struct fault fault; /* the first failure of a receive or send */
};

enum status endpoint_open(struct endpoint *endpoint, uint32_t connections_max,
                          const struct endpoint_handler *handler, struct fault *fault) MUST_CHECK;
void endpoint_close(struct endpoint *endpoint);

/* Takes over a connected socket and starts receiving. */
enum status endpoint_add(struct endpoint *endpoint, int socket, struct fault *fault) MUST_CHECK;

/* Queues `bytes`, which stay valid until the peer has answered. */
void endpoint_send(struct endpoint *endpoint, uint32_t connection, struct span bytes);

/* One turn: submits what is queued, waits, dispatches. `patience_ns` (UINT64_MAX: for ever): how
 * long silence is taken for a slow peer; NETWORK after it, and when a receive or send failed. */
enum status endpoint_turn(struct endpoint *endpoint, uint64_t patience_ns,
                          struct fault *fault) MUST_CHECK;

/* A listener on 127.0.0.1 (`port` 0: the system's choice, reported back), and `count` blocking
 * connects to such a one, added to the endpoint. */
enum status endpoint_listen(uint16_t *port, int *listener, struct fault *fault) MUST_CHECK;
enum status endpoint_connect(struct endpoint *endpoint, uint16_t port, uint32_t count,
                             struct fault *fault) MUST_CHECK;

#endif
