#include "engine/load/generator.h"

#include "base/invariant.h"
#include "engine/shard_state.h"

#include <stdlib.h>

#define BACKOFF_MS 100u
#define BACKOFF_MS_MAX 2000u
#define STARVED_NS (NS_PER_MS / 2)
#define TICK_NS (100 * NS_PER_MS) /* how often the time is looked at in any case */
#define SPARE_SESSIONS 64u        /* those that end, while others take their place */
#define SPARE_LETTERS 1024u       /* that wait for another attempt */

static uint64_t now_ns(const struct generator *generator)
{
    shard_tell_time(generator->shard);
    return generator->shard->now_ns;
}

/* --------------------------------------------------------------------------- connections ---- */

void generator_idle(struct generator *generator, struct sender *sender)
{
    if (sender->idle)
        return;
    sender->idle = true;
    sender->next_idle = NULL;
    if (generator->idle == NULL)
        generator->idle = sender;
    else
        generator->last_idle->next_idle = sender;
    generator->last_idle = sender;
}

static void tried(struct generator *generator, struct sender *sender)
{
    generator->tried += !sender->tried;
    sender->tried = true;
}

void generator_connected(struct generator *generator)
{
    generator->connecting--;
    generator->up++;
    generator->tally->connected++;
}

void generator_ready(struct generator *generator, struct sender *sender)
{
    if (sender->ready)
        return;
    tried(generator, sender);
    sender->ready = true;
    generator->ready++;
    generator->ready_ns = now_ns(generator);
    if (sender->failures >= GENERATOR_HOPELESS)
        generator->hopeless--;
    sender->failures = 0;
}

static void connect_later(struct generator *generator, struct sender *sender)
{
    uint32_t doubled = sender->failures < 6 ? sender->failures : 6;
    uint32_t wait_ms = doubled > 0 ? BACKOFF_MS << (doubled - 1) : 0;
    if (wait_ms > BACKOFF_MS_MAX)
        wait_ms = BACKOFF_MS_MAX;
    timer_set(&generator->reconnects, &sender->timer, now_ns(generator) / NS_PER_MS + wait_ms);
}

void generator_closed(struct generator *generator, struct sender *sender, bool connected)
{
    bool fine = connected && smtp_client_failure(&sender->client) == SMTP_CLIENT_FINE;
    tried(generator, sender);
    if (sender->ready) {
        generator->ready--;
        generator->ready_ns = now_ns(generator);
    }
    sender->ready = false;
    if (connected) {
        generator->up--;
        generator->tally->failures[smtp_client_failure(&sender->client)]++;
    } else {
        generator->connecting--;
        generator->tally->unconnected++;
    }
    if (!fine && ++sender->failures == GENERATOR_HOPELESS)
        generator->hopeless++;
    connect_later(generator, sender);
}

static void absent_again(void *context, struct timer *timer)
{
    struct generator *generator = context;
    struct sender *sender =
        (struct sender *)(void *)((uint8_t *)timer - offsetof(struct sender, timer));
    sender->next_absent = generator->absent;
    generator->absent = sender;
}

static void connect_absent(struct generator *generator)
{
    const struct blast_options *options = generator->options;
    while (generator->absent != NULL && generator->connecting < GENERATOR_CONNECTING_MAX) {
        struct sender *sender = generator->absent;
        size_t place = (size_t)(sender - generator->senders) * generator->shards + generator->index;
        const union net_address *source =
            options->sources_count > 0 ? &options->sources[place % options->sources_count] : NULL;
        if (!sender_connect(sender, source))
            break; /* sessions that have ended are not all given back yet */
        generator->absent = sender->next_absent;
        generator->connecting++;
    }
}

/* ------------------------------------------------------------------------------ the turn ---- */

static void start(struct generator *generator)
{
    uint64_t now = now_ns(generator);
    if (generator->begun_ns == 0)
        generator->begun_ns = now;
    bool all_tried = generator->tried == generator->senders_count;
    bool waited = now - generator->begun_ns >= GENERATOR_START_MS * NS_PER_MS;
    if (!schedule_is_open(&generator->schedule) || all_tried || waited)
        generator->schedule.started_ns = now;
}

static void give_up_if_hopeless(struct generator *generator)
{
    bool never = generator->ready_ns == 0 && generator->hopeless == generator->senders_count;
    bool lately = generator->ready_ns > 0 && generator->ready == 0 &&
                  now_ns(generator) - generator->ready_ns > GENERATOR_GIVE_UP_MS * NS_PER_MS;
    bool waiting = !generator->cut && !generator_has_ended(generator); /* if only for an attempt */
    if (waiting && (never || lately)) {
        generator->gave_up = true;
        generator_end(generator, false);
    }
}

/* Begins no more letters; between turns, too, when the shard's time is that of the last one. */
static void stop(struct generator *generator)
{
    if (generator->stopped_ns == 0)
        generator->stopped_ns = clock_monotonic_ns(generator->clock);
}

void generator_end(struct generator *generator, bool now)
{
    stop(generator);
    generator_cut_attempts(generator);
    for (uint32_t i = 0; now && i < generator->senders_count; i++)
        if (generator->senders[i].call.session != NULL)
            net_abort(generator->shard->net, generator->senders[i].call.session->conn);
}

/* Connections that are not up yet, or no more, are all that is left. */
static void hurry(struct generator *generator)
{
    generator->hurried = true;
    for (uint32_t i = 0; i < generator->senders_count; i++)
        sender_hurry(&generator->senders[i]);
}

static bool may_offer(struct generator *generator)
{
    return generator->idle != NULL && !generator->starved &&
           ((generator->again != NULL && !generator->cut) || generator_is_due(generator) ||
            generator_has_ended(generator));
}

static void offer(struct generator *generator)
{
    generator->starved = false;
    while (may_offer(generator)) {
        struct sender *sender = generator->idle;
        generator->idle = sender->next_idle;
        sender->idle = false;
        sender_offer(sender);
    }
}

static uint64_t wait_ns(struct generator *generator)
{
    if (generator->starved || (generator->cut && generator->again != NULL))
        return STARVED_NS;
    uint64_t now = now_ns(generator), due = UINT64_MAX;
    if (schedule_is_open(&generator->schedule) && generator->idle != NULL &&
        generator->stopped_ns == 0)
        due = schedule_due_ns(&generator->schedule, generator->started);
    uint64_t timer_ms = timer_wheel_next_ms(&generator->reconnects);
    uint64_t attempt_ms = timer_wheel_next_ms(&generator->attempts);
    timer_ms = attempt_ms < timer_ms ? attempt_ms : timer_ms;
    if (timer_ms < due / NS_PER_MS)
        due = timer_ms * NS_PER_MS;
    uint64_t over = schedule_over_ns(&generator->schedule);
    if (generator->stopped_ns == 0 && over < due)
        due = over;
    if (due <= now)
        return 0;
    return due - now < TICK_NS ? due - now : TICK_NS;
}

static uint64_t turn(void *context)
{
    struct generator *generator = context;
    uint64_t now = now_ns(generator);
    if (generator->schedule.started_ns == 0)
        start(generator);
    timer_wheel_advance(&generator->reconnects, now / NS_PER_MS, absent_again, generator);
    if (generator->cut)
        generator_cut_attempts(generator);
    else
        timer_wheel_advance(&generator->attempts, now / NS_PER_MS, generator_attempt, generator);
    if (schedule_is_over(&generator->schedule, now) && generator->stopped_ns == 0)
        generator_end(generator, false);
    if (generator->started == generator->schedule.quota)
        stop(generator);
    give_up_if_hopeless(generator);
    if (!generator_has_ended(generator))
        connect_absent(generator);
    else if (!generator->hurried)
        hurry(generator);
    offer(generator);
    return wait_ns(generator);
}

void generator_turn(struct generator *generator, uint64_t most_ns)
{
    shard_turn(generator->shard, most_ns);
}

bool generator_is_over(const struct generator *generator)
{
    return generator_has_ended(generator) && generator->up == 0 && generator->connecting == 0;
}

uint64_t generator_end_ns(const struct generator *generator)
{
    const struct schedule *schedule = &generator->schedule;
    uint64_t answered_ns = generator->ended_ns > 0 ? generator->ended_ns : generator->stopped_ns;
    uint64_t over_ns = schedule_is_open(schedule)
                           ? schedule_end_ns(schedule, generator->started, generator->stopped_ns)
                           : 0;
    return answered_ns > over_ns ? answered_ns : over_ns;
}

uint64_t generator_late(const struct generator *generator, uint64_t *due)
{
    const struct schedule *schedule = &generator->schedule;
    uint64_t begun = generator->started;
    uint64_t before =
        schedule_is_open(schedule) ? schedule_due_count(schedule, generator->stopped_ns) : 0;
    *due = before > begun ? before : begun;
    return generator->late + (*due - begun);
}

/* -------------------------------------------------------------------------- life and death ---- */

static void configure(struct generator *generator)
{
    const struct blast_options *options = generator->options;
    enum target_scheme scheme = options->target.scheme;
    generator->plan = (struct call_plan){
        .door = scheme == TARGET_LMTP ? &sender_lmtp_door : &sender_door,
        .address = &options->target.address,
        .host = options->target.host,
        .secure = scheme == TARGET_SMTPS,
    };
    generator->client = (struct smtp_client_config){
        .hello = span_text(options->hello),
        .lmtp = scheme == TARGET_LMTP,
        .starttls = options->starttls,
        .pipeline = options->pipeline,
        .chunking = options->chunking,
        .host = &sender_host,
    };
    if (options->user != NULL)
        generator->client.credentials = (struct credentials){
            .user = span_text(options->user), .password = span_text(options->password)};
    generator->config = (struct shard_config){
        .connections_max = generator->senders_count + SPARE_SESSIONS,
        .clock = generator->clock,
    };
    uint64_t timeout_ms = options->timeout_ms;
    generator->timeout_ms = timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX;
    generator->driver = (struct shard_driver){.turn = turn, .context = generator};
}

static enum status open_tls(struct generator *generator, struct fault *fault)
{
    const struct blast_options *options = generator->options;
    if (!options->starttls && options->target.scheme != TARGET_SMTPS)
        return STATUS_OK;
    const struct tls_client_options tls = {.verify = options->verify, .ca_file = options->ca_file};
    return tls_client_open(&generator->config.tls_client, &tls, fault);
}

/* This shard's share of a whole. */
static uint64_t share(const struct generator *generator, uint64_t whole)
{
    return whole / generator->shards + (generator->index < whole % generator->shards);
}

enum status generator_open(struct generator *generator, const struct generator_options *options,
                           struct net *net, struct tally *tally, struct fault *fault)
{
    const struct blast_options *blast = options->blast;
    *generator = (struct generator){
        .options = blast,
        .ledger = options->ledger,
        .index = options->index,
        .shards = options->shards,
        .clock = options->clock,
        .tally = tally,
    };
    generator->schedule = (struct schedule){
        .rate = blast->rate,
        .index = options->index,
        .shards = options->shards,
        .duration_ns = blast->duration_ms * NS_PER_MS,
        .quota = blast->messages > 0 ? share(generator, blast->messages) : UINT64_MAX,
    };
    generator->senders_count = (uint32_t)share(generator, blast->connections);
    configure(generator);
    generator->senders = calloc(generator->senders_count, sizeof *generator->senders);
    enum status status = generator->senders == NULL
                             ? fault_set(fault, STATUS_SYSTEM, "no memory for %u connections",
                                         generator->senders_count)
                             : open_tls(generator, fault);
    uint32_t window = blast->pipeline ? SENDER_WINDOW : 1;
    if (status == STATUS_OK)
        status = letter_desk_open(&generator->desk, options->letters, generator->index,
                                  generator->senders_count * window + SPARE_LETTERS, fault);
    if (status == STATUS_OK &&
        shard_open(&generator->shard, &generator->config, 0, net, NULL) != STATUS_OK)
        status = fault_set(fault, STATUS_SYSTEM, "no memory for a shard's sessions");
    if (status != STATUS_OK)
        return status;
    shard_drive(generator->shard, &generator->driver);
    uint64_t now_ms = clock_monotonic_ns(generator->clock) / NS_PER_MS;
    timer_wheel_init(&generator->reconnects, now_ms);
    timer_wheel_init(&generator->attempts, now_ms);
    for (uint32_t i = generator->senders_count; i-- > 0;) {
        struct sender *sender = &generator->senders[i];
        sender->generator = generator;
        absent_again(generator, &sender->timer);
    }
    return STATUS_OK;
}

void generator_close(struct generator *generator)
{
    if (generator->shard != NULL)
        shard_close(generator->shard);
    if (generator->config.tls_client != NULL)
        tls_client_close(generator->config.tls_client);
    if (generator->desk != NULL)
        letter_desk_close(generator->desk);
    free(generator->senders);
}
