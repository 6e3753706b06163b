/* The open maildrop from a client's side: RETR of every message, DELE of those the host wants
 * deleted, many under way at a time where the server pipelines. For the tables in client.c.
 *
 * Commands are queued in the order in which they are said and answered. A RETR that ends makes room
 * for the DELE it may lead to, so the queue never overflows. */
#ifndef ENGINE_POP3_CLIENT_FETCH_H
#define ENGINE_POP3_CLIENT_FETCH_H

#include "engine/pop3/client_session.h"

/* Queues what may be asked for next: one command, or a window of them where the server pipelines.
 * When all is through it is time to quit. */
void pop3_client_fetch_on(struct pop3_client *session);

/* Is some queued command not said yet? */
bool pop3_client_fetch_due(const struct pop3_client *session);

/* RETR or DELE: what the next reply belongs to. Some must be awaited. */
enum pop3_client_phase pop3_client_fetching(const struct pop3_client *session);

/* What follows a reply that is OK or ERR. */
void pop3_client_hear_retr(struct pop3_client *session, enum pop3_client_status status,
                           struct span text);
void pop3_client_hear_dele(struct pop3_client *session, enum pop3_client_status status,
                           struct span text);

/* Takes the bytes of a message off `input`, perhaps through its end. */
void pop3_client_hear_message(struct pop3_client *session, struct span *input);

/* Writes the next queued command. */
void pop3_client_say_queued(struct pop3_client *session, struct output *out);

#endif
