#include "engine/net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static bool is_unix(const union net_address *address)
{
    return address->any.sa_family == AF_UNIX;
}

/* Within a machine there is no path to probe and nothing to pace: what is cheapest will do,
 * whatever the system has for others. Every kernel has Reno and lets everybody choose it. */
static int stream_socket(const union net_address *address)
{
    static const char reno[] = "reno";
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && net_address_is_loopback(address) && !is_unix(address))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1);
    return fd;
}

/* A socket file that refuses connections was left behind by a process that is gone. */
static bool unlink_stale(const union net_address *address)
{
    struct stat status;
    if (lstat(address->local.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    bool stale =
        connect(probe, &address->any, net_address_size(address)) != 0 && errno == ECONNREFUSED;
    close(probe);
    return stale && unlink(address->local.sun_path) == 0;
}

static bool bind_address(int fd, const union net_address *address)
{
    socklen_t size = net_address_size(address);
    if (bind(fd, &address->any, size) == 0)
        return true;
    int error = errno;
    if (error == EADDRINUSE && is_unix(address) && unlink_stale(address))
        return bind(fd, &address->any, size) == 0;
    errno = error;
    return false;
}

static bool set_listener_options(int fd, int family, bool reuse_port)
{
    if (family == AF_UNIX)
        return true;
    return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
           (!reuse_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
           (family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
           set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static bool read_name(int fd, union net_address *name)
{
    socklen_t size = sizeof *name;
    memset(name, 0, sizeof *name);
    return getsockname(fd, &name->any, &size) == 0;
}

/* SO_REUSEPORT would let a second process share the port in silence: the first listener makes sure
 * that nobody has it yet, by binding once without. */
static bool is_free(const union net_address *address)
{
    int probe = stream_socket(address);
    if (probe < 0)
        return false;
    bool free = set_listener_options(probe, address->any.sa_family, false) &&
                bind(probe, &address->any, net_address_size(address)) == 0;
    int error = errno;
    close(probe);
    errno = error;
    return free;
}

enum status socket_listen(const union net_address *address,
                          const struct net_listener_options *options, struct fault *fault, int *fd,
                          union net_address *bound)
{
    int family = address->any.sa_family;
    union net_address name;
    bool probed = options->reuse_port && options->first && family != AF_UNIX;
    int made = probed && !is_free(address) ? -1 : stream_socket(address);
    if (made >= 0 && set_listener_options(made, family, options->reuse_port) &&
        bind_address(made, address) && listen(made, (int)options->backlog) == 0 &&
        read_name(made, &name)) {
        *fd = made;
        *bound = name;
        return STATUS_OK;
    }
    int error = errno;
    if (made >= 0)
        close(made);
    char text[NET_ADDRESS_TEXT_BYTES];
    enum status status = status_from_errno(error) == STATUS_DENIED ? STATUS_DENIED : STATUS_NETWORK;
    return fault_set(fault, status, "cannot listen on %s: %s", net_address_text(address, text),
                     strerror(error));
}

int socket_connecting(const union net_address *address, const union net_address *source)
{
    int family = address->any.sa_family;
    int fd = stream_socket(address);
    if (fd < 0)
        return -errno;
    bool ready = family == AF_UNIX || set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* the port is chosen by connect, so that one source address has all ports for each target */
    if (ready && source && family != AF_UNIX)
        ready = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (ready && source)
        ready = bind(fd, &source->any, net_address_size(source)) == 0;
    if (ready)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

bool socket_peer(int fd, union net_address *peer)
{
    socklen_t size = sizeof *peer;
    memset(peer, 0, sizeof *peer);
    return getpeername(fd, &peer->any, &size) == 0;
}

bool socket_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

void socket_set_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    /* a refusal leaves an ordinary close, which is all that an unconnected socket needs */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
