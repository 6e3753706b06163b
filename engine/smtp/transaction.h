/* A mail transaction up to its body: MAIL, RCPT, and the envelope they build (RFC 5321
 * section 3.3).
 *
 * The envelope lives in a block that grows with it, from 1 KiB to 64 KiB, and only as long as the
 * transaction. */
#ifndef ENGINE_SMTP_TRANSACTION_H
#define ENGINE_SMTP_TRANSACTION_H

#include "engine/smtp/session.h"

/* Ends the transaction, if there is one, in whatever way: the envelope is released and what was
 * staged is void. */
void smtp_transaction_end(struct smtp_session *session);

/* Verbs (verbs.h). */
void smtp_verb_mail(struct smtp_session *session, struct span argument, struct output *out);
void smtp_verb_rcpt(struct smtp_session *session, struct span argument, struct output *out);

#endif
