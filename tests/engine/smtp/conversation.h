/* One SMTP session with a world made of memory, for tests and fuzzing.
 *
 * Input goes in, cut as the test likes; what comes out is two texts that may not depend on the
 * cuts: the replies, and a record of the messages stored. Checks that hold for every conversation
 * are made here and abort: a host is never offered nothing, discards only what was staged, gets
 * whole messages only, and the session gives back every block. */
#ifndef TESTS_ENGINE_SMTP_CONVERSATION_H
#define TESTS_ENGINE_SMTP_CONVERSATION_H

#include "engine/smtp/session.h"

struct text {
    uint8_t *data;
    size_t size, capacity;
};

static inline struct span text_span(const struct text *text)
{
    return span_of(text->data, text->size);
}

struct conversation {
    struct smtp_config config; /* may be changed before conversation_open */
    struct smtp_session session;
    struct blocks blocks;

    bool secure;               /* from the start */
    bool lazy;                 /* messages are answered only when the session waits for it */
    bool again;                /* the host asks to wait before everything it does */
    uint32_t room;             /* of the output at each call */
    unsigned fail_call;        /* this call to stage or store, counted from 1, … */
    enum status fail_status;   /* … ends so; AGAIN: once */
    enum status stored_status; /* what becomes of stored messages */

    struct text replies, messages, trace; /* trace: of the last message */
    struct text body;                     /* staged */
    unsigned calls, discards, under_way;
    uint64_t stored, staged_bytes, next_id;
    bool waited;
};

/* A world with plenty of everything; conversation_free in the end. */
void conversation_init(struct conversation *conversation);
void conversation_free(struct conversation *conversation);

/* Starts a new session in it, forgetting the last one. */
void conversation_open(struct conversation *conversation);

/* Feeds all of `input`, unless the session ends. */
void conversation_feed(struct conversation *conversation, struct span input);

/* The messages under way are answered, the oldest first, `count` at most. */
void conversation_answer(struct conversation *conversation, unsigned count);

/* Answers what is under way, lets the session finish and closes it. */
void conversation_close(struct conversation *conversation);

/* open, feed in pieces of `piece` bytes after a first one of `first` (0: none), close. */
void conversation_run(struct conversation *conversation, struct span input, size_t first,
                      size_t piece);

/* Is this what comes of `input`: whole, cut in two anywhere, byte by byte; with messages answered
 * at once or as late as possible, with a host that makes the session wait, with hardly any output
 * room? If not, prints the first that differs. NULL: whatever comes of the input in one piece. */
bool conversation_holds(struct conversation *conversation, struct span input, const char *replies,
                        const char *messages);

#endif
