/* The parameters of MAIL and RCPT (RFC 5321 section 4.1.2; SIZE RFC 1870, BODY RFC 6152, SMTPUTF8
 * RFC 6531, DSN RFC 3461), checked and decoded by one table. */
#ifndef ENGINE_SMTP_PARAMETERS_H
#define ENGINE_SMTP_PARAMETERS_H

#include "base/span.h"
#include "engine/smtp/reply.h"

#define SMTP_ENVID_BYTES_MAX 100u
#define SMTP_ORCPT_BYTES_MAX 500u

enum smtp_parameter_command { SMTP_OF_MAIL = 1 << 0, SMTP_OF_RCPT = 1 << 1 };

struct smtp_parameters { /* what was not given is zero, or empty */
    uint64_t size;       /* declared octets */
    bool smtputf8;
    struct span body;   /* "7BIT", "8BITMIME" */
    struct span ret;    /* "FULL", "HDRS" */
    struct span notify; /* "NEVER", or a list of SUCCESS, FAILURE, DELAY, as given */
    uint16_t envid_size, orcpt_size;
    uint8_t envid[SMTP_ENVID_BYTES_MAX]; /* decoded */
    uint8_t orcpt[SMTP_ORCPT_BYTES_MAX]; /* type ";" and the decoded address */
};

/* Parses all of `text`: parameters with spaces before each. `utf8`: the transaction has declared
 * SMTPUTF8 (for MAIL: before parsing, so false). REPLY_NONE, or why not: unknown, bad or repeated.
 */
enum smtp_reply smtp_parameters_parse(struct span text, enum smtp_parameter_command command,
                                      bool utf8, struct smtp_parameters *parameters);

/* Decimal digits only, 1 to 20 of them, as a number. False: anything else, or beyond 64 bits. */
bool smtp_number_parse(struct span text, uint64_t *number);

#endif
