/* What stands in the lines of a POP3 server's lists and replies, as far as a client needs it. */
#ifndef ENGINE_POP3_CLIENT_LIST_H
#define ENGINE_POP3_CLIENT_LIST_H

#include "engine/pop3/client_session.h"

/* A line of CAPA's list (RFC 2449 section 3): the bits it stands for, 0 when unknown. */
unsigned pop3_client_capabilities_of(struct span line);

/* A row of UIDL's list (RFC 1939 section 7): a message number, 1 … `count`, and 1 … 70 printable
 * bytes. */
bool pop3_client_uidl_parse(struct span row, uint32_t count, uint32_t *number, struct span *uidl)
    __attribute__((warn_unused_result));

/* What follows "+OK " in reply to STAT (RFC 1939 section 5): the number of messages, at most
 * POP3_CLIENT_MESSAGES_MAX, and of octets; more may follow. */
#define POP3_CLIENT_MESSAGES_MAX 0x7FFFFFFFu
bool pop3_client_stat_parse(struct span text, uint32_t *messages, uint64_t *octets)
    __attribute__((warn_unused_result));

#endif
