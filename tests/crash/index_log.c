#include "tests/crash/index_log.h"

#include "base/invariant.h"
#include "storage/index/index_memory.h"
#include "tests/crash/truth.h"

#include <stdlib.h>
#include <string.h>

enum change { CHANGE_PUT, CHANGE_REMOVE, CHANGE_ADD };

struct change_header {
    uint32_t change, key_bytes, value_bytes;
};

struct index_logged {
    struct index index;
    struct index *inner;
    struct index_log *log;
    struct journal *journal;
    uint32_t number;
    struct index_log_run run; /* being written */
};

static struct index_logged *logged_of(struct index *index)
{
    return (struct index_logged *)(void *)index;
}

/* ---- the runs ---- */

void index_log_cut(struct index_log *log, uint32_t count)
{
    while (log->count > count)
        free(log->runs[--log->count].bytes);
}

void index_log_deinit(struct index_log *log)
{
    index_log_cut(log, 0);
    free(log->runs);
    *log = (struct index_log){.count = 0};
}

uint32_t index_log_before(const struct index_log *log, uint32_t number, uint32_t runs)
{
    for (; number > 0 && runs > 0; runs--)
        number = log->runs[number - 1].before;
    return number;
}

static void add_run(struct index_log *log, const struct index_log_run *run)
{
    log->runs = realloc(log->runs, (log->count + 1) * sizeof(*log->runs));
    INVARIANT(log->runs);
    log->runs[log->count++] = *run;
}

static void add_change(struct index_log_run *run, enum change change, struct span key,
                       struct span value)
{
    struct change_header header = {change, (uint32_t)key.size, (uint32_t)value.size};
    size_t size = sizeof(header) + key.size + value.size;
    if (run->capacity - run->size < size) {
        run->capacity = 2 * run->capacity + size;
        run->bytes = realloc(run->bytes, run->capacity);
        INVARIANT(run->bytes);
    }
    uint8_t *out = run->bytes + run->size;
    memcpy(out, &header, sizeof(header));
    memcpy(out + sizeof(header), key.data, key.size);
    if (value.size > 0)
        memcpy(out + sizeof(header) + key.size, value.data, value.size);
    run->size += size;
}

/* ---- an index that adds to them ---- */

static enum status logged_get(struct index *index, struct span key,
                              void (*visit)(void *context, struct span value), void *context)
{
    struct index *inner = logged_of(index)->inner;
    return inner->calls->get(inner, key, visit, context);
}

static enum status logged_scan(struct index *index, struct span prefix,
                               bool (*visit)(void *context, struct span key, struct span value),
                               void *context)
{
    struct index *inner = logged_of(index)->inner;
    return inner->calls->scan(inner, prefix, visit, context);
}

static enum status logged_begin(struct index *index)
{
    struct index_logged *logged = logged_of(index);
    logged->run = (struct index_log_run){.before = logged->number};
    return logged->inner->calls->begin(logged->inner);
}

static void logged_put(struct index *index, struct span key, struct span value)
{
    struct index_logged *logged = logged_of(index);
    add_change(&logged->run, CHANGE_PUT, key, value);
    logged->inner->calls->put(logged->inner, key, value);
}

static void logged_remove(struct index *index, struct span key)
{
    struct index_logged *logged = logged_of(index);
    add_change(&logged->run, CHANGE_REMOVE, key, span_of(NULL, 0));
    logged->inner->calls->remove(logged->inner, key);
}

static void logged_add(struct index *index, struct span key, uint64_t number)
{
    struct index_logged *logged = logged_of(index);
    add_change(&logged->run, CHANGE_ADD, key, span_of(&number, sizeof(number)));
    logged->inner->calls->add(logged->inner, key, number);
}

static void become(struct index_logged *logged, uint32_t number)
{
    logged->number = number;
    journal_note(logged->journal, NOTE_INDEX, number, 0);
}

static enum status logged_end(struct index *index, bool commit)
{
    struct index_logged *logged = logged_of(index);
    enum status status = logged->inner->calls->end(logged->inner, commit);
    if (commit && status == STATUS_OK) {
        add_run(logged->log, &logged->run);
        become(logged, logged->log->count);
    } else {
        free(logged->run.bytes);
    }
    logged->run = (struct index_log_run){.before = 0};
    return status;
}

static enum status logged_clear(struct index *index)
{
    struct index_logged *logged = logged_of(index);
    become(logged, 0);
    return logged->inner->calls->clear(logged->inner);
}

static uint64_t logged_memory_bytes(struct index *index)
{
    struct index *inner = logged_of(index)->inner;
    return inner->calls->memory_bytes(inner);
}

static void logged_close(struct index *index)
{
    struct index_logged *logged = logged_of(index);
    logged->inner->calls->close(logged->inner);
    free(logged->run.bytes);
    free(logged);
}

static const struct index_calls calls = {
    .name = "logged",
    .get = logged_get,
    .scan = logged_scan,
    .begin = logged_begin,
    .put = logged_put,
    .remove = logged_remove,
    .add = logged_add,
    .end = logged_end,
    .clear = logged_clear,
    .memory_bytes = logged_memory_bytes,
    .close = logged_close,
};

/* ---- as it was ---- */

static void repeat_change(struct index *index, const struct change_header *header,
                          const uint8_t *bytes)
{
    struct span key = span_of(bytes, header->key_bytes);
    struct span value = span_of(bytes + header->key_bytes, header->value_bytes);
    uint64_t number = 0;
    if (header->change == CHANGE_PUT)
        index->calls->put(index, key, value);
    else if (header->change == CHANGE_REMOVE)
        index->calls->remove(index, key);
    else {
        memcpy(&number, value.data, sizeof(number));
        index->calls->add(index, key, number);
    }
}

static void repeat(const struct index_log *log, uint32_t number, struct index *index)
{
    if (number == 0)
        return;
    const struct index_log_run *run = &log->runs[number - 1];
    repeat(log, run->before, index);
    enum status status = index->calls->begin(index);
    for (size_t at = 0; at < run->size;) {
        struct change_header header;
        memcpy(&header, run->bytes + at, sizeof(header));
        repeat_change(index, &header, run->bytes + at + sizeof(header));
        at += sizeof(header) + header.key_bytes + header.value_bytes;
    }
    if (status == STATUS_OK)
        status = index->calls->end(index, true);
    INVARIANT(status == STATUS_OK);
}

struct index *index_log_open(struct index_log *log, uint32_t number, struct journal *journal)
{
    struct index_logged *logged = calloc(1, sizeof(*logged));
    INVARIANT(logged);
    *logged = (struct index_logged){
        .index = {.calls = &calls}, .log = log, .journal = journal, .number = number};
    enum status status = index_memory_open(&logged->inner, false);
    INVARIANT(status == STATUS_OK);
    repeat(log, number, logged->inner);
    return &logged->index;
}

uint32_t index_log_number(const struct index *index)
{
    return ((const struct index_logged *)(const void *)index)->number;
}
