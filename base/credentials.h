/* A user's name and password, and how a client presents them in SASL: in base64 (RFC 4648
 * section 4), whatever the protocol around it. */
#ifndef BASE_CREDENTIALS_H
#define BASE_CREDENTIALS_H

#include "base/output.h"
#include "base/span.h"

#define CREDENTIALS_BYTES_MAX 255u        /* of either (RFC 4616 section 2) */
#define CREDENTIALS_BASE64_BYTES_MAX 684u /* of what the functions below write */

struct credentials { /* no NUL in either; an empty name stands for no credentials */
    struct span user, password;
};

/* The one message of the PLAIN mechanism (RFC 4616): NUL, name, NUL, password. */
void credentials_plain(const struct credentials *credentials, struct output *out);

/* One of the two alone, as the LOGIN mechanism asks for them. */
void credentials_base64(struct span text, struct output *out);

#endif
