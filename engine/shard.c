#include "engine/shard.h"

#include "base/counters.h"
#include "base/invariant.h"
#include "engine/session_tls.h"
#include "engine/shard_state.h"

#include <stdlib.h>

enum { RETRIES_PER_TURN = 16 };

const char *door_name(enum door_kind kind)
{
    static const char *const names[DOOR_KINDS] = {
        [DOOR_SMTP] = "smtp",   [DOOR_LMTP] = "lmtp",   [DOOR_POP3] = "pop3",
        [DOOR_SMTPS] = "smtps", [DOOR_POP3S] = "pop3s", [DOOR_METRICS] = "metrics"};
    INVARIANT(kind < DOOR_KINDS && names[kind] != NULL);
    return names[kind];
}

/* ------------------------------------------------------------------------- from the store ---- */

static bool on_link(void *context, uint32_t owner, struct span mailbox,
                    const struct store_link *link)
{
    struct shard *shard = context;
    if (owner != shard->index)
        return mesh_send_link(shard->mesh, shard->index, owner, mailbox, link);
    store_link_add(shard->log, mailbox, link);
    return true;
}

static void on_stored(void *context, uint64_t cookie, uint64_t id, enum status status)
{
    struct shard *shard = context;
    shard->progress++;
    if (status == STATUS_OK)
        shard->counters.messages_stored++;
    else
        shard->counters.messages_failed++;
    struct session *session = session_of_cookie(shard, cookie);
    if (session != NULL)
        door_smtp_stored(session, id, status);
}

static void answer(struct shard *shard, struct crossing *crossing, enum status status)
{
    crossing->status = status;
    crossing->answered = true;
    mesh_send_crossing(shard->mesh, crossing->home, crossing);
}

static void on_expunged(void *context, uint64_t cookie, enum status status)
{
    answer(context, (struct crossing *)(uintptr_t)cookie, status);
}

static void on_opened(void *context, uint64_t cookie, enum status status, struct maildrop *maildrop)
{
    struct crossing *crossing = (struct crossing *)(uintptr_t)cookie;
    crossing->maildrop = maildrop;
    answer(context, crossing, status);
}

/* From any thread. */
static void on_wake(void *context)
{
    struct shard *shard = context;
    shard->net->calls->wake(shard->net);
}

/* --------------------------------------------------------------------- from other shards ---- */

static void on_mesh_link(void *context, struct span mailbox, const struct store_link *link)
{
    struct shard *shard = context;
    store_link_add(shard->log, mailbox, link);
}

/* The owner's side of an errand. */
static void serve_crossing(struct shard *shard, struct crossing *crossing)
{
    uint64_t cookie = (uint64_t)(uintptr_t)crossing;
    enum status status = STATUS_OK;
    switch (crossing->kind) {
    case CROSSING_OPEN:
        status =
            store_maildrop_open(shard->log, span_of(crossing->name, crossing->name_bytes), cookie);
        if (status == STATUS_OK)
            return; /* on_opened answers */
        break;
    case CROSSING_EXPUNGE:
        store_expunge(shard->log, crossing->maildrop, cookie);
        return; /* on_expunged answers */
    case CROSSING_CLOSE:
        store_maildrop_close(shard->log, crossing->maildrop);
        crossing->maildrop = NULL;
        break;
    case CROSSING_PASSWORD:
        INVARIANT(crossing->kind != CROSSING_PASSWORD); /* auth answers those */
    }
    answer(shard, crossing, status);
}

static void on_crossing(void *context, struct crossing *crossing)
{
    struct shard *shard = context;
    shard->progress++;
    if (crossing->answered)
        door_pop3_answered(crossing->session, crossing);
    else
        serve_crossing(shard, crossing);
}

/* ------------------------------------------------------------------------------- a turn ---- */

static void fire(void *context, struct timer *timer)
{
    (void)context;
    session_expired((struct session *)(void *)((uint8_t *)timer - offsetof(struct session, timer)));
}

static bool may_retry(const struct shard *shard)
{
    return shard->tries_left > 0 && shard->waiting != NULL &&
           (shard->log == NULL || store_has_room(shard->log));
}

/* Sessions that waited for room try again, once each, when something has been given back: the
 * longest waiting first, a few per turn, and only while the log has room: every try in vain scans
 * its bytes again. */
static void retry_waiting(struct shard *shard)
{
    if (shard->progress != shard->progress_tried) {
        shard->progress_tried = shard->progress;
        shard->tries_left = shard->waiting_count;
    }
    for (uint32_t tries = 0; tries < RETRIES_PER_TURN && may_retry(shard); tries++) {
        struct session *session = shard->waiting;
        shard->waiting = session->next_waiting;
        shard->waiting_count--;
        shard->tries_left--;
        session->flags &= (uint8_t)~SESSION_WAITING;
        session_pump(session);
    }
}

/* The log may have room again without any message having ended: a batch of chunks was written, or
 * the next segment has become ready. */
static void watch_store(struct shard *shard)
{
    uint64_t batches = store_log_counters(shard->log)->batches;
    bool room = store_has_room(shard->log);
    if (batches != shard->batches_seen || (room && !shard->had_room))
        shard->progress++;
    shard->batches_seen = batches;
    shard->had_room = room;
}

static void flush_dirty(struct shard *shard)
{
    struct session *session = shard->dirty;
    shard->dirty = NULL;
    while (session != NULL) {
        struct session *next = session->next_dirty;
        session->flags &= (uint8_t)~SESSION_DIRTY;
        session_flush(session);
        session = next;
    }
}

/* A listener that can't be served is better left to the kernel's queue than accepted and dropped.
 */
static void pace_accepting(struct shard *shard)
{
    bool full = pool_left(&shard->sessions) == 0;
    if (full != shard->accept_paused && !shard->draining) {
        shard->accept_paused = full;
        shard->net->calls->accept_pause(shard->net, full);
    }
}

/* Idle sessions end at once, busy ones when they are done, all when the time is up. */
static void shut_sessions(struct shard *shard)
{
    bool force = shard->now_ns >= shard->drain_deadline_ns;
    for (uint32_t slot = 0; slot < shard->sessions.fresh; slot++) {
        struct session *session = pool_at(&shard->sessions, slot);
        if (session->door != NULL)
            session_drain(session, force);
    }
}

static uint64_t sleep_ns(struct shard *shard, uint64_t wait_ns)
{
    if (shard->busy || may_retry(shard) ||
        (shard->waiting && shard->progress != shard->progress_tried))
        return 0;
    uint64_t next_ms = timer_wheel_next_ms(&shard->timers);
    uint64_t now_ms = shard_now_ms(shard);
    uint64_t timer_ns = next_ms == UINT64_MAX ? UINT64_MAX
                        : next_ms <= now_ms   ? 0
                                              : (next_ms - now_ms) * NS_PER_MS;
    if (timer_ns < wait_ns)
        wait_ns = timer_ns;
    uint64_t due_ns = shard->driver != NULL ? shard->driver_ns
                      : shard->log != NULL  ? store_next_ns(shard->log)
                                            : UINT64_MAX;
    if (due_ns == UINT64_MAX)
        return wait_ns;
    uint64_t now_ns = clock_monotonic_ns(shard->config->clock); /* the turn took its time */
    uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    return left_ns < wait_ns ? left_ns : wait_ns;
}

/* What needs the log and the other shards. */
static void keep_mail(struct shard *shard)
{
    static const struct mesh_visitor visits = {.link = on_mesh_link, .crossing = on_crossing};
    struct mesh_visitor visitor = visits;
    visitor.context = shard;
    mesh_drain(shard->mesh, shard->index, &visitor); /* what other shards sent */
    shard->busy =
        store_turn(shard->log); /* commit: settle what is durable, submit the next batch */
    watch_store(shard);
}

static void drive(struct shard *shard)
{
    shard_tell_time(shard);
    uint64_t wait_ns = shard->driver->turn(shard->driver->context);
    shard->driver_ns = wait_ns < UINT64_MAX - shard->now_ns ? shard->now_ns + wait_ns : UINT64_MAX;
}

void shard_turn(struct shard *shard, uint64_t wait_ns)
{
    uint64_t sleep = sleep_ns(shard, wait_ns);
    shard->time_is_told = false;
    shard->handshakes_left = SESSION_TLS_STEPS_PER_TURN;
    net_poll(shard->net, sleep); /* poll: events feed the sessions */
    timer_wheel_advance(&shard->timers, shard_now_ms(shard), fire, NULL);
    if (shard->log != NULL)
        keep_mail(shard);
    retry_waiting(shard);
    if (shard->driver != NULL)
        drive(shard);
    if (shard->draining)
        shut_sessions(shard);
    if (shard->mesh != NULL)
        mesh_flush(shard->mesh, shard->index);
    flush_dirty(shard); /* replies of this turn, one send per connection */
    pace_accepting(shard);
}

/* --------------------------------------------------------------------------- life and death ----
 */

static uint32_t at_least(uint32_t number, uint32_t floor)
{
    return number > floor ? number : floor;
}

/* Working memory follows the number of connections; untouched blocks cost address space only. Who
 * calls out says as much as a receiver hears. */
static enum status init_pools(struct shard *shard)
{
    uint32_t connections = shard->config->connections_max;
    const uint32_t counts[BLOCK_CLASSES] = {
        [BLOCK_1K] = at_least(connections * 2, 256),
        [BLOCK_4K] = at_least(connections * 2, 256),
        [BLOCK_16K] = shard->mesh == NULL ? connections * 2 : at_least(connections / 16, 64),
        [BLOCK_64K] = at_least(connections / 64, 64),
        [BLOCK_512K] = 8,
    };
    enum status status = blocks_init(&shard->blocks, counts);
    if (status == STATUS_OK)
        status = pool_init(&shard->sessions, sizeof(struct session), connections);
    if (status == STATUS_OK)
        status = pool_init(&shard->drafts, sizeof(struct store_draft), connections);
    if (status == STATUS_OK && shard->config->metrics != NULL && shard->index == 0)
        status = pool_init(&shard->scrapes, sizeof(struct session_metrics), SCRAPES_MAX);
    if (shard->config->tls == NULL && shard->config->tls_client == NULL)
        return status;
    if (status == STATUS_OK)
        status = pool_init(&shard->tls_sessions, sizeof(struct session_tls), connections);
    if (status == STATUS_OK)
        status = pool_init(&shard->tls_records, TLS_RECORD_BYTES_MAX, connections);
    return status;
}

static void free_shard(struct shard *shard)
{
    pool_deinit(&shard->tls_records);
    pool_deinit(&shard->tls_sessions);
    pool_deinit(&shard->scrapes);
    pool_deinit(&shard->drafts);
    pool_deinit(&shard->sessions);
    blocks_deinit(&shard->blocks);
    free(shard);
}

enum status shard_open(struct shard **result, const struct shard_config *config, uint32_t index,
                       struct net *net, struct mesh *mesh)
{
    struct shard *shard = calloc(1, sizeof *shard);
    if (shard == NULL)
        return STATUS_SYSTEM;
    *shard = (struct shard){.config = config, .index = index, .net = net, .mesh = mesh};
    enum status status = init_pools(shard);
    if (status != STATUS_OK) {
        free_shard(shard);
        return status;
    }
    timer_wheel_init(&shard->timers, shard_now_ms(shard));
    if (mesh != NULL)
        mesh_attach(mesh, index, net);
    *result = shard;
    return STATUS_OK;
}

enum status shard_listen(struct shard *shard, enum door_kind kind, const union net_address *address,
                         const struct net_listener_options *options, union net_address *bound,
                         struct fault *fault)
{
    static const struct door *const doors[DOOR_KINDS] = {
        [DOOR_SMTP] = &door_smtp,  [DOOR_LMTP] = &door_lmtp,  [DOOR_POP3] = &door_pop3,
        [DOOR_SMTPS] = &door_smtp, [DOOR_POP3S] = &door_pop3, [DOOR_METRICS] = &door_metrics};
    const struct shard_config *config = shard->config;
    if (shard->listeners_count == SHARD_LISTENERS_MAX)
        return fault_set(fault, STATUS_USAGE, "more than %d listeners", SHARD_LISTENERS_MAX);
    INVARIANT(config->tls != NULL || !door_kind_is_secure(kind));
    struct session_listener *listener = &shard->listeners[shard->listeners_count];
    *listener = (struct session_listener){
        .shard = shard, .door = doors[kind], .kind = kind, .pop3 = config->pop3};
    if (config->tls != NULL && !net_address_is_loopback(address))
        listener->pop3.plaintext_login = false;
    enum status status = shard->net->calls->listen(shard->net, address, options, &session_handler,
                                                   listener, bound, fault);
    if (status == STATUS_OK)
        shard->listeners_count++;
    return status;
}

enum status shard_attach(struct shard *shard, struct store *store, struct medium *medium,
                         struct fault *fault)
{
    const struct store_events events = {.link = on_link,
                                        .stored = on_stored,
                                        .expunged = on_expunged,
                                        .opened = on_opened,
                                        .wake = on_wake,
                                        .context = shard};
    shard->store = store;
    return store_log_open(&shard->log, store, shard->index, medium, &events, fault);
}

void shard_drive(struct shard *shard, const struct shard_driver *driver)
{
    shard->driver = driver;
}

void shard_drain(struct shard *shard)
{
    if (shard->draining)
        return;
    shard->draining = true;
    shard->drain_deadline_ns =
        clock_monotonic_ns(shard->config->clock) + shard->config->drain_ms * NS_PER_MS;
    shard->net->calls->unlisten(shard->net);
}

bool shard_is_drained(const struct shard *shard)
{
    return shard->draining && shard->sessions.taken == 0;
}

void shard_close(struct shard *shard)
{
    if (shard->log != NULL)
        store_log_close(shard->log);
    free_shard(shard);
}

const struct shard_counters *shard_counters(const struct shard *shard)
{
    return &shard->counters;
}

void shard_read(const struct shard *shard, struct shard_figures *figures)
{
    counters_copy(&shard->counters, sizeof figures->counters, &figures->counters);
    shard->net->calls->counters(shard->net, &figures->net);
    counters_copy(store_log_counters(shard->log), sizeof figures->store, &figures->store);
}

uint32_t shard_sessions(const struct shard *shard)
{
    return shard->sessions.taken;
}
