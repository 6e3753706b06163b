#include "bench/endpoint.h"

#include "base/clock.h"
#include "bench/endpoint_way.h"

#include <errno.h>
#include <unistd.h>

#define BACKLOG 4096

struct sockaddr_in endpoint_loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

enum status endpoint_silent(uint64_t patience_ns, struct fault *fault)
{
    return fault_set(fault, STATUS_NETWORK, "the peer was silent for %llu s",
                     (unsigned long long)(patience_ns / NS_PER_S));
}

/* On a port that the system chooses. */
static enum status listen_anywhere(struct endpoint_way *way, struct fault *fault)
{
    struct sockaddr_in address = endpoint_loopback(0);
    socklen_t size = sizeof(address);
    way->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (way->listener < 0)
        return fault_set(fault, STATUS_SYSTEM, "socket: %s", strerror(errno));
    if (bind(way->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(way->listener, BACKLOG) != 0 ||
        getsockname(way->listener, (struct sockaddr *)&address, &size) != 0) {
        enum status status =
            fault_set(fault, STATUS_NETWORK, "listening on 127.0.0.1: %s", strerror(errno));
        close(way->listener);
        return status;
    }
    way->port = ntohs(address.sin_port);
    return STATUS_OK;
}

enum status endpoint_way_open(struct endpoint_way *way, const char *memory, struct fault *fault)
{
    *way = (struct endpoint_way){.memory = memory, .listener = -1, .number = getpid()};
    return memory ? STATUS_OK : listen_anywhere(way, fault);
}

void endpoint_way_close(struct endpoint_way *way)
{
    if (way->listener >= 0)
        close(way->listener);
}

enum status endpoint_open(struct endpoint **endpoint, const struct endpoint_way *way, bool first,
                          uint32_t connections_max, const struct endpoint_handler *handler,
                          struct fault *fault)
{
    return way->memory ? endpoint_memif_open(endpoint, way, first, connections_max, handler, fault)
                       : endpoint_socket_open(endpoint, way, connections_max, handler, fault);
}
