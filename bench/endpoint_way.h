/* What the kinds of endpoints share with the place where they are chosen. */
#ifndef BENCH_ENDPOINT_WAY_H
#define BENCH_ENDPOINT_WAY_H

#include "bench/endpoint.h"

#include <netinet/in.h>

enum status endpoint_socket_open(struct endpoint **endpoint, const struct endpoint_way *way,
                                 uint32_t connections_max, const struct endpoint_handler *handler,
                                 struct fault *fault) MUST_CHECK;
enum status endpoint_memif_open(struct endpoint **endpoint, const struct endpoint_way *way,
                                bool first, uint32_t connections_max,
                                const struct endpoint_handler *handler,
                                struct fault *fault) MUST_CHECK;

struct sockaddr_in endpoint_loopback(uint16_t port);
/* NETWORK: the peer said nothing for so long. */
enum status endpoint_silent(uint64_t patience_ns, struct fault *fault) MUST_CHECK;

#endif
