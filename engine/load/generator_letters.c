/* What a generator does with its letters: begins them, learns their fate, tries them again. */
#include "engine/load/generator.h"

#include "base/invariant.h"
#include "engine/shard_state.h"

#define ATTEMPT_MS 1000u /* before a letter's second attempt; then twice as long each time */
#define LATE_NS NS_PER_S

static uint64_t now_ns(const struct generator *generator)
{
    shard_tell_time(generator->shard);
    return generator->shard->now_ns;
}

bool generator_is_due(const struct generator *generator)
{
    uint64_t now = now_ns(generator);
    return generator->stopped_ns == 0 && !schedule_is_over(&generator->schedule, now) &&
           schedule_due_ns(&generator->schedule, generator->started) <= now;
}

/* Besides those that letters under way will need at their end. */
static bool ledger_has_room_for(struct generator *generator, uint32_t lines)
{
    return generator->ledger == NULL || ledger_has_room(generator->ledger, generator->index,
                                                        (uint32_t)generator->expected + lines);
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
    struct letter *letter = ledger_has_room_for(generator, 2 * recipients)
                                ? letter_write(generator->desk, generator->shard->wall_ns)
                                : NULL;
    if (letter == NULL) {
        generator->starved = true;
        return NULL;
    }
    uint64_t now = now_ns(generator);
    letter->intended_ns = schedule_is_open(&generator->schedule)
                              ? schedule_intended_ns(&generator->schedule, generator->started)
                              : now;
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
    struct letter *letter = generator->cut ? NULL : generator->again;
    if (letter != NULL) {
        if (!ledger_has_room_for(generator, 2 * letter->message.recipient_count)) {
            generator->starved = true;
            return NULL;
        }
        generator->again = letter->next;
        generator->tally->retries++;
    } else if (generator_is_due(generator)) {
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
    return generator->stopped_ns > 0 && generator->in_flight == 0;
}

static void settle(struct generator *generator, struct letter *letter,
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
    letter->fates |= (uint8_t)(1u << recipient->outcome);
}

/* The best that came of it for any recipient in any attempt, but doubt is worse than a refusal. */
static void settle_message(struct generator *generator, struct letter *letter, uint64_t now)
{
    struct tally *tally = generator->tally;
    if (letter->fates & 1u << SMTP_CLIENT_ACCEPTED) {
        tally->messages.acked++;
        tally->octets += letter->message.octets;
        histogram_record(&tally->latency[TALLY_TOTAL], now - letter->intended_ns);
    } else if (letter->fates & 1u << SMTP_CLIENT_DOUBTFUL) {
        tally->messages.doubtful++;
    } else if (letter->fates & 1u << SMTP_CLIENT_FAILED) {
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
           letter->attempts <= generator->options->retries && !generator->cut;
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

void generator_attempt(void *context, struct timer *timer)
{
    struct generator *generator = context;
    struct letter *letter =
        (struct letter *)(void *)((uint8_t *)timer - offsetof(struct letter, timer));
    letter->next = generator->again;
    generator->again = letter;
}

void generator_cut_attempts(struct generator *generator)
{
    if (!generator->cut) {
        uint64_t last_ms = now_ns(generator) / NS_PER_MS + (ATTEMPT_MS << 7);
        timer_wheel_advance(&generator->attempts, last_ms, generator_attempt, generator);
        generator->cut = true;
    }
    struct letter *letter;
    while ((letter = generator->again) != NULL &&
           ledger_has_room_for(generator, letter->message.recipient_count)) {
        generator->again = letter->next;
        for (uint32_t i = 0; i < letter->message.recipient_count; i++)
            settle(generator, letter, &letter->message.recipients[i]);
        settle_message(generator, letter, now_ns(generator));
    }
}
