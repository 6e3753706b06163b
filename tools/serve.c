/* mailrace serve: the receiver. */
#include "tools/commands.h"

#include "engine/service.h"
#include "tools/bypass.h"
#include "tools/options.h"

#include <stdio.h>
#include <string.h>

static enum status add_listener(struct service_options *options, enum door_kind door,
                                const char *flag, const char *text, struct fault *fault)
{
    if (options->listeners_count == SERVICE_LISTENERS_MAX)
        return fault_set(fault, STATUS_USAGE, "--%s: more than %d listeners", flag,
                         SERVICE_LISTENERS_MAX);
    struct service_listener *listener = &options->listeners[options->listeners_count];
    struct fault address;
    if (net_address_parse(text, &listener->address, &address) != STATUS_OK)
        return fault_set(fault, STATUS_USAGE, "--%s: %s", flag, address.text);
    listener->door = door;
    options->listeners_count++;
    return STATUS_OK;
}

static enum status add_smtp(void *values, const char *text, struct fault *fault)
{
    return add_listener(values, DOOR_SMTP, "smtp", text, fault);
}

static enum status add_lmtp(void *values, const char *text, struct fault *fault)
{
    enum status status = add_listener(values, DOOR_LMTP, "lmtp", text, fault);
    const struct service_options *options = values;
    if (status != STATUS_OK)
        return status;
    const union net_address *address = &options->listeners[options->listeners_count - 1].address;
    bool smtp_port = (address->any.sa_family == AF_INET && address->ipv4.sin_port == htons(25)) ||
                     (address->any.sa_family == AF_INET6 && address->ipv6.sin6_port == htons(25));
    if (smtp_port)
        return fault_set(fault, STATUS_USAGE, "--lmtp: port 25 is SMTP's (RFC 2033 section 5)");
    return STATUS_OK;
}

static enum status add_pop3(void *values, const char *text, struct fault *fault)
{
    return add_listener(values, DOOR_POP3, "pop3", text, fault);
}

static enum status add_smtps(void *values, const char *text, struct fault *fault)
{
    return add_listener(values, DOOR_SMTPS, "smtps", text, fault);
}

static enum status add_pop3s(void *values, const char *text, struct fault *fault)
{
    return add_listener(values, DOOR_POP3S, "pop3s", text, fault);
}

/* A port alone is one of loopback: who is let in from elsewhere must be said. */
static enum status add_metrics(void *values, const char *text, struct fault *fault)
{
    char local[64];
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        snprintf(local, sizeof local, "127.0.0.1:%s", text);
        text = local;
    }
    return add_listener(values, DOOR_METRICS, "metrics", text, fault);
}

static enum status set_durability(void *values, const char *text, struct fault *fault)
{
    struct service_options *options = values;
    options->durable = strcmp(text, "commit") == 0;
    if (!options->durable && strcmp(text, "none") != 0)
        return fault_set(fault, STATUS_USAGE, "--durability: '%s' is neither commit nor none",
                         text);
    return STATUS_OK;
}

static enum status set_io(void *values, const char *text, struct fault *fault)
{
    return bypass_set_io(&((struct service_options *)values)->dpdk, text, fault);
}

static enum status add_dpdk_address(void *values, const char *text, struct fault *fault)
{
    return bypass_add_address(&((struct service_options *)values)->dpdk, text, fault);
}

static enum status add_dpdk_gateway(void *values, const char *text, struct fault *fault)
{
    return bypass_add_gateway(&((struct service_options *)values)->dpdk, text, fault);
}

#define FIELD(name) offsetof(struct service_options, name)

static const struct option_row rows[] = {
    {"store", "DIR", "where mail is kept (required)", OPTION_TEXT, FIELD(store_directory), 0, 0,
     NULL},
    {"smtp", "ADDR", "listen for SMTP: HOST:PORT, [v6]:PORT or unix:PATH; may be repeated",
     OPTION_CALL, 0, 0, 0, add_smtp},
    {"lmtp", "ADDR", "listen for LMTP; may be repeated", OPTION_CALL, 0, 0, 0, add_lmtp},
    {"pop3", "ADDR", "listen for POP3; may be repeated", OPTION_CALL, 0, 0, 0, add_pop3},
    {"smtps", "ADDR", "listen for SMTP inside TLS; may be repeated", OPTION_CALL, 0, 0, 0,
     add_smtps},
    {"pop3s", "ADDR", "listen for POP3 inside TLS; may be repeated", OPTION_CALL, 0, 0, 0,
     add_pop3s},
    {"tls-cert", "FILE", "certificate and chain in PEM: also offers STARTTLS and STLS", OPTION_TEXT,
     FIELD(tls_certificate_file), 0, 0, NULL},
    {"tls-key", "FILE", "its private key in PEM", OPTION_TEXT, FIELD(tls_key_file), 0, 0, NULL},
    {"metrics", "ADDR", "serve figures for Prometheus, http://ADDR/metrics; PORT: on 127.0.0.1",
     OPTION_CALL, 0, 0, 0, add_metrics},
    {"accept-all", NULL, "take mail for every recipient", OPTION_FLAG, FIELD(accept_all), 0, 0,
     NULL},
    {"recipients", "FILE", "take mail for these: user@domain or @domain, one a line", OPTION_TEXT,
     FIELD(recipients_file), 0, 0, NULL},
    {"passwd", "FILE", "POP3 users, as in Dovecot's passwd-file: user:{SCHEME}hash", OPTION_TEXT,
     FIELD(passwd_file), 0, 0, NULL},
    {"any-password", NULL, "let anybody in over POP3 (loopback only)", OPTION_FLAG,
     FIELD(any_password), 0, 0, NULL},
    {"shards", "N", "cores to use (default: all that are usable)", OPTION_NUMBER, FIELD(shards), 1,
     STORE_SHARDS_MAX, NULL},
    {"cpus", "LIST", "processors for the shards, as 0,2-3, or none (default: the first usable)",
     OPTION_TEXT, FIELD(cpus), 0, 0, NULL},
    BYPASS_ROWS(set_io, add_dpdk_address, add_dpdk_gateway),
    {"durability", "WHEN",
     "commit: 250 after stable storage (default); none: for measuring only, loses mail",
     OPTION_CALL, 0, 0, 0, set_durability},
    {"hostname", "NAME", "our name in greetings and Received (default: the machine's)", OPTION_TEXT,
     FIELD(hostname), 0, 0, NULL},
    {"max-message", "SIZE", "largest message (default 64M)", OPTION_SIZE, FIELD(message_bytes_max),
     1024, 4095ull << 20, NULL},
    {"max-text-line", "SIZE", "longest line of a message with CRLF; 0: any (default 1000)",
     OPTION_NUMBER, FIELD(text_line_bytes_max), 0, UINT32_MAX, NULL},
    {"max-connections", "N", "connections per shard (default 10000, or what open files allow)",
     OPTION_NUMBER, FIELD(connections_max), 1, 4000000, NULL},
    {"memory", "SIZE", "for messages in flight, all shards together (default 256M)", OPTION_SIZE,
     FIELD(memory_bytes), 4 << 20, 1ull << 40, NULL},
    {"segment", "SIZE", "of a piece of the log on disk (default 256M)", OPTION_SIZE,
     FIELD(segment_bytes), 8 << 20, 1ull << 32, NULL},
    {"reclaim-rate", "SIZE",
     "per second and shard, to give space back with; 0: none is (default 32M)", OPTION_SIZE,
     FIELD(reclaim_rate), 0, 1ull << 40, NULL},
    {"expire-after", "DURATION", "delete mail that is older (default: none)", OPTION_DURATION,
     FIELD(expire_after_ms), 1, 1ull << 45, NULL},
    {"keep", "N", "of a mailbox, delete all but the newest N (default: none)", OPTION_NUMBER,
     FIELD(keep_messages), 1, UINT32_MAX, NULL},
    {"commit-depth", "N", "commits in flight per shard, 1 to 4 (default 1)", OPTION_NUMBER,
     FIELD(commit_depth), 1, 4, NULL},
    {"gather", "US",
     "under load let what arrives come together for so many microseconds (default 100)",
     OPTION_NUMBER, FIELD(gather_us), 0, 100000, NULL},
    {"user", "NAME", "become this user once the ports are bound", OPTION_TEXT, FIELD(user), 0, 0,
     NULL},
};

static const struct command command = {
    .name = "serve",
    .synopsis = "serve --store DIR [flags]",
    .summary = "Takes mail in over SMTP and LMTP, makes it durable before it says 250, and hands\n"
               "it out over POP3. SIGTERM finishes what is under way and exits; SIGHUP reads the\n"
               "passwd, recipients, certificate and key files again.",
    .example = "mailrace serve --store ./var/store --smtp 127.0.0.1:2525 --pop3 127.0.0.1:1110 "
               "\\\n      --accept-all --any-password",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
};

static enum status check(struct service_options *options, struct fault *fault)
{
    if (options->store_directory == NULL)
        return fault_set(fault, STATUS_USAGE, "--store is missing");
    bool receives = false, serves = false, secure = false;
    for (uint32_t i = 0; i < options->listeners_count; i++) {
        enum door_kind door = options->listeners[i].door;
        serves |= door_kind_is_pop3(door);
        receives |= !door_kind_is_pop3(door) && door != DOOR_METRICS;
        secure |= door_kind_is_secure(door);
    }
    if (!receives && !serves)
        return fault_set(fault, STATUS_USAGE,
                         "nothing to listen on: give --smtp, --smtps, --lmtp, --pop3 or --pop3s");
    if (secure && options->tls_certificate_file == NULL)
        return fault_set(fault, STATUS_USAGE, "--smtps and --pop3s need --tls-cert and --tls-key");
    if ((options->tls_certificate_file == NULL) != (options->tls_key_file == NULL))
        return fault_set(fault, STATUS_USAGE, "--tls-cert and --tls-key need each other");
    if (receives && !options->accept_all && options->recipients_file == NULL)
        return fault_set(fault, STATUS_USAGE,
                         "whose mail is taken? Give --recipients FILE or --accept-all");
    if (serves && !options->any_password && options->passwd_file == NULL)
        return fault_set(fault, STATUS_USAGE,
                         "who may log in? POP3 needs --passwd FILE or --any-password");
    if (options->text_line_bytes_max > 0 && options->text_line_bytes_max < 1000)
        return fault_set(fault, STATUS_USAGE,
                         "--max-text-line: 0 or at least 1000 (RFC 5321 section 4.5.3.1.6); see "
                         "mailrace serve --help");
    if (options->accept_all)
        options->recipients_file = NULL;
    options->segment_bytes &= ~(uint64_t)(MEDIUM_BLOCK_BYTES - 1);
    return bypass_check(&options->dpdk, fault);
}

int serve_main(int argc, char **argv)
{
    struct service_options options;
    struct fault fault;
    char **operands;
    int operands_count;
    bool done = false;
    service_options_default(&options);
    enum status status =
        options_parse(&command, argc, argv, &options, &operands, &operands_count, &done, &fault);
    if (status == STATUS_OK && done)
        return 0;
    if (status == STATUS_OK)
        status = check(&options, &fault);
    if (status == STATUS_OK)
        status = service_run(&options, &fault);
    return status == STATUS_OK ? 0 : command_failed("serve", &fault);
}
