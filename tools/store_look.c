/* mailrace store info, mailboxes, ls, cat, verify. */
#include "tools/json_make.h"
#include "tools/store_action.h"
#include "tools/store_opened.h"
#include "tools/text.h"
#include "tools/unstuff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum status no_json(struct fault *fault)
{
    if (ferror(stdout))
        return fault_set(fault, STATUS_IO, "standard output: write error");
    return fault_set(fault, STATUS_SYSTEM, "no memory for the JSON");
}

/* One element of an array that is printed as it comes: of any size, it needs no memory. */
static bool print_element(json_t *element, bool first)
{
    bool good = element != NULL && fputs(first ? "[" : ",\n ", stdout) >= 0 &&
                json_dumpf(element, stdout, JSON_COMPACT) == 0;
    json_decref(element);
    return good;
}

static void print_array_end(bool empty)
{
    printf(empty ? "[]\n" : "]\n");
}

/* ---- info ---- */

static void add_stats(struct store_stats *sum, const struct store_stats *one)
{
    sum->segments += one->segments;
    sum->bytes += one->bytes;
    sum->messages += one->messages;
    sum->links += one->links;
    sum->live_bytes += one->live_bytes;
    sum->dead_bytes += one->dead_bytes;
    sum->torn_tails += one->torn_tails;
    sum->corrupt_batches += one->corrupt_batches;
    sum->corrupt_records += one->corrupt_records;
}

static void print_stats(const char *name, const struct store_stats *stats, bool json)
{
    const char *format = json ? "{\"shard\": \"%s\", \"segments\": %" PRIu64 ", \"bytes\": %" PRIu64
                                ", \"messages\": %" PRIu64 ", \"links\": %" PRIu64
                                ", \"live_bytes\": %" PRIu64 ", \"dead_bytes\": %" PRIu64
                                ", \"torn_tails\": %" PRIu64 ", \"corrupt\": %" PRIu64 "}"
                              : "%-8s%10" PRIu64 "%16" PRIu64 "%12" PRIu64 "%12" PRIu64 "%16" PRIu64
                                "%16" PRIu64 "%6" PRIu64 "%9" PRIu64 "\n";
    printf(format, name, stats->segments, stats->bytes, stats->messages, stats->links,
           stats->live_bytes, stats->dead_bytes, stats->torn_tails,
           stats->corrupt_batches + stats->corrupt_records);
}

enum status store_look_info(const struct store_opened *opened, struct store_call *call,
                            struct fault *fault)
{
    (void)fault;
    struct store_stats sum = {0};
    const uint8_t *identity = store_identity(opened->store);
    char id[33];
    for (int i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", identity[i]);
    if (call->flags.json)
        printf("{\"store\": \"%s\", \"shards\": [", id);
    else
        printf("store %s\n%-8s%10s%16s%12s%12s%16s%16s%6s%9s\n", id, "shard", "segments", "bytes",
               "messages", "links", "live bytes", "dead bytes", "torn", "corrupt");
    for (uint32_t shard = 0; shard < store_shards_on_disk(opened->store); shard++) {
        struct store_stats stats;
        char name[16];
        store_stats(opened->store, shard, &stats);
        add_stats(&sum, &stats);
        snprintf(name, sizeof name, "%u", shard);
        if (call->flags.json && shard > 0)
            printf(", ");
        print_stats(name, &stats, call->flags.json);
    }
    if (call->flags.json)
        printf("], \"all\": ");
    print_stats("all", &sum, call->flags.json);
    if (call->flags.json)
        printf("}\n");
    return STATUS_OK;
}

/* ---- mailboxes, ls ---- */

static json_t *json_of_mailbox(const struct mailbox_row *row)
{
    const struct json_member members[] = {
        {"name", json_make_span(row->name)},
        {"messages", json_make_count(row->messages)},
        {"octets", json_make_count(row->octets)},
    };
    return json_make_object(members, sizeof members / sizeof members[0]);
}

static void print_mailbox(const struct mailbox_row *row)
{
    char name[TEXT_NAME_BYTES];
    printf("%10" PRIu32 " %14" PRIu64 " %s\n", row->messages, row->octets,
           text_name(row->name, name));
}

enum status store_look_mailboxes(const struct store_opened *opened, struct store_call *call,
                                 struct fault *fault)
{
    struct mailbox_rows rows;
    enum status status = mailbox_rows_make(&rows, opened, fault);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < rows.count && status == STATUS_OK; i++) {
        if (!call->flags.json)
            print_mailbox(&rows.rows[i]);
        else if (!print_element(json_of_mailbox(&rows.rows[i]), i == 0))
            status = no_json(fault);
    }
    if (call->flags.json)
        print_array_end(rows.count == 0);
    mailbox_rows_deinit(&rows);
    return status;
}

static bool print_link(const struct store_link *link, bool json, bool first)
{
    char uidl[STORE_UIDL_BYTES_MAX + 1], when[TEXT_TIME_BYTES];
    uidl[store_uidl_text(link, uidl)] = '\0';
    text_second(link->received_ns / NS_PER_S, when);
    if (!json) {
        printf("%s %12" PRIu64 " %s\n", uidl, store_link_octets(link), when);
        return true;
    }
    const struct json_member members[] = {
        {"uidl", json_make_text(uidl)},
        {"octets", json_make_count(store_link_octets(link))},
        {"received", json_make_text(when)},
    };
    return print_element(json_make_object(members, sizeof members / sizeof members[0]), first);
}

enum status store_look_ls(const struct store_opened *opened, struct store_call *call,
                          struct fault *fault)
{
    struct maildrop *maildrop;
    enum status status = store_opened_peek(opened, call->operands[0], &maildrop, fault);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < maildrop->count && status == STATUS_OK; i++)
        if (!print_link(&maildrop->links[i], call->flags.json, i == 0))
            status = no_json(fault);
    if (call->flags.json)
        print_array_end(false);
    store_maildrop_free(maildrop);
    return status;
}

/* ---- cat ---- */

static bool print_piece(void *context, const struct store_about *about, struct span wire)
{
    (void)about;
    return unstuff_write(context, wire, stdout);
}

enum status store_look_cat(const struct store_opened *opened, struct store_call *call,
                           struct fault *fault)
{
    struct span text = span_text(call->operands[0]);
    struct store_link link;
    struct store_reading reading;
    struct unstuff unstuff = {0};
    char name[TEXT_NAME_BYTES];
    uint64_t id;
    const char *dot = strchr(call->operands[0], '.');
    if (dot != NULL)
        text.size = (size_t)(dot - call->operands[0]);
    text_name(span_text(call->operands[0]), name);
    if (!store_id_parse(text, &id))
        return fault_set(fault, STATUS_USAGE, "'%s' is no UIDL", name);
    enum status status = store_find(opened->store, id, &link);
    if (status == STATUS_OK) {
        status = store_reading_open(&reading, opened, fault);
        if (status != STATUS_OK)
            return status;
        status = store_reading_message(&reading, &link, print_piece, &unstuff);
        store_reading_close(&reading);
    }
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: %s", name, status_text(status));
    return STATUS_OK;
}

/* ---- verify ---- */

struct findings {
    bool json, failed;
    uint64_t count;
};

static void print_finding(void *context, const char *line)
{
    struct findings *findings = context;
    if (!findings->json)
        printf("%s\n", line);
    else if (!print_element(json_make_text(line), findings->count == 0))
        findings->failed = true;
    findings->count++;
}

enum status store_look_verify(const struct store_opened *opened, struct store_call *call,
                              struct fault *fault)
{
    struct findings findings = {.json = call->flags.json};
    if (call->flags.json)
        printf("{\"findings\": ");
    enum status status = store_verify(opened->store, print_finding, &findings);
    if (call->flags.json) {
        printf(findings.count == 0 ? "[" : "");
        printf("], \"clean\": %s}\n", status == STATUS_OK ? "true" : "false");
    }
    if (findings.failed)
        return no_json(fault);
    call->incomplete = status == STATUS_CORRUPT;
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: %s", opened->directory, status_text(status));
    if (!call->flags.json)
        printf("clean\n");
    return STATUS_OK;
}
