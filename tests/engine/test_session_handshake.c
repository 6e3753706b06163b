/* How a session's TLS begins: nothing said in clear is executed after it or answered before it, and
 * peers that play with the handshake cost others neither memory nor their turn. */
#include "engine/session_tls.h"

#include "tests/check_main.h"
#include "tests/engine/secure_client.h"

#define BOX "box@bed.test"

enum { CROWD = 60 };

static struct bed bed;
static struct tls_client *from;
static struct secure_client secure, crowd[CROWD];

static void open_bed(void)
{
    const struct bed_options options = bed_options();
    from = secure_bed_open(&bed, &options);
}

static void close_bed(void)
{
    secure_bed_close(&bed, from);
}

static const struct shard_counters *counters(void)
{
    return shard_counters(bed.shards[0]);
}

/* ----------------------------------------------------------------------- said in clear ---- */

static const uint32_t segments[] = {1, 5, 100, 8192};
enum { SEGMENTS = sizeof segments / sizeof segments[0] };

static const struct {
    enum door_kind door;
    const char *words, *answer, *question, *refusal;
} injections[] = {
    {DOOR_SMTP, "EHLO c\r\nSTARTTLS\r\nEHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\n",
     "220 2.0.0", "DATA\r\n", "503 "},
    {DOOR_LMTP, "LHLO c\r\nSTARTTLS\r\nLHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\n",
     "220 2.0.0", "DATA\r\n", "503 "},
    {DOOR_POP3, "USER " BOX "\r\nSTLS\r\nUSER " BOX "\r\nPASS x\r\n", "+OK", "PASS x\r\n", "-ERR"},
};
enum { INJECTIONS = sizeof injections / sizeof injections[0] };

/* What comes with the command is dropped; what comes later is no hello. */
START_TEST(what_is_said_in_clear_is_never_executed)
{
    struct bed_options options = bed_options();
    options.segment_bytes_max = segments[_i % SEGMENTS];
    from = secure_bed_open(&bed, &options);
    uint32_t which = (uint32_t)_i / SEGMENTS;
    struct client *client = bed_greet(&bed, injections[which].door);
    bed_say(client, "%s", injections[which].words);
    ck_assert(bed_hears(client, injections[which].answer));
    bed_run(&bed, 1000);
    if (client->ended) {
        ck_assert_uint_eq(counters()->tls_failures, 1);
    } else {
        secure_begin(&secure, client, from);
        ck_assert(secure_is_up(&secure));
        secure_say(&secure, "%s", injections[which].question);
        ck_assert(secure_hears(&secure, injections[which].refusal));
        ck_assert_uint_eq(secure.at, strlen(injections[which].refusal)); /* nothing before it */
        secure_close(&secure);
    }
    ck_assert_uint_eq(counters()->messages_stored + counters()->logins, 0);
    close_bed();
}
END_TEST

START_TEST(clear_text_is_answered_by_nothing_in_clear)
{
    struct client *client = bed_connect(&bed, _i == 0 ? DOOR_SMTPS : DOOR_POP3S);
    bed_run(&bed, 1000);
    ck_assert_uint_eq(client->size, 0); /* the banner waits */
    bed_say(client, "EHLO c\r\nQUIT\r\n");
    ck_assert(bed_ends(client, 1000));
    ck_assert(client->size < 16 && memchr(client->input, ' ', client->size) == NULL);
    bed_run(&bed, 100);
    ck_assert_uint_eq(counters()->tls_failures, 1);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    ck_assert_uint_eq(secure_bed_buffers(&bed), 0);
}
END_TEST

/* ----------------------------------------------------------------------- at length ---- */

/* Silent, or a byte of a long hello now and then. */
START_TEST(a_handshake_has_a_minute)
{
    static const uint8_t record[64] = {22, 3, 1, 2, 0, 1};
    struct client *client =
        _i % 2 == 0 ? bed_connect(&bed, DOOR_SMTPS) : bed_greet(&bed, DOOR_SMTP);
    if (_i % 2 == 1) {
        bed_say(client, "EHLO c\r\nSTARTTLS\r\n");
        ck_assert(bed_hears(client, "220 2.0.0 Ready to start TLS\r\n"));
    }
    size_t before = client->size;
    for (int i = 0; i < 59; i++) {
        if (_i >= 2)
            bed_send(client, span_of(record + i, 1));
        bed_run(&bed, 1000);
        ck_assert(!client->ended);
    }
    while (counters()->timeouts == 0 && !client->ended)
        bed_step(&bed);
    ck_assert_uint_eq(secure_bed_buffers(&bed), 0); /* not even until the peer has closed, too */
    ck_assert(bed_ends(client, 3000));
    bed_run(&bed, 100);
    ck_assert_uint_eq(client->size, before); /* no word in clear */
    ck_assert_uint_eq(bed_sessions(&bed), 0);
}
END_TEST

/* A hello of 128 KiB, as long as OpenSSL would take. */
START_TEST(a_hello_without_end_is_not_kept)
{
    static const uint8_t zeros[16380];
    static const uint8_t header[] = {22, 3, 1, 0x40, 0}, hello[] = {1, 2, 1, 0x40};
    struct client *client = bed_connect(&bed, DOOR_SMTPS);
    int records = 0;
    for (; records < 8 && !client->ended; records++) {
        bed_send(client, span_of(header, sizeof header));
        bed_send(client, span_of(hello, sizeof hello));
        bed_send(client, span_of(zeros, sizeof zeros));
        bed_run(&bed, 100);
    }
    ck_assert_int_le(records, 2);
    bed_run(&bed, 100);
    ck_assert_uint_eq(counters()->tls_failures, 1);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    ck_assert_uint_eq(secure_bed_buffers(&bed), 0);
}
END_TEST

START_TEST(a_drain_waits_for_no_handshake)
{
    struct client *silent = bed_connect(&bed, DOOR_SMTPS);
    bed_run(&bed, 100);
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    ck_assert(secure_hears(&secure, "220 "));
    shard_drain(bed.shards[0]);
    ck_assert(secure_hears(&secure, "421 4.3.2"));
    ck_assert(secure_ends_well(&secure));
    ck_assert(bed_ends(silent, 1000));
    bed_run(&bed, 100);
    ck_assert(shard_is_drained(bed.shards[0]));
    secure_close(&secure);
}
END_TEST

/* The shard sits most rounds out, so that many come to each of its turns. */
START_TEST(handshakes_of_a_crowd_are_shared_out_among_turns)
{
    bed.idle_per_thousand = 995;
    for (int i = 0; i < CROWD; i++)
        secure_begin(&crowd[i], bed_connect(&bed, i % 2 ? DOOR_SMTPS : DOOR_POP3S), from);
    uint64_t done = 0, turns_with_most = 0;
    while (done < CROWD) {
        bed_step(&bed);
        uint64_t now = counters()->tls_handshakes;
        ck_assert_uint_le(now - done, SESSION_TLS_STEPS_PER_TURN);
        turns_with_most += now - done == SESSION_TLS_STEPS_PER_TURN;
        done = now;
        for (int i = 0; i < CROWD; i++)
            secure_read(&crowd[i]);
    }
    ck_assert_uint_gt(turns_with_most, 0); /* else nothing was put to the test */
    for (int i = 0; i < CROWD; i++) {
        ck_assert(secure_hears(&crowd[i], "mx.bed.test"));
        secure_close(&crowd[i]);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("session_handshake");
    TCase *cut = tcase_create("segments");
    tcase_set_timeout(cut, 60);
    tcase_add_loop_test(cut, what_is_said_in_clear_is_never_executed, 0, SEGMENTS * INJECTIONS);
    suite_add_tcase(suite, cut);
    TCase *tests = tcase_create("handshake");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, open_bed, close_bed);
    tcase_add_loop_test(tests, clear_text_is_answered_by_nothing_in_clear, 0, 2);
    tcase_add_loop_test(tests, a_handshake_has_a_minute, 0, 4);
    tcase_add_test(tests, a_hello_without_end_is_not_kept);
    tcase_add_test(tests, a_drain_waits_for_no_handshake);
    tcase_add_test(tests, handshakes_of_a_crowd_are_shared_out_among_turns);
    suite_add_tcase(suite, tests);
    return suite;
}
