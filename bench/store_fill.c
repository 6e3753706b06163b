/* Fills a store through its own interface, as fast as it takes mail, and opens maildrops of it: how
 * the mailbox index behaves at a size that a load over a network would take hours to reach.
 *
 * One shard, this thread; what the index does besides is on other threads, so that the difference
 * between the process's processor time and this thread's is the index's. Prints one line of JSON
 * per step. Used by bench/store.py. */
#include "base/clock.h"
#include "base/envelope.h"
#include "base/invariant.h"
#include "base/random.h"
#include "base/ring.h"
#include "bench/arguments.h"
#include "storage/index/index_rocks.h"
#include "storage/medium/medium_file.h"
#include "storage/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BODY_BYTES_MAX = 65536, LOGINS_MAX = 10000, TURN_MESSAGES = 256 };

struct fill {
    uint64_t messages, mailboxes, body_bytes, logins, seed, delta_kib;
    bool hang, memory;
    const char *directory;
    struct ring ring;
    struct medium *main_medium, *medium;
    struct index *index;
    struct store *store;
    struct store_log *log;
    struct random random;
    uint64_t ended, failed;
    struct maildrop *maildrop;
    bool opened;
    uint64_t login_ns[LOGINS_MAX];
    uint8_t body[BODY_BYTES_MAX];
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Of this process, in memory. */
static uint64_t resident_bytes(void)
{
    unsigned long size, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * 4096ull;
}

/* ---- what the store asks for ---- */

static bool on_link(void *context, uint32_t owner, struct span mailbox,
                    const struct store_link *link)
{
    struct fill *fill = context;
    (void)owner;
    store_link_add(fill->log, mailbox, link);
    return true;
}

static void on_stored(void *context, uint64_t cookie, uint64_t id, enum status status)
{
    struct fill *fill = context;
    (void)cookie, (void)id;
    fill->ended++;
    fill->failed += status != STATUS_OK;
}

static void on_opened(void *context, uint64_t cookie, enum status status, struct maildrop *maildrop)
{
    struct fill *fill = context;
    (void)cookie;
    fill->failed += status != STATUS_OK;
    fill->maildrop = maildrop;
    fill->opened = true;
}

static enum status open_store(struct fill *fill, struct fault *fault)
{
    const struct medium_file_options file = {.create = true, .durable = true};
    const struct store_events events = {
        .link = on_link, .stored = on_stored, .opened = on_opened, .context = fill};
    struct store_options options;
    store_options_default(&options);
    options.delta_bytes = (uint32_t)fill->delta_kib << 10;
    if (random_system(&options.seed, sizeof options.seed) != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "the system has no random numbers");
    enum status status = ring_open(&fill->ring, 1024, fault);
    if (status == STATUS_OK)
        status = medium_file_open(&fill->main_medium, &fill->ring, fill->directory, &file, fault);
    if (status == STATUS_OK) {
        fill->index = fill->memory ? NULL : index_rocks_open(fill->directory, false);
        options.index = fill->index; /* ours, to be asked for its memory */
        status = store_open(&fill->store, fill->main_medium, STORE_WRITE, &options, fault);
    }
    if (status == STATUS_OK)
        status = medium_file_open(&fill->medium, &fill->ring, fill->directory, &file, fault);
    if (status == STATUS_OK)
        status = store_log_open(&fill->log, fill->store, 0, fill->medium, &events, fault);
    return status;
}

static void close_store(struct fill *fill)
{
    store_log_close(fill->log);
    fill->medium->calls->deinit(fill->medium);
    store_close(fill->store);
    if (fill->index != NULL)
        fill->index->calls->close(fill->index);
    fill->main_medium->calls->deinit(fill->main_medium);
    ring_close(&fill->ring);
}

/* ---- messages ---- */

static struct span mailbox_name(struct fill *fill, char out[32])
{
    uint64_t number = random_below(&fill->random, fill->mailboxes);
    int size = snprintf(out, 32, "user%08" PRIu64 "@example.org", number);
    return span_of(out, (size_t)size);
}

static enum status append(struct fill *fill, uint64_t cookie)
{
    uint8_t bytes[256];
    char name[32];
    struct random before = fill->random;
    struct store_draft draft = {.next = NULL};
    struct envelope envelope = {.bytes = bytes, .capacity = sizeof bytes};
    bool added = envelope_add(&envelope, ENVELOPE_REVERSE_PATH, SPAN("sender@example.org")) &&
                 envelope_add(&envelope, ENVELOPE_MAILBOX, mailbox_name(fill, name));
    INVARIANT(added);
    const struct store_message message = {
        .envelope = &envelope,
        .trace = SPAN("Received: by example.org\r\n"),
        .tail = span_of(fill->body, fill->body_bytes),
        .received_ns = clock_wall_ns(&clock_system),
        .header_bytes = 17,
    };
    enum status status = store_append(fill->log, &draft, &message, cookie);
    if (status == STATUS_AGAIN)
        fill->random = before;
    return status;
}

static void turn(struct fill *fill, bool wait)
{
    if (!store_turn(fill->log))
        fill->medium->calls->poll(fill->medium, wait);
    else
        fill->medium->calls->poll(fill->medium, false);
}

static enum status append_all(struct fill *fill, struct fault *fault)
{
    uint64_t appended = 0;
    while (fill->ended < fill->messages) {
        bool full = false;
        for (int i = 0; i < TURN_MESSAGES && appended < fill->messages && !full; i++) {
            enum status status = append(fill, appended);
            full = status == STATUS_AGAIN;
            if (status != STATUS_OK && !full)
                return fault_set(fault, status, "a message can't be stored: %s",
                                 status_text(status));
            appended += !full;
        }
        turn(fill, full || appended == fill->messages);
    }
    if (fill->failed > 0)
        return fault_set(fault, STATUS_IO, "%" PRIu64 " messages failed", fill->failed);
    return STATUS_OK;
}

/* Until what the index does in the background is done, too: it is part of what messages cost. */
static void settle(void)
{
    const struct timespec pause = {.tv_nsec = 300000000};
    uint64_t used = 0, now = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int tries = 0; tries < 400 && now - used > 2000000; tries++) {
        used = now;
        nanosleep(&pause, NULL);
        now = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    }
}

static enum status fill_step(struct fill *fill, struct fault *fault)
{
    memset(fill->body, 'x', fill->body_bytes);
    memcpy(fill->body, "Subject: test\r\n\r\n", 17);
    memcpy(fill->body + fill->body_bytes - 5, "\r\n.\r\n", 5);
    uint64_t start = now_ns(CLOCK_MONOTONIC), all = now_ns(CLOCK_PROCESS_CPUTIME_ID),
             own = now_ns(CLOCK_THREAD_CPUTIME_ID);
    enum status status = append_all(fill, fault);
    if (status != STATUS_OK)
        return status;
    double messages = (double)fill->messages;
    double seconds = (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e9;
    settle();
    own = now_ns(CLOCK_THREAD_CPUTIME_ID) - own;
    all = now_ns(CLOCK_PROCESS_CPUTIME_ID) - all;
    const struct store_counters *counters = store_log_counters(fill->log);
    printf("{\"step\": \"fill\", \"messages\": %" PRIu64 ", \"seconds\": %.3f, "
           "\"rate\": %.0f, \"cpu_us\": %.3f, \"index_cpu_us\": %.3f, \"runs\": %" PRIu64
           ", \"resident_bytes\": %" PRIu64 ", \"index_bytes\": %" PRIu64 "}\n",
           fill->messages, seconds, messages / seconds, (double)all / 1e3 / messages,
           (double)(all - own) / 1e3 / messages, counters->index_runs, resident_bytes(),
           fill->index != NULL ? fill->index->calls->memory_bytes(fill->index) : 0);
    fflush(stdout);
    return STATUS_OK;
}

/* ---- maildrops ---- */

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static enum status login_step(struct fill *fill, struct fault *fault)
{
    const struct timespec moment = {.tv_nsec = 20000};
    uint64_t messages = 0;
    for (uint64_t i = 0; i < fill->logins; i++) {
        char name[32];
        uint64_t start = now_ns(CLOCK_MONOTONIC);
        fill->opened = false;
        enum status status = store_maildrop_open(fill->log, mailbox_name(fill, name), 0);
        while (status == STATUS_OK && !fill->opened) {
            turn(fill, false);
            if (!fill->opened)
                nanosleep(&moment, NULL);
        }
        if (status != STATUS_OK || fill->maildrop == NULL)
            return fault_set(fault, STATUS_IO, "a maildrop can't be opened");
        fill->login_ns[i] = now_ns(CLOCK_MONOTONIC) - start;
        messages += fill->maildrop->count;
        store_maildrop_close(fill->log, fill->maildrop);
    }
    qsort(fill->login_ns, fill->logins, sizeof fill->login_ns[0], compare);
    printf("{\"step\": \"logins\", \"logins\": %" PRIu64 ", \"messages\": %" PRIu64
           ", \"first_half_ms\": %.3f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
           "\"resident_bytes\": %" PRIu64 "}\n",
           fill->logins, messages, (double)fill->login_ns[fill->logins / 4] / 1e6,
           (double)fill->login_ns[fill->logins / 2] / 1e6,
           (double)fill->login_ns[fill->logins * 99 / 100] / 1e6,
           (double)fill->login_ns[fill->logins - 1] / 1e6, resident_bytes());
    fflush(stdout);
    return STATUS_OK;
}

static enum status run(struct fill *fill, struct fault *fault)
{
    uint64_t resident = resident_bytes(), start = now_ns(CLOCK_MONOTONIC);
    enum status status = open_store(fill, fault);
    if (status != STATUS_OK)
        return status;
    printf("{\"step\": \"open\", \"seconds\": %.3f, \"resident_before_bytes\": %" PRIu64
           ", \"resident_bytes\": %" PRIu64 "}\n",
           (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e9, resident, resident_bytes());
    fflush(stdout);
    if (fill->messages > 0)
        status = fill_step(fill, fault);
    if (status == STATUS_OK && fill->logins > 0)
        status = login_step(fill, fault);
    while (status == STATUS_OK && fill->hang)
        pause(); /* until it is killed */
    close_store(fill);
    return status;
}

int main(int argc, char **argv)
{
    static struct fill fill = {
        .mailboxes = 1000000, .body_bytes = 100, .seed = 1, .delta_kib = 8192};
    const struct argument arguments[] = {
        {.name = "store", .help = "its directory", .text = &fill.directory},
        {.name = "messages",
         .help = "to put into it",
         .number = &fill.messages,
         .maximum = 1000000000},
        {.name = "mailboxes",
         .help = "that they go to, evenly",
         .number = &fill.mailboxes,
         .minimum = 1,
         .maximum = 100000000},
        {.name = "body",
         .help = "bytes",
         .number = &fill.body_bytes,
         .minimum = 32,
         .maximum = BODY_BYTES_MAX},
        {.name = "logins",
         .help = "maildrops to open then",
         .number = &fill.logins,
         .maximum = LOGINS_MAX},
        {.name = "seed",
         .help = "of the choice of mailboxes",
         .number = &fill.seed,
         .maximum = UINT64_MAX},
        {.name = "delta",
         .help = "KiB of links in memory",
         .number = &fill.delta_kib,
         .minimum = 64,
         .maximum = 1 << 20},
        {.name = "memory", .help = "an index in memory", .flag = &fill.memory},
        {.name = "hang", .help = "wait to be killed at the end", .flag = &fill.hang},
        {.name = NULL}};
    struct fault fault = {.status = STATUS_OK};
    enum status status = arguments_read(arguments, argc, argv, &fault);
    if (status == STATUS_OK && fill.directory == NULL)
        status = fault_set(&fault, STATUS_USAGE, "--store is missing");
    if (status == STATUS_USAGE)
        arguments_help("store_fill", arguments);
    fill.random.state = fill.seed;
    if (status == STATUS_OK)
        status = run(&fill, &fault);
    if (status != STATUS_OK)
        fprintf(stderr, "store_fill: %s\n", fault.text);
    return status_exit_code(status);
}
