/* A POP3 session in conversation: a maildrop in memory behind it, and a client whose bytes arrive
 * cut as the test likes. Everything that happens is written down in order: the session's replies as
 * they are, what it asks of the host in {braces}, what it wishes in [brackets].
 *
 * Answers to the host's calls come when the session has returned, as in the shard. Only
 * conversation_check needs to run inside a Check test: the fuzzer holds conversations too. */
#ifndef TESTS_ENGINE_POP3_CONVERSATION_H
#define TESTS_ENGINE_POP3_CONVERSATION_H

#include "engine/pop3/session.h"

struct conversation_setup {
    const char *const *messages; /* in wire form */
    uint32_t messages_count;
    uint32_t copies; /* this many messages like the first instead; 0: no */
    bool secure, tls_only, stls;
    uint32_t errors_max;   /* 0: 20 */
    uint32_t output_bytes; /* of the buffer lent to the session; 0: 8192 */
    size_t piece_bytes;    /* of a message being fetched; 0: whole */
    uint32_t no_blocks;    /* so many of the pool's 4 blocks are taken by others */
    enum status login, fetch, expunge;
};

enum conversation_ask { ASK_NOTHING, ASK_LOG_IN, ASK_FETCH, ASK_EXPUNGE, ASKS };

struct conversation {
    struct conversation_setup setup;
    struct pop3_config config;
    struct pop3_session session;
    struct blocks blocks;
    void *taken[4];
    struct output out;
    uint8_t *deleted;
    uint8_t *pending; /* received and not consumed */
    size_t pending_bytes;
    char *transcript; /* NUL-terminated */
    size_t transcript_bytes, transcript_capacity;
    enum conversation_ask asked; /* of the host, to be answered */
    uint32_t asked_index;
    uint32_t asks[ASKS]; /* how often */
    bool is_tls;         /* STLS was taken */
    bool is_over;
};

void conversation_open(struct conversation *talk, const struct conversation_setup *setup);
/* Bytes arrive. On STLS what has arrived is dropped and TLS is up at once. */
void conversation_hear(struct conversation *talk, struct span bytes);
/* Closes the session; the pool must have all its blocks back. Frees everything. */
void conversation_close(struct conversation *talk);

/* Octets of a message in wire form by RFC 1939: without the final line and the stuffing. */
uint64_t conversation_octets(const char *wire);

#define GREETING "+OK mail.example POP3 mailrace ready\r\n"
#define LOGIN "USER alice\r\nPASS secret\r\n"

struct conversation_case {
    const char *client, *transcript; /* after GREETING */
    struct conversation_setup setup;
};

/* Holds the conversation whole, byte by byte, and cut in two at every place, with little and with
 * much room for output: the transcript must be the same each time. */
void conversation_check(const struct conversation_case *row);

#endif
