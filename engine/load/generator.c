#include "engine/load/generator.h"

#include "base/invariant.h"
#include "engine/shard_state.h"

#include <stdlib.h>

#define BACKOFF_MS 100u
#define BACKOFF_MS_MAX 2000u
#define ATTEMPT_MS 1000u /* before a letter's second attempt; then twice as long each time */
#define LATE_NS NS_PER_S
#define STARVED_NS (NS_PER_MS / 2)
#define TICK_NS (100 * NS_PER_MS) /* how often the time is looked at in any case */
#define SPARE_SESSIONS 64u        /* those that end, while others take their place */
#define SPARE_LETTERS 1024u       /* that wait for another attempt */

static uint64_t now_ns(const struct generator *generator)
{
    shard_tell_time(generator->shard);
    return generator->shard->now_ns;
}

static bool is_open_loop(const struct generator *generator)
{
    return generator->options->rate > 0;
}

/* ------------------------------------------------------------------------------ schedule ---- */

/* The shards share one schedule by turns: shard i has the letters i, i + shards, … */
static uint64_t intended_ns(const struct generator *generator, uint64_t letter)
{
    double place = (double)letter * generator->shards + generator->index;
    return generator->started_ns + (uint64_t)(place / generator->options->rate * (double)NS_PER_S);
}

static bool time_is_up(const struct generator *generator, uint64_t at_ns)
{
    uint64_t duration_ms = generator->options->duration_ms;
    return duration_ms > 0 && generator->started_ns > 0 &&
           at_ns >= generator->started_ns + duration_ms * NS_PER_MS;
}

/* When the next letter of the open loop is due; UINT64_MAX: never. */
static uint64_t next_due_ns(const struct generator *generator)
{
    if (generator->started == generator->quota || generator->started_ns == 0)
        return UINT64_MAX;
    uint64_t due = intended_ns(generator, generator->started);
    return time_is_up(generator, due) ? UINT64_MAX : due;
}

static bool is_due(const struct generator *generator)
{
    if (generator->ended || generator->started_ns == 0 || generator->started == generator->quota)
        return false;
    return !is_open_loop(generator) || next_due_ns(generator) <= now_ns(generator);
}

uint64_t generator_scheduled(const struct generator *generator)
{
    if (generator->started_ns == 0)
        return 0;
    uint64_t until = clock_monotonic_ns(generator->clock);
    uint64_t duration_ns = generator->options->duration_ms * NS_PER_MS;
    if (duration_ns > 0 && until > generator->started_ns + duration_ns)
        until = generator->started_ns + duration_ns;
    double places =
        (double)(until - generator->started_ns) / (double)NS_PER_S * generator->options->rate;
    double ours = (places - generator->index) / generator->shards;
    uint64_t scheduled = ours > 0 ? (uint64_t)ours + 1 : 0;
    return scheduled < generator->quota ? scheduled : generator->quota;
}

/* ------------------------------------------------------------------------------- letters ---- */

/* Every recipient will need a line now and one at its end, and again for every attempt. */
static bool ledger_has_lines_for(struct generator *generator, uint32_t recipients)
{
    return generator->ledger == NULL ||
           ledger_has_room(generator->ledger, generator->index,
                           (uint32_t)generator->expected + 2 * recipients);
}

static void note(struct generator *generator, const struct letter *letter,
                 const struct smtp_client_recipient *recipient, enum ledger_outcome outcome)
{
    if (generator->ledger == NULL)
        return;
    const struct ledger_entry entry = {
        .id = span_of(letter->id, sizeof letter->id),
        .recipient = recipient->path,
        .digest = letter->digest,
        .octets = letter->message.octets,
        .outcome = outcome,
    };
    bool written = ledger_write(generator->ledger, generator->index, &entry);
    INVARIANT(written || ledger_failed(generator->ledger));
}

static void note_sent(struct generator *generator, const struct letter *letter)
{
    for (uint32_t i = 0; i < letter->message.recipient_count; i++)
        note(generator, letter, &letter->message.recipients[i], LEDGER_SENT);
    generator->expected += letter->message.recipient_count;
}

static struct letter *begin_letter(struct generator *generator)
{
    uint32_t recipients = (uint32_t)distribution_max(&generator->options->recipients);
    struct letter *letter = ledger_has_lines_for(generator, recipients)
                                ? letter_write(generator->desk, generator->shard->wall_ns)
                                : NULL;
    if (letter == NULL) {
        generator->starved = true;
        return NULL;
    }
    uint64_t now = now_ns(generator);
    letter->intended_ns =
        is_open_loop(generator) ? intended_ns(generator, generator->started) : now;
    letter->attempts = 0;
    letter->acked = false;
    if (now - letter->intended_ns > LATE_NS)
        generator->late++;
    generator->started++;
    generator->in_flight++;
    generator->tally->messages.sent++;
    generator->tally->recipients.sent += letter->message.recipient_count;
    return letter;
}

struct letter *generator_next(struct generator *generator)
{
    struct letter *letter = generator->again;
    if (letter != NULL) {
        if (!ledger_has_lines_for(generator, letter->message.recipient_count)) {
            generator->starved = true;
            return NULL;
        }
        generator->again = letter->next;
        generator->tally->retries++;
    } else if (is_due(generator)) {
        letter = begin_letter(generator);
    }
    if (letter == NULL)
        return NULL;
    letter->attempts++;
    note_sent(generator, letter);
    return letter;
}

bool generator_has_ended(const struct generator *generator)
{
    return generator->ended && generator->in_flight == 0;
}

static void settle(struct generator *generator, const struct letter *letter,
                   const struct smtp_client_recipient *recipient)
{
    static const uint8_t outcomes[] = {
        [SMTP_CLIENT_ACCEPTED] = LEDGER_ACKED,
        [SMTP_CLIENT_REFUSED] = LEDGER_REFUSED,
        [SMTP_CLIENT_FAILED] = LEDGER_FAILED,
        [SMTP_CLIENT_DOUBTFUL] = LEDGER_DOUBTFUL,
    };
    struct tally_outcomes *tally = &generator->tally->recipients;
    uint64_t *const counts[] = {
        [LEDGER_ACKED] = &tally->acked,
        [LEDGER_REFUSED] = &tally->refused,
        [LEDGER_FAILED] = &tally->failed,
        [LEDGER_DOUBTFUL] = &tally->doubtful,
    };
    enum ledger_outcome outcome = outcomes[recipient->outcome];
    note(generator, letter, recipient, outcome);
    ++*counts[outcome];
}

/* The best that came of it for any recipient, but doubt is worse than a refusal. */
static void settle_message(struct generator *generator, struct letter *letter, uint64_t now)
{
    struct tally *tally = generator->tally;
    unsigned seen = 0;
    for (uint32_t i = 0; i < letter->message.recipient_count; i++)
        seen |= 1u << letter->message.recipients[i].outcome;
    if (letter->acked) {
        tally->messages.acked++;
        tally->octets += letter->message.octets;
        histogram_record(&tally->latency[TALLY_TOTAL], now - letter->intended_ns);
    } else if (seen & 1u << SMTP_CLIENT_DOUBTFUL) {
        tally->messages.doubtful++;
    } else if (seen & 1u << SMTP_CLIENT_FAILED) {
        tally->messages.failed++;
    } else {
        tally->messages.refused++;
    }
    letter_free(generator->desk, letter);
    generator->in_flight--;
}

static bool may_try_again(const struct generator *generator, const struct letter *letter,
                          const struct smtp_client_recipient *recipient)
{
    return recipient->outcome == SMTP_CLIENT_REFUSED && recipient->code / 100 == 4 &&
           letter->attempts <= generator->options->retries && !generator->gave_up;
}

/* Those that were refused for now are kept for another attempt; the others have their fate. */
void generator_done(struct generator *generator, struct letter *letter, uint64_t now)
{
    struct smtp_client_message *message = &letter->message;
    uint32_t kept = 0;
    generator->expected -= message->recipient_count;
    generator->ended_ns = now;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        struct smtp_client_recipient *recipient = &message->recipients[i];
        letter->acked |= recipient->outcome == SMTP_CLIENT_ACCEPTED;
        if (may_try_again(generator, letter, recipient))
            message->recipients[kept++] = *recipient;
        else
            settle(generator, letter, recipient);
    }
    if (kept == 0) {
        settle_message(generator, letter, now);
        return;
    }
    message->recipient_count = kept;
    uint32_t doubled = letter->attempts < 7 ? letter->attempts - 1 : 6;
    timer_set(&generator->attempts, &letter->timer, now / NS_PER_MS + (ATTEMPT_MS << doubled));
}

void generator_heard(struct generator *generator, uint16_t code)
{
    if (code < TALLY_CODES)
        generator->tally->replies[code]++;
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
    if (!is_open_loop(generator) || all_tried || waited)
        generator->started_ns = now;
}

static void give_up_if_hopeless(struct generator *generator)
{
    bool never = generator->ready_ns == 0 && generator->hopeless == generator->senders_count;
    bool lately = generator->ready_ns > 0 && generator->ready == 0 &&
                  now_ns(generator) - generator->ready_ns > GENERATOR_GIVE_UP_MS * NS_PER_MS;
    if (!generator->ended && (never || lately)) {
        generator->gave_up = true;
        generator_end(generator, false);
    }
}

static void attempt_is_due(void *context, struct timer *timer)
{
    struct generator *generator = context;
    struct letter *letter =
        (struct letter *)(void *)((uint8_t *)timer - offsetof(struct letter, timer));
    if (!generator->cut) {
        letter->next = generator->again;
        generator->again = letter;
        return;
    }
    for (uint32_t i = 0; i < letter->message.recipient_count; i++)
        settle(generator, letter, &letter->message.recipients[i]);
    settle_message(generator, letter, now_ns(generator));
}

/* Letters that wait for another attempt will not get it. */
static void cut_attempts(struct generator *generator)
{
    generator->cut = true;
    while (generator->again != NULL) {
        struct letter *letter = generator->again;
        generator->again = letter->next;
        attempt_is_due(generator, &letter->timer);
    }
    uint64_t last_ms = generator->attempts.now_ms + (ATTEMPT_MS << 7);
    timer_wheel_advance(&generator->attempts, last_ms, attempt_is_due, generator);
}

void generator_end(struct generator *generator, bool now)
{
    generator->ended = true;
    if (!generator->cut)
        cut_attempts(generator);
    for (uint32_t i = 0; now && i < generator->senders_count; i++)
        if (generator->senders[i].call.session != NULL)
            net_abort(generator->shard->net, generator->senders[i].call.session->conn);
}

static bool may_offer(struct generator *generator)
{
    return generator->idle != NULL && !generator->starved &&
           (generator->again != NULL || is_due(generator) || generator_has_ended(generator));
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
    if (generator->starved)
        return STARVED_NS;
    uint64_t now = now_ns(generator), due = UINT64_MAX;
    if (is_open_loop(generator) && generator->idle != NULL && !generator->ended)
        due = next_due_ns(generator);
    uint64_t timer_ms = timer_wheel_next_ms(&generator->reconnects);
    uint64_t attempt_ms = timer_wheel_next_ms(&generator->attempts);
    timer_ms = attempt_ms < timer_ms ? attempt_ms : timer_ms;
    if (timer_ms < due / NS_PER_MS)
        due = timer_ms * NS_PER_MS;
    if (due <= now)
        return 0;
    return due - now < TICK_NS ? due - now : TICK_NS;
}

static uint64_t turn(void *context)
{
    struct generator *generator = context;
    uint64_t now = now_ns(generator);
    if (generator->started_ns == 0)
        start(generator);
    timer_wheel_advance(&generator->reconnects, now / NS_PER_MS, absent_again, generator);
    timer_wheel_advance(&generator->attempts, now / NS_PER_MS, attempt_is_due, generator);
    if (time_is_up(generator, now) && !generator->ended)
        generator_end(generator, false);
    if (generator->started == generator->quota)
        generator->ended = true;
    give_up_if_hopeless(generator);
    if (!generator_has_ended(generator))
        connect_absent(generator);
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
    generator->quota = blast->messages > 0 ? share(generator, blast->messages) : UINT64_MAX;
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
