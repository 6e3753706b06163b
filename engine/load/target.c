#include "engine/load/target.h"

#include <stdio.h>
#include <string.h>

static const struct scheme {
    const char *prefix;
    const char *port;
} schemes_known[] = {
    [TARGET_SMTP] = {"smtp://", "25"},    [TARGET_SMTPS] = {"smtps://", "465"},
    [TARGET_LMTP] = {"lmtp://", "24"},    [TARGET_POP3] = {"pop3://", "110"},
    [TARGET_POP3S] = {"pop3s://", "995"},
};

enum { SCHEMES = sizeof schemes_known / sizeof schemes_known[0] };

/* "HOST:PORT", "[v6]:PORT", "unix:PATH" as they are; the host of each. */
static bool has_port(const char *place, struct span *host)
{
    const char *bracket = place[0] == '[' ? strchr(place, ']') : NULL;
    const char *colon = strrchr(place, ':');
    if (bracket != NULL) {
        *host = span_of(place + 1, (size_t)(bracket - place - 1));
        return bracket[1] == ':';
    }
    *host = span_of(place, colon != NULL ? (size_t)(colon - place) : strlen(place));
    return colon != NULL;
}

static enum status parse_place(const char *place, const char *port, struct target *target,
                               struct fault *fault)
{
    struct span host;
    char whole[sizeof target->host + 32];
    bool given = has_port(place, &host);
    if (host.size == 0 || strlen(place) >= sizeof target->host)
        return fault_set(fault, STATUS_USAGE, "'%s' names no host", place);
    snprintf(whole, sizeof whole, "%s%s%s", place, given ? "" : ":", given ? "" : port);
    snprintf(target->host, sizeof target->host, "%.*s", (int)host.size, (const char *)host.data);
    return net_address_parse(whole, &target->address, fault);
}

enum status target_parse(const char *text, unsigned schemes, struct target *target,
                         struct fault *fault)
{
    char allowed[128] = "";
    for (int i = 0; i < SCHEMES; i++) {
        if (!(schemes & 1u << i))
            continue;
        const struct scheme *scheme = &schemes_known[i];
        size_t size = strlen(scheme->prefix);
        if (strncmp(text, scheme->prefix, size) == 0) {
            target->scheme = (enum target_scheme)i;
            return parse_place(text + size, scheme->port, target, fault);
        }
        size_t written = strlen(allowed);
        snprintf(allowed + written, sizeof allowed - written, "%s%s", written > 0 ? ", " : "",
                 scheme->prefix);
    }
    return fault_set(fault, STATUS_USAGE, "'%s' is no target: it begins with %s", text, allowed);
}
