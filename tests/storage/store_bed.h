/* A whole store on a simulated disk, all of its shards in one thread, for tests. */
#ifndef TESTS_STORAGE_STORE_BED_H
#define TESTS_STORAGE_STORE_BED_H

#include "base/envelope.h"
#include "storage/medium/medium_sim.h"
#include "storage/store.h"

#define BED_SHARDS_MAX 4
#define BED_STORED_MAX 65536

struct bed_stored { /* what `stored` said about a cookie */
    uint64_t id;
    enum status status;
    bool ended;
    bool unsure; /* refused while nothing at all could be written: it may come back */
};

struct store_bed {
    struct clock clock;
    uint64_t now_ns;
    struct sim_disk *disk;
    struct store_options options;
    struct medium *medium;
    struct store *store;
    struct medium *mediums[BED_SHARDS_MAX];
    struct store_log *logs[BED_SHARDS_MAX];
    struct bed_stored stored[BED_STORED_MAX]; /* by cookie */
    uint64_t expunged_cookie;
    enum status expunged_status;
    uint32_t expunged_count;
    struct maildrop *opened; /* by the last store_bed_drop */
    enum status opened_status;
    bool is_opened;
    uint32_t links;
    uint32_t refuse_links; /* how many offers to refuse before taking one */
    uint32_t refused;
    struct random random;
};

/* Small batches, segments and deltas, one shard, no latency. */
void store_bed_init(struct store_bed *bed, const struct sim_disk_options *disk);
void store_bed_deinit(struct store_bed *bed);

/* The store for writing and all of its logs. */
void store_bed_open(struct store_bed *bed);
enum status store_bed_try(struct store_bed *bed, enum store_mode mode, struct fault *fault);
/* In order. */
void store_bed_close(struct store_bed *bed);
/* A power cut. */
void store_bed_crash(struct store_bed *bed);

/* One turn of every shard, and time for the disk. */
void store_bed_turn(struct store_bed *bed);
/* Turns until the cookie has ended. */
void store_bed_wait(struct store_bed *bed, uint64_t cookie);

/* A body in wire form of about `bytes`, the same for the same number; malloc. */
struct span bed_body(uint64_t number, size_t bytes);

/* Appends body `number` of `bytes` to the mailboxes named by letters ("ab": "a@x" and "b@x"),
 * without staging. */
enum status store_bed_append(struct store_bed *bed, uint32_t shard, uint64_t number, size_t bytes,
                             const char *mailboxes, uint64_t cookie);
/* As above and waits until it has ended. */
enum status store_bed_put(struct store_bed *bed, uint32_t shard, uint64_t number, size_t bytes,
                          const char *mailboxes, uint64_t cookie);

struct span bed_mailbox(char letter);

/* Reads a message whole through shard `shard`; malloc in `wire`. */
enum status store_bed_fetch(struct store_bed *bed, uint32_t shard, const struct store_link *link,
                            struct span *wire, uint64_t *header_bytes);
/* True when the link leads to body `number` of `bytes`. */
bool store_bed_has_body(struct store_bed *bed, const struct store_link *link, uint64_t number,
                        size_t bytes);

/* The mailbox's list and lock, however many turns it takes. */
enum status store_bed_drop(struct store_bed *bed, struct span mailbox, struct maildrop **maildrop);
/* Deletes the messages of the mailbox whose bits are set in `marks`; returns the outcome. */
enum status store_bed_expunge(struct store_bed *bed, char mailbox, uint64_t marks);

/* Messages in a mailbox. */
uint32_t store_bed_count(struct store_bed *bed, char mailbox);
/* Its list, to be freed with store_maildrop_free. */
struct maildrop *store_bed_peek(struct store_bed *bed, char mailbox);

/* store_verify; the last finding is in `line`. */
enum status store_bed_verify(struct store_bed *bed, char line[256]);

#endif
