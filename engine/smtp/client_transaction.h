/* The client's side of a transaction (RFC 5321 section 3.3): what is said and heard of a message
 * and its recipients. For the tables in client.c.
 *
 * The same code runs step by step and pipelined: what is known when a command's turn comes decides
 * whether it is still worth saying, and pipelined simply less is known. */
#ifndef ENGINE_SMTP_CLIENT_TRANSACTION_H
#define ENGINE_SMTP_CLIENT_TRANSACTION_H

#include "engine/smtp/client_session.h"

/* Takes a message on, behind those under way. */
void smtp_client_begin(struct smtp_client *session, struct smtp_client_message *message);

/* Every command of the newest message that was said is answered, and nobody will have it: it is
 * done, and what of it has not been said never will be. False: there is hope. */
bool smtp_client_give_up(struct smtp_client *session);

/* The session is over: all messages under way are done as FAILED or DOUBTFUL. */
void smtp_client_abandon(struct smtp_client *session);

/* What follows a reply; `good`: it is of the class that lets the conversation go on. */
void smtp_client_hear_rset(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_mail(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_rcpt(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_data(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_commit(struct smtp_client *session, uint16_t code, bool good);

/* Write one command. */
void smtp_client_say_rset(struct smtp_client *session, struct output *out);
void smtp_client_say_mail(struct smtp_client *session, struct output *out);
void smtp_client_say_rcpt(struct smtp_client *session, struct output *out);
void smtp_client_say_data(struct smtp_client *session, struct output *out);
void smtp_client_say_bdat(struct smtp_client *session, struct output *out);
void smtp_client_say_dot(struct smtp_client *session, struct output *out);

#endif
