/* A computer with one disk and one process on it: the whole store, all of its shards in one thread,
 * on the simulated kernel.
 *
 * It boots from an image, works, and ends in order, by kill -9, or by a power cut. What the store
 * tells goes into the journal as notes (truth.h). What it must never do, whatever the disk does, is
 * kept as one line in `wrong`: an acknowledgement before the links, or twice, or of another id. */
#ifndef TESTS_CRASH_MACHINE_H
#define TESTS_CRASH_MACHINE_H

#include "storage/store.h"
#include "tests/crash/index_log.h"
#include "tests/crash/kernel.h"
#include "tests/crash/truth.h"

#define MACHINE_DRAFTS 2u
#define MACHINE_LOOKS UINT64_MAX /* the cookie of a maildrop to look into; others: the mailbox */

struct machine_options {
    struct kernel_options kernel;
    uint64_t seed; /* of the store's ids and epochs, and of the machine's own draws */
    uint32_t shards;
    uint32_t commit_depth;
    bool links_stall;         /* owners have no room at times */
    uint32_t deleted_eighths; /* of a mailbox, by one deletion */
    uint64_t reclaim_rate;    /* as store_options have it; and the next two */
    uint64_t expire_after_ns;
    uint32_t delta_bytes;
    struct index_log *index_log; /* of the index on disk, which is there from life to life; NULL: it
                                    is made anew */
    uint32_t index_number;       /* as which it begins */
};

/* A deletion under way: one at a time. */
struct machine_expunge {
    bool is_under_way;
    struct maildrop *maildrop; /* NULL: not yet opened */
    uint32_t mailbox, shard;
    bool is_told; /* to the store */
    bool is_over;
};

/* A maildrop that was asked for, to look into. */
struct machine_opening {
    bool is_over;
    enum status status;
    struct maildrop *maildrop;
};

/* A message that comes in pieces. */
struct machine_draft {
    struct store_draft draft;
    uint8_t *body; /* NULL: none */
    uint32_t bytes, staged, shard;
};

struct machine {
    struct machine_options options;
    struct kernel *kernel;
    struct journal *journal;
    struct letters *letters; /* grown by what is sent */
    struct clock clock;
    uint64_t now_ns;
    struct random random;
    struct ring rings[TRUTH_SHARDS_MAX + 1]; /* the last one is the store's own */
    struct medium *mediums[TRUTH_SHARDS_MAX + 1];
    struct store *store;
    struct store_log *logs[TRUTH_SHARDS_MAX];
    struct index *index; /* on disk; while the process lives */
    uint32_t index_number;
    bool closing;
    uint32_t strangers, in_the_air;
    uint64_t recycled; /* segments, made of dead ones by processes that have ended */
    uint8_t linked[TRUTH_LETTERS_MAX]; /* bits: mailboxes that were given the letter's link */
    bool ended[TRUTH_LETTERS_MAX], expires[TRUTH_LETTERS_MAX];
    struct machine_expunge expunge;
    struct machine_opening opening;
    struct machine_draft drafts[MACHINE_DRAFTS];
    struct fault fault;
    char wrong[TRUTH_TEXT_BYTES]; /* empty: nothing */
};

/* Switched off, with a disk like `image`. The journal and the letters outlive it. */
void machine_init(struct machine *machine, const struct image *image, struct journal *journal,
                  struct letters *letters, const struct machine_options *options);
/* Switched off before. */
void machine_deinit(struct machine *machine);

/* Starts the process: recovery, then every shard's log. Not OK: `fault` says why; it is off. */
enum status machine_boot(struct machine *machine) MUST_CHECK;
/* Ends it in order; what can't be brought to an end (faults) is killed. */
void machine_close(struct machine *machine);
/* Ends it at once: what is under way may have happened, or not, or in part. */
void machine_kill(struct machine *machine);

/* Every shard does what there is to do, and a little time passes. */
void machine_turn(struct machine *machine);
/* So much time passes at once. */
void machine_wait(struct machine *machine, uint64_t ns);
/* Until nothing is in the air; false: it does not come to an end. */
bool machine_rest(struct machine *machine);

/* Sends one message of a random body to mailboxes "ca"; no room: nothing happens. */
void machine_send(struct machine *machine, uint32_t shard, uint32_t bytes, const char *mailboxes);
/* Sends a piece of a message that comes in many, at the end the rest of it. */
void machine_send_piece(struct machine *machine, uint32_t draft, uint32_t bytes,
                        const char *mailboxes);
/* Deletes messages of a mailbox by chance, unless a deletion is under way. */
void machine_delete(struct machine *machine, uint32_t mailbox);
/* Goes on with that deletion, now that the maildrop is open: the machine's own, at every turn. */
void machine_delete_goes_on(struct machine *machine);

/* Looks into every mailbox and reads everything. When the machine did not boot, the view says why.
 */
void machine_look(struct machine *machine, struct view *view, enum status boot);
/* As `mailrace store verify` does, on the disk as it is and beside whatever runs: not OK, and
 * `line` is the first thing that it names as damaged. Changes nothing. */
enum status machine_verify(struct machine *machine, char line[TRUTH_TEXT_BYTES]) MUST_CHECK;

#endif
