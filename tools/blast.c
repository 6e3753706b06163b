/* mailrace blast: the load generator. */
#include "tools/commands.h"

#include "base/clock.h"
#include "engine/load/blast.h"
#include "tools/blast_html.h"
#include "tools/blast_json.h"
#include "tools/blast_progress.h"
#include "tools/blast_table.h"
#include "tools/bypass.h"
#include "tools/options.h"
#include "tools/whole_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct blast_flags {
    struct blast_options options;
    char *credentials; /* USER:PASSWORD, cut in two */
    const char *json_path, *html_path;
    bool verify, quiet, allow_remote;
    bool sized; /* --size was given */
};

static enum status set_messages(void *values, const char *text, struct fault *fault)
{
    struct blast_flags *flags = values;
    char *end;
    errno = 0;
    flags->options.messages = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        flags->options.messages == 0)
        return fault_set(fault, STATUS_USAGE, "--messages: '%s' is not a valid N", text);
    return STATUS_OK;
}

static enum status set_rate(void *values, const char *text, struct fault *fault)
{
    struct blast_flags *flags = values;
    char *end;
    flags->options.rate = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(flags->options.rate) ||
        flags->options.rate < 0.001 || flags->options.rate > 1e8)
        return fault_set(fault, STATUS_USAGE, "--rate: '%s' is not a valid R", text);
    return STATUS_OK;
}

static enum status set_auth(void *values, const char *text, struct fault *fault)
{
    struct blast_flags *flags = values;
    const char *colon = strchr(text, ':');
    size_t user = colon != NULL ? (size_t)(colon - text) : 0;
    if (user == 0 || user > CREDENTIALS_BYTES_MAX || strlen(colon + 1) > CREDENTIALS_BYTES_MAX)
        return fault_set(fault, STATUS_USAGE, "--auth: not USER:PASSWORD");
    free(flags->credentials);
    flags->credentials = strdup(text);
    if (flags->credentials == NULL)
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    flags->credentials[user] = '\0';
    flags->options.user = flags->credentials;
    flags->options.password = flags->credentials + user + 1;
    return STATUS_OK;
}

static enum status set_size(void *values, const char *text, struct fault *fault)
{
    struct blast_flags *flags = values;
    struct fault why;
    flags->sized = true;
    if (distribution_parse(text, LETTER_OCTETS_MIN, 1u << 30, &flags->options.size, &why) ==
        STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "--size: %s", why.text);
}

static enum status set_recipients(void *values, const char *text, struct fault *fault)
{
    struct blast_flags *flags = values;
    struct fault why;
    if (distribution_parse(text, 1, 10000, &flags->options.recipients, &why) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "--recipients: %s", why.text);
}

/* Addresses without ports: "127.0.0.1,127.0.0.2,[::1]". */
static enum status set_sources(void *values, const char *text, struct fault *fault)
{
    struct blast_flags *flags = values;
    struct blast_options *options = &flags->options;
    options->sources_count = 0;
    for (const char *part = text; part != NULL;) {
        const char *comma = strchr(part, ',');
        int size = comma != NULL ? (int)(comma - part) : (int)strlen(part);
        char address[128];
        struct fault why;
        snprintf(address, sizeof address, "%.*s:0", size < 100 ? size : 100, part);
        if (options->sources_count == BLAST_SOURCES_MAX)
            return fault_set(fault, STATUS_USAGE, "--source: more than %u addresses",
                             BLAST_SOURCES_MAX);
        if (net_address_parse(address, &options->sources[options->sources_count++], &why) !=
            STATUS_OK)
            return fault_set(fault, STATUS_USAGE, "--source: %s", why.text);
        part = comma != NULL ? comma + 1 : NULL;
    }
    return STATUS_OK;
}

static enum status set_io(void *values, const char *text, struct fault *fault)
{
    return bypass_set_io(&((struct blast_flags *)values)->options.dpdk, text, fault);
}

static enum status add_dpdk_address(void *values, const char *text, struct fault *fault)
{
    return bypass_add_address(&((struct blast_flags *)values)->options.dpdk, text, fault);
}

static enum status add_dpdk_gateway(void *values, const char *text, struct fault *fault)
{
    return bypass_add_gateway(&((struct blast_flags *)values)->options.dpdk, text, fault);
}

#define FIELD(name) offsetof(struct blast_flags, options.name)

static const struct option_row rows[] = {
    {"messages", "N", "how many (default 10000, without --duration)", OPTION_CALL, 0, 0, 0,
     set_messages},
    {"duration", "T", "for how long, instead", OPTION_DURATION, FIELD(duration_ms), 1,
     UINT64_MAX / NS_PER_S, NULL},
    {"connections", "C", "at once, of all shards (default 64)", OPTION_NUMBER, FIELD(connections),
     1, 1000000, NULL},
    {"shards", "N", "cores to use (default 1)", OPTION_NUMBER, FIELD(shards), 1, 1024, NULL},
    {"rate", "R", "messages a second: an open loop (default: as fast as answered)", OPTION_CALL, 0,
     0, 0, set_rate},
    {"per-connection", "M", "messages before a new connection (default: no limit)", OPTION_NUMBER,
     FIELD(per_connection), 1, UINT32_MAX, NULL},
    {"pipeline", NULL, "send commands in groups where that is offered (RFC 2920)", OPTION_FLAG,
     FIELD(pipeline), 0, 0, NULL},
    {"chunking", NULL, "send with BDAT where that is offered (RFC 3030)", OPTION_FLAG,
     FIELD(chunking), 0, 0, NULL},
    {"starttls", NULL, "start TLS, or send nothing", OPTION_FLAG, FIELD(starttls), 0, 0, NULL},
    {"verify", NULL, "check the certificate (default but for loopback)", OPTION_FLAG,
     offsetof(struct blast_flags, verify), 0, 0, NULL},
    {"ca", "FILE", "certificates to trust (default: the system's)", OPTION_TEXT, FIELD(ca_file), 0,
     0, NULL},
    {"auth", "USER:PASSWORD", "log in first", OPTION_CALL, 0, 0, 0, set_auth},
    {"hello", "NAME", "our name (default mailrace.invalid)", OPTION_TEXT, FIELD(hello), 0, 0, NULL},
    {"size", "SPEC",
     "bytes of a message: 4k, 1k-64k, lognormal:8k,1.2, mix:1k*60,5k*40 (default 4k)", OPTION_CALL,
     0, 0, 0, set_size},
    {"recipients", "SPEC", "recipients of a message (default 1)", OPTION_CALL, 0, 0, 0,
     set_recipients},
    {"from", "ADDR", "the sender (default blast@example.test)", OPTION_TEXT, FIELD(from), 0, 0,
     NULL},
    {"to", "PATTERN", "the recipients, %d: 0 to users-1 (default user%d@example.test)", OPTION_TEXT,
     FIELD(to), 0, 0, NULL},
    {"users", "N", "how many (default 1000)", OPTION_NUMBER, FIELD(users), 1, UINT32_MAX, NULL},
    {"corpus", "PATH", "send these: a Maildir, an mbox, .eml files", OPTION_TEXT,
     FIELD(corpus_path), 0, 0, NULL},
    {"retry", "N", "more attempts at what is refused with 4xx (default 0)", OPTION_NUMBER,
     FIELD(retries), 0, 100, NULL},
    {"source", "LIST", "our addresses, in turn: 127.0.0.1,127.0.0.2", OPTION_CALL, 0, 0, 0,
     set_sources},
    {"timeout", "T", "for any reply (default 60s, or what RFC 5321 says if less)", OPTION_DURATION,
     FIELD(timeout_ms), 1, 3600000, NULL},
    {"gather", "US",
     "let replies come together so long: less CPU, but added to latencies (default: by itself)",
     OPTION_NUMBER, FIELD(gather_us), 0, 100000, NULL},
    BYPASS_ROWS(set_io, add_dpdk_address, add_dpdk_gateway),
    {"seed", "N", "of everything drawn by lot (default 1)", OPTION_SIZE, FIELD(seed), 0, UINT64_MAX,
     NULL},
    {"ledger", "FILE", "write what became of every message: for drain", OPTION_TEXT,
     FIELD(ledger_path), 0, 0, NULL},
    {"json", "FILE", "write all figures; -: standard output", OPTION_TEXT,
     offsetof(struct blast_flags, json_path), 0, 0, NULL},
    {"html", "FILE", "write a page with plots", OPTION_TEXT,
     offsetof(struct blast_flags, html_path), 0, 0, NULL},
    {"quiet", NULL, "no progress, no table", OPTION_FLAG, offsetof(struct blast_flags, quiet), 0, 0,
     NULL},
    {"allow-remote", NULL, "send to others than this machine", OPTION_FLAG,
     offsetof(struct blast_flags, allow_remote), 0, 0, NULL},
};

static const struct command command = {
    .name = "blast",
    .synopsis = "blast smtp://HOST:PORT | smtps://… | lmtp://… [flags]",
    .summary =
        "Sends mail to any server, as fast as it is answered or at a rate, and accounts for\n"
        "every message. SIGINT ends it in order, a second one at once.",
    .example = "mailrace blast smtp://127.0.0.1:2525 --messages 50000 --ledger sent.ledger",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
    .operands_min = 1,
    .operands_max = 1,
};

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static enum status check(struct blast_flags *flags, const char *url, struct fault *fault)
{
    struct blast_options *options = &flags->options;
    unsigned schemes = 1u << TARGET_SMTP | 1u << TARGET_SMTPS | 1u << TARGET_LMTP;
    enum status status = target_parse(url, schemes, &options->target, fault);
    if (status != STATUS_OK)
        return status;
    bool local = net_address_is_loopback(&options->target.address);
    if (!local && !flags->allow_remote)
        return fault_set(fault, STATUS_USAGE,
                         "%s is not on this machine: load is sent there only with --allow-remote",
                         url);
    if (options->messages > 0 && options->duration_ms > 0)
        return fault_set(fault, STATUS_USAGE, "--messages and --duration: give one of them");
    if (options->messages == 0 && options->duration_ms == 0)
        options->messages = 10000;
    for (uint32_t i = 0; i < options->sources_count; i++)
        if (options->sources[i].any.sa_family != options->target.address.any.sa_family)
            return fault_set(fault, STATUS_USAGE, "--source: %s is reached from other addresses",
                             url);
    bool secure = options->starttls || options->target.scheme == TARGET_SMTPS;
    if (!secure && (flags->verify || options->ca_file != NULL))
        return fault_set(fault, STATUS_USAGE,
                         "--%s: there is no TLS without --starttls or smtps://",
                         flags->verify ? "verify" : "ca");
    if (options->corpus_path != NULL && flags->sized)
        return fault_set(fault, STATUS_USAGE, "--size: a corpus has sizes of its own");
    if (options->starttls && options->target.scheme == TARGET_SMTPS)
        return fault_set(fault, STATUS_USAGE, "--starttls: smtps:// has TLS already");
    if (options->shards > options->connections)
        return fault_set(fault, STATUS_USAGE, "--shards: there are fewer connections");
    if (is_stdout(flags->json_path) && is_stdout(flags->html_path))
        return fault_set(fault, STATUS_USAGE, "--html: --json has standard output already");
    options->verify = flags->verify || options->ca_file != NULL || !local;
    return bypass_check(&options->dpdk, fault);
}

/* Of connections that came to nothing, as most did; or there was no time for more. */
static const char *why_not(const struct tally *total)
{
    uint64_t most = total->unconnected;
    const char *name = most > 0 ? "no connection came up" : "no connection was ready in time";
    for (int i = SMTP_CLIENT_FINE + 1; i < SMTP_CLIENT_FAILURES; i++) {
        if (total->failures[i] > most) {
            most = total->failures[i];
            name = smtp_client_failure_name((enum smtp_client_failure)i);
        }
    }
    return name;
}

/* What the shell is told: whether everything was accepted. */
static int outcome(const struct blast_flags *flags, const struct blast_report *report)
{
    const struct tally_outcomes *messages = &report->total.messages;
    const struct tally_outcomes *recipients = &report->total.recipients;
    struct fault fault;
    if (messages->sent == 0 && !report->interrupted) {
        char address[NET_ADDRESS_TEXT_BYTES];
        fault_set(&fault, STATUS_NETWORK, "%s: nothing could be sent: %s",
                  net_address_text(&flags->options.target.address, address),
                  why_not(&report->total));
        return command_failed("blast", &fault);
    }
    bool all = messages->acked == messages->sent && recipients->acked == recipients->sent &&
               messages->sent > 0 &&
               (flags->options.messages == 0 || messages->sent == flags->options.messages);
    return all ? 0 : 1;
}

/* A file that can't be written is told before the load, not after it. */
static enum status probe_reports(const struct blast_flags *flags, struct fault *fault)
{
    enum status status = STATUS_OK;
    if (flags->json_path != NULL)
        status = whole_file_probe(flags->json_path, fault);
    if (status == STATUS_OK && flags->html_path != NULL)
        status = whole_file_probe(flags->html_path, fault);
    return status;
}

static enum status write_reports(const struct blast_flags *flags, const struct blast_report *report,
                                 struct fault *fault)
{
    enum status status = STATUS_OK;
    bool taken = is_stdout(flags->json_path) || is_stdout(flags->html_path);
    if (!flags->quiet)
        blast_table_print(taken ? stderr : stdout, &flags->options, report);
    if (flags->json_path != NULL)
        status = blast_json_write(flags->json_path, &flags->options, report, fault);
    if (status == STATUS_OK && flags->html_path != NULL)
        status = blast_html_write(flags->html_path, &flags->options, report, fault);
    if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = fault_set(fault, STATUS_IO, "standard output: cannot be written");
    return status;
}

/* A load that failed in the middle is still accounted for. */
static int load_and_report(struct blast_flags *flags, struct blast_report *report)
{
    struct fault fault;
    struct blast_progress_view view;
    blast_progress_init(&view, STDERR_FILENO, flags->quiet, &flags->options, &clock_system);
    enum status status = blast_run(&flags->options, blast_progress_show, &view, report, &fault);
    blast_progress_deinit(&view);
    int code = status == STATUS_OK ? outcome(flags, report) : command_failed("blast", &fault);
    bool ran = status == STATUS_OK || report->total.messages.sent > 0;
    if (ran && write_reports(flags, report, &fault) != STATUS_OK) {
        int failed = command_failed("blast", &fault);
        code = code <= 1 ? failed : code;
    }
    return code;
}

int blast_main(int argc, char **argv)
{
    struct blast_flags flags = {0};
    struct fault fault;
    char **operands;
    int operands_count;
    bool done = false;
    blast_options_default(&flags.options);
    enum status status =
        options_parse(&command, argc, argv, &flags, &operands, &operands_count, &done, &fault);
    if (status == STATUS_OK && !done)
        status = check(&flags, operands[0], &fault);
    if (status == STATUS_OK && !done)
        status = probe_reports(&flags, &fault);
    struct blast_report *report = NULL;
    if (status == STATUS_OK && !done && (report = calloc(1, sizeof *report)) == NULL)
        status = fault_set(&fault, STATUS_SYSTEM, "no memory");
    int code = 0;
    if (status != STATUS_OK)
        code = command_failed("blast", &fault);
    else if (!done)
        code = load_and_report(&flags, report);
    free(report);
    free(flags.credentials);
    return code;
}
