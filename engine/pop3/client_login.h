/* The client's side of a conversation up to the open maildrop: greeting, CAPA, STLS, USER and PASS
 * or AUTH PLAIN, STAT, UIDL. For the tables in client.c. */
#ifndef ENGINE_POP3_CLIENT_LOGIN_H
#define ENGINE_POP3_CLIENT_LOGIN_H

#include "engine/pop3/client_session.h"

/* What follows a reply that is OK or ERR (or, to AUTH, MORE). */
void pop3_client_hear_greeting(struct pop3_client *session, enum pop3_client_status status,
                               struct span text);
void pop3_client_hear_capa(struct pop3_client *session, enum pop3_client_status status,
                           struct span text);
void pop3_client_hear_stls(struct pop3_client *session, enum pop3_client_status status,
                           struct span text);
void pop3_client_hear_login(struct pop3_client *session, enum pop3_client_status status,
                            struct span text);
void pop3_client_hear_stat(struct pop3_client *session, enum pop3_client_status status,
                           struct span text);
void pop3_client_hear_uidl(struct pop3_client *session, enum pop3_client_status status,
                           struct span text);

/* A line of the list that CAPA or UIDL gave, or its final dot. */
void pop3_client_hear_row(struct pop3_client *session, struct span row);

/* Write one command. */
void pop3_client_say_capa(struct pop3_client *session, struct output *out);
void pop3_client_say_stls(struct pop3_client *session, struct output *out);
void pop3_client_say_user(struct pop3_client *session, struct output *out);
void pop3_client_say_pass(struct pop3_client *session, struct output *out);
void pop3_client_say_auth(struct pop3_client *session, struct output *out);
void pop3_client_say_response(struct pop3_client *session, struct output *out);
void pop3_client_say_stat(struct pop3_client *session, struct output *out);
void pop3_client_say_uidl(struct pop3_client *session, struct output *out);

#endif
