/* The start of a conversation: banner, HELO, EHLO and LHLO (RFC 5321 section 3.1 and 3.2). */
#ifndef ENGINE_SMTP_GREETING_H
#define ENGINE_SMTP_GREETING_H

#include "engine/smtp/session.h"

/* Writes the 220 banner. */
void smtp_banner(const struct smtp_session *session, struct output *out);

/* The client's name as it gave it; empty before HELO. */
struct span smtp_helo(const struct smtp_session *session);

/* Forgets the client's name: the session is new. */
void smtp_greeting_forget(struct smtp_session *session);

/* Verbs (verbs.h); EHLO is also LHLO. */
void smtp_verb_helo(struct smtp_session *session, struct span argument, struct output *out);
void smtp_verb_ehlo(struct smtp_session *session, struct span argument, struct output *out);

#endif
