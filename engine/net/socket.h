/* The kernel's stream sockets, made ready for a backend: the options, names and refusals that every
 * backend over the kernel's TCP shares. Descriptors belong to the caller. */
#ifndef ENGINE_NET_SOCKET_H
#define ENGINE_NET_SOCKET_H

#include "engine/net/net.h"

/* A listening socket. What is set here, TCP_NODELAY and on loopback Reno, is inherited by what it
 * accepts. An IPv6 address listens on IPv6 alone. A unix socket's file is replaced only when nobody
 * listens on it. `bound` gets the address with the port that the system chose. DENIED, NETWORK with
 * a line that names the address. */
enum status socket_listen(const union net_address *address,
                          const struct net_listener_options *options, struct fault *fault, int *fd,
                          union net_address *bound) MUST_CHECK;

/* An unconnected socket to reach `address` from `source` (NULL: the system's choice). The
 * descriptor, or a negated errno. */
int socket_connecting(const union net_address *address, const union net_address *source) MUST_CHECK;

/* False when the peer is gone already. */
bool socket_peer(int fd, union net_address *peer) MUST_CHECK;

/* Whether a positive errno says that descriptors or memory ran out: it passes. */
bool socket_is_shortage(int error);

/* Closing will drop what was not delivered, and reset the peer. */
void socket_set_reset(int fd);

#endif
