/* The client's side of a conversation up to the first message: banner, EHLO (or HELO, LHLO),
 * STARTTLS, AUTH (RFC 5321 section 3.1 and 3.2, 3207, 4954). For the tables in client.c. */
#ifndef ENGINE_SMTP_CLIENT_GREETING_H
#define ENGINE_SMTP_CLIENT_GREETING_H

#include "engine/smtp/client_session.h"

/* The first command, now or again inside TLS: forgets what was offered before. */
void smtp_client_greet(struct smtp_client *session);

/* What follows a reply; `good`: it is of the class that lets the conversation go on. */
void smtp_client_hear_banner(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_hello(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_tls(struct smtp_client *session, uint16_t code, bool good);
void smtp_client_hear_auth(struct smtp_client *session, uint16_t code, bool good);

/* Write one command. */
void smtp_client_say_ehlo(struct smtp_client *session, struct output *out);
void smtp_client_say_helo(struct smtp_client *session, struct output *out);
void smtp_client_say_starttls(struct smtp_client *session, struct output *out);
void smtp_client_say_plain(struct smtp_client *session, struct output *out);
void smtp_client_say_login(struct smtp_client *session, struct output *out);
void smtp_client_say_user(struct smtp_client *session, struct output *out);
void smtp_client_say_password(struct smtp_client *session, struct output *out);

#endif
