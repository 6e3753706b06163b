/* A model of what a store has promised, and lives of a store driven by a seed.
 *
 * Each life opens the store, compares it with the model, works for a while and ends in order or by
 * a power cut. What was acknowledged must be there, once per mailbox, with its bytes and its id;
 * what was refused or deleted must not; what was in the air may be either, for all recipients
 * alike, and then stays so. */
#ifndef TESTS_STORAGE_CRASH_MODEL_H
#define TESTS_STORAGE_CRASH_MODEL_H

#include "tests/storage/store_bed.h"

#define MODEL_MESSAGES_MAX 2000
#define MODEL_MAILBOXES 5
#define MODEL_DRAFTS 3

enum model_state { MODEL_IN_THE_AIR, MODEL_STORED, MODEL_REFUSED };
enum model_deletion { MODEL_KEPT, MODEL_MAYBE_DELETED, MODEL_DELETED };

struct model_message {
    uint64_t id; /* 0: refused at once, so the number is still free */
    uint64_t body;
    size_t bytes;
    char mailboxes[MODEL_MAILBOXES + 1];
    enum model_state state;
    enum model_deletion deletions[MODEL_MAILBOXES];
};

struct model_draft {
    struct store_draft draft;
    uint64_t number; /* of the body */
    struct span body;
    size_t staged;
    uint32_t shard;
};

struct model {
    struct store_bed *bed;
    struct model_message messages[MODEL_MESSAGES_MAX];
    uint32_t count;
    struct model_draft drafts[MODEL_DRAFTS];
    struct maildrop *expunging; /* of one mailbox, asked for and not told */
    uint32_t expunge_mailbox;
    uint32_t expunge_shard;
    uint32_t found, lost; /* of what was in the air, over all lives */
};

/* Compares all mailboxes; what was in the air is settled by what is found. */
void model_check(struct model *model);
/* One thing or another. */
void model_step(struct model *model);
/* Takes in what the events said meanwhile. */
void model_learn(struct model *model);
/* Lets go of drafts and maildrops: before the store closes, or (crashed) after it was cut off. */
void model_release(struct model *model, bool crashed);

#endif
