#include "engine/load/target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_BYTES_MAX 5u

static const struct scheme {
    const char *prefix;
    const char *port;
} schemes_known[] = {
    [TARGET_SMTP] = {"smtp://", "25"},    [TARGET_SMTPS] = {"smtps://", "465"},
    [TARGET_LMTP] = {"lmtp://", "24"},    [TARGET_POP3] = {"pop3://", "110"},
    [TARGET_POP3S] = {"pop3s://", "995"},
};

enum { SCHEMES = sizeof schemes_known / sizeof schemes_known[0] };

static enum status usage(struct fault *fault, const char *text, const char *why)
{
    return fault_set(fault, STATUS_USAGE, "target '%.200s': %s", text, why);
}

/* Cuts "HOST", "HOST:PORT", "[v6]" or "[v6]:PORT" in two; `port` is NULL where there is none.
 * Returns what is wrong, or NULL. */
static const char *split(const char *place, struct span *host, const char **port)
{
    const char *bracket = place[0] == '[' ? strchr(place, ']') : NULL;
    if (place[0] == '[' && bracket == NULL)
        return "expected [IPV6]:PORT";
    const char *start = bracket != NULL ? place + 1 : place;
    const char *colon = bracket != NULL ? bracket + 1 : strrchr(place, ':');
    if (colon != NULL && *colon != ':') {
        if (*colon != '\0')
            return "expected [IPV6]:PORT";
        colon = NULL;
    }
    const char *end = bracket != NULL ? bracket : colon;
    size_t size = end != NULL ? (size_t)(end - start) : strlen(start);
    if (size == 0)
        return "the host is missing";
    if (size >= sizeof((struct target *)NULL)->host)
        return "the host is too long";
    *host = span_of(start, size);
    *port = colon != NULL ? colon + 1 : NULL;
    return NULL;
}

/* A port alone, to tell one that is wrong from a name that is unknown. */
static bool is_port(const char *port)
{
    char whole[sizeof "127.0.0.1:" + PORT_BYTES_MAX];
    union net_address address;
    if (strlen(port) > PORT_BYTES_MAX)
        return false;
    snprintf(whole, sizeof whole, "127.0.0.1:%s", port);
    return net_address_parse(whole, &address, NULL) == STATUS_OK && address.ipv4.sin_port != 0;
}

static enum status parse_place(const char *text, const char *place, const char *standard_port,
                               struct target *target, struct fault *fault)
{
    if (strncmp(place, "unix:", 5) == 0) {
        snprintf(target->host, sizeof target->host, "localhost");
        return net_address_parse(place, &target->address, fault);
    }
    struct span host;
    const char *port;
    const char *problem = split(place, &host, &port);
    if (problem != NULL)
        return usage(fault, text, problem);
    if (port == NULL)
        port = standard_port;
    else if (!is_port(port))
        return usage(fault, text, "the port must be a number from 1 to 65535");
    char whole[sizeof target->host + sizeof "[]:" + PORT_BYTES_MAX];
    bool bracketed = place[0] == '[';
    snprintf(target->host, sizeof target->host, "%.*s", (int)host.size, (const char *)host.data);
    snprintf(whole, sizeof whole, bracketed ? "[%s]:%s" : "%s:%s", target->host, port);
    struct fault why;
    if (net_address_parse(whole, &target->address, &why) == STATUS_OK)
        return STATUS_OK;
    bool named = !bracketed && strchr(target->host, ':') == NULL;
    return fault_set(fault, named ? STATUS_NETWORK : STATUS_USAGE, "%s", why.text);
}

/* "smtp://, lmtp://": those that are allowed. */
static void list(unsigned schemes, char *out, size_t size)
{
    size_t written = 0;
    for (int i = 0; i < SCHEMES; i++)
        if (schemes & 1u << i)
            written += (size_t)snprintf(out + written, size - written, "%s%s",
                                        written > 0 ? ", " : "", schemes_known[i].prefix);
}

enum status target_parse(const char *text, unsigned schemes, struct target *target,
                         struct fault *fault)
{
    for (int i = 0; i < SCHEMES; i++) {
        const struct scheme *scheme = &schemes_known[i];
        size_t size = strlen(scheme->prefix);
        if (!(schemes & 1u << i) || strncasecmp(text, scheme->prefix, size) != 0)
            continue;
        struct target parsed = {.scheme = (enum target_scheme)i};
        enum status status = parse_place(text, text + size, scheme->port, &parsed, fault);
        if (status == STATUS_OK)
            *target = parsed;
        return status;
    }
    char allowed[64] = "";
    list(schemes, allowed, sizeof allowed);
    return fault_set(fault, STATUS_USAGE, "target '%.200s': it must begin with %s", text, allowed);
}
