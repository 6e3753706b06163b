#include "engine/metrics.h"

#include <inttypes.h>
#include <stdio.h>

enum type { COUNTER, GAUGE, HISTOGRAM };
enum scope { SERVICE, SHARD, LOG }; /* one member, one per shard, one per log on disk */
enum unit { COUNT, SECONDS };       /* of what is kept as nanoseconds */

/* A label with a fixed set of values; the family's field is an array with a number for each. */
struct label {
    const char *name;
    const char *(*value)(uint32_t index);
    uint32_t count;
};

struct family {
    const char *name;
    enum type type;
    enum scope scope;
    enum unit unit;
    size_t offset;             /* in struct metrics_figures: uint64_t, or struct powers */
    const char *help;          /* no backslash, no newline */
    const struct label *label; /* NULL: none but the shard's */
    /* Of a histogram: the sum's offset; buckets from 2^first to 2^last. */
    size_t sum_offset;
    uint32_t first, last;
};

/* ------------------------------------------------------------------------------ what there is ---
 */

static const char *door_value(uint32_t index)
{
    return door_name((enum door_kind)index);
}

static const char *mode_value(uint32_t index)
{
    return index == METRICS_COMMIT ? "commit" : "none";
}

static const char *version_value(uint32_t index)
{
    (void)index;
    return MAILRACE_VERSION;
}

static const char *purpose_value(uint32_t index)
{
    return index == 0 ? "mail" : "deletions";
}

static const struct label by_door = {"door", door_value, DOOR_KINDS};
static const struct label by_mode = {"mode", mode_value, METRICS_DURABILITIES};
static const struct label by_purpose = {"purpose", purpose_value, 2};
static const struct label by_version = {"version", version_value, 1};

#define FAMILY(what, where, title, field, ...)                                                     \
    {                                                                                              \
        .name = (title), .type = (what), .scope = (where),                                         \
        .offset = offsetof(struct metrics_figures, field), .help = __VA_ARGS__                     \
    }
#define SUM(field) .sum_offset = offsetof(struct metrics_figures, field)

static const struct family families[] = {
    FAMILY(GAUGE, SERVICE, "mailrace_build_info", build, "The program's version.",
           .label = &by_version),
    FAMILY(GAUGE, SERVICE, "mailrace_durability", durability,
           "1 for the mode in force: commit, or none, which loses acknowledged mail in a crash.",
           .label = &by_mode),
    FAMILY(GAUGE, SERVICE, "mailrace_shards", shards, "Shards of this run."),
    FAMILY(COUNTER, SERVICE, "mailrace_process_cpu_seconds_total", process.cpu_ns,
           "Processor time of all threads, user and system.", .unit = SECONDS),
    FAMILY(GAUGE, SERVICE, "mailrace_process_resident_memory_bytes", process.resident_bytes,
           "Resident memory of the process."),

    FAMILY(GAUGE, SHARD, "mailrace_sessions_open", shard.counters.sessions_open,
           "Sessions that are open now.", .label = &by_door),
    FAMILY(COUNTER, SHARD, "mailrace_sessions_opened_total", shard.counters.sessions_opened,
           "Sessions begun.", .label = &by_door),
    FAMILY(COUNTER, SHARD, "mailrace_sessions_refused_total", shard.counters.sessions_refused,
           "Connections closed at once for want of room.", .label = &by_door),
    FAMILY(COUNTER, SHARD, "mailrace_session_timeouts_total", shard.counters.timeouts,
           "Sessions ended because the peer was silent for too long."),
    FAMILY(COUNTER, SHARD, "mailrace_tls_handshakes_total", shard.counters.tls_handshakes,
           "TLS handshakes that were completed."),
    FAMILY(COUNTER, SHARD, "mailrace_tls_resumed_total", shard.counters.tls_resumed,
           "Of those the ones that went on with the keys of an earlier session."),
    FAMILY(COUNTER, SHARD, "mailrace_tls_failures_total", shard.counters.tls_failures,
           "Sessions ended because of what came where TLS was due, or inside it."),
    FAMILY(COUNTER, SHARD, "mailrace_messages_stored_total", shard.counters.messages_stored,
           "Messages made durable."),
    FAMILY(COUNTER, SHARD, "mailrace_messages_failed_total", shard.counters.messages_failed,
           "Messages that were whole but could not be stored."),
    FAMILY(COUNTER, SHARD, "mailrace_logins_total", shard.counters.logins, "POP3 logins."),
    FAMILY(COUNTER, SHARD, "mailrace_login_failures_total", shard.counters.login_failures,
           "POP3 logins refused: wrong password, maildrop in use, or a failure of ours."),
    FAMILY(COUNTER, SHARD, "mailrace_fetches_total", shard.counters.fetches,
           "Messages asked for by RETR and TOP."),

    FAMILY(COUNTER, SHARD, "mailrace_store_batches_total", shard.store.batches,
           "Group commits that ended, well or not."),
    FAMILY(COUNTER, SHARD, "mailrace_store_batch_errors_total", shard.store.batch_errors,
           "Group commits that failed."),
    FAMILY(COUNTER, SHARD, "mailrace_store_written_bytes_total", shard.store.bytes,
           "Bytes of durable batches, padding included."),
    FAMILY(HISTOGRAM, SHARD, "mailrace_store_commit_seconds", shard.store.commit_ns,
           "From the submission of a batch to its end.", .unit = SECONDS,
           SUM(shard.store.commit_ns_total), .first = 14, .last = 33),
    FAMILY(GAUGE, SHARD, "mailrace_store_commit_max_seconds", shard.store.commit_ns_max,
           "The longest commit since the start.", .unit = SECONDS),
    FAMILY(HISTOGRAM, SHARD, "mailrace_store_batch_messages", shard.store.batch_messages,
           "Messages in a durable batch that has any.", SUM(shard.store.messages), .last = 12),
    FAMILY(COUNTER, SHARD, "mailrace_store_links_total", shard.store.links,
           "Copies of durable messages put into mailboxes."),
    FAMILY(COUNTER, SHARD, "mailrace_store_expunged_total", shard.store.expunged,
           "Messages deleted from mailboxes of this shard."),
    FAMILY(COUNTER, SHARD, "mailrace_store_chunks_total", shard.store.chunks,
           "Pieces of long messages written ahead of their end."),
    FAMILY(COUNTER, SHARD, "mailrace_store_segments_total", shard.store.segments,
           "Segments of the log begun."),
    FAMILY(COUNTER, SHARD, "mailrace_store_segments_recycled_total", shard.store.segments_recycled,
           "Segments made of dead ones, not filled with zeroes."),
    FAMILY(COUNTER, SHARD, "mailrace_store_compactions_total", shard.store.compactions,
           "Segments rewritten without what nobody needs any more."),
    FAMILY(COUNTER, SHARD, "mailrace_store_segments_reclaimed_total",
           shard.store.segments_reclaimed, "Segments given back whole."),
    FAMILY(COUNTER, SHARD, "mailrace_store_reclaimed_bytes_total", shard.store.reclaimed_bytes,
           "Bytes of disk that both have given back."),
    FAMILY(COUNTER, SHARD, "mailrace_store_expired_total", shard.store.expired,
           "Messages deleted because of their age or their number."),
    FAMILY(COUNTER, SHARD, "mailrace_store_damaged_fetches_total", shard.store.damaged,
           "Fetches that found the message damaged, and gave nothing."),
    FAMILY(GAUGE, SHARD, "mailrace_store_refused", shard.store.refused,
           "1 for what the log does not take for now: its medium is full or fails.",
           .label = &by_purpose),
    FAMILY(GAUGE, SHARD, "mailrace_store_staged_bytes", shard.store.staged_bytes,
           "Bytes of messages in flight held in memory."),
    FAMILY(GAUGE, SHARD, "mailrace_store_staged_peak_bytes", shard.store.staged_bytes_peak,
           "The most that were held at once since the start."),

    FAMILY(GAUGE, SHARD, "mailrace_index_delta_links", shard.store.delta_links,
           "Links and deletions in memory that the next run puts into the index."),
    FAMILY(GAUGE, SHARD, "mailrace_index_delta_bytes", shard.store.delta_bytes,
           "Bytes of memory that they take."),
    FAMILY(COUNTER, SHARD, "mailrace_index_runs_total", shard.store.index_runs,
           "Runs put into the index."),
    FAMILY(COUNTER, SHARD, "mailrace_index_failures_total", shard.store.index_failures,
           "Runs that could not be put there yet, and maildrops that could not be read."),
    FAMILY(COUNTER, SHARD, "mailrace_index_reads_total", shard.store.index_reads,
           "Maildrops read from the index."),
    FAMILY(COUNTER, SHARD, "mailrace_index_read_seconds_total", shard.store.index_ns_total,
           "Time that logins waited for that.", .unit = SECONDS),

    FAMILY(COUNTER, SHARD, "mailrace_net_accepted_total", shard.net.accepted,
           "Connections accepted."),
    FAMILY(COUNTER, SHARD, "mailrace_net_turned_away_total", shard.net.turned_away,
           "Connections accepted and closed at once."),
    FAMILY(COUNTER, SHARD, "mailrace_net_closed_total", shard.net.closed, "Connections ended."),
    FAMILY(COUNTER, SHARD, "mailrace_net_received_bytes_total", shard.net.bytes_in,
           "Bytes received."),
    FAMILY(COUNTER, SHARD, "mailrace_net_sent_bytes_total", shard.net.bytes_out, "Bytes sent."),
    FAMILY(COUNTER, SHARD, "mailrace_net_starved_total", shard.net.starved,
           "Times that a connection had to wait for a receive buffer."),
    FAMILY(COUNTER, SHARD, "mailrace_net_errors_total", shard.net.errors,
           "Failures of the system: descriptors, memory."),
    FAMILY(COUNTER, SHARD, "mailrace_net_busy_seconds_total", shard.net.busy_ns,
           "With --io dpdk, which never rests: time of turns that had work.", .unit = SECONDS),

    FAMILY(GAUGE, LOG, "mailrace_recovery_segments", recovered.segments,
           "Segments on disk at the start."),
    FAMILY(GAUGE, LOG, "mailrace_recovery_bytes", recovered.bytes, "Bytes of those segments."),
    FAMILY(GAUGE, LOG, "mailrace_log_messages", recovered.messages,
           "Live messages; of several copies each is a part of one."),
    FAMILY(GAUGE, LOG, "mailrace_log_links", recovered.links, "Their copies in mailboxes."),
    FAMILY(GAUGE, LOG, "mailrace_log_live_bytes", recovered.live_bytes, "Bytes of their records."),
    FAMILY(GAUGE, LOG, "mailrace_log_dead_bytes", recovered.dead_bytes,
           "Bytes of all other records."),
    FAMILY(GAUGE, LOG, "mailrace_recovery_torn_tails", recovered.torn_tails,
           "Tails never acknowledged that were cut off at the start."),
    FAMILY(GAUGE, LOG, "mailrace_recovery_corrupt_batches", recovered.corrupt_batches,
           "Acknowledged batches found damaged at the start."),
    FAMILY(GAUGE, LOG, "mailrace_recovery_corrupt_records", recovered.corrupt_records,
           "Records found damaged at the start."),
    FAMILY(GAUGE, LOG, "mailrace_recovery_corrupt_segments", recovered.corrupt_segments,
           "Segments whose header or size was found wrong at the start."),
    FAMILY(GAUGE, LOG, "mailrace_recovery_corrupt_hints", recovered.corrupt_hints,
           "Hints found damaged at the start, and made anew."),
};

enum { FAMILIES = sizeof families / sizeof *families };

/* --------------------------------------------------------------------------------- reading ---- */

static const void *figure(const struct metrics_page *page, size_t offset)
{
    return (const uint8_t *)&page->figures + offset;
}

static uint32_t members_of(const struct metrics_page *page, const struct family *family)
{
    switch (family->scope) {
    case SERVICE:
        break;
    case SHARD:
        return page->source->shards;
    case LOG:
        return page->source->logs;
    }
    return 1;
}

static void read_member(struct metrics_page *page, const struct family *family)
{
    const struct metrics_source *source = page->source;
    struct metrics_figures *figures = &page->figures;
    switch (family->scope) {
    case SERVICE: /* read when the page began */
        break;
    case SHARD:
        source->read_shard(source->context, page->member, &figures->shard);
        break;
    case LOG:
        source->read_log(source->context, page->member, &figures->recovered);
        break;
    }
}

/* ------------------------------------------------------------------------------- a sample ---- */

struct number {
    char text[32];
};

/* One line of the page; `label` is empty when there is none but the shard's. */
struct sample {
    const char *suffix;
    char label[64];
    struct number value;
};

static struct number number_of(uint64_t value, enum unit unit)
{
    struct number number;
    if (unit == COUNT)
        snprintf(number.text, sizeof number.text, "%" PRIu64, value);
    else
        snprintf(number.text, sizeof number.text, "%llu.%09llu", value / NS_PER_S,
                 value % NS_PER_S);
    return number;
}

/* Of the first `buckets`. */
static uint64_t count_of(const struct powers *powers, uint32_t buckets)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < buckets; i++)
        count += powers->counts[i];
    return count;
}

/* Buckets are cumulative; +Inf and the count are the same sum of the same reading. */
static struct sample histogram_sample(const struct metrics_page *page, const struct family *family)
{
    const struct powers *powers = figure(page, family->offset);
    uint32_t exponent = family->first + page->line;
    struct sample sample = {.suffix = "_bucket"};
    if (exponent <= family->last) {
        struct number le = number_of(1ull << exponent, family->unit);
        snprintf(sample.label, sizeof sample.label, "le=\"%s\"", le.text);
        sample.value = number_of(count_of(powers, exponent + 1), COUNT);
        return sample;
    }
    sample.value = number_of(count_of(powers, POWERS), COUNT);
    switch (exponent - family->last) {
    case 1:
        snprintf(sample.label, sizeof sample.label, "le=\"+Inf\"");
        break;
    case 2:
        sample.suffix = "_sum";
        sample.value = number_of(*(const uint64_t *)figure(page, family->sum_offset), family->unit);
        break;
    default:
        sample.suffix = "_count";
    }
    return sample;
}

static struct sample sample_of(const struct metrics_page *page, const struct family *family)
{
    if (family->type == HISTOGRAM)
        return histogram_sample(page, family);
    const struct label *label = family->label;
    const uint64_t *values = figure(page, family->offset);
    struct sample sample = {.suffix = "", .value = number_of(values[page->line], family->unit)};
    if (label)
        snprintf(sample.label, sizeof sample.label, "%s=\"%s\"", label->name,
                 label->value(page->line));
    return sample;
}

static uint32_t samples_of(const struct family *family)
{
    if (family->type == HISTOGRAM)
        return family->last - family->first + 1 + 3; /* +Inf, sum, count */
    return family->label ? family->label->count : 1;
}

/* ------------------------------------------------------------------------------- the page ---- */

static void write_head(const struct family *family, struct output *out)
{
    static const char *const types[] = {
        [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
    output_print(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                 types[family->type]);
}

static void write_sample(const struct metrics_page *page, const struct family *family,
                         struct output *out)
{
    struct sample sample = sample_of(page, family);
    output_print(out, "%s%s", family->name, sample.suffix);
    if (family->scope != SERVICE)
        output_print(out, "{shard=\"%" PRIu32 "\"%s%s}", page->member, sample.label[0] ? "," : "",
                     sample.label);
    else if (sample.label[0])
        output_print(out, "{%s}", sample.label);
    output_print(out, " %s\n", sample.value.text);
}

/* HELP and TYPE, or one sample, or the step to the next family. */
static void write_line(struct metrics_page *page, struct output *out)
{
    const struct family *family = &families[page->family];
    if (!page->headed) {
        write_head(family, out);
        page->headed = true;
    } else if (page->member == members_of(page, family)) {
        page->family++;
        page->member = 0;
        page->headed = false;
    } else {
        if (page->line == 0)
            read_member(page, family);
        write_sample(page, family, out);
        page->line++;
        if (page->line == samples_of(family)) {
            page->line = 0;
            page->member++;
        }
    }
}

void metrics_begin(struct metrics_page *page, const struct metrics_source *source)
{
    *page =
        (struct metrics_page){.source = source, .figures = {.build = 1, .shards = source->shards}};
    process_read(&page->figures.process);
    page->figures.durability[source->durable ? METRICS_COMMIT : METRICS_NONE] = 1;
}

bool metrics_write(struct metrics_page *page, struct output *out)
{
    while (page->family < FAMILIES && output_room(out) >= METRICS_LINE_BYTES_MAX)
        write_line(page, out);
    return page->family == FAMILIES;
}
