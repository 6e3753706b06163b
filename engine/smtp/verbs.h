/* The commands: what each may be followed by, when it is legal, and what it does. */
#ifndef ENGINE_SMTP_VERBS_H
#define ENGINE_SMTP_VERBS_H

#include "engine/smtp/session.h"

enum smtp_argument { SMTP_ARGUMENT_NONE, SMTP_ARGUMENT_ANY, SMTP_ARGUMENT_REQUIRED };

enum smtp_protocol { SMTP_IN_SMTP = 1 << 0, SMTP_IN_LMTP = 1 << 1 };

struct smtp_verb {
    uint32_t key;      /* the first four letters, in lower case, the first lowest */
    struct span rest;  /* the other letters */
    uint8_t protocols; /* enum smtp_protocol bits */
    uint8_t states;    /* enum smtp_state bits in which it is legal */
    uint8_t argument;  /* enum smtp_argument */
    void (*run)(struct smtp_session *session, struct span argument, struct output *out);
};

/* The verb at the start of a command line, in any case; NULL: no such verb. `argument`: the rest,
 * without blanks around it. */
const struct smtp_verb *smtp_verb_find(struct span line, struct span *argument);

/* Runs one command line, without its CRLF. */
void smtp_command(struct smtp_session *session, struct span line, struct output *out);

#endif
