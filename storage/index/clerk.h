/* Who waits for the index so that shards need not: a thread that does jobs, one after the other.
 *
 * A shard gives its clerk a job and goes on; the job comes back to the shard's desk, and is ended
 * there by desk_turn, on the shard's thread. Where nothing has to be waited for (an index in
 * memory, a simulation) there is no thread: desk_turn does the job too, so that everything happens
 * in one order. */
#ifndef STORAGE_INDEX_CLERK_H
#define STORAGE_INDEX_CLERK_H

#include "base/status.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct desk;

struct job { /* embedded; the clerk's from clerk_give until `done` is called */
    struct job *next;
    struct desk *desk;
    void (*work)(struct job *job); /* on the clerk's thread */
    void (*done)(struct job *job); /* on the shard's: may free the job, or give it again */
    void (*drop)(struct job *job); /* instead of both, when the desk is abandoned; may be NULL */
    bool worked;
};

struct jobs {
    struct job *first, *last;
};

struct clerk {
    bool threaded, stopping;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct jobs jobs;
};

struct desk { /* of one shard */
    pthread_mutex_t lock;
    struct jobs jobs;   /* back from the clerk, or, where it has no thread, all */
    uint32_t under_way; /* given and not ended: the shard's own count */
    void (*wake)(
        void *context); /* any thread: desk_turn has something to do; NULL: nobody sleeps */
    void *context;
};

/* SYSTEM: no thread. */
enum status clerk_init(struct clerk *clerk, bool threaded) MUST_CHECK;
/* No job may be under way. */
void clerk_deinit(struct clerk *clerk);
void clerk_give(struct clerk *clerk, struct desk *desk, struct job *job);

/* Without jobs; `wake` may be NULL. */
void desk_init(struct desk *desk, void (*wake)(void *context), void *context);
/* Frees nothing but itself: for a desk with no job under way. */
void desk_deinit(struct desk *desk);
/* Ends what has come back. */
void desk_turn(struct desk *desk);
/* True while desk_turn itself has jobs to do. */
bool desk_is_busy(struct desk *desk);
/* From any thread. */
void desk_wake(struct desk *desk);
/* From here on nobody is woken. */
void desk_quiet(struct desk *desk);
/* Drops what is under way; where clerks have no threads. */
void desk_abandon(struct desk *desk);

#endif
