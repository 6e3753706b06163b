/* Loads with options, servers and networks drawn by lot: whatever happens, every run ends, every
 * message and recipient is accounted for once, and ledger, tally and the server's own account
 * agree.
 *
 * A seed that fails is named; the same seed does the same again. */
#include "engine/load/generator.h"

#include "base/random.h"
#include "engine/load/ledger_reader.h"
#include "tests/check_main.h"
#include "tests/engine/load/load_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SEEDS = 240, RUN_MS_MAX = 3600000, FATES_MAX = 512 };

static struct load_bed bed;
static struct random lot;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)random_below(&lot, below);
}

/* -------------------------------------------------------------------------------- by lot ---- */

/* No answers but what can be told apart: two to one question would shift all that follow. */
static struct script_fault draw_fault(void)
{
    static const char *const bad[] = {"421 bye\r\n", "450 later\r\n", "451-not\r\n451 now\r\n",
                                      "550 no\r\n", "554 no\r\n"};
    static const char *const odd[] = {"what?\r\n", "250-a\r\n251 b\r\n", "354 go on\r\n",
                                      "220 hm\r\n", "250-a\r\n250 b\r\n"};
    struct script_fault fault = {
        .point = (enum script_point)(SCRIPT_BANNER + draw(SCRIPT_QUIT)),
        .action = (enum script_action)draw(SCRIPT_RESET + 1),
        .skip = draw(20),
        .times = draw(8),
    };
    if (fault.action == SCRIPT_SAY)
        fault.text = draw(3) > 0 ? bad[draw(5)] : odd[draw(5)];
    if (fault.action == SCRIPT_CLOSE && draw(2))
        fault.text = fault.point == SCRIPT_COMMIT && draw(2) ? "250 taken\r\n" : bad[draw(5)];
    if (fault.point == SCRIPT_BODY && fault.action == SCRIPT_SAY) /* too early for an answer */
        fault = (struct script_fault){SCRIPT_BODY, SCRIPT_CLOSE, bad[0], fault.skip, fault.times};
    return fault;
}

static void draw_blast(struct blast_options *blast)
{
    static const char *const recipients[] = {"1", "2", "1-3", "mix:1*3,5*1"};
    static const char *const sizes[] = {"512", "600-2000", "mix:512*9,40k*1"};
    struct fault fault;
    blast->shards = draw(2) + 1;
    blast->connections = blast->shards + draw(5);
    blast->messages = draw(60) + 1;
    blast->duration_ms = draw(4) == 0 ? draw(3000) + 1 : 0;
    blast->rate = draw(2) * (draw(1000) + 1);
    blast->per_connection = draw(3) == 0 ? draw(5) + 1 : 0;
    blast->retries = draw(3);
    blast->pipeline = draw(2);
    blast->chunking = draw(2);
    blast->timeout_ms = draw(5000) + 500;
    blast->users = 20;
    blast->seed = lot.state;
    ck_assert(distribution_parse(recipients[draw(4)], 1, 100, &blast->recipients, &fault) ==
              STATUS_OK);
    ck_assert(distribution_parse(sizes[draw(3)], 512, 1 << 20, &blast->size, &fault) == STATUS_OK);
}

static struct load_bed_options draw_options(const char *ledger_path)
{
    struct load_bed_options options = load_bed_options();
    options.seed = lot.state;
    options.ledger_path = ledger_path;
    options.latency_ns_min = draw(1000000);
    options.latency_ns_max = options.latency_ns_min + draw(5000000);
    options.segment_bytes_max = draw(4) == 0 ? draw(10) + 1 : 8192;
    options.window_bytes = draw(4) == 0 ? draw(1000) + 100 : 65536;
    options.resets_per_million = draw(3) == 0 ? draw(20000) : 0;
    options.stalls_per_million = draw(3) == 0 ? draw(5000) : 0;
    options.script.lmtp = draw(3) == 0;
    options.script.bare = draw(5) == 0;
    options.script.dribble_ns = draw(5) == 0 ? draw(1000000) : 0;
    options.script.sip_ns = draw(5) == 0 ? draw(1000000) : 0;
    options.script.hold_from_ns = NS_PER_S + draw(1000000000);
    options.script.hold_ns = draw(3) == 0 ? draw(2000000000) : 0;
    options.script.refuse_from_ns = NS_PER_S + draw(1000000000);
    options.script.refuse_ns = draw(5) == 0 ? draw(2000000000) : 0;
    for (uint32_t i = draw(SCRIPT_FAULTS_MAX + 1); i > 0; i--)
        options.script.faults[i - 1] = draw_fault();
    draw_blast(&options.blast);
    return options;
}

/* One in four is ended from outside, in order or at once. */
static void run(const struct load_bed_options *options)
{
    load_bed_open(&bed, options);
    if (draw(4) == 0) {
        bool now = draw(2);
        load_bed_run_until(&bed, bed.opened_ns + draw(2000000000));
        for (uint32_t i = 0; i < bed.shards_count; i++)
            generator_end(&bed.shards[i].generator, now);
    }
    ck_assert(load_bed_run(&bed, RUN_MS_MAX));
    load_bed_end(&bed);
}

/* ---------------------------------------------------------------------------- the ledger ---- */

struct fate { /* of a message, for one recipient */
    char id[LETTER_ID_BYTES];
    uint32_t user;
    uint64_t digest, octets;
    uint32_t counts[LEDGER_OUTCOMES];
};

static struct fate fates[FATES_MAX];
static uint32_t fates_count;

static struct fate *fate_of(const struct ledger_entry *entry)
{
    unsigned user = 0;
    if (entry->id.size != LETTER_ID_BYTES ||
        sscanf((const char *)entry->recipient.data, "user%u@", &user) != 1)
        ck_abort_msg("a strange line");
    for (uint32_t i = fates_count; i-- > 0;)
        if (fates[i].user == user && memcmp(fates[i].id, entry->id.data, LETTER_ID_BYTES) == 0)
            return &fates[i];
    if (fates_count == FATES_MAX)
        ck_abort_msg("too many lines");
    struct fate *fate = &fates[fates_count++];
    *fate = (struct fate){.user = user, .digest = entry->digest, .octets = entry->octets};
    memcpy(fate->id, entry->id.data, LETTER_ID_BYTES);
    return fate;
}

static void read_ledger(const char *path)
{
    struct ledger_reader *reader;
    struct ledger_entry entry;
    struct fault fault;
    bool more = true;
    fates_count = 0;
    ck_assert(ledger_reader_open(&reader, path, &fault) == STATUS_OK);
    for (;;) {
        ck_assert(ledger_reader_next(reader, &entry, &more, &fault) == STATUS_OK);
        if (!more)
            break;
        struct fate *fate = fate_of(&entry);
        fate->counts[entry.outcome]++;
        if (fate->digest != entry.digest || fate->octets != entry.octets)
            ck_abort_msg("a message that changes");
    }
    ledger_reader_close(reader);
}

/* ------------------------------------------------------------------------------ agreeing ---- */

static enum ledger_outcome end_of(const struct fate *fate)
{
    enum ledger_outcome end = LEDGER_SENT;
    for (enum ledger_outcome outcome = LEDGER_ACKED; outcome < LEDGER_OUTCOMES; outcome++) {
        if (fate->counts[outcome] == 0)
            continue;
        if (end != LEDGER_SENT || fate->counts[outcome] > 1)
            ck_abort_msg("more than one end");
        end = outcome;
    }
    return end;
}

/* What the server had whole, and what it said yes to, is what we say of it. */
static const char *disagreement(const struct fate *fate)
{
    const struct script_copy *copy =
        scripted_server_find(&bed.server, span_of(fate->id, sizeof fate->id), fate->user);
    uint32_t ended = copy != NULL ? copy->ended : 0, taken = copy != NULL ? copy->taken : 0;
    uint32_t attempts = fate->counts[LEDGER_SENT];
    if (copy != NULL && (copy->digest != fate->digest || copy->octets != fate->octets))
        return "another message came";
    if (attempts == 0 || ended > attempts)
        return "more came than was sent";
    switch (end_of(fate)) {
    case LEDGER_ACKED:
        return taken == 1 ? NULL : "acked, but not taken once";
    case LEDGER_REFUSED:
        return taken == 0 ? NULL : "refused, but taken";
    case LEDGER_FAILED:
        return taken == 0 && ended < attempts ? NULL : "failed, but it came to its end";
    case LEDGER_DOUBTFUL:
        return taken <= 1 ? NULL : "in doubt, and taken twice";
    default:
        return "without an end";
    }
}

/* As the tally should have counted a message: the best of it, doubt before failure and refusal. */
static void count_message(const struct fate *first, struct tally_outcomes *messages)
{
    bool seen[LEDGER_OUTCOMES] = {0};
    for (const struct fate *fate = first; fate < fates + fates_count; fate++)
        if (memcmp(fate->id, first->id, sizeof fate->id) == 0)
            seen[end_of(fate)] = true;
    messages->sent++;
    if (seen[LEDGER_ACKED])
        messages->acked++;
    else if (seen[LEDGER_DOUBTFUL])
        messages->doubtful++;
    else if (seen[LEDGER_FAILED])
        messages->failed++;
    else
        messages->refused++;
}

static bool is_first_of_message(const struct fate *fate)
{
    for (const struct fate *other = fates; other < fate; other++)
        if (memcmp(fate->id, other->id, sizeof fate->id) == 0)
            return false;
    return true;
}

static void check_agreement(uint64_t seed)
{
    struct tally_outcomes messages = {0}, recipients = {.sent = fates_count};
    uint64_t *const counts[] = {[LEDGER_ACKED] = &recipients.acked,
                                [LEDGER_REFUSED] = &recipients.refused,
                                [LEDGER_FAILED] = &recipients.failed,
                                [LEDGER_DOUBTFUL] = &recipients.doubtful};
    uint32_t taken = 0, came = 0;
    for (const struct fate *fate = fates; fate < fates + fates_count; fate++) {
        const char *what = disagreement(fate);
        ck_assert_msg(what == NULL, "seed %lu: %.32s to %u: %s", (unsigned long)seed, fate->id,
                      fate->user, what);
        ++*counts[end_of(fate)];
        if (is_first_of_message(fate))
            count_message(fate, &messages);
        const struct script_copy *copy =
            scripted_server_find(&bed.server, span_of(fate->id, sizeof fate->id), fate->user);
        came += copy != NULL;
        taken += copy != NULL ? copy->taken : 0;
    }
    ck_assert_msg(memcmp(&messages, &bed.total->messages, sizeof messages) == 0 &&
                      memcmp(&recipients, &bed.total->recipients, sizeof recipients) == 0,
                  "seed %lu: ledger and tally differ", (unsigned long)seed);
    ck_assert_msg(came == bed.server.copies_count, "seed %lu: something came that was not sent",
                  (unsigned long)seed);
    ck_assert_uint_le(recipients.acked, taken);
    ck_assert_uint_le(taken, recipients.acked + recipients.doubtful);
}

START_TEST(every_message_is_accounted_for)
{
    char path[64];
    uint64_t acked = 0, all = 0;
    for (uint64_t seed = (uint64_t)_i; seed < SEEDS; seed += 4) {
        lot.state = seed;
        int file = memfd_create("ledger", 0);
        ck_assert_int_ge(file, 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        const struct load_bed_options options = draw_options(path);
        run(&options);
        read_ledger(path);
        check_agreement(seed);
        acked += bed.total->messages.acked;
        all += bed.total->messages.sent;
        load_bed_close(&bed);
        close(file);
    }
    ck_assert_uint_gt(acked, all / 4); /* else the lot is not worth drawing */
    ck_assert_uint_lt(acked, all * 9 / 10);
}
END_TEST

START_TEST(the_same_seed_does_the_same)
{
    struct tally *before = malloc(sizeof *before);
    ck_assert_ptr_nonnull(before);
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        for (int again = 0; again < 2; again++) {
            lot.state = seed;
            const struct load_bed_options options = draw_options(NULL);
            run(&options);
            ck_assert(again == 0 || memcmp(before, bed.total, sizeof *before) == 0);
            *before = *bed.total;
            load_bed_close(&bed);
        }
    }
    free(before);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load by lot");
    TCase *load = tcase_create("load");
    tcase_set_timeout(load, 60);
    tcase_add_loop_test(load, every_message_is_accounted_for, 0, 4);
    tcase_add_test(load, the_same_seed_does_the_same);
    suite_add_tcase(suite, load);
    return suite;
}
