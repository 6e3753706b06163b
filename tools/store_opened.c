#include "tools/store_opened.h"

#include "base/log.h"
#include "engine/smtp/address.h"
#include "storage/medium/medium_file.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

static bool has_store(struct medium *medium)
{
    struct medium_object *object;
    enum status status =
        medium->calls->open(medium, (struct medium_name){.kind = MEDIUM_STORE}, &object);
    if (status == STATUS_OK)
        medium->calls->close(medium, object);
    return status != STATUS_ABSENT;
}

/* The store's threads leave the signals to this one, which may want to wait for them (stop.h). */
static enum status open_deaf(struct store **store, struct medium *medium, enum store_mode mode,
                             const struct store_options *options, struct fault *fault)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    enum status status = store_open(store, medium, mode, options, fault);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

static enum status open_store(struct store_opened *opened, const char *directory, bool create,
                              enum store_mode mode, const struct store_options *options,
                              struct fault *fault)
{
    const struct medium_file_options file = {.create = create, .durable = true};
    struct store_options with_index = *options;
    with_index.index_directory = directory;
    opened->directory = directory;
    enum status status = ring_open(&opened->ring, 64, fault);
    if (status != STATUS_OK)
        return status;
    status = medium_file_open(&opened->medium, &opened->ring, directory, &file, fault);
    if (status == STATUS_OK) {
        status = create || has_store(opened->medium)
                     ? STATUS_OK
                     : fault_set(fault, STATUS_ABSENT, "%s: there is no store", directory);
        if (status == STATUS_OK)
            status = open_deaf(&opened->store, opened->medium, mode, &with_index, fault);
        if (status == STATUS_OK)
            return status;
        opened->medium->calls->deinit(opened->medium);
    }
    ring_close(&opened->ring);
    return status;
}

enum status store_opened_read(struct store_opened *opened, const char *directory,
                              struct fault *fault)
{
    struct store_options options;
    store_options_default(&options);
    options.fetches_max = 1;
    struct fault why;
    enum status status = open_store(opened, directory, false, STORE_READ, &options, &why);
    if (status == STATUS_OK)
        return status;
    bool named = strstr(why.text, directory) != NULL;
    return fault_set(fault, status, "%s%s%s", named ? "" : directory, named ? "" : ": ", why.text);
}

enum status store_opened_write(struct store_opened *opened, const char *directory,
                               const struct store_options *options, struct fault *fault)
{
    return open_store(opened, directory, true, STORE_WRITE, options, fault);
}

enum status store_opened_own(struct store_opened *opened, const char *directory,
                             const struct store_options *options, struct fault *fault)
{
    return open_store(opened, directory, false, STORE_WRITE, options, fault);
}

void store_opened_close(struct store_opened *opened)
{
    store_close(opened->store);
    opened->medium->calls->deinit(opened->medium);
    ring_close(&opened->ring);
}

/* ---- mailboxes ---- */

enum status store_opened_peek(const struct store_opened *opened, const char *name,
                              struct maildrop **maildrop, struct fault *fault)
{
    uint8_t normal[SMTP_MAILBOX_BYTES_MAX];
    size_t size;
    char escaped[1300];
    struct maildrop *found;
    enum status status = store_peek(opened->store, span_text(name), &found);
    if (status == STATUS_OK && found->count == 0 &&
        smtp_mailbox_normalise(span_text(name), true, normal, &size)) {
        store_maildrop_free(found);
        status = store_peek(opened->store, span_of(normal, size), &found);
    }
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: the list of '%s': %s", opened->directory,
                         log_escape(span_text(name), escaped, sizeof escaped), status_text(status));
    if (found->count == 0) {
        store_maildrop_free(found);
        return fault_set(fault, STATUS_ABSENT, "%s: there is no mailbox '%s'", opened->directory,
                         log_escape(span_text(name), escaped, sizeof escaped));
    }
    *maildrop = found;
    return STATUS_OK;
}

struct collecting {
    struct mailbox_rows *rows;
    size_t capacity;
    bool failed;
};

static void collect(void *context, struct span mailbox, uint32_t count, uint64_t octets)
{
    struct collecting *collecting = context;
    struct mailbox_rows *rows = collecting->rows;
    uint8_t *name = malloc(mailbox.size + 1);
    collecting->failed |= name == NULL;
    if (name == NULL)
        return;
    memcpy(name, mailbox.data, mailbox.size);
    if (rows->count == collecting->capacity) {
        size_t capacity = collecting->capacity ? collecting->capacity * 2 : 64;
        struct mailbox_row *grown = realloc(rows->rows, capacity * sizeof *grown);
        collecting->failed |= grown == NULL;
        if (grown == NULL) {
            free(name);
            return;
        }
        rows->rows = grown;
        collecting->capacity = capacity;
    }
    rows->rows[rows->count++] = (struct mailbox_row){
        .name = span_of(name, mailbox.size), .messages = count, .octets = octets};
}

static int compare_rows(const void *left, const void *right)
{
    const struct span a = ((const struct mailbox_row *)left)->name;
    const struct span b = ((const struct mailbox_row *)right)->name;
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

enum status mailbox_rows_make(struct mailbox_rows *rows, const struct store_opened *opened,
                              struct fault *fault)
{
    struct mailbox_rows made = {0};
    struct collecting collecting = {.rows = &made};
    enum status status = store_mailboxes(opened->store, collect, &collecting);
    if (status == STATUS_OK && collecting.failed)
        status = STATUS_SYSTEM;
    if (status != STATUS_OK) {
        mailbox_rows_deinit(&made);
        return fault_set(fault, status, "%s: the list of mailboxes: %s", opened->directory,
                         status_text(status));
    }
    if (made.count > 0)
        qsort(made.rows, made.count, sizeof *made.rows, compare_rows);
    *rows = made;
    return STATUS_OK;
}

void mailbox_rows_deinit(struct mailbox_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free((void *)(uintptr_t)rows->rows[i].name.data);
    free(rows->rows);
}

/* ---- messages ---- */

static bool ignore_link(void *context, uint32_t owner, struct span mailbox,
                        const struct store_link *link)
{
    (void)context;
    (void)owner;
    (void)mailbox;
    (void)link;
    return true;
}

enum status store_reading_open(struct store_reading *reading, const struct store_opened *opened,
                               struct fault *fault)
{
    const struct store_events events = {.link = ignore_link};
    reading->opened = opened;
    return store_log_open(&reading->log, opened->store, 0, opened->medium, &events, fault);
}

void store_reading_close(struct store_reading *reading)
{
    store_log_close(reading->log);
}

struct reader { /* of one message */
    bool (*piece)(void *context, const struct store_about *about, struct span wire);
    void *context;
    enum status status;
    bool over, wants_next;
};

static void read_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last)
{
    struct reader *reader = fetch->context;
    struct store_about about;
    reader->status = status;
    reader->over = last || status != STATUS_OK;
    if (status == STATUS_OK) {
        store_fetch_about(fetch, &about);
        if (!reader->piece(reader->context, &about, wire)) {
            reader->status = STATUS_IO;
            reader->over = true;
        }
    }
    reader->wants_next = !reader->over;
}

enum status store_reading_message(struct store_reading *reading, const struct store_link *link,
                                  bool (*piece)(void *context, const struct store_about *about,
                                                struct span wire),
                                  void *context)
{
    struct medium *medium = reading->opened->medium;
    struct reader reader = {.piece = piece, .context = context};
    struct store_fetch fetch = {.piece = read_piece, .context = &reader};
    store_fetch_start(reading->log, &fetch, link);
    while (!reader.over) {
        if (!store_turn(reading->log))
            medium->calls->poll(medium, true);
        if (reader.wants_next) {
            reader.wants_next = false;
            store_fetch_next(reading->log, &fetch);
        }
    }
    store_fetch_end(reading->log, &fetch);
    return reader.status;
}
