/* Addresses as people write them: "HOST:PORT", "[v6]:PORT", "unix:PATH". */
#include "engine/net/net.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST_BYTES_MAX 255 /* RFC 1035 section 2.3.4 */

static enum status usage(struct fault *fault, const char *text, const char *why)
{
    return fault_set(fault, STATUS_USAGE, "address '%.200s': %s", text, why);
}

static enum status parse_unix(const char *text, const char *path, union net_address *address,
                              struct fault *fault)
{
    size_t size = strlen(path);
    if (size == 0)
        return usage(fault, text, "a path must follow 'unix:'");
    if (size >= sizeof address->local.sun_path)
        return usage(fault, text, "the path of a unix socket must be shorter than 108 bytes");
    memset(address, 0, sizeof *address);
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, size);
    return STATUS_OK;
}

/* Decimal digits only, 0 … 65535. */
static bool parse_port(const char *digits, in_port_t *port)
{
    unsigned value = 0;
    if (*digits == '\0')
        return false;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        value = value * 10 + (unsigned)(*digits - '0');
        if (value > 65535)
            return false;
    }
    *port = htons((uint16_t)value);
    return true;
}

/* Splits at the colon before the port; brackets allow colons inside the host (RFC 3986). */
static const char *split(const char *text, char host[HOST_BYTES_MAX + 1], const char **port)
{
    const char *start = text, *end;
    if (*text == '[') {
        start = text + 1;
        end = strchr(start, ']');
        if (!end || end[1] != ':')
            return "expected [IPV6]:PORT";
        *port = end + 2;
    } else {
        end = strrchr(text, ':');
        if (!end)
            return "expected HOST:PORT, [IPV6]:PORT or unix:PATH";
        if (strchr(text, ':') != end)
            return "an IPv6 address needs brackets: [IPV6]:PORT";
        *port = end + 1;
    }
    size_t size = (size_t)(end - start);
    if (size == 0)
        return "the host is missing";
    if (size > HOST_BYTES_MAX)
        return "the host is too long";
    memcpy(host, start, size);
    host[size] = '\0';
    return NULL;
}

static const char *resolve(const char *host, bool bracketed, union net_address *address)
{
    memset(address, 0, sizeof *address);
    if (!bracketed && strcmp(host, "localhost") == 0) {
        address->ipv4.sin_family = AF_INET;
        address->ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return NULL;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (bracketed) {
        hints.ai_family = AF_INET6;
        hints.ai_flags = AI_NUMERICHOST;
    }
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error != 0)
        return gai_strerror(error);
    const char *why = "neither an IPv4 nor an IPv6 address";
    if (found->ai_family == AF_INET || found->ai_family == AF_INET6) {
        memcpy(address, found->ai_addr, found->ai_addrlen);
        why = NULL;
    }
    freeaddrinfo(found);
    return why;
}

enum status net_address_parse(const char *text, union net_address *address, struct fault *fault)
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text, text + 5, address, fault);
    char host[HOST_BYTES_MAX + 1];
    const char *digits;
    const char *why = split(text, host, &digits);
    if (why)
        return usage(fault, text, why);
    in_port_t port;
    if (!parse_port(digits, &port))
        return usage(fault, text, "the port must be a number from 0 to 65535");
    union net_address resolved;
    why = resolve(host, *text == '[', &resolved);
    if (why)
        return usage(fault, text, why);
    if (resolved.any.sa_family == AF_INET)
        resolved.ipv4.sin_port = port;
    else
        resolved.ipv6.sin6_port = port;
    *address = resolved;
    return STATUS_OK;
}

const char *net_address_text(const union net_address *address, char out[NET_ADDRESS_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->ipv4.sin_addr, host, sizeof host);
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(address->ipv4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->ipv6.sin6_addr, host, sizeof host);
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "[%s]:%u", host, ntohs(address->ipv6.sin6_port));
        break;
    case AF_UNIX:
        if (address->local.sun_path[0])
            snprintf(out, NET_ADDRESS_TEXT_BYTES, "unix:%.*s", (int)sizeof address->local.sun_path,
                     address->local.sun_path);
        else
            snprintf(out, NET_ADDRESS_TEXT_BYTES, "unix");
        break;
    default:
        snprintf(out, NET_ADDRESS_TEXT_BYTES, "unknown");
    }
    return out;
}

bool net_address_is_loopback(const union net_address *address)
{
    switch (address->any.sa_family) {
    case AF_INET:
        return ntohl(address->ipv4.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr))
            return address->ipv6.sin6_addr.s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(&address->ipv6.sin6_addr);
    default:
        return address->any.sa_family == AF_UNIX;
    }
}

socklen_t net_address_size(const union net_address *address)
{
    switch (address->any.sa_family) {
    case AF_INET:
        return sizeof address->ipv4;
    case AF_INET6:
        return sizeof address->ipv6;
    default:
        return sizeof address->local;
    }
}
