/* mailrace drain: fetches everything back and accounts for it. */
#include "tools/commands.h"

#include "base/credentials.h"
#include "base/log.h"
#include "engine/load/drain.h"
#include "tools/bypass.h"
#include "tools/json_make.h"
#include "tools/options.h"
#include "tools/whole_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FINDINGS_SHOWN 20u /* of a kind */

struct drain_flags {
    struct drain_options options;
    const char *json_path;
    bool verify, quiet, allow_remote;
};

static enum status set_password(void *values, const char *text, struct fault *fault)
{
    struct drain_flags *flags = values;
    size_t size = strlen(text);
    bool good = size > 0 && size <= CREDENTIALS_BYTES_MAX;
    for (size_t i = 0; i < size; i++)
        good &= (uint8_t)text[i] >= ' ' && text[i] != 0x7F;
    if (!good)
        return fault_set(fault, STATUS_USAGE,
                         "--password: not 1 to %u bytes without control characters",
                         CREDENTIALS_BYTES_MAX);
    flags->options.password = text;
    return STATUS_OK;
}

static enum status set_io(void *values, const char *text, struct fault *fault)
{
    return bypass_set_io(&((struct drain_flags *)values)->options.dpdk, text, fault);
}

static enum status add_dpdk_address(void *values, const char *text, struct fault *fault)
{
    return bypass_add_address(&((struct drain_flags *)values)->options.dpdk, text, fault);
}

static enum status add_dpdk_gateway(void *values, const char *text, struct fault *fault)
{
    return bypass_add_gateway(&((struct drain_flags *)values)->options.dpdk, text, fault);
}

#define FIELD(name) offsetof(struct drain_flags, options.name)

static const struct option_row rows[] = {
    {"ledger", "FILE", "what was sent, as blast --ledger wrote it", OPTION_TEXT, FIELD(ledger_path),
     0, 0, NULL},
    {"password", "P", "of every mailbox (default mailrace)", OPTION_CALL, 0, 0, 0, set_password},
    {"connections", "C", "mailboxes at once (default 32)", OPTION_NUMBER, FIELD(connections), 1,
     10000, NULL},
    {"delete", NULL, "delete what was found fine, where a mailbox could be read whole", OPTION_FLAG,
     FIELD(delete), 0, 0, NULL},
    {"starttls", NULL, "start TLS with STLS, or fetch nothing", OPTION_FLAG, FIELD(stls), 0, 0,
     NULL},
    {"verify", NULL, "check the certificate (default but for loopback)", OPTION_FLAG,
     offsetof(struct drain_flags, verify), 0, 0, NULL},
    {"ca", "FILE", "certificates to trust (default: the system's)", OPTION_TEXT, FIELD(ca_file), 0,
     0, NULL},
    {"timeout", "D", "for any reply (default 60s)", OPTION_DURATION, FIELD(timeout_ms), 1, 3600000,
     NULL},
    BYPASS_ROWS(set_io, add_dpdk_address, add_dpdk_gateway),
    {"json", "FILE", "write the figures; -: standard output", OPTION_TEXT,
     offsetof(struct drain_flags, json_path), 0, 0, NULL},
    {"quiet", NULL, "the last line and errors only", OPTION_FLAG,
     offsetof(struct drain_flags, quiet), 0, 0, NULL},
    {"allow-remote", NULL, "fetch from others than this machine", OPTION_FLAG,
     offsetof(struct drain_flags, allow_remote), 0, 0, NULL},
};

static const struct command command = {
    .name = "drain",
    .synopsis = "drain pop3://HOST:PORT | pop3s://HOST:PORT --ledger FILE [flags]",
    .summary =
        "Logs in to every mailbox of a ledger, fetches every message, and accounts for what\n"
        "was lost, duplicated or corrupted.",
    .example = "mailrace drain pop3://127.0.0.1:1110 --ledger sent.ledger",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
    .operands_min = 1,
    .operands_max = 1,
};

static enum status check(struct drain_flags *flags, const char *url, struct fault *fault)
{
    struct drain_options *options = &flags->options;
    enum status status =
        target_parse(url, 1u << TARGET_POP3 | 1u << TARGET_POP3S, &options->target, fault);
    if (status != STATUS_OK)
        return status;
    bool local = net_address_is_loopback(&options->target.address);
    if (!local && !flags->allow_remote)
        return fault_set(
            fault, STATUS_USAGE,
            "%s is not on this machine: mail is fetched there only with --allow-remote", url);
    if (options->ledger_path == NULL)
        return fault_set(fault, STATUS_USAGE, "--ledger: which one?");
    if (options->stls && options->target.scheme == TARGET_POP3S)
        return fault_set(fault, STATUS_USAGE, "--starttls: pop3s:// has TLS already");
    bool secure = options->stls || options->target.scheme == TARGET_POP3S;
    if (!secure && (flags->verify || options->ca_file != NULL))
        return fault_set(fault, STATUS_USAGE,
                         "--%s: there is no TLS without --starttls or pop3s://",
                         flags->verify ? "verify" : "ca");
    options->verify = flags->verify || options->ca_file != NULL || !local;
    return bypass_check(&options->dpdk, fault);
}

/* ------------------------------------------------------------------------ while it runs ---- */

struct watch {
    bool terminal, quiet;
    uint64_t findings[DRAIN_FINDINGS];
};

static void erase_progress(const struct watch *watch)
{
    if (watch->terminal && !watch->quiet)
        fputs("\r\033[K", stderr);
}

static void show_progress(void *context, const struct drain_report *report)
{
    const struct watch *watch = context;
    if (!watch->terminal || watch->quiet)
        return;
    erase_progress(watch);
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 " mailboxes, %" PRIu64 " messages, %.0f/s",
            report->mailboxes_read, report->mailboxes, report->messages,
            report->seconds > 0 ? (double)report->messages / report->seconds : 0);
}

static void show_finding(void *context, enum drain_finding finding, struct span mailbox,
                         struct span detail)
{
    struct watch *watch = context;
    char name[300], text[300];
    if (watch->findings[finding]++ >= FINDINGS_SHOWN || watch->quiet)
        return;
    erase_progress(watch);
    fprintf(stderr, "%-10s  %s  %s\n", drain_finding_name(finding),
            log_escape(mailbox, name, sizeof name),
            detail.size > 0 ? log_escape(detail, text, sizeof text) : "(no id)");
}

static void show_summary(const struct watch *watch, const struct drain_report *report)
{
    erase_progress(watch);
    if (watch->quiet)
        return;
    for (enum drain_finding i = 0; i < DRAIN_FINDINGS; i++)
        if (watch->findings[i] > FINDINGS_SHOWN)
            fprintf(stderr, "%-10s  … and %" PRIu64 " more\n", drain_finding_name(i),
                    watch->findings[i] - FINDINGS_SHOWN);
    double seconds = report->seconds > 0 ? report->seconds : 1e-9;
    fprintf(stderr,
            "%" PRIu64 " of %" PRIu64 " mailboxes, %" PRIu64
            " messages, %.1f MB in %.2f s: %.0f messages/s, "
            "%.1f MB/s; %" PRIu64 " deleted\n",
            report->mailboxes_read, report->mailboxes, report->messages,
            (double)report->octets / 1e6, seconds, (double)report->messages / seconds,
            (double)report->octets / 1e6 / seconds, report->deleted);
    if (report->mailboxes == 0)
        fputs("warning: the ledger is empty, so this proves nothing\n", stderr);
    if (report->interrupted || report->gave_up)
        fprintf(stderr, "%s: the rest was not read\n",
                report->interrupted ? "interrupted" : "nobody answers any more");
}

/* ----------------------------------------------------------------------------- the result ---- */

static json_t *make_json(const struct drain_report *report)
{
    const struct account_totals *totals = &report->totals;
    const struct json_member members[] = {
        {"acked", json_make_count(totals->acked)},
        {"fetched", json_make_count(totals->fetched)},
        {"lost", json_make_count(totals->lost)},
        {"duplicated", json_make_count(totals->duplicated)},
        {"corrupted", json_make_count(totals->corrupted)},
        {"unknown", json_make_count(totals->unknown)},
        {"doubtful", json_make_count(totals->doubtful)},
        {"unread", json_make_count(totals->unread)},
        {"mailboxes", json_make_count(report->mailboxes)},
        {"mailboxes_read", json_make_count(report->mailboxes_read)},
        {"messages", json_make_count(report->messages)},
        {"octets", json_make_count(report->octets)},
        {"deleted", json_make_count(report->deleted)},
        {"undeleted", json_make_count(report->undeleted)},
        {"seconds", json_make_real(true, report->seconds)},
        {"interrupted", json_boolean(report->interrupted)},
    };
    return json_make_object(members, sizeof members / sizeof members[0]);
}

static enum status write_json(const char *path, const struct drain_report *report,
                              struct fault *fault)
{
    json_t *json = make_json(report);
    char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (text == NULL)
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory for the figures", path);
    const struct span parts[] = {span_text(text), SPAN("\n")};
    enum status status = whole_file_write(path, parts, 2, fault);
    free(text);
    return status;
}

/* What the shell is told. */
static int outcome(const struct drain_report *report)
{
    const struct account_totals *totals = &report->totals;
    bool fine = totals->lost == 0 && totals->duplicated == 0 && totals->corrupted == 0 &&
                totals->unread == 0 && report->undeleted == 0 && !report->interrupted;
    return fine ? 0 : 1;
}

static void print_totals(const struct account_totals *totals)
{
    printf("acked %" PRIu64 " fetched %" PRIu64 " lost %" PRIu64 " duplicated %" PRIu64
           " corrupted %" PRIu64 " unknown %" PRIu64 "\n",
           totals->acked, totals->fetched, totals->lost, totals->duplicated, totals->corrupted,
           totals->unknown);
}

static int drain(const struct drain_flags *flags)
{
    struct watch watch = {.terminal = isatty(STDERR_FILENO), .quiet = flags->quiet};
    const struct drain_observer observer = {
        .progress = show_progress, .found = show_finding, .context = &watch};
    struct drain_report report;
    struct fault fault;
    enum status status = STATUS_OK;
    if (flags->json_path != NULL)
        status = whole_file_probe(flags->json_path, &fault);
    if (status == STATUS_OK)
        status = drain_run(&flags->options, &observer, &report, &fault);
    if (status == STATUS_OK) {
        show_summary(&watch, &report);
        if (flags->json_path != NULL)
            status = write_json(flags->json_path, &report, &fault);
        print_totals(&report.totals);
    }
    return status == STATUS_OK ? outcome(&report) : command_failed("drain", &fault);
}

int drain_main(int argc, char **argv)
{
    struct drain_flags flags = {0};
    struct fault fault;
    char **operands;
    int operands_count;
    bool done = false;
    drain_options_default(&flags.options);
    enum status status =
        options_parse(&command, argc, argv, &flags, &operands, &operands_count, &done, &fault);
    if (status == STATUS_OK && done)
        return 0;
    if (status == STATUS_OK)
        status = check(&flags, operands[0], &fault);
    return status == STATUS_OK ? drain(&flags) : command_failed("drain", &fault);
}
