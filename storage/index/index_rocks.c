#include "storage/index/index_rocks.h"

#include "base/invariant.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    CACHE_BYTES = 32 << 20,
    BLOCK_BYTES = 8 << 10,
    PIECE_BYTES = 32 << 10, /* of what leads to blocks: what each login needs is read soon */
    BLOOM_BITS = 10,
    RUNS_MERGED_FROM = 32, /* so many files that overlap are made fewer; a login looks into each */
    RUNS_MERGED_MIN = 8,
    LIKE_PERCENT = 200,  /* that a run may be larger than its neighbour and be merged with it */
    GROWN_PERCENT = 500, /* of what all was merged into, by what came later: then all is again */
    ROOM_BYTES = 4 << 20,
    ROOM_FILES = 16, /* to be made */
    READ_TRIES = 5,  /* a writer may remove a file that a reader is about to open */
};

struct index_rocks {
    struct index index;
    char folder[4096];
    char run[4128];     /* the file of the run being written */
    char damaged[4128]; /* a mark: to be made anew when it is opened next */
    char notes[64];     /* a reader's own folder, for RocksDB's log; "": none */
    rocksdb_options_t *options;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *by_prefix, *in_order;
    rocksdb_envoptions_t *env;
    rocksdb_ingestexternalfileoptions_t *ingestion;
    rocksdb_t *db;
    rocksdb_sstfilewriter_t *writer;
    uint64_t changes; /* in the run being written */
    bool merging;     /* of runs, in the background */
    enum status failure;
};

static struct index_rocks *rocks_of(struct index *index)
{
    return (struct index_rocks *)(void *)index;
}

/* ---- errors ---- */

static enum status status_of(const char *error)
{
    if (strncmp(error, "Corruption", 10) == 0)
        return STATUS_CORRUPT;
    return strstr(error, "No space left") ? STATUS_FULL : STATUS_IO;
}

/* Says it, and leaves a mark when only making it anew will help. */
static enum status settle_error(struct index_rocks *rocks, const char *doing, char *error)
{
    if (!error)
        return STATUS_OK;
    enum status status = status_of(error);
    char escaped[1024];
    log_error("index: %s: %s", doing,
              log_escape(span_of(error, strlen(error)), escaped, sizeof(escaped)));
    rocksdb_free(error);
    if (status == STATUS_CORRUPT && !rocks->index.read_only) {
        int mark = open(rocks->damaged, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (mark >= 0)
            close(mark);
    }
    return status;
}

/* ---- room ---- */

static uint64_t folder_bytes(const char *folder)
{
    uint64_t bytes = 0;
    struct stat file;
    DIR *directory = opendir(folder);
    for (struct dirent *entry = directory ? readdir(directory) : NULL; entry;
         entry = readdir(directory))
        if (fstatat(dirfd(directory), entry->d_name, &file, 0) == 0 && S_ISREG(file.st_mode))
            bytes += (uint64_t)file.st_size;
    if (directory)
        closedir(directory);
    return bytes;
}

/* Whether all of it can be written anew beside the old, as a merge of runs may do, and more.
 * RocksDB does not take it well when a disk fills while it writes, so it is not let come to that.
 */
static bool has_room(const char *folder)
{
    struct statvfs disk;
    if (statvfs(folder, &disk) < 0)
        return false;
    uint64_t bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    return bytes >= ROOM_BYTES + 2 * folder_bytes(folder) &&
           (disk.f_files == 0 || disk.f_favail >= ROOM_FILES);
}

/* Merging goes on only while there is room. */
static void allow_merging(struct index_rocks *rocks, bool allowed)
{
    const char *const keys[] = {"disable_auto_compactions"};
    const char *const values[] = {allowed ? "false" : "true"};
    char *error = NULL;
    if (rocks->merging == allowed)
        return;
    rocks->merging = allowed;
    rocksdb_set_options(rocks->db, 1, keys, values, &error);
    (void)settle_error(rocks, "changing options", error);
}

/* ---- reading ---- */

static enum status rocks_get(struct index *index, struct span key,
                             void (*visit)(void *context, struct span value), void *context)
{
    struct index_rocks *rocks = rocks_of(index);
    char *error = NULL;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(rocks->db, rocks->by_prefix, (const char *)key.data, key.size, &error);
    if (error)
        return settle_error(rocks, "reading", error);
    if (!found)
        return STATUS_ABSENT;
    size_t size;
    const char *value = rocksdb_pinnableslice_value(found, &size);
    visit(context, span_of(value, size));
    rocksdb_pinnableslice_destroy(found);
    return STATUS_OK;
}

static enum status rocks_scan(struct index *index, struct span prefix,
                              bool (*visit)(void *context, struct span key, struct span value),
                              void *context)
{
    struct index_rocks *rocks = rocks_of(index);
    bool narrow = prefix.size >= INDEX_PREFIX_BYTES;
    rocksdb_iterator_t *at =
        rocksdb_create_iterator(rocks->db, narrow ? rocks->by_prefix : rocks->in_order);
    rocksdb_iter_seek(at, prefix.size > 0 ? (const char *)prefix.data : "", prefix.size);
    for (; rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        size_t key_size, value_size;
        const char *key = rocksdb_iter_key(at, &key_size);
        if (key_size < prefix.size ||
            (prefix.size > 0 && memcmp(key, prefix.data, prefix.size) != 0))
            break;
        const char *value = rocksdb_iter_value(at, &value_size);
        if (!visit(context, span_of(key, key_size), span_of(value, value_size)))
            break;
    }
    char *error = NULL;
    rocksdb_iter_get_error(at, &error);
    rocksdb_iter_destroy(at);
    return settle_error(rocks, "reading", error);
}

/* ---- writing ---- */

static void note_failure(struct index_rocks *rocks, char *error)
{
    enum status status = settle_error(rocks, "writing", error);
    if (status != STATUS_OK)
        rocks->failure = status;
}

static enum status rocks_begin(struct index *index)
{
    struct index_rocks *rocks = rocks_of(index);
    char *error = NULL;
    INVARIANT(!rocks->writer && !index->read_only);
    bool room = has_room(rocks->folder);
    allow_merging(rocks, room);
    if (!room)
        return STATUS_FULL;
    rocks->failure = STATUS_OK;
    rocks->changes = 0;
    rocks->writer = rocksdb_sstfilewriter_create(rocks->env, rocks->options);
    rocksdb_sstfilewriter_open(rocks->writer, rocks->run, &error);
    note_failure(rocks, error);
    if (rocks->failure != STATUS_OK) {
        rocksdb_sstfilewriter_destroy(rocks->writer);
        rocks->writer = NULL;
    }
    return rocks->failure;
}

static void rocks_put(struct index *index, struct span key, struct span value)
{
    struct index_rocks *rocks = rocks_of(index);
    char *error = NULL;
    if (rocks->failure != STATUS_OK)
        return;
    rocks->changes++;
    rocksdb_sstfilewriter_put(rocks->writer, (const char *)key.data, key.size,
                              (const char *)value.data, value.size, &error);
    note_failure(rocks, error);
}

static void rocks_remove(struct index *index, struct span key)
{
    struct index_rocks *rocks = rocks_of(index);
    char *error = NULL;
    if (rocks->failure != STATUS_OK)
        return;
    rocks->changes++;
    rocksdb_sstfilewriter_delete(rocks->writer, (const char *)key.data, key.size, &error);
    note_failure(rocks, error);
}

static void rocks_add(struct index *index, struct span key, uint64_t number)
{
    struct index_rocks *rocks = rocks_of(index);
    char *error = NULL;
    if (rocks->failure != STATUS_OK)
        return;
    rocks->changes++;
    rocksdb_sstfilewriter_merge(rocks->writer, (const char *)key.data, key.size,
                                (const char *)&number, sizeof(number), &error);
    note_failure(rocks, error);
}

static enum status rocks_end(struct index *index, bool commit)
{
    struct index_rocks *rocks = rocks_of(index);
    char *error = NULL;
    bool wanted = commit && rocks->changes > 0;
    if (wanted && rocks->failure == STATUS_OK) {
        rocksdb_sstfilewriter_finish(rocks->writer, &error);
        note_failure(rocks, error);
    }
    rocksdb_sstfilewriter_destroy(rocks->writer);
    rocks->writer = NULL;
    error = NULL;
    if (wanted && rocks->failure == STATUS_OK) {
        const char *files[] = {rocks->run};
        rocksdb_ingest_external_file(rocks->db, files, 1, rocks->ingestion, &error);
        note_failure(rocks, error);
    }
    (void)unlink(rocks->run); /* taken in, it has another name; else it is of no use */
    return commit ? rocks->failure : STATUS_OK;
}

/* ---- opening and closing ---- */

static void set_table_options(struct index_rocks *rocks)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, rocks->cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_whole_key_filtering(table, 0);
    rocksdb_block_based_options_set_format_version(table, 5);
    /* What leads to the blocks is cached with them, in pieces: memory has a limit. */
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, PIECE_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_options_set_block_based_table_factory(rocks->options, table);
    rocksdb_block_based_options_destroy(table);
}

/* Runs of a size are merged with each other and not with what merges have made of those before,
 * which would be written anew each time: as many come while a merge goes on as it takes in. */
static void set_compaction(struct index_rocks *rocks)
{
    rocksdb_universal_compaction_options_t *universal =
        rocksdb_universal_compaction_options_create();
    rocksdb_universal_compaction_options_set_stop_style(universal,
                                                        rocksdb_similar_size_compaction_stop_style);
    rocksdb_universal_compaction_options_set_size_ratio(universal, LIKE_PERCENT);
    rocksdb_universal_compaction_options_set_min_merge_width(universal, RUNS_MERGED_MIN);
    rocksdb_universal_compaction_options_set_max_size_amplification_percent(universal,
                                                                            GROWN_PERCENT);
    rocksdb_options_set_compaction_style(rocks->options, rocksdb_universal_compaction);
    rocksdb_options_set_universal_compaction_options(rocks->options, universal);
    rocksdb_universal_compaction_options_destroy(universal);
    rocksdb_options_set_level0_file_num_compaction_trigger(rocks->options, RUNS_MERGED_FROM);
    rocksdb_options_set_max_background_jobs(rocks->options, 2);
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_env_set_background_threads(env, 1);
    rocksdb_env_set_high_priority_background_threads(env, 1);
    rocksdb_env_lower_thread_pool_io_priority(env);
    rocksdb_options_set_env(rocks->options, env);
    rocksdb_env_destroy(env);
}

/* A merge would take as much of the disk ahead as all that goes into it, for the little that comes
 * out when most of it has been deleted. This option is to be had by name only. */
static void set_no_room_ahead(struct index_rocks *rocks)
{
    char *error = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_get_options_from_string(rocks->options, "allow_fallocate=false", options, &error);
    if (settle_error(rocks, "setting options", error) == STATUS_OK) {
        rocksdb_options_t *before = rocks->options;
        rocks->options = options;
        options = before;
    }
    rocksdb_options_destroy(options);
}

static void set_options(struct index_rocks *rocks)
{
    rocksdb_options_t *options = rocks->options = rocksdb_options_create();
    rocks->cache = rocksdb_cache_create_lru(CACHE_BYTES);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_uint64add_merge_operator(options);
    rocksdb_options_set_prefix_extractor(
        options, rocksdb_slicetransform_create_fixed_prefix(INDEX_PREFIX_BYTES));
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_write_buffer_size(options, 64 << 10); /* not used, but room is made */
    rocksdb_options_set_manifest_preallocation_size(options, 64 << 10);
    rocksdb_options_set_info_log_level(options, 2); /* warnings */
    rocksdb_options_set_max_log_file_size(options, 1 << 20);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    set_table_options(rocks);
    set_compaction(rocks);
    if (rocks->notes[0])
        rocksdb_options_set_db_log_dir(options, rocks->notes);
    set_no_room_ahead(rocks);
    rocks->by_prefix = rocksdb_readoptions_create();
    rocksdb_readoptions_set_prefix_same_as_start(rocks->by_prefix, 1);
    rocks->in_order = rocksdb_readoptions_create();
    rocksdb_readoptions_set_total_order_seek(rocks->in_order, 1);
    rocksdb_readoptions_set_fill_cache(rocks->in_order, 0);
    rocks->env = rocksdb_envoptions_create();
    rocks->ingestion = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(rocks->ingestion, 1);
}

static void close_db(struct index_rocks *rocks)
{
    if (!rocks->db)
        return;
    rocksdb_cancel_all_background_work(rocks->db, 1);
    rocksdb_close(rocks->db);
    rocks->db = NULL;
}

static enum status open_db(struct index_rocks *rocks)
{
    char *error = NULL;
    if (!rocks->index.read_only && !has_room(rocks->folder))
        return STATUS_FULL;
    rocks->merging = true;
    for (int tries = 0; tries < READ_TRIES; tries++) {
        if (error)
            rocksdb_free(error);
        error = NULL;
        rocks->db = rocks->index.read_only
                        ? rocksdb_open_for_read_only(rocks->options, rocks->folder, 0, &error)
                        : rocksdb_open(rocks->options, rocks->folder, &error);
        if (!error || !rocks->index.read_only)
            break;
    }
    if (!error)
        return STATUS_OK;
    if (strstr(error, "LOCK")) { /* so the store is in use, too, and will say so */
        rocksdb_free(error);
        return STATUS_BUSY;
    }
    bool lost = strstr(error, "No such file") != NULL || strncmp(error, "Invalid", 7) == 0;
    enum status status = settle_error(rocks, "opening", error);
    return lost ? STATUS_CORRUPT : status;
}

/* Whatever RocksDB would leave of it, too: only files of ours are there. */
static void remove_files(const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return;
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
}

static enum status rocks_clear(struct index *index)
{
    struct index_rocks *rocks = rocks_of(index);
    INVARIANT(!rocks->writer && !index->read_only);
    close_db(rocks);
    remove_files(rocks->folder);
    return open_db(rocks);
}

static uint64_t rocks_memory(struct index *index)
{
    struct index_rocks *rocks = rocks_of(index);
    uint64_t readers = 0;
    (void)rocksdb_property_int(rocks->db, "rocksdb.estimate-table-readers-mem", &readers);
    return rocksdb_cache_get_usage(rocks->cache) + readers;
}

static void rocks_close(struct index *index)
{
    struct index_rocks *rocks = rocks_of(index);
    close_db(rocks);
    rocksdb_readoptions_destroy(rocks->by_prefix);
    rocksdb_readoptions_destroy(rocks->in_order);
    rocksdb_envoptions_destroy(rocks->env);
    rocksdb_ingestexternalfileoptions_destroy(rocks->ingestion);
    rocksdb_cache_destroy(rocks->cache);
    rocksdb_options_destroy(rocks->options);
    if (rocks->notes[0]) {
        remove_files(rocks->notes);
        (void)rmdir(rocks->notes);
    }
    free(rocks);
}

static const struct index_calls rocks_calls = {
    .name = "rocksdb",
    .blocks = true,
    .get = rocks_get,
    .scan = rocks_scan,
    .begin = rocks_begin,
    .put = rocks_put,
    .remove = rocks_remove,
    .add = rocks_add,
    .end = rocks_end,
    .clear = rocks_clear,
    .memory_bytes = rocks_memory,
    .close = rocks_close,
};

static bool name_files(struct index_rocks *rocks, const char *directory)
{
    int size = snprintf(rocks->folder, sizeof(rocks->folder), "%s/index", directory);
    if (size < 0 || (size_t)size >= sizeof(rocks->folder))
        return false;
    snprintf(rocks->run, sizeof(rocks->run), "%s/run.tmp", rocks->folder);
    snprintf(rocks->damaged, sizeof(rocks->damaged), "%s/damaged", rocks->folder);
    if (!rocks->index.read_only)
        return mkdir(rocks->folder, 0700) == 0 || errno == EEXIST;
    snprintf(rocks->notes, sizeof(rocks->notes), "/tmp/mailrace-index-XXXXXX");
    if (!mkdtemp(rocks->notes))
        rocks->notes[0] = '\0';
    return rocks->notes[0] != '\0';
}

/* One that is marked, or whose files are not what they should be, goes: under RocksDB's own lock,
 * as the store's is not taken yet. */
static enum status open_sound(struct index_rocks *rocks)
{
    enum status status = open_db(rocks);
    if (status == STATUS_OK && access(rocks->damaged, F_OK) == 0)
        status = STATUS_CORRUPT;
    if (status != STATUS_CORRUPT || rocks->index.read_only)
        return status;
    log_warning("index: damaged: deleted, to be made anew from the logs");
    return rocks_clear(&rocks->index);
}

struct index *index_rocks_open(const char *directory, bool read_only)
{
    struct index_rocks *rocks = calloc(1, sizeof(*rocks));
    if (!rocks)
        return NULL;
    rocks->index = (struct index){.calls = &rocks_calls, .read_only = read_only};
    if (!read_only && !has_room(directory)) {
        log_warning("index: %s: done without, in memory", status_text(STATUS_FULL));
        free(rocks);
        return NULL;
    }
    if (!name_files(rocks, directory) || (read_only && access(rocks->folder, F_OK) != 0)) {
        if (rocks->notes[0])
            (void)rmdir(rocks->notes);
        free(rocks);
        return NULL;
    }
    set_options(rocks);
    enum status status = open_sound(rocks);
    if (status == STATUS_OK)
        return &rocks->index;
    if (status != STATUS_BUSY)
        log_warning("index: %s: done without, in memory", status_text(status));
    rocks_close(&rocks->index);
    return NULL;
}
