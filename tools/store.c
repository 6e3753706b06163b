/* mailrace store: looking into a store, offline or while serve writes it. */
#include "tools/commands.h"

#include "base/log.h"
#include "base/ring.h"
#include "storage/medium_file.h"
#include "storage/store.h"
#include "tools/options.h"
#include "tools/unstuff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct store_flags {
    bool json;
};

struct opened { /* what every subcommand works on */
    struct ring ring;
    struct medium *medium;
    struct store *store;
    const char *directory;
};

static enum status open_store(struct opened *opened, const char *directory, struct fault *fault)
{
    const struct medium_file_options file = {.create = false, .durable = true};
    struct store_options options;
    store_options_default(&options);
    opened->directory = directory;
    enum status status = ring_open(&opened->ring, 64, fault);
    if (status != STATUS_OK)
        return status;
    status = medium_file_open(&opened->medium, &opened->ring, directory, &file, fault);
    if (status == STATUS_OK) {
        status = store_open(&opened->store, opened->medium, STORE_READ, &options, fault);
        if (status == STATUS_OK)
            return status;
        opened->medium->calls->deinit(opened->medium);
    }
    ring_close(&opened->ring);
    return status;
}

static void close_store(struct opened *opened)
{
    store_close(opened->store);
    opened->medium->calls->deinit(opened->medium);
    ring_close(&opened->ring);
}

/* A mailbox name for a line of output: escaped, so that no name can pretend to be something else.
 */
static const char *printable(struct span mailbox, char out[1300])
{
    return log_escape(mailbox, out, 1300);
}

/* ---------------------------------------------------------------------------------- info ---- */

static void add_stats(struct store_stats *sum, const struct store_stats *one)
{
    sum->segments += one->segments;
    sum->bytes += one->bytes;
    sum->messages += one->messages;
    sum->links += one->links;
    sum->live_bytes += one->live_bytes;
    sum->dead_bytes += one->dead_bytes;
    sum->mailboxes += one->mailboxes;
    sum->torn_tails += one->torn_tails;
    sum->corrupt_batches += one->corrupt_batches;
    sum->corrupt_records += one->corrupt_records;
}

static void print_stats(const char *name, const struct store_stats *stats, bool json)
{
    const char *format = json ? "{\"shard\": \"%s\", \"segments\": %" PRIu64 ", \"bytes\": %" PRIu64
                                ", \"messages\": %" PRIu64 ", \"links\": %" PRIu64
                                ", \"mailboxes\": %" PRIu64 ", \"live_bytes\": %" PRIu64
                                ", \"dead_bytes\": %" PRIu64 ", \"torn_tails\": %" PRIu64
                                ", \"corrupt\": %" PRIu64 "}"
                              : "%-8s%10" PRIu64 "%16" PRIu64 "%12" PRIu64 "%12" PRIu64 "%11" PRIu64
                                "%16" PRIu64 "%16" PRIu64 "%6" PRIu64 "%9" PRIu64 "\n";
    printf(format, name, stats->segments, stats->bytes, stats->messages, stats->links,
           stats->mailboxes, stats->live_bytes, stats->dead_bytes, stats->torn_tails,
           stats->corrupt_batches + stats->corrupt_records);
}

static enum status run_info(struct opened *opened, const struct store_flags *flags, char **operands,
                            struct fault *fault)
{
    (void)operands;
    (void)fault;
    struct store_stats sum = {0};
    const uint8_t *identity = store_identity(opened->store);
    char id[33];
    for (int i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", identity[i]);
    if (flags->json)
        printf("{\"store\": \"%s\", \"shards\": [", id);
    else
        printf("store %s\n%-8s%10s%16s%12s%12s%11s%16s%16s%6s%9s\n", id, "shard", "segments",
               "bytes", "messages", "links", "mailboxes", "live bytes", "dead bytes", "torn",
               "corrupt");
    for (uint32_t shard = 0; shard < store_shards_on_disk(opened->store); shard++) {
        struct store_stats stats;
        char name[16];
        store_stats(opened->store, shard, &stats);
        add_stats(&sum, &stats);
        snprintf(name, sizeof name, "%u", shard);
        if (flags->json && shard > 0)
            printf(", ");
        print_stats(name, &stats, flags->json);
    }
    if (flags->json)
        printf("], \"all\": ");
    print_stats("all", &sum, flags->json);
    if (flags->json)
        printf("}\n");
    return STATUS_OK;
}

/* ----------------------------------------------------------------------------- mailboxes, ls ----
 */

static void print_mailbox(void *context, struct span mailbox, uint32_t count, uint64_t octets)
{
    char name[1300];
    (void)context;
    printf("%10" PRIu32 " %14" PRIu64 " %s\n", count, octets, printable(mailbox, name));
}

static enum status run_mailboxes(struct opened *opened, const struct store_flags *flags,
                                 char **operands, struct fault *fault)
{
    (void)flags;
    (void)operands;
    (void)fault;
    store_mailboxes(opened->store, print_mailbox, NULL);
    return STATUS_OK;
}

static enum status run_ls(struct opened *opened, const struct store_flags *flags, char **operands,
                          struct fault *fault)
{
    (void)flags;
    struct maildrop *maildrop;
    enum status status = store_peek(opened->store, span_text(operands[0]), &maildrop);
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: cannot be listed: %s", operands[0],
                         status_text(status));
    for (uint32_t i = 0; i < maildrop->count; i++) {
        const struct store_link *link = &maildrop->links[i];
        char uidl[STORE_UIDL_BYTES_MAX], when[32];
        size_t size = store_uidl_text(link, uidl);
        time_t received = link->received_s;
        struct tm tm;
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&received, &tm));
        printf("%.*s %12" PRIu64 " %s\n", (int)size, uidl, store_link_octets(link), when);
    }
    store_maildrop_free(maildrop);
    return STATUS_OK;
}

/* ----------------------------------------------------------------------------------- cat ---- */

struct printing {
    struct store_log *log;
    struct unstuff unstuff;
    enum status status;
    bool over, wants_next;
};

static void print_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last)
{
    struct printing *printing = fetch->context;
    printing->status = status;
    printing->over = last || status != STATUS_OK;
    printing->wants_next = !printing->over;
    if (status == STATUS_OK && !unstuff_write(&printing->unstuff, wire, stdout)) {
        printing->status = STATUS_IO;
        printing->over = true;
    }
}

static bool ignore_link(void *context, uint32_t owner, struct span mailbox,
                        const struct store_link *link)
{
    (void)context;
    (void)owner;
    (void)mailbox;
    (void)link;
    return true;
}

static enum status print_message(struct opened *opened, const struct store_link *link,
                                 struct fault *fault)
{
    const struct store_events events = {.link = ignore_link};
    struct printing printing = {0};
    enum status status =
        store_log_open(&printing.log, opened->store, 0, opened->medium, &events, fault);
    if (status != STATUS_OK)
        return status;
    struct store_fetch fetch = {.piece = print_piece, .context = &printing};
    store_fetch_start(printing.log, &fetch, link);
    while (!printing.over) {
        if (!store_turn(printing.log))
            opened->medium->calls->poll(opened->medium, true);
        if (printing.wants_next) {
            printing.wants_next = false;
            store_fetch_next(printing.log, &fetch);
        }
    }
    store_fetch_end(printing.log, &fetch);
    store_log_close(printing.log);
    return printing.status;
}

static enum status run_cat(struct opened *opened, const struct store_flags *flags, char **operands,
                           struct fault *fault)
{
    (void)flags;
    struct span text = span_text(operands[0]);
    struct store_link link;
    uint64_t id;
    const char *dot = strchr(operands[0], '.');
    if (dot != NULL)
        text.size = (size_t)(dot - operands[0]);
    if (!store_id_parse(text, &id))
        return fault_set(fault, STATUS_USAGE, "'%s' is no UIDL", operands[0]);
    enum status status = store_find(opened->store, id, &link);
    if (status == STATUS_OK)
        status = print_message(opened, &link, fault);
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: %s", operands[0], status_text(status));
    return STATUS_OK;
}

/* -------------------------------------------------------------------------------- verify ---- */

static void print_finding(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
}

static enum status run_verify(struct opened *opened, const struct store_flags *flags,
                              char **operands, struct fault *fault)
{
    (void)flags;
    (void)operands;
    enum status status = store_verify(opened->store, print_finding, NULL);
    if (status == STATUS_OK) {
        printf("clean\n");
        return STATUS_OK;
    }
    return fault_set(fault, status, "%s: %s", opened->directory, status_text(status));
}

/* ------------------------------------------------------------------------------ the table ---- */

static const struct action {
    const char *name;
    enum status (*run)(struct opened *opened, const struct store_flags *flags, char **operands,
                       struct fault *fault);
    int operands; /* after DIR */
    int failed;   /* exit code for damage, where it is not the status's own */
} actions[] = {
    {"info", run_info, 0, 0}, {"mailboxes", run_mailboxes, 0, 0}, {"ls", run_ls, 1, 0},
    {"cat", run_cat, 1, 0},   {"verify", run_verify, 0, 1},
};

static const struct option_row rows[] = {
    {"json", NULL, "info: as JSON", OPTION_FLAG, offsetof(struct store_flags, json), 0, 0, NULL},
};

static const struct command command = {
    .name = "store",
    .synopsis = "store ACTION DIR [flags]",
    .summary = "Looks into a store, offline or while it is being served; changes nothing.\n\n"
               "  info DIR          segments, messages, mailboxes, bytes, per shard\n"
               "  mailboxes DIR     every mailbox: messages, octets, name\n"
               "  ls DIR MAILBOX    its messages: UIDL, octets, time received\n"
               "  cat DIR UIDL      one message as it was received, with our trace header\n"
               "  verify DIR        reads everything, checks every checksum; exit 1 and what and\n"
               "                    where when something is damaged",
    .example = "mailrace store ls ./var/store alice@example.test",
    .rows = rows,
    .rows_count = sizeof rows / sizeof rows[0],
    .operands_min = 1,
    .operands_max = 3,
};

static enum status find_action(char **operands, int count, const struct action **action,
                               struct fault *fault)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(operands[0], actions[i].name) == 0) {
            *action = &actions[i];
            if (count == 2 + actions[i].operands)
                return STATUS_OK;
            return fault_set(fault, STATUS_USAGE, "store %s takes %d operand%s", operands[0],
                             1 + actions[i].operands, actions[i].operands ? "s" : "");
        }
    return fault_set(fault, STATUS_USAGE, "there is no 'store %s'", operands[0]);
}

int store_main(int argc, char **argv)
{
    struct store_flags flags = {0};
    struct fault fault;
    char **operands;
    int count;
    bool done = false;
    const struct action *action = NULL;
    struct opened opened = {0};
    enum status status =
        options_parse(&command, argc, argv, &flags, &operands, &count, &done, &fault);
    if (status == STATUS_OK && done)
        return 0;
    if (status == STATUS_OK)
        status = find_action(operands, count, &action, &fault);
    if (status == STATUS_OK)
        status = open_store(&opened, operands[1], &fault);
    if (status != STATUS_OK)
        return command_failed("store", &fault);
    status = action->run(&opened, &flags, operands + 2, &fault);
    close_store(&opened);
    if (fflush(stdout) != 0 && status == STATUS_OK)
        status = fault_set(&fault, STATUS_IO, "standard output: write error");
    if (status == STATUS_OK)
        return 0;
    int code = command_failed("store", &fault);
    return status == STATUS_CORRUPT && action->failed ? action->failed : code;
}
