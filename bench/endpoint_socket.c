/* Endpoints of the kernel: one ring, multishot receive into one ring of provided buffers. */
#include "bench/endpoint_way.h"

#include "base/clock.h"
#include "base/invariant.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_ENTRIES 4096u
#define BUFFER_GROUP 1
#define BUFFERS 2048u
#define BUFFER_BYTES 8192u

struct endpoint_socket {
    struct endpoint endpoint;
    int *sockets;
    uint32_t connections_max;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    unsigned receive_operation, send_operation;
    int listener;
    uint16_t port;
    struct fault fault; /* the first failure of a receive or send */
};

static struct endpoint_socket *socket_of(struct endpoint *endpoint)
{
    return (struct endpoint_socket *)endpoint;
}

static void give_buffer(struct endpoint_socket *end, uint16_t id)
{
    io_uring_buf_ring_add(end->buffer_ring, end->buffers + (size_t)id * BUFFER_BYTES, BUFFER_BYTES,
                          id, io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(end->buffer_ring, 1);
}

static void arm_receive(struct endpoint_socket *end, uint32_t connection)
{
    struct io_uring_sqe *sqe = ring_sqe(&end->endpoint.ring);
    io_uring_prep_recv_multishot(sqe, end->sockets[connection], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    ring_tag(sqe, end->receive_operation, connection);
}

static void fail(struct endpoint_socket *end, const char *what, int32_t result)
{
    if (end->fault.status == STATUS_OK)
        (void)fault_set(&end->fault, STATUS_NETWORK, "%s: %s", what,
                        result < 0 ? strerror(-result) : "incomplete");
}

static void on_receive(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct endpoint_socket *end = context;
    uint32_t connection = (uint32_t)token;
    const struct endpoint_handler *handler = &end->endpoint.handler;
    if (result > 0) {
        uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
        const uint8_t *buffer = end->buffers + (size_t)id * BUFFER_BYTES;
        handler->received(handler->context, connection, span_of(buffer, (size_t)result));
        give_buffer(end, id);
    } else if (result == 0 || result == -ECONNRESET) {
        handler->finished(handler->context, connection);
        return;
    } else if (result != -ENOBUFS) { /* that only means: again, when this turn's are back */
        fail(end, "receive", result);
        return;
    }
    if (!(flags & IORING_CQE_F_MORE))
        arm_receive(end, connection);
}

/* Complete sends post no completion (CQE_SKIP_SUCCESS): what arrives here has failed. */
static void on_send(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct endpoint_socket *end = context;
    (void)flags;
    INVARIANT(token < end->endpoint.connection_count);
    fail(end, "send", result);
}

static enum status open_buffers(struct endpoint_socket *end, struct fault *fault)
{
    size_t ring_bytes = BUFFERS * sizeof(struct io_uring_buf);
    size_t bytes = ring_bytes + (size_t)BUFFERS * BUFFER_BYTES;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fault_set(fault, STATUS_SYSTEM, "receive buffers: %s", strerror(errno));
    end->buffer_ring = memory;
    end->buffers = (uint8_t *)memory + ring_bytes;

    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)memory, .ring_entries = BUFFERS, .bgid = BUFFER_GROUP};
    int result = io_uring_register_buf_ring(&end->endpoint.ring.uring, &registration, 0);
    if (result < 0) {
        munmap(memory, bytes);
        return fault_set(fault, STATUS_SYSTEM, "provided buffers: %s", strerror(-result));
    }
    io_uring_buf_ring_init(end->buffer_ring);
    for (uint16_t id = 0; id < BUFFERS; id++)
        give_buffer(end, id);
    return STATUS_OK;
}

static void close_buffers(struct endpoint_socket *end)
{
    munmap(end->buffer_ring,
           BUFFERS * sizeof(struct io_uring_buf) + (size_t)BUFFERS * BUFFER_BYTES);
}

static void socket_send(struct endpoint *endpoint, uint32_t connection, struct span bytes)
{
    struct endpoint_socket *end = socket_of(endpoint);
    struct io_uring_sqe *sqe = ring_sqe(&endpoint->ring);
    io_uring_prep_send(sqe, end->sockets[connection], bytes.data, bytes.size,
                       MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    ring_tag(sqe, end->send_operation, connection);
}

static enum status socket_turn(struct endpoint *endpoint, uint64_t patience_ns, struct fault *fault)
{
    const struct endpoint_socket *end = socket_of(endpoint);
    unsigned completed = ring_turn(&endpoint->ring, patience_ns);
    if (end->fault.status != STATUS_OK) {
        *fault = end->fault;
        return fault->status;
    }
    if (completed == 0 && patience_ns != UINT64_MAX)
        return endpoint_silent(patience_ns, fault);
    return STATUS_OK;
}

/* Takes over a connected socket and starts receiving. */
static enum status add(struct endpoint_socket *end, int handle, struct fault *fault)
{
    INVARIANT(end->endpoint.connection_count < end->connections_max);
    int on = 1;
    if (setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        close(handle);
        return fault_set(fault, STATUS_SYSTEM, "TCP_NODELAY: %s", strerror(errno));
    }
    uint32_t connection = end->endpoint.connection_count++;
    end->sockets[connection] = handle;
    arm_receive(end, connection);
    return STATUS_OK;
}

static enum status socket_accept(struct endpoint *endpoint, uint32_t count, struct fault *fault)
{
    struct endpoint_socket *end = socket_of(endpoint);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count-- > 0) {
        int handle = accept4(end->listener, NULL, NULL, SOCK_CLOEXEC);
        if (handle < 0)
            return fault_set(fault, STATUS_NETWORK, "accept: %s", strerror(errno));
        status = add(end, handle, fault);
    }
    return status;
}

static enum status socket_connect(struct endpoint *endpoint, uint32_t count, struct fault *fault)
{
    struct endpoint_socket *end = socket_of(endpoint);
    struct sockaddr_in address = endpoint_loopback(end->port);
    enum status status = STATUS_OK;
    while (status == STATUS_OK && count-- > 0) {
        int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (handle < 0)
            return fault_set(fault, STATUS_SYSTEM, "socket: %s", strerror(errno));
        if (connect(handle, (struct sockaddr *)&address, sizeof(address)) != 0) {
            int error = errno;
            close(handle);
            return fault_set(fault, STATUS_NETWORK, "connecting to 127.0.0.1:%u: %s", end->port,
                             strerror(error));
        }
        status = add(end, handle, fault);
    }
    return status;
}

static struct cpu_time socket_used(const struct endpoint *endpoint)
{
    (void)endpoint;
    return cpu_time_self();
}

static void socket_close(struct endpoint *endpoint)
{
    struct endpoint_socket *end = socket_of(endpoint);
    ring_close(&endpoint->ring);
    close_buffers(end);
    for (uint32_t i = 0; i < endpoint->connection_count; i++)
        close(end->sockets[i]);
    free(end->sockets);
    free(end);
}

static const struct endpoint_calls calls = {
    .accept = socket_accept,
    .connect = socket_connect,
    .send = socket_send,
    .turn = socket_turn,
    .used = socket_used,
    .close = socket_close,
};

static enum status open_parts(struct endpoint_socket *end, struct fault *fault)
{
    enum status status = ring_open(&end->endpoint.ring, RING_ENTRIES, fault);
    if (status != STATUS_OK)
        return status;
    end->receive_operation = ring_register(&end->endpoint.ring, on_receive, end);
    end->send_operation = ring_register(&end->endpoint.ring, on_send, end);
    status = open_buffers(end, fault);
    if (status != STATUS_OK)
        ring_close(&end->endpoint.ring);
    return status;
}

enum status endpoint_socket_open(struct endpoint **opened, const struct endpoint_way *way,
                                 uint32_t connections_max, const struct endpoint_handler *handler,
                                 struct fault *fault)
{
    struct endpoint_socket *end = calloc(1, sizeof(*end));
    INVARIANT(end);
    *end = (struct endpoint_socket){.endpoint = {.calls = &calls, .handler = *handler},
                                    .sockets = calloc(connections_max, sizeof(*end->sockets)),
                                    .connections_max = connections_max,
                                    .listener = way->listener,
                                    .port = way->port};
    INVARIANT(end->sockets);
    enum status status = open_parts(end, fault);
    if (status == STATUS_OK) {
        *opened = &end->endpoint;
        return STATUS_OK;
    }
    free(end->sockets);
    free(end);
    return status;
}
