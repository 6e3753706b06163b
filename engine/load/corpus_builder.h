/* Messages built out of lines, whatever file those come from.
 *
 * Their texts lie one behind the other in memory that moves while it grows; so a message has sizes
 * first, and its pointers only from corpus_builder_finish on. Want of memory is noticed there. */
#ifndef ENGINE_LOAD_CORPUS_BUILDER_H
#define ENGINE_LOAD_CORPUS_BUILDER_H

#include "engine/load/corpus.h"

enum corpus_builder_place {
    CORPUS_BUILDER_START, /* of a message: no line yet */
    CORPUS_BUILDER_HEADER,
    CORPUS_BUILDER_ID, /* in a field that is left out: so are its continuation lines */
    CORPUS_BUILDER_BODY,
};

struct corpus_builder { /* zeroed: empty */
    uint8_t *bytes;
    size_t size, capacity;
    struct corpus_message *messages;
    uint32_t count, messages_capacity;
    enum corpus_builder_place place;   /* in the message being built, */
    size_t header_bytes, body_bytes;   /* which has so much so far, */
    size_t header_dotted, body_dotted; /* and so many lines that begin with a dot */
    bool full;                         /* no memory: what came since is lost */
};

/* A line of the current message, without its end. */
void corpus_builder_add(struct corpus_builder *builder, struct span line);
/* The current message is complete; one without any text is none. */
void corpus_builder_end_message(struct corpus_builder *builder);
/* Sets the pointers of all messages, whose texts are read-only from now on; nothing may be added
 * any more. False: there was not enough memory. */
bool corpus_builder_finish(struct corpus_builder *builder) MUST_CHECK;
void corpus_builder_deinit(struct corpus_builder *builder);

#endif
