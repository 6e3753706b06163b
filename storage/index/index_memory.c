#include "storage/index/index_memory.h"

#include "base/invariant.h"

#include <pthread.h>
#include <stdlib.h>

#define RUNS_MAX 64u /* each less than half of the one before */

enum change { CHANGE_PUT, CHANGE_REMOVE, CHANGE_ADD };

struct entry {
    size_t offset; /* of the key; the value is behind it */
    uint32_t key_bytes, value_bytes;
    enum change change;
};

struct run { /* immutable once it is in the index */
    struct entry *entries;
    uint8_t *bytes;
    size_t count, capacity, size, room;
    uint32_t users;
    bool failed;
};

struct index_memory {
    struct index index;
    pthread_mutex_t lock;       /* of what follows, but `filling` */
    struct run *runs[RUNS_MAX]; /* oldest first */
    uint32_t count;
    struct run **kept; /* all there ever were */
    uint32_t kept_count, kept_capacity, failures;
    bool keeps;
    struct run *filling;
};

static struct index_memory *memory_of(struct index *index)
{
    return (struct index_memory *)(void *)index;
}

/* ---- runs ---- */

static struct run *run_new(void)
{
    struct run *run = calloc(1, sizeof(*run));
    if (run)
        run->users = 1;
    return run;
}

static void run_drop(struct run *run)
{
    if (!run || --run->users > 0)
        return;
    free(run->entries);
    free(run->bytes);
    free(run);
}

static struct span key_of(const struct run *run, size_t at)
{
    return span_of(run->bytes + run->entries[at].offset, run->entries[at].key_bytes);
}

static struct span value_of(const struct run *run, size_t at)
{
    const struct entry *entry = &run->entries[at];
    return span_of(run->bytes + entry->offset + entry->key_bytes, entry->value_bytes);
}

static int compare(struct span a, struct span b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static bool run_grow(struct run *run, size_t more)
{
    if (run->count == run->capacity) {
        size_t capacity = run->capacity ? run->capacity * 2 : 16;
        struct entry *entries = realloc(run->entries, capacity * sizeof(*entries));
        if (!entries)
            return false;
        run->entries = entries;
        run->capacity = capacity;
    }
    if (run->room - run->size < more) {
        size_t room = (run->room + more) * 2;
        uint8_t *bytes = realloc(run->bytes, room);
        if (!bytes)
            return false;
        run->bytes = bytes;
        run->room = room;
    }
    return true;
}

static void run_append(struct run *run, enum change change, struct span key, struct span value)
{
    if (run->failed || !run_grow(run, key.size + value.size)) {
        run->failed = true;
        return;
    }
    INVARIANT(run->count == 0 || compare(key_of(run, run->count - 1), key) < 0);
    run->entries[run->count++] = (struct entry){.offset = run->size,
                                                .key_bytes = (uint32_t)key.size,
                                                .value_bytes = (uint32_t)value.size,
                                                .change = change};
    memcpy(run->bytes + run->size, key.data, key.size);
    if (value.size > 0)
        memcpy(run->bytes + run->size + key.size, value.data, value.size);
    run->size += key.size + value.size;
}

/* ---- reading several runs as one ---- */

struct cursor {
    struct run *runs[RUNS_MAX];
    size_t at[RUNS_MAX];
    uint32_t count;
    struct span key, value;
    enum change change; /* of all runs together */
    uint64_t sum;       /* what `value` is of a sum */
};

static size_t first_not_below(const struct run *run, struct span key)
{
    size_t low = 0, high = run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(key_of(run, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t number_of(struct span value)
{
    uint64_t number = 0;
    memcpy(&number, value.data, value.size < sizeof(number) ? value.size : sizeof(number));
    return number;
}

/* Takes in what one run says of the key, newer ones having been asked before. True: no older one
 * matters. */
static bool resolve(struct cursor *cursor, const struct run *run, size_t at)
{
    const struct entry *entry = &run->entries[at];
    if (cursor->change == CHANGE_ADD) {
        uint64_t older = entry->change == CHANGE_REMOVE ? 0 : number_of(value_of(run, at));
        cursor->sum += older;
        cursor->value = span_of(&cursor->sum, sizeof(cursor->sum));
    } else {
        cursor->value = value_of(run, at);
    }
    if (entry->change == CHANGE_ADD)
        return false;
    cursor->change = cursor->change == CHANGE_ADD ? CHANGE_PUT : entry->change;
    return true;
}

/* The next key of any run, and what they all say of it. */
static bool cursor_next(struct cursor *cursor)
{
    bool found = false, decided = false;
    for (uint32_t i = 0; i < cursor->count; i++) {
        const struct run *run = cursor->runs[i];
        if (cursor->at[i] == run->count)
            continue;
        struct span key = key_of(run, cursor->at[i]);
        if (!found || compare(key, cursor->key) < 0)
            cursor->key = key;
        found = true;
    }
    cursor->change = CHANGE_ADD;
    cursor->sum = 0;
    bool first = true;
    for (uint32_t i = cursor->count; found && i-- > 0;) {
        const struct run *run = cursor->runs[i];
        size_t at = cursor->at[i];
        if (at == run->count || compare(key_of(run, at), cursor->key) != 0)
            continue;
        cursor->at[i]++;
        if (decided)
            continue;
        if (first && run->entries[at].change != CHANGE_ADD)
            cursor->change = run->entries[at].change;
        first = false;
        decided = resolve(cursor, run, at);
    }
    return found;
}

/* Everything that is in the index now, from `key` on. */
static void cursor_open(struct cursor *cursor, struct index_memory *memory, struct span key)
{
    pthread_mutex_lock(&memory->lock);
    cursor->count = memory->count;
    for (uint32_t i = 0; i < memory->count; i++) {
        cursor->runs[i] = memory->runs[i];
        cursor->runs[i]->users++;
    }
    pthread_mutex_unlock(&memory->lock);
    for (uint32_t i = 0; i < cursor->count; i++)
        cursor->at[i] = first_not_below(cursor->runs[i], key);
}

static void cursor_close(struct cursor *cursor, struct index_memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    for (uint32_t i = 0; i < cursor->count; i++)
        run_drop(cursor->runs[i]);
    pthread_mutex_unlock(&memory->lock);
}

static enum status memory_get(struct index *index, struct span key,
                              void (*visit)(void *context, struct span value), void *context)
{
    struct cursor cursor;
    cursor_open(&cursor, memory_of(index), key);
    bool found =
        cursor_next(&cursor) && compare(cursor.key, key) == 0 && cursor.change != CHANGE_REMOVE;
    if (found)
        visit(context, cursor.value);
    cursor_close(&cursor, memory_of(index));
    return found ? STATUS_OK : STATUS_ABSENT;
}

static enum status memory_scan(struct index *index, struct span prefix,
                               bool (*visit)(void *context, struct span key, struct span value),
                               void *context)
{
    struct cursor cursor;
    cursor_open(&cursor, memory_of(index), prefix);
    while (cursor_next(&cursor) && cursor.key.size >= prefix.size &&
           (prefix.size == 0 || memcmp(cursor.key.data, prefix.data, prefix.size) == 0))
        if (cursor.change != CHANGE_REMOVE && !visit(context, cursor.key, cursor.value))
            break;
    cursor_close(&cursor, memory_of(index));
    return STATUS_OK;
}

/* ---- changing ---- */

static enum status memory_begin(struct index *index)
{
    struct index_memory *memory = memory_of(index);
    INVARIANT(!memory->filling && !index->read_only);
    memory->filling = run_new();
    return memory->filling ? STATUS_OK : STATUS_SYSTEM;
}

static void memory_put(struct index *index, struct span key, struct span value)
{
    run_append(memory_of(index)->filling, CHANGE_PUT, key, value);
}

static void memory_remove(struct index *index, struct span key)
{
    run_append(memory_of(index)->filling, CHANGE_REMOVE, key, span_of(NULL, 0));
}

static void memory_add(struct index *index, struct span key, uint64_t number)
{
    run_append(memory_of(index)->filling, CHANGE_ADD, key, span_of(&number, sizeof(number)));
}

/* The two newest become one; what was removed is forgotten when nothing is older. */
static bool merge_last(struct index_memory *memory)
{
    struct cursor cursor = {.count = 2};
    struct run *merged = run_new();
    bool oldest = memory->count == 2;
    for (uint32_t i = 0; i < 2; i++)
        cursor.runs[i] = memory->runs[memory->count - 2 + i];
    while (merged && cursor_next(&cursor))
        if (cursor.change != CHANGE_REMOVE || !oldest)
            run_append(merged, cursor.change, cursor.key, cursor.value);
    if (!merged || merged->failed) {
        run_drop(merged);
        return false;
    }
    run_drop(memory->runs[--memory->count]);
    run_drop(memory->runs[memory->count - 1]);
    memory->runs[memory->count - 1] = merged;
    return true;
}

static bool take_in(struct index_memory *memory, struct run *run)
{
    if (memory->count == RUNS_MAX && !merge_last(memory))
        return false;
    memory->runs[memory->count++] = run;
    while (memory->count > 1 &&
           memory->runs[memory->count - 1]->count >= memory->runs[memory->count - 2]->count / 2)
        if (!merge_last(memory))
            break;
    return true;
}

static bool keep(struct index_memory *memory, struct run *run)
{
    if (memory->keeps && memory->kept_count == memory->kept_capacity) {
        uint32_t capacity = memory->kept_capacity ? memory->kept_capacity * 2 : 16;
        struct run **kept = realloc(memory->kept, capacity * sizeof(struct run *));
        if (!kept)
            return false;
        memory->kept = kept;
        memory->kept_capacity = capacity;
    }
    if (memory->keeps) {
        memory->kept[memory->kept_count++] = run;
        run->users++;
    }
    return true;
}

static enum status memory_end(struct index *index, bool commit)
{
    struct index_memory *memory = memory_of(index);
    struct run *run = memory->filling;
    memory->filling = NULL;
    bool failed = run->failed;
    pthread_mutex_lock(&memory->lock);
    if (commit && memory->failures > 0) {
        memory->failures--;
        failed = true;
    }
    bool taken = commit && !failed && keep(memory, run) && take_in(memory, run);
    if (!taken)
        run_drop(run);
    pthread_mutex_unlock(&memory->lock);
    return taken || !commit ? STATUS_OK : STATUS_FULL;
}

static enum status memory_clear(struct index *index)
{
    struct index_memory *memory = memory_of(index);
    INVARIANT(!index->read_only);
    pthread_mutex_lock(&memory->lock);
    while (memory->count > 0)
        run_drop(memory->runs[--memory->count]);
    while (memory->kept_count > 0)
        run_drop(memory->kept[--memory->kept_count]);
    pthread_mutex_unlock(&memory->lock);
    return STATUS_OK;
}

static uint64_t memory_bytes(struct index *index)
{
    struct index_memory *memory = memory_of(index);
    uint64_t bytes = 0;
    pthread_mutex_lock(&memory->lock);
    for (uint32_t i = 0; i < memory->count; i++)
        bytes += memory->runs[i]->room + memory->runs[i]->capacity * sizeof(struct entry);
    pthread_mutex_unlock(&memory->lock);
    return bytes;
}

static void memory_close(struct index *index)
{
    struct index_memory *memory = memory_of(index);
    index->read_only = false;
    memory_clear(index);
    pthread_mutex_destroy(&memory->lock);
    run_drop(memory->filling);
    free(memory->kept);
    free(memory);
}

static const struct index_calls memory_calls = {
    .name = "memory",
    .get = memory_get,
    .scan = memory_scan,
    .begin = memory_begin,
    .put = memory_put,
    .remove = memory_remove,
    .add = memory_add,
    .end = memory_end,
    .clear = memory_clear,
    .memory_bytes = memory_bytes,
    .close = memory_close,
};

enum status index_memory_open(struct index **index, bool kept_runs)
{
    struct index_memory *memory = calloc(1, sizeof(*memory));
    if (!memory)
        return STATUS_SYSTEM;
    memory->index.calls = &memory_calls;
    memory->keeps = kept_runs;
    pthread_mutex_init(&memory->lock, NULL);
    *index = &memory->index;
    return STATUS_OK;
}

uint32_t index_memory_runs(const struct index *index)
{
    return ((const struct index_memory *)(const void *)index)->kept_count;
}

void index_memory_rewind(struct index *index, uint32_t runs)
{
    struct index_memory *memory = memory_of(index);
    INVARIANT(memory->keeps && runs <= memory->kept_count);
    if (memory->filling) /* its writer died */
        run_drop(memory->filling);
    memory->filling = NULL;
    while (memory->count > 0)
        run_drop(memory->runs[--memory->count]);
    while (memory->kept_count > runs)
        run_drop(memory->kept[--memory->kept_count]);
    for (uint32_t i = 0; i < runs; i++) {
        memory->kept[i]->users++;
        bool taken = take_in(memory, memory->kept[i]);
        INVARIANT(taken);
    }
}

void index_memory_fail(struct index *index, uint32_t count)
{
    memory_of(index)->failures = count;
}
