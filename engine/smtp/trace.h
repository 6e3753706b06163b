/* The trace header lines that a message is stored with (RFC 5321 section 4.4); smtp_trace itself is
 * in server.h. */
#ifndef ENGINE_SMTP_TRACE_H
#define ENGINE_SMTP_TRACE_H

#include "engine/smtp/session.h"

/* The "with" keyword of the session as it is now (RFC 3848, RFC 6531 section 4.3): "ESMTP",
 * "UTF8LMTPS", … Static. */
struct span smtp_protocol(const struct smtp_session *session);

#endif
