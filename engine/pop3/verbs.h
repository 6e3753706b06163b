/* The verbs of POP3: one table of name, legal states, argument shape and handler.
 *
 * To add a verb: a row in verbs.c, a handler in authorization.c or transaction.c, a row in the
 * tests' conversation table, and its name in pop3_do_capa if RFC 2449 wants it announced. */
#ifndef ENGINE_POP3_VERBS_H
#define ENGINE_POP3_VERBS_H

#include "base/output.h"
#include "base/span.h"

struct pop3_session;

/* A command's arguments, checked against the verb's shape. */
struct pop3_arguments {
    struct span text; /* everything after the verb and one space */
    uint32_t index;   /* of the message, 0 …; it exists and is not deleted */
    bool has_message; /* a message number was given */
    uint64_t lines;   /* TOP */
};

typedef void pop3_handler(struct pop3_session *session, const struct pop3_arguments *arguments,
                          struct output *out);

/* Executes one command line, given without its end; `whole` is false for the beginning of one that
 * was too long. Needs POP3_REPLY_BYTES_MAX of room. */
void pop3_execute(struct pop3_session *session, struct span line, bool whole, struct output *out);

/* authorization.c */
pop3_handler pop3_do_capa, pop3_do_user, pop3_do_pass, pop3_do_auth, pop3_do_stls, pop3_do_utf8,
    pop3_do_http;
/* The client's answer to "+ " (RFC 5034 section 4). */
void pop3_do_sasl_response(struct pop3_session *session, struct span response, struct output *out);
void pop3_forget_user(struct pop3_session *session);

/* transaction.c */
pop3_handler pop3_do_stat, pop3_do_list, pop3_do_uidl, pop3_do_retr, pop3_do_top, pop3_do_dele,
    pop3_do_rset, pop3_do_noop, pop3_do_quit;
/* Writes as much of the listing under way as there is room for. */
void pop3_list_on(struct pop3_session *session, struct output *out);

#endif
