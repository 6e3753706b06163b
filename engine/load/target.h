/* Where load goes to or mail is fetched from: SCHEME://HOST:PORT, with the scheme's own port where
 * none is given (smtp 25, smtps 465, lmtp 24, pop3 110, pop3s 995), HOST as in net_address_parse;
 * or SCHEME://unix:PATH. */
#ifndef ENGINE_LOAD_TARGET_H
#define ENGINE_LOAD_TARGET_H

#include "engine/net/net.h"

enum target_scheme { TARGET_SMTP, TARGET_SMTPS, TARGET_LMTP, TARGET_POP3, TARGET_POP3S };

struct target {
    enum target_scheme scheme;
    union net_address address;
    char host[256]; /* as given, without port and brackets: for SNI and certificates; "localhost"
                     * of a unix socket */
};

/* `schemes`: which are allowed, as bits 1 << enum target_scheme. USAGE with a line that names the
 * text, or NETWORK when a name can't be resolved. */
enum status target_parse(const char *text, unsigned schemes, struct target *target,
                         struct fault *fault) MUST_CHECK;

#endif
