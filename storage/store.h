/* The store: the whole public face of `storage`.
 *
 * An append-only log per shard is the only truth; the mailbox index is derived from it. A `store`
 * is what one process has open: identity, and everything recovery found. A `store_log` is one
 * shard's part, used by that shard's thread alone: it appends, commits in groups, owns the
 * mailboxes that hash to the shard, and reads any log.
 *
 * The life of a message here: pieces that arrive before its end are staged (store_stage; long ones
 * go to the log as chunks), then store_append puts the record into the open batch. store_turn, once
 * per turn of the shard, settles batches that became durable (first every link is handed to the
 * owner of its mailbox, then `stored` is called, in the order of appending) and submits the open
 * batch when the device is free. No timer: while one batch is in flight, the next fills. What
 * `stored` reported OK survives any crash, for all of its recipients or none. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "base/blocks.h"
#include "base/clock.h"
#include "base/envelope.h"
#include "base/powers.h"
#include "base/span.h"
#include "base/status.h"
#include "storage/medium/medium.h"

#define STORE_SHARDS_MAX 1024u

/* A message's id: which log (upper 12 bits) and its sequence number there (lower 52). Unique in the
 * store for ever, also across crashes. As text: 13 characters of Crockford's base 32, upper case.
 */
#define STORE_ID_TEXT_BYTES 13
void store_id_text(uint64_t id, char out[STORE_ID_TEXT_BYTES]);
bool store_id_parse(struct span text, uint64_t *id);

/* Where a mailbox's copy of a message is, and what POP3 must know without reading it. `slot` is the
 * record's offset in its segment's first generation in units of 8 bytes: no map is needed until
 * compaction moves the record. */
struct store_link {
    uint64_t id;
    uint32_t segment;
    uint32_t slot;
    uint32_t record_bytes; /* of the record at `slot` */
    uint32_t octets_low;   /* RFC 1939 size; see store_link_octets */
    uint16_t octets_high;
    uint16_t place;  /* of the recipient in the message: 0, 1, … */
    uint16_t copies; /* of the message: in so many mailboxes, those named twice counted twice */
    uint64_t received_ns; /* wall */
};

static inline uint64_t store_link_octets(const struct store_link *link)
{
    return (uint64_t)link->octets_high << 32 | link->octets_low;
}

/* The UIDL of a link: id, '.', place in decimal. Never changes, never reused. Returns the bytes
 * written. */
#define STORE_UIDL_BYTES_MAX 20
size_t store_uidl_text(const struct store_link *link, char out[STORE_UIDL_BYTES_MAX]);

struct store_options {
    uint32_t shards;          /* of this run; need not equal the last run's */
    uint64_t segment_bytes;   /* of new segments: a multiple of 4 KiB, ≥ 4 batches */
    uint32_t batch_bytes;     /* at most, header included: a multiple of 4 KiB, 64 KiB … 4 MiB */
    uint32_t commit_depth;    /* batches in flight: 1 … 4 */
    uint32_t chunk_bytes;     /* a message longer than this streams into the log in such pieces */
    uint64_t staging_bytes;   /* budget per shard for messages in flight */
    uint32_t fetches_max;     /* messages being read at once per shard */
    uint64_t reclaim_rate;    /* bytes per second that a log may move to give space back; 0: none */
    uint64_t expire_after_ns; /* older messages are deleted; 0: none is */
    uint32_t keep_messages; /* of a mailbox, the newest; older ones are deleted; 0: all are kept */
    uint64_t seed;          /* of ids and epochs: random in life, fixed in a simulation */
    struct index *index; /* below the mailboxes (index.h), in the caller's care; NULL: the store's
                            own, as index_rocks.h has it in this directory, or in memory */
    const char *index_directory;
    uint32_t delta_bytes; /* of memory per shard for links that are not in the index yet; as many
                             wait while a run is written, and at twice as many mail waits, too */
    const struct clock *clock;
};

/* 256 MiB segments, 1 MiB batches, depth 1, 128 KiB chunks, 64 MiB staging, one shard, system
 * clock, seed 0, no index, 8 MiB deltas. */
void store_options_default(struct store_options *options);

enum store_mode {
    STORE_WRITE, /* the only user; creates the store when the medium holds none */
    STORE_READ,  /* looks in, also while another process writes: changes nothing */
};

struct store;

/* Fences the medium, reads or creates the identity, recovers every log (cuts torn tails, names
 * corruption in the log lines and counts it), and builds the mailbox indexes. BUSY: another process
 * writes. NEWER: the format. ABSENT: no store (reading). CORRUPT: the identity is damaged.
 * Everything with one line. The medium must outlive the store and is used by this thread only. */
enum status store_open(struct store **store, struct medium *medium, enum store_mode mode,
                       const struct store_options *options, struct fault *fault) MUST_CHECK;
void store_close(struct store *store);

/* Which shard of this run orders this mailbox's messages. Any thread. */
uint32_t store_owner(const struct store *store, struct span mailbox);

/* ------------------------------------------------------------------ one shard's log: writing ----
 */

struct store_log;

struct maildrop;

struct store_events {
    /* A link of a durable message for its owner's store_link_add. False: the way to the owner is
     * full; it will be offered again by the next store_turn. Also called when the owner is this
     * shard. */
    bool (*link)(void *context, uint32_t owner, struct span mailbox, const struct store_link *link);
    /* What store_append was given has ended: OK, or FULL, IO: it is not stored. In order. */
    void (*stored)(void *context, uint64_t cookie, uint64_t id, enum status status);
    /* What store_expunge was given has ended: OK, or the deletions did not all become durable. */
    void (*expunged)(void *context, uint64_t cookie, enum status status);
    /* What store_maildrop_open was asked for: OK, or IO, CORRUPT: the index can't be read now;
     * SYSTEM: no memory. Without a maildrop there is no lock any more. */
    void (*opened)(void *context, uint64_t cookie, enum status status, struct maildrop *maildrop);
    /* From any thread: store_turn has something to do. NULL when nobody sleeps. */
    void (*wake)(void *context);
    void *context;
};

/* On the shard's thread, with the shard's own medium. On a store opened for reading only fetches
 * may be made, and store_turn called for them. */
enum status store_log_open(struct store_log **log, struct store *store, uint32_t shard,
                           struct medium *medium, const struct store_events *events,
                           struct fault *fault) MUST_CHECK;
/* Waits for what is in flight (the events still come), vouches for it in a last batch, writes the
 * hint of what can be sealed. No append, fetch or maildrop may be open. */
void store_log_close(struct store_log *log);
/* Frees the log without a word to the medium, whose operations will never end (a simulated power
 * cut). No event is called; maildrops still open are freed with store_maildrop_free, fetches are
 * forgotten. */
void store_log_abandon(struct store_log *log);

/* A message being received: zeroed memory is an empty one. Embedded in the session's transaction.
 */
struct store_draft {
    struct store_draft *next,
        *previous;           /* of those that hold staged bytes: the oldest gives way first */
    void *pages, *last_page; /* staged bytes not yet in the log */
    void *chunks;            /* references to the chunks already in the log */
    uint32_t staged_bytes, chunk_count;
    uint64_t chunked_bytes;
};

struct store_message { /* all borrowed for the call */
    const struct envelope *envelope;
    struct span trace;     /* header lines added on top, wire form */
    struct span tail;      /* the rest of the body, after what was staged, through ".\r\n" */
    uint64_t received_ns;  /* wall */
    uint32_t stuffed;      /* dots added by stuffing, in the whole body */
    uint64_t header_bytes; /* of the body up to and with the empty line (whole body if none) */
    uint32_t flags;        /* enum store_flag */
};

enum store_flag { /* on disk */
                  STORE_EIGHT_BIT = 1 << 0,
                  STORE_SMTPUTF8 = 1 << 1,
                  STORE_TLS = 1 << 2,
                  STORE_NO_FINAL_NEWLINE = 1 << 3,
};

/* Keeps a copy of a piece of the body in wire form. AGAIN: no room now, nothing taken, try at a
 * later turn. FULL (also: a piece larger than the staging budget), IO: the log can't take it;
 * discard. */
enum status store_stage(struct store_log *log, struct store_draft *draft,
                        struct span piece) MUST_CHECK;
void store_discard(struct store_log *log, struct store_draft *draft);

/* The id that the next successful store_append will give: the trace header carries it. */
uint64_t store_next_id(const struct store_log *log);

/* Puts the message into the open batch and empties the draft (also on FULL and IO, not on AGAIN).
 * OK: `stored` will be called once with `cookie`. AGAIN: no room now, nothing happened (the next id
 * may be another by the next try). FULL, besides a full medium: an envelope too large for a batch,
 * more than 65,535 recipients, a tail of several batches. */
enum status store_append(struct store_log *log, struct store_draft *draft,
                         const struct store_message *message, uint64_t cookie) MUST_CHECK;

/* Once per turn, after the medium was polled (which is the caller's part): settle, submit. True
 * when something is waiting that only the next turn can do (the shard must not sleep). Before the
 * call the caller gives to store_link_add what the other logs' `link` events had taken for this
 * owner when its last store_turn returned: on that the index relies. */
bool store_turn(struct store_log *log);

/* When store_turn wants to be called again though nothing happens: monotonic; UINT64_MAX: never. */
uint64_t store_next_ns(const struct store_log *log);

/* Everything that nobody needs is to be given back at once, in this log and in those that have no
 * shard in this run, also where it is less than half of a segment. */
void store_reclaim_all(struct store_log *log);
/* AGAIN: not all yet. OK: nothing more can be; other logs may change that. FULL, IO, CORRUPT: the
 * same, but something failed. */
enum status store_reclaim_outcome(const struct store_log *log);

/* AGAIN: not all mailboxes were looked at. OK: and none has a message that is too old, or one too
 * many. FULL, IO: they could not be deleted. */
enum status store_expire_outcome(const struct store_log *log);

/* False while store_append and store_stage would answer AGAIN. */
bool store_has_room(const struct store_log *log);

/* --------------------------------------------------------------- the owner's maildrops ---- */

/* An immutable list of the messages of one mailbox, and which of them the session has deleted. Made
 * by the owner; while open it is the session's (any thread), then it goes back to the owner. */
struct maildrop {
    uint32_t count;                 /* messages */
    uint64_t octets;                /* of all */
    const struct store_link *links; /* in message number order */
    uint8_t *deleted;               /* one bit per message, set by the session */
    struct span mailbox;
};

/* A durable message enters its mailbox. Owner's shard only, one log's links in the order in which
 * they were offered. Adding a link twice is harmless. */
void store_link_add(struct store_log *log, struct span mailbox, const struct store_link *link);

/* Takes the exclusive lock, and asks for the list: `opened(cookie)` comes later, never from inside
 * the call. BUSY: a session has the lock. SYSTEM: no memory. An unknown name is an empty mailbox;
 * `mailbox` is copied. */
enum status store_maildrop_open(struct store_log *log, struct span mailbox,
                                uint64_t cookie) MUST_CHECK;
/* Makes the marked deletions durable, in as many turns as it takes; then `expunged(cookie)`. The
 * maildrop stays open and is closed by the caller afterwards. */
void store_expunge(struct store_log *log, struct maildrop *maildrop, uint64_t cookie);
/* Frees the list and the lock. Deletes nothing. */
void store_maildrop_close(struct store_log *log, struct maildrop *maildrop);

/* ---------------------------------------------------------------------------- reading ---- */

/* One message being read, piece by piece; embedded in the session. Everything that `piece` is given
 * has passed its checksums. A message longer than one buffer is checked as a whole before its first
 * piece. */
struct store_fetch {
    void (*piece)(struct store_fetch *fetch, enum status status, struct span wire, bool last);
    void *context;
    /* Filled before the first piece. */
    uint64_t octets;       /* RFC 1939 size */
    uint64_t header_bytes; /* wire bytes up to and with the empty line after the headers */
    void *private;         /* the store's */
};

/* Starts reading any log's message: `piece` comes later, never from inside the call (CORRUPT, IO,
 * ABSENT: once and no more). If no buffer is free it waits for one. `link` is copied. */
void store_fetch_start(struct store_log *log, struct store_fetch *fetch,
                       const struct store_link *link);
/* What else the record says of a message that is being given: from the first piece on, until the
 * last one's bytes are no longer needed. */
struct store_about {
    struct span envelope;
    uint64_t received_ns;
    uint32_t trace_bytes; /* of the header lines added on top: how the wire begins */
    uint32_t flags;       /* enum store_flag */
};
void store_fetch_about(const struct store_fetch *fetch, struct store_about *about);
/* Asks for the next piece; the last one's bytes are no longer needed. */
void store_fetch_next(struct store_log *log, struct store_fetch *fetch);
/* Ends it at any moment, also with an operation under way: `piece` will not be called again, and
 * piece bytes may be reused once the operation has ended. Harmless when nothing is being read. */
void store_fetch_end(struct store_log *log, struct store_fetch *fetch);

/* ------------------------------------------------------------------ the logs as a stream ----
 */

/* Every message of every log, in the order of its log's commits, also while a writer appends. A
 * place in it is one number per log: that of the last record that was given. Records keep their
 * numbers wherever they are moved, and no number is used twice, so a place stays good for as long
 * as nothing behind it is reclaimed. Reading only; one thread. */
struct store_stream;

struct store_entry { /* a message as its log has it; spans are good until the next call */
    uint32_t shard;
    uint64_t lsn;           /* of its record: the place behind it, for this log */
    struct store_link link; /* its place is 0 */
    uint64_t received_ns;
    struct span envelope;
    bool fresh; /* came after the store was opened: its index does not know it */
};

/* `places`: by shard, STORE_SHARDS_MAX of them, 0: nothing was given; NULL: from what is there.
 * ABSENT with a line: what follows a place was reclaimed (the line says which is the first place
 * that is good), or the place is in no log of this store. CORRUPT, IO: as from store_stream_next.
 * SYSTEM. The store must outlive the stream. */
enum status store_stream_open(struct store_stream **stream, struct store *store,
                              const uint64_t *places, struct fault *fault) MUST_CHECK;
void store_stream_close(struct store_stream *stream);

/* The next message that is durable. AGAIN: there is none now; ask later. CORRUPT: the logs go on in
 * a way that only opening the store anew can tell; the places are good. IO. */
enum status store_stream_next(struct store_stream *stream, struct store_entry *entry) MUST_CHECK;

/* After AGAIN: true while something is there that is not yet known to be durable. */
bool store_stream_waits(const struct store_stream *stream);

/* The place behind everything given so far, STORE_SHARDS_MAX numbers, the stream's. Also moves on
 * over records that are no messages. */
const uint64_t *store_stream_places(const struct store_stream *stream);

/* Whether the mailbox has the message, as far as the index of a store opened for reading knows. */
bool store_holds(const struct store *store, struct span mailbox, const struct store_link *link);

/* ------------------------------------------------------------------ figures and checks ---- */

struct store_stats {
    uint64_t segments, hints;        /* objects */
    uint64_t bytes;                  /* of segments, as allocated */
    uint64_t messages, links;        /* live messages, and their copies in mailboxes */
    uint64_t live_bytes, dead_bytes; /* records */
    /* Found by recovery. */
    uint64_t torn_tails, corrupt_batches, corrupt_records, corrupt_segments, corrupt_hints;
};

/* Of one log (shard < store_shards_on_disk) as recovery found it; what lives, and what is dead, as
 * of now. Of N copies each counts as an Nth of the message and of its bytes (tally.h). */
void store_stats(const struct store *store, uint32_t shard, struct store_stats *stats);
uint32_t store_shards_on_disk(const struct store *store);
const uint8_t *store_identity(const struct store *store); /* 16 bytes */

/* A running log's counters, for metrics: same thread or torn but harmless reads. */
struct store_counters {
    uint64_t messages, links, expunged, bytes, batches, batch_errors, chunks, segments;
    uint64_t segments_recycled;               /* made of dead ones */
    uint64_t compactions, segments_reclaimed; /* rewritten; given back whole */
    uint64_t reclaimed_bytes, expired; /* given back; messages deleted because of their age or
                                          number, counted in `expunged`, too */
    uint64_t damaged;                  /* fetches that met damage */
    uint64_t staged_bytes, staged_bytes_peak;
    uint64_t delta_links, delta_bytes;    /* not in the index yet; the frozen ones not counted */
    uint64_t index_runs, index_failures;  /* written; tried in vain, and reads that failed */
    uint64_t index_reads, index_ns_total; /* of mailboxes, and how long logins waited for them */
    uint64_t commit_ns_total, commit_ns_max;
    uint64_t refused[2];          /* 1: takes no mail, no deletions, for now */
    struct powers commit_ns;      /* of every batch, from its submission to its end */
    struct powers batch_messages; /* of durable batches that held any; their sum: `messages` */
};
const struct store_counters *store_log_counters(const struct store_log *log);

/* Calls `visit` for every mailbox with messages, in no order; the name is good for the call.
 * Read-only stores, or before logs are opened. IO, CORRUPT: the index can't be read. */
enum status store_mailboxes(const struct store *store,
                            void (*visit)(void *context, struct span mailbox, uint32_t count,
                                          uint64_t octets),
                            void *context) MUST_CHECK;
/* The mailbox's list without a lock (tools): free it with store_maildrop_free. IO, CORRUPT, SYSTEM.
 */
enum status store_peek(const struct store *store, struct span mailbox,
                       struct maildrop **maildrop) MUST_CHECK;
void store_maildrop_free(struct maildrop *maildrop);

/* Finds a message by its id: in which segment, at which offset. ABSENT. Reads through the medium.
 */
enum status store_find(struct store *store, uint64_t id, struct store_link *link) MUST_CHECK;

/* Reads every byte and checks every checksum, link and hint; `report` gets one line per finding. OK
 * or CORRUPT; torn tails are reported but are no damage. */
enum status store_verify(struct store *store, void (*report)(void *context, const char *line),
                         void *context) MUST_CHECK;

#endif
