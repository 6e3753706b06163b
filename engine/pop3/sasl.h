/* SASL's PLAIN mechanism (RFC 4616) in base64 (RFC 4648 section 4), as AUTH carries it. */
#ifndef ENGINE_POP3_SASL_H
#define ENGINE_POP3_SASL_H

#include "base/span.h"
#include "engine/pop3/server.h"

/* Enough for any response that fits on a command line. */
#define POP3_SASL_BYTES_MAX (POP3_COMMAND_BYTES_MAX / 4 * 3)

/* Strict: padding where it belongs, no white space, no stray bits. False when `text` is not base64
 * or longer than POP3_COMMAND_BYTES_MAX. */
bool pop3_base64_decode(struct span text, uint8_t out[POP3_SASL_BYTES_MAX], size_t *size)
    __attribute__((warn_unused_result));

/* message = [authzid] NUL authcid NUL passwd. The spans point into `message`. False when it is
 * malformed, or asks to act for (authzid) someone else than it logs in as. */
bool pop3_plain_parse(struct span message, struct span *user, struct span *password)
    __attribute__((warn_unused_result));

#endif
