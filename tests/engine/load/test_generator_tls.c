/* Loads inside TLS, from the first byte or after STARTTLS, against the real engine. */
#include "engine/load/generator.h"

#include "tests/check_main.h"
#include "tests/engine/load/bed_load.h"
#include "tests/engine/tls_pair.h"

#include <stdlib.h>

enum { MESSAGES = 30, CONNECTIONS = 3 };

static struct bed bed;
static struct tally *tally;

static void set_up(void)
{
    tls_pair_setup();
    tally = calloc(1, sizeof *tally);
    ck_assert_ptr_nonnull(tally);
}

static void tear_down(void)
{
    free(tally);
    tls_pair_teardown();
}

static struct blast_options options_of(enum target_scheme scheme, const char *host)
{
    struct blast_options options;
    struct fault fault;
    blast_options_default(&options);
    options.target.scheme = scheme;
    memcpy(options.target.host, host, strlen(host) + 1);
    options.messages = MESSAGES;
    options.connections = CONNECTIONS;
    options.per_connection = 4;
    ck_assert(distribution_parse("mix:1k*5,100k*1", 1, 1 << 20, &options.size, &fault) ==
              STATUS_OK);
    return options;
}

static void load(enum door_kind door, struct blast_options *options, bool secure)
{
    struct bed_options with = bed_options();
    with.tls = secure ? tls_pair_server : NULL;
    bed_open(&bed, &with);
    bed_load(&bed, door, options, NULL, tally);
    bed_close(&bed);
}

static const struct row {
    enum door_kind door;
    bool starttls, verify, pipeline, chunking;
} rows[] = {
    {DOOR_SMTPS, false, false, false, false}, {DOOR_SMTPS, false, true, true, true},
    {DOOR_SMTP, true, false, false, false},   {DOOR_SMTP, true, true, true, false},
    {DOOR_LMTP, true, true, true, true},
};

START_TEST(mail_goes_inside_tls)
{
    const struct row *row = &rows[_i];
    enum target_scheme scheme = row->door == DOOR_SMTPS  ? TARGET_SMTPS
                                : row->door == DOOR_LMTP ? TARGET_LMTP
                                                         : TARGET_SMTP;
    struct blast_options options = options_of(scheme, "mx.example.test");
    options.starttls = row->starttls;
    options.verify = row->verify;
    options.ca_file = row->verify ? tls_pair_certificate.file : NULL;
    options.pipeline = row->pipeline;
    options.chunking = row->chunking;
    load(row->door, &options, true);
    ck_assert_uint_eq(tally->messages.acked, MESSAGES);
    ck_assert_uint_ge(tally->connected, 8);
    ck_assert_uint_eq(tally->failures[SMTP_CLIENT_FINE], tally->connected);
    ck_assert_uint_eq(tally->latency[TALLY_TLS].count, tally->connected);
    ck_assert_uint_gt(tally->latency[TALLY_TLS].sum, 0);
    ck_assert_uint_eq(tally->latency[TALLY_EHLO].count, tally->connected * (row->starttls ? 2 : 1));
    ck_assert_uint_eq(tally->latency[TALLY_BANNER].count, tally->connected);
}
END_TEST

/* No connection ever takes a message, and after three tries each it is enough. */
START_TEST(without_tls_nothing_goes)
{
    static const struct {
        enum door_kind door;
        enum target_scheme scheme;
        const char *host;
        bool secure;
        enum smtp_client_failure failure;
    } refusals[] = {
        {DOOR_SMTP, TARGET_SMTP, "mx.example.test", false, SMTP_CLIENT_NO_TLS},
        {DOOR_SMTP, TARGET_SMTPS, "mx.example.test", false, SMTP_CLIENT_TLS_FAILED},
        {DOOR_SMTPS, TARGET_SMTPS, "other.example.test", true, SMTP_CLIENT_TLS_FAILED},
        {DOOR_SMTP, TARGET_SMTP, "other.example.test", true, SMTP_CLIENT_TLS_FAILED},
    };
    struct blast_options options = options_of(refusals[_i].scheme, refusals[_i].host);
    options.starttls = refusals[_i].scheme == TARGET_SMTP;
    options.verify = true;
    options.ca_file = tls_pair_certificate.file;
    load(refusals[_i].door, &options, refusals[_i].secure);
    ck_assert_uint_eq(tally->messages.sent, 0);
    ck_assert_uint_eq(tally->connected, CONNECTIONS * GENERATOR_HOPELESS);
    ck_assert_uint_eq(tally->failures[refusals[_i].failure], tally->connected);
    ck_assert_uint_eq(tally->latency[TALLY_TLS].count, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load inside TLS");
    TCase *load_case = tcase_create("load");
    tcase_add_checked_fixture(load_case, set_up, tear_down);
    tcase_add_loop_test(load_case, mail_goes_inside_tls, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(load_case, without_tls_nothing_goes, 0, 4);
    suite_add_tcase(suite, load_case);
    return suite;
}
