/* A POP3 server in the simulation, with a collector that reads it: mailboxes of a few messages, and
 * one thing that goes wrong in each of them. Time is the office's: it jumps from event to event. */
#ifndef TESTS_ENGINE_LOAD_POST_OFFICE_H
#define TESTS_ENGINE_LOAD_POST_OFFICE_H

#include "engine/load/collector.h"
#include "engine/net/net_sim.h"

#define OFFICE_MAILBOXES 4u
#define OFFICE_MESSAGES 3u /* in each */
#define OFFICE_SESSIONS 64u

enum office_trouble {
    OFFICE_FINE,
    OFFICE_DRIPS,          /* a greeting that never ends, a byte a second; of all mailboxes */
    OFFICE_SILENT,         /* no greeting; of all mailboxes */
    OFFICE_TURNS_AWAY,     /* the greeting is -ERR; of all mailboxes */
    OFFICE_BABBLES,        /* the greeting is none; of all mailboxes */
    OFFICE_LOGIN,          /* -ERR to PASS, with `text` */
    OFFICE_HANGS_UP,       /* a reset after PASS */
    OFFICE_STALLS,         /* in the second message */
    OFFICE_MESSAGE_DRIPS,  /* a byte a second in the second message, for ever */
    OFFICE_MESSAGE_RESETS, /* in the second message */
    OFFICE_RETR,           /* -ERR to RETR 2, with `text` */
    OFFICE_DELE,           /* -ERR to DELE 2 */
    OFFICE_QUIT,           /* -ERR to QUIT */
    OFFICE_NO_QUIT,        /* a reset when QUIT comes: nothing is deleted */
    OFFICE_NO_GOODBYE,     /* QUIT is done but not answered */
};

struct office_mailbox {
    const char *user;
    const char *messages[OFFICE_MESSAGES]; /* as sent, stuffed; NULL: no more */
    bool deleted[OFFICE_MESSAGES];         /* by a QUIT */
    enum office_trouble trouble;
    uint32_t times; /* that there is trouble; then all is fine */
    const char *text;
    uint32_t logins;
};

struct office_session {
    struct office *office;
    struct net_conn conn;
    bool open;
    bool drips;
    uint64_t dripped_ns;
    struct office_mailbox *mailbox; /* NULL: USER has not come */
    bool deleted[OFFICE_MESSAGES];
    size_t line_bytes;
    char line[512];
};

struct office_finding {
    enum drain_finding finding;
    char mailbox[64], detail[FETCHER_REASON_BYTES];
};

struct office {
    uint64_t now_ns;
    struct clock clock;
    struct sim_network *network;
    struct net *server, *net;
    union net_address address;
    bool sasl, pipelining, absent; /* absent: nobody listens */
    struct office_mailbox mailboxes[OFFICE_MAILBOXES];
    struct office_session sessions[OFFICE_SESSIONS];
    uint32_t sessions_count; /* ever */
    const char *ledger;      /* its text; NULL: everything was acked */
    char path[32];
    struct drain_options options;
    struct drain_observer observer;
    struct drain_report report;
    struct account *account;
    struct account_totals totals;
    struct collector collector;
    uint32_t findings_count;
    struct office_finding findings[64];
};

/* An office with mailboxes "user0@x" …, each with messages "MAILBOX.0" …, all fine. */
void office_open(struct office *office);
/* Begins to read. */
void office_read(struct office *office);
/* Lets time pass. */
void office_run(struct office *office, uint64_t ms);
/* Turns until the collector is over, at most `ms`. */
bool office_settles(struct office *office, uint64_t ms) __attribute__((warn_unused_result));
/* Adds up the totals. */
void office_count(struct office *office);
void office_close(struct office *office);

/* Whether that was told, with a detail that begins so. */
bool office_was_told(const struct office *office, enum drain_finding finding, const char *mailbox,
                     const char *detail);
/* Of all mailboxes. */
uint32_t office_deleted(const struct office *office);

#endif
