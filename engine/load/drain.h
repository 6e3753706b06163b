/* Everything back that was sent: every mailbox of a ledger is read over POP3, and all that is found
 * is held against the ledger's account. */
#ifndef ENGINE_LOAD_DRAIN_H
#define ENGINE_LOAD_DRAIN_H

#include "engine/load/account.h"
#include "engine/load/target.h"
#include "engine/net/dpdk/net_dpdk.h"

struct drain_options {
    struct target target;
    const char *ledger_path;
    const char *password;       /* of every mailbox, ≤ 255 bytes, no control characters */
    uint32_t connections;       /* at once */
    bool delete;                /* what was found fine, of mailboxes that were read to the end */
    bool stls;                  /* TLS first, or nothing (RFC 2595) */
    bool verify;                /* the server's certificate */
    const char *ca_file;        /* NULL: the system's */
    uint64_t message_bytes_max; /* what sends longer ones is not listened to any more */
    struct dpdk_options dpdk;
    uint64_t timeout_ms; /* for any reply; a message must come at 1000 bytes a second as well */
};

struct drain_report {
    struct account_totals totals; /* only at the end */
    uint64_t mailboxes;           /* of the ledger */
    uint64_t mailboxes_read;      /* whole */
    uint64_t messages, octets;    /* fetched, those that were fetched again too */
    uint64_t deleted;
    uint64_t undeleted; /* the server refused to, or did not say that it had */
    double seconds;
    bool interrupted; /* by a signal */
    bool gave_up;     /* nobody answered any more */
};

/* What can be wrong with a mailbox; the first four are about a message, told with its id, the
 * others told with the reason. */
enum drain_finding {
    DRAIN_LOST,
    DRAIN_DUPLICATED,
    DRAIN_CORRUPTED,
    DRAIN_UNKNOWN,
    DRAIN_UNREAD,    /* not read to the end, though something acked or doubtful should be there */
    DRAIN_UNDELETED, /* messages that should be gone but may not */
    DRAIN_FINDINGS,
};

/* "lost", "duplicated", …: static. */
const char *drain_finding_name(enum drain_finding finding);

/* Whom to tell while it runs, from the same thread; each may be NULL. */
struct drain_observer {
    /* A few times a second. */
    void (*progress)(void *context, const struct drain_report *report);
    /* The spans are borrowed, and hold whatever came from outside. A mailbox that is read again may
     * have the same to tell again. */
    void (*found)(void *context, enum drain_finding finding, struct span mailbox,
                  struct span detail);
    void *context;
};

/* As the manual says; nothing to read. */
void drain_options_default(struct drain_options *options);

/* Runs until every mailbox was read or given up, or to SIGINT or SIGTERM. NETWORK: no connection
 * ever came up; else the status says nothing of what was found. The report is filled also when the
 * status is not OK, as far as it went. */
enum status drain_run(const struct drain_options *options, const struct drain_observer *observer,
                      struct drain_report *report, struct fault *fault) MUST_CHECK;

#endif
