/* The body of a message: DATA and BDAT, from the first byte to the host's answer (RFC 5321 section
 * 4.1.1.4, RFC 3030).
 *
 * Pieces go to the host as they lie in the input. A message that must be refused is read to its end
 * all the same, so that the conversation stays in step, but nothing more of it reaches the host. */
#ifndef ENGINE_SMTP_MESSAGE_H
#define ENGINE_SMTP_MESSAGE_H

#include "engine/smtp/session.h"

/* Takes bytes of the body in state SMTP_DATA or SMTP_CHUNK. False: the host asked to wait;
 * `consumed` tells what it took before. */
bool smtp_message_feed(struct smtp_session *session, struct span input, struct output *out,
                       size_t *consumed);

/* A chunk is whole and only its answer is missing: feed it, even with no input. */
static inline bool smtp_message_due(const struct smtp_session *session)
{
    return session->state == SMTP_CHUNK && session->chunk_left == 0;
}

/* Verbs (verbs.h). */
void smtp_verb_data(struct smtp_session *session, struct span argument, struct output *out);
void smtp_verb_bdat(struct smtp_session *session, struct span argument, struct output *out);

#endif
