#include "tools/blast_settings.h"

#include "base/invariant.h"
#include "tools/json_make.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

/* Without its port, and IPv6 in brackets. */
static int host_text(const struct target *target, char *out, size_t capacity)
{
    bool bare = strchr(target->host, ':') != NULL;
    return snprintf(out, capacity, "%s%s%s", bare ? "[" : "", target->host, bare ? "]" : "");
}

const char *target_text(const struct target *target, char out[TARGET_TEXT_BYTES])
{
    static const char *const schemes[] = {
        [TARGET_SMTP] = "smtp", [TARGET_SMTPS] = "smtps", [TARGET_LMTP] = "lmtp",
        [TARGET_POP3] = "pop3", [TARGET_POP3S] = "pop3s",
    };
    char address[NET_ADDRESS_TEXT_BYTES], host[sizeof target->host + 2];
    const char *port;
    net_address_text(&target->address, address);
    INVARIANT((unsigned)target->scheme < sizeof schemes / sizeof schemes[0]);
    if (target->address.any.sa_family == AF_UNIX || target->host[0] == '\0' ||
        (port = strrchr(address, ':')) == NULL) {
        snprintf(out, TARGET_TEXT_BYTES, "%s://%s", schemes[target->scheme], address);
        return out;
    }
    host_text(target, host, sizeof host);
    snprintf(out, TARGET_TEXT_BYTES, "%s://%s%s", schemes[target->scheme], host, port);
    return out;
}

static void mix_text(const struct distribution *distribution, char *out, size_t capacity)
{
    uint64_t before = 0;
    size_t size = (size_t)snprintf(out, capacity, "mix:");
    for (uint32_t i = 0; i < distribution->parts_count && size < capacity; i++) {
        const struct distribution_part *part = &distribution->parts[i];
        size += (size_t)snprintf(out + size, capacity - size, "%s%" PRIu64 "*%" PRIu64,
                                 i > 0 ? "," : "", part->value, part->upto - before);
        before = part->upto;
    }
}

const char *distribution_text(const struct distribution *distribution,
                              char out[DISTRIBUTION_TEXT_BYTES])
{
    const size_t capacity = DISTRIBUTION_TEXT_BYTES;
    switch (distribution->kind) {
    case DISTRIBUTION_LOGNORMAL:
        snprintf(out, capacity, "lognormal:%.0f,%g", distribution->median, distribution->sigma);
        break;
    case DISTRIBUTION_MIX:
        mix_text(distribution, out, capacity);
        break;
    case DISTRIBUTION_UNIFORM:
        if (distribution->low == distribution->high)
            snprintf(out, capacity, "%" PRIu64, distribution->low);
        else
            snprintf(out, capacity, "%" PRIu64 "-%" PRIu64, distribution->low, distribution->high);
        break;
    }
    return out;
}

static json_t *seconds(uint64_t ms)
{
    return json_make_real(ms > 0, (double)ms / 1e3);
}

static json_t *count_or_null(uint64_t count)
{
    return count > 0 ? json_make_count(count) : json_null();
}

static json_t *target_json(const struct target *target)
{
    char text[TARGET_TEXT_BYTES];
    return json_make_text(target_text(target, text));
}

static json_t *distribution_json(const struct distribution *distribution)
{
    char text[DISTRIBUTION_TEXT_BYTES];
    return json_string(distribution_text(distribution, text));
}

/* Addresses without their ports, which the system chooses. */
static json_t *sources_json(const struct blast_options *options)
{
    json_t *sources = json_array();
    for (uint32_t i = 0; i < options->sources_count && sources != NULL; i++) {
        const union net_address *source = &options->sources[i];
        char text[INET6_ADDRSTRLEN] = "";
        bool ipv6 = source->any.sa_family == AF_INET6;
        inet_ntop(source->any.sa_family,
                  ipv6 ? (const void *)&source->ipv6.sin6_addr : &source->ipv4.sin_addr, text,
                  sizeof text);
        json_array_append_new(sources, json_string(text));
    }
    return sources;
}

json_t *blast_settings_json(const struct blast_options *options)
{
    const struct json_member members[] = {
        {"target", target_json(&options->target)},
        {"messages", count_or_null(options->messages)},
        {"duration", seconds(options->duration_ms)},
        {"connections", json_integer(options->connections)},
        {"shards", json_integer(options->shards)},
        {"rate", json_make_real(options->rate > 0, options->rate)},
        {"per-connection", count_or_null(options->per_connection)},
        {"retry", json_integer(options->retries)},
        {"pipeline", json_boolean(options->pipeline)},
        {"chunking", json_boolean(options->chunking)},
        {"starttls", json_boolean(options->starttls)},
        {"verify", json_boolean(options->verify)},
        {"ca", json_make_text(options->ca_file)},
        {"auth", json_make_text(options->user)},
        {"hello", json_make_text(options->hello)},
        {"from", json_make_text(options->from)},
        {"to", json_make_text(options->to)},
        {"users", json_integer(options->users)},
        {"size", distribution_json(&options->size)},
        {"recipients", distribution_json(&options->recipients)},
        {"corpus", json_make_text(options->corpus_path)},
        {"ledger", json_make_text(options->ledger_path)},
        {"source", sources_json(options)},
        {"timeout", seconds(options->timeout_ms)},
        {"gather", count_or_null(blast_gather_us(options))},
        {"io", json_string(options->dpdk.wanted ? "dpdk" : "uring")},
        {"seed", json_make_count(options->seed)},
    };
    return json_make_object(members, sizeof members / sizeof members[0]);
}
