/* The checker: what a store has told the world, and whether what it shows is in keeping with that.
 *
 * It knows nothing of logs and batches. Its knowledge comes from the notes in a journal, so that it
 * can be had for each moment of a history. What is in the air may be there or not, for all
 * recipients alike; once somebody has looked (truth_settle), it stays so. */
#ifndef TESTS_CRASH_TRUTH_H
#define TESTS_CRASH_TRUTH_H

#include "base/status.h"
#include "tests/crash/journal.h"

#define TRUTH_LETTERS_MAX 512u
#define TRUTH_MAILBOXES 4u
#define TRUTH_SHARDS_MAX 3u
#define TRUTH_SIGHTS_MAX 2048u
#define TRUTH_TEXT_BYTES 200u

/* A message as it was sent; the letters of a history outlive its truths. */
struct letter {
    uint64_t id;                         /* as the store said before it took it */
    char mailboxes[TRUTH_MAILBOXES + 1]; /* in the order of the recipients: "ca" */
    uint64_t digest, octets;             /* of what RETR must give; RFC 1939 size */
    uint64_t received_ns;                /* wall */
};

struct letters {
    struct letter items[TRUTH_LETTERS_MAX];
    uint32_t count;
};

enum note_kind { /* subject: the letter; detail: the mailbox, 0 … */
                 NOTE_SENT,
                 NOTE_ACKED,
                 NOTE_REFUSED,
                 NOTE_UNSURE, /* refused while nothing could be written: it may come back */
                 NOTE_DELETING,
                 NOTE_DELETED,
                 NOTE_KEPT,    /* a deletion that was under way has not happened */
                 NOTE_FOUND,   /* what was in the air is there */
                 NOTE_LOST,    /* … is not */
                 NOTE_SETTLED, /* all that was in the air is settled: somebody has looked */
                 NOTE_EXPIRES, /* from now on it may be deleted for its age, at any time */
                 NOTE_INDEX,   /* the index on disk is this one now (index_log.h) */
};

enum letter_fate { FATE_UNSENT, FATE_IN_THE_AIR, FATE_STORED, FATE_REFUSED };
enum letter_deletion { DELETION_NONE, DELETION_IN_THE_AIR, DELETION_DONE };

struct truth {
    const struct letters *letters;
    enum letter_fate fates[TRUTH_LETTERS_MAX];
    enum letter_deletion deletions[TRUTH_LETTERS_MAX][TRUTH_MAILBOXES];
    bool expires[TRUTH_LETTERS_MAX];
    uint32_t index;   /* the one on disk */
    uint32_t version; /* grows with what is known for certain */
};

void truth_init(struct truth *truth, const struct letters *letters);
void truth_take(struct truth *truth, const struct journal_note *note);

/* What somebody sees who opens a store: every message of every mailbox, in order. */
struct sight {
    uint32_t mailbox;
    uint64_t id;
    uint32_t place;          /* of the recipient in the envelope */
    enum status status;      /* of reading it */
    uint64_t digest, octets; /* of what was read; as the maildrop says */
};

struct view {
    struct sight sights[TRUTH_SIGHTS_MAX];
    uint32_t count;
    uint32_t shards; /* of this run */
    uint64_t next_ids[TRUTH_SHARDS_MAX];
    uint32_t strangers; /* mailboxes that nobody has written to */
    uint64_t alarms;    /* that the store has raised when it opened, and the last one */
    char alarm[TRUTH_TEXT_BYTES];
    char fault[TRUTH_TEXT_BYTES]; /* why it did not open or work; empty: it did */
};

/* What may be wrong with the disk. */
enum truth_weather {
    WEATHER_FAIR,    /* nothing: no alarm may be raised, all must be there */
    WEATHER_DAMAGED, /* bytes went bad: the store may refuse, or raise an alarm and miss something,
                        but must never show anything wrong */
    WEATHER_LIED,    /* a sync has lied: the end of a log may be gone without a word, its middle
                        only with an alarm */
};

/* True when the view is in keeping with the promises; else one line says why it is not. */
bool truth_check(const struct truth *truth, const struct view *view, enum truth_weather weather,
                 char text[TRUTH_TEXT_BYTES]);
/* Somebody has looked: what was in the air is decided. Adds the notes of it to the journal. */
void truth_settle(const struct truth *truth, const struct view *view, struct journal *journal);
/* Whether two views are of the same mailboxes. */
bool view_same(const struct view *one, const struct view *other);

#endif
