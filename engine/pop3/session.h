/* The struct of a POP3 session, complete so that the shard can embed it in its session pool. Its
 * fields are engine/pop3's alone; engine/pop3/server.h is the way in.
 *
 * One state says everything: which verbs are legal, what the session waits for, and what it wishes.
 * Memory is constant: a block while a command line is incomplete, one between USER and PASS. */
#ifndef ENGINE_POP3_SESSION_H
#define ENGINE_POP3_SESSION_H

#include "base/span.h"
#include "engine/pop3/line.h"
#include "engine/pop3/server.h"
#include "engine/pop3/top.h"

#include <assert.h>

enum pop3_state {
    POP3_AUTHORIZATION,
    POP3_SASL,       /* "+ " was said: the next line is the response (RFC 5034) */
    POP3_LOGGING_IN, /* until pop3_logged_in */
    POP3_TRANSACTION,
    POP3_LISTING,   /* in the middle of LIST or UIDL, waiting for room */
    POP3_FETCHING,  /* until pop3_fetched */
    POP3_SENDING,   /* until pop3_fetch_done */
    POP3_EXPUNGING, /* RFC 1939's UPDATE state, until pop3_expunged */
    POP3_SECURING,  /* STLS was accepted, until pop3_secured */
    POP3_OVER,      /* nothing more is read or said */
};

struct pop3_session {
    const struct pop3_config *config;
    struct blocks *blocks;
    void *owner;
    struct pop3_line line; /* a command that has not wholly arrived */
    uint8_t *user;         /* a block that holds the name from USER to PASS */
    uint8_t *deleted;      /* the host's: a bit per message */
    uint64_t octets;       /* of all messages */
    uint64_t deleted_octets;
    struct pop3_top top; /* of the message being sent */
    uint32_t count;      /* messages */
    uint32_t deleted_count;
    uint32_t listed; /* messages that the listing has passed */
    uint32_t errors; /* bad commands and failed logins */
    uint16_t user_bytes;
    uint8_t state;       /* enum pop3_state */
    bool secure;         /* inside TLS */
    bool listing_uidls;  /* else sizes */
    bool fetching_lines; /* TOP, else RETR */
};

static_assert(sizeof(struct pop3_session) <= 256, "an idle session must stay small");

static inline bool pop3_is_deleted(const struct pop3_session *session, uint32_t index)
{
    return session->deleted[index / 8] & 1u << index % 8;
}

#endif
