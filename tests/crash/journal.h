/* What happened to a disk, and what the store told meanwhile, in order.
 *
 * Each change has two events: it begins (from then on a crash may find it on the disk, or any part
 * of it), and it ends (from then on the process knows). What has ended is durable only when a
 * sync of the same file or directory has begun later and ended, or when the write itself was
 * through. Notes stand between them: what the world was told so far (truth.h). */
#ifndef TESTS_CRASH_JOURNAL_H
#define TESTS_CRASH_JOURNAL_H

#include "tests/crash/image.h"

#define JOURNAL_NONE UINT32_MAX

enum event_kind {
    EVENT_WRITE,  /* size bytes at offset of node; makes the file longer if need be */
    EVENT_RESIZE, /* node has at least `offset` bytes */
    EVENT_ENTER,  /* directory: name is target's, too; the first one of a new node, or one more */
    EVENT_RENAME, /* directory: name becomes new_name, which is target's */
    EVENT_LEAVE,  /* directory: name is nobody's */
    EVENT_SYNC,   /* node, a file or a directory; IMAGE_NONE: everything */
    EVENT_END,    /* of the event `of` */
    EVENT_NOTE,
    EVENT_CUT, /* the power failed: the disk is as `image` from now on */
};

enum event_outcome {
    OUTCOME_DONE,
    OUTCOME_UNHEARD, /* done, but the process was killed: for no write does this mean durable */
    OUTCOME_FAILED,  /* what `draw` chooses of it has happened */
};

/* What a sync or a write-through is for: each of them can be made to lie. */
enum sync_purpose {
    SYNC_STORE_FOLDER,
    SYNC_SHARD_FOLDER,
    SYNC_STORE_FILE,
    SYNC_STORE_NAME,
    SYNC_SPARE_FILE,
    SYNC_SPARE_NAME,
    SYNC_SEGMENT_NAME,
    SYNC_SEGMENT_HEADER,
    SYNC_BATCH,
    SYNC_HINT_FILE,
    SYNC_HINT_NAME,
    SYNC_REMOVAL,
    SYNC_REWRITE,
    SYNC_REPLACEMENT,
    SYNC_BLANK_HEADER,
    SYNC_WHOLE, /* of the whole file system */
    SYNC_PURPOSES,
};

const char *sync_purpose_text(enum sync_purpose purpose);

struct journal_note { /* the meaning is the writer's and the reader's */
    uint32_t kind;
    uint32_t subject, detail;
};

struct event {
    enum event_kind kind;
    uint32_t node; /* the file, or the directory */
    uint32_t target;
    uint32_t size;
    uint64_t offset;
    uint8_t *bytes; /* write: the journal's own; NULL: zeroes */
    char name[IMAGE_NAME_BYTES], new_name[IMAGE_NAME_BYTES];
    bool is_directory;         /* enter: the new node */
    bool is_through;           /* write */
    enum sync_purpose purpose; /* sync, write-through */
    uint32_t of;               /* end */
    enum event_outcome outcome;
    uint64_t draw;
    struct journal_note note;
    struct image *image; /* cut: the journal's own */
};

struct journal {
    struct event *events;
    uint32_t count, capacity;
};

void journal_deinit(struct journal *journal);
/* Copies the event, and the bytes of a write. Returns its number. */
uint32_t journal_add(struct journal *journal, const struct event *event);
void journal_note(struct journal *journal, uint32_t kind, uint32_t subject, uint32_t detail);

/* Whether a draw chooses this one of many: all, none, few, most or half of them. */
bool draw_chooses(uint64_t draw, uint32_t index);

/* Makes the change, or, of a write, the sectors for which `chosen` (NULL: all) says so. */
void event_apply(const struct event *event, struct image *image,
                 bool (*chosen)(const void *context, uint32_t sector), const void *context);
/* Makes the part of a change that a draw chooses. */
void event_apply_part(const struct event *event, struct image *image, uint64_t draw);

static inline uint32_t event_sectors(const struct event *event)
{
    return (event->size + IMAGE_SECTOR_BYTES - 1) / IMAGE_SECTOR_BYTES;
}

#endif
