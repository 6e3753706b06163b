#include "bench/endpoint.h"

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
#define BACKLOG 4096

static void give_buffer(struct endpoint *endpoint, uint16_t id)
{
    io_uring_buf_ring_add(endpoint->buffer_ring, endpoint->buffers + (size_t)id * BUFFER_BYTES,
                          BUFFER_BYTES, id, io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(endpoint->buffer_ring, 1);
}

static void arm_receive(struct endpoint *endpoint, uint32_t connection)
{
    struct io_uring_sqe *sqe = ring_sqe(&endpoint->ring);
    io_uring_prep_recv_multishot(sqe, endpoint->sockets[connection], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    ring_tag(sqe, endpoint->receive_operation, connection);
}

static void fail(struct endpoint *endpoint, const char *what, int32_t result)
{
    if (endpoint->fault.status == STATUS_OK)
        (void)fault_set(&endpoint->fault, STATUS_NETWORK, "%s: %s", what,
                        result < 0 ? strerror(-result) : "incomplete");
}

static void on_receive(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct endpoint *endpoint = context;
    uint32_t connection = (uint32_t)token;
    const struct endpoint_handler *handler = &endpoint->handler;
    if (result > 0) {
        uint16_t id = (uint16_t)(flags >> IORING_CQE_BUFFER_SHIFT);
        const uint8_t *buffer = endpoint->buffers + (size_t)id * BUFFER_BYTES;
        handler->received(handler->context, connection, span_of(buffer, (size_t)result));
        give_buffer(endpoint, id);
    } else if (result == 0 || result == -ECONNRESET) {
        handler->finished(handler->context, connection);
        return;
    } else if (result != -ENOBUFS) { /* that only means: again, when this turn's are back */
        fail(endpoint, "receive", result);
        return;
    }
    if (!(flags & IORING_CQE_F_MORE))
        arm_receive(endpoint, connection);
}

/* Complete sends post no completion (CQE_SKIP_SUCCESS): what arrives here has failed. */
static void on_send(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct endpoint *endpoint = context;
    (void)flags;
    INVARIANT(token < endpoint->connection_count);
    fail(endpoint, "send", result);
}

static enum status open_buffers(struct endpoint *endpoint, struct fault *fault)
{
    size_t ring_bytes = BUFFERS * sizeof(struct io_uring_buf);
    size_t bytes = ring_bytes + (size_t)BUFFERS * BUFFER_BYTES;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fault_set(fault, STATUS_SYSTEM, "receive buffers: %s", strerror(errno));
    endpoint->buffer_ring = memory;
    endpoint->buffers = (uint8_t *)memory + ring_bytes;

    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)memory, .ring_entries = BUFFERS, .bgid = BUFFER_GROUP};
    int result = io_uring_register_buf_ring(&endpoint->ring.uring, &registration, 0);
    if (result < 0) {
        munmap(memory, bytes);
        return fault_set(fault, STATUS_SYSTEM, "provided buffers: %s", strerror(-result));
    }
    io_uring_buf_ring_init(endpoint->buffer_ring);
    for (uint16_t id = 0; id < BUFFERS; id++)
        give_buffer(endpoint, id);
    return STATUS_OK;
}

static void close_buffers(struct endpoint *endpoint)
{
    munmap(endpoint->buffer_ring,
           BUFFERS * sizeof(struct io_uring_buf) + (size_t)BUFFERS * BUFFER_BYTES);
}

enum status endpoint_open(struct endpoint *endpoint, uint32_t connections_max,
                          const struct endpoint_handler *handler, struct fault *fault)
{
    *endpoint = (struct endpoint){.handler = *handler, .connections_max = connections_max};
    endpoint->sockets = calloc(connections_max, sizeof(*endpoint->sockets));
    if (!endpoint->sockets)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %u connections", connections_max);

    enum status status = ring_open(&endpoint->ring, RING_ENTRIES, fault);
    if (status != STATUS_OK)
        goto free_sockets;
    endpoint->receive_operation = ring_register(&endpoint->ring, on_receive, endpoint);
    endpoint->send_operation = ring_register(&endpoint->ring, on_send, endpoint);

    status = open_buffers(endpoint, fault);
    if (status != STATUS_OK)
        goto close_ring;
    return STATUS_OK;

close_ring:
    ring_close(&endpoint->ring);
free_sockets:
    free(endpoint->sockets);
    return status;
}

void endpoint_close(struct endpoint *endpoint)
{
    ring_close(&endpoint->ring);
    close_buffers(endpoint);
    for (uint32_t i = 0; i < endpoint->connection_count; i++)
        close(endpoint->sockets[i]);
    free(endpoint->sockets);
}

enum status endpoint_add(struct endpoint *endpoint, int socket, struct fault *fault)
{
    INVARIANT(endpoint->connection_count < endpoint->connections_max);
    int on = 1;
    if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        return fault_set(fault, STATUS_SYSTEM, "TCP_NODELAY: %s", strerror(errno));
    uint32_t connection = endpoint->connection_count++;
    endpoint->sockets[connection] = socket;
    arm_receive(endpoint, connection);
    return STATUS_OK;
}

void endpoint_send(struct endpoint *endpoint, uint32_t connection, struct span bytes)
{
    struct io_uring_sqe *sqe = ring_sqe(&endpoint->ring);
    io_uring_prep_send(sqe, endpoint->sockets[connection], bytes.data, bytes.size,
                       MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    ring_tag(sqe, endpoint->send_operation, connection);
}

enum status endpoint_turn(struct endpoint *endpoint, uint64_t patience_ns, struct fault *fault)
{
    unsigned completed = ring_turn(&endpoint->ring, patience_ns);
    if (endpoint->fault.status != STATUS_OK) {
        *fault = endpoint->fault;
        return fault->status;
    }
    if (completed == 0 && patience_ns != UINT64_MAX)
        return fault_set(fault, STATUS_NETWORK, "the peer was silent for %llu s",
                         (unsigned long long)(patience_ns / NS_PER_S));
    return STATUS_OK;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

enum status endpoint_listen(uint16_t *port, int *listener, struct fault *fault)
{
    struct sockaddr_in address = loopback(*port);
    socklen_t size = sizeof(address);
    int on = 1;
    int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle < 0)
        return fault_set(fault, STATUS_SYSTEM, "socket: %s", strerror(errno));
    if (setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(handle, (struct sockaddr *)&address, size) != 0 || listen(handle, BACKLOG) != 0 ||
        getsockname(handle, (struct sockaddr *)&address, &size) != 0) {
        enum status status = fault_set(fault, STATUS_NETWORK, "listening on 127.0.0.1:%u: %s",
                                       *port, strerror(errno));
        close(handle);
        return status;
    }
    *port = ntohs(address.sin_port);
    *listener = handle;
    return STATUS_OK;
}

enum status endpoint_connect(struct endpoint *endpoint, uint16_t port, uint32_t count,
                             struct fault *fault)
{
    struct sockaddr_in address = loopback(port);
    for (uint32_t i = 0; i < count; i++) {
        int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (handle < 0)
            return fault_set(fault, STATUS_SYSTEM, "socket: %s", strerror(errno));
        if (connect(handle, (struct sockaddr *)&address, sizeof(address)) != 0) {
            int error = errno;
            close(handle);
            return fault_set(fault, STATUS_NETWORK, "connecting to 127.0.0.1:%u: %s", port,
                             strerror(error));
        }
        enum status status = endpoint_add(endpoint, handle, fault);
        if (status != STATUS_OK) {
            close(handle);
            return status;
        }
    }
    return STATUS_OK;
}
