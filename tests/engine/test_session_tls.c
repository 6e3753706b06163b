/* What a session inside TLS must never do: spin or wait for ever, lose or repeat anything, or keep
 * what it no longer needs. */
#include "engine/session_tls.h"

#include "tests/check_main.h"
#include "tests/engine/secure_client.h"

#include <openssl/ssl.h>
#include <stdio.h>

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

/* Little fits between a peer that writes and one that does not read. */
static void open_narrow_bed(void)
{
    struct bed_options options = bed_options();
    options.window_bytes = 4096;
    from = secure_bed_open(&bed, &options);
}

/* Every operation of the disk takes ten seconds, so the log is soon out of room. */
static void open_slow_bed(void)
{
    struct bed_options options = bed_options();
    options.disk_ns = 10 * NS_PER_S;
    options.staging_bytes = 64 << 10;
    from = secure_bed_open(&bed, &options);
}

static void open_cutting_bed(uint32_t segment_bytes_max)
{
    struct bed_options options = bed_options();
    options.segment_bytes_max = segment_bytes_max;
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

static void begin_message(const char *hello)
{
    secure_say(&secure, "%s c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\nDATA\r\n", hello);
    ck_assert(secure_hears(&secure, "354"));
}

static void quit(struct secure_client *client)
{
    secure_say(client, "QUIT\r\n");
    ck_assert(secure_ends_well(client));
    secure_close(client);
}

/* Numbered, so that none can be missing or come twice. */
static void say_lines(uint32_t lines)
{
    for (uint32_t i = 0; i < lines; i++)
        secure_say(&secure, "%0900u\r\n", i);
}

static void expect_lines(uint32_t lines)
{
    for (uint32_t i = 0; i < lines; i++) {
        char line[1000];
        snprintf(line, sizeof line, "%0900u\r\n", i);
        size_t before = secure.at;
        ck_assert_msg(secure_hears(&secure, line), "line %u", i);
        ck_assert(i == 0 || secure.at - before == strlen(line));
    }
    ck_assert(secure_hears(&secure, ".\r\n"));
}

static void request_new_keys(struct output *out)
{
    ck_assert_int_eq(SSL_key_update(secure.tls.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    secure.tls.sealed = out;
    ck_assert_int_eq(SSL_do_handshake(secure.tls.ssl), 1);
    secure.tls.sealed = NULL;
}

/* ----------------------------------------------------------------- whatever the segments ---- */

static const uint32_t segments[] = {1, 2, 5, 100, 8192};
enum { SEGMENTS = sizeof segments / sizeof segments[0] };

START_TEST(mail_comes_and_goes_in_records_cut_anywhere)
{
    open_cutting_bed(segments[_i]);
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    begin_message("EHLO");
    secure_say(&secure, "Subject: in records\r\n\r\n");
    say_lines(30);
    secure_say(&secure, ".\r\n");
    ck_assert(secure_hears(&secure, "250 2.0.0 queued"));
    quit(&secure);
    secure_upgrade(&secure, &bed, DOOR_LMTP, from);
    begin_message("LHLO");
    secure_say(&secure, ".\r\nNOOP\r\n");
    ck_assert(secure_hears(&secure, "250 2.0.0 queued"));
    quit(&secure);
    secure_connect(&secure, &bed, DOOR_POP3S, from);
    secure_say(&secure, "USER " BOX "\r\nPASS x\r\nRETR 1\r\nLIST\r\n");
    ck_assert(secure_hears(&secure, "Subject: in records\r\n\r\n"));
    expect_lines(30);
    ck_assert(secure_hears(&secure, "\r\n2 "));
    quit(&secure);
    bed_run(&bed, 100);
    ck_assert_uint_eq(counters()->tls_handshakes, 3);
    ck_assert_uint_eq(counters()->tls_failures, 0);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    close_bed();
}
END_TEST

/* --------------------------------------------------------------------------------- memory ---- */

START_TEST(an_idle_session_in_tls_holds_no_buffer)
{
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    secure_say(&secure, "EHLO c\r\n");
    ck_assert(secure_hears(&secure, "250 "));
    secure_upgrade(&crowd[0], &bed, DOOR_POP3, from);
    secure_say(&crowd[0], "USER " BOX "\r\nPASS x\r\n");
    ck_assert(secure_hears(&crowd[0], "+OK 0 messages"));
    bed_run(&bed, 1000);
    ck_assert_uint_eq(secure_bed_buffers(&bed), 0);
    secure_close(&secure);
    secure_close(&crowd[0]);
}
END_TEST

START_TEST(peers_in_tls_that_never_read_leave_room_for_others)
{
    for (int i = 0; i < CROWD; i++) {
        secure_connect(&crowd[i], &bed, DOOR_SMTPS, from);
        bed_deafen(crowd[i].client, true);
    }
    for (int k = 0; k < 300; k++) {
        for (int i = 0; i < CROWD; i++)
            secure_say(&crowd[i], "NOOP\r\n");
        bed_run(&bed, 10);
    }
    bed_deliver(&bed, BOX, 10000);
    secure_connect(&secure, &bed, DOOR_POP3S, from);
    secure_say(&secure, "USER " BOX "\r\nPASS x\r\nRETR 1\r\n");
    ck_assert(secure_hears(&secure, "\r\n.\r\n"));
    quit(&secure);
    for (int i = 0; i < CROWD; i++) {
        ck_assert(!crowd[i].client->over);
        bed_abort(crowd[i].client);
        secure_close(&crowd[i]);
    }
}
END_TEST

/* Each is answered by a record of TLS's own, past the protocol. */
START_TEST(requests_for_new_keys_are_bounded_like_replies)
{
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    ck_assert(secure_hears(&secure, "220 "));
    bed_deafen(secure.client, true);
    uint32_t most = 0;
    for (int i = 0; i < 2000; i++) {
        struct output out = {.data = (uint8_t[256]){0}, .capacity = 256};
        request_new_keys(&out);
        bed_send(secure.client, span_of(out.data, out.size));
        bed_run(&bed, 1);
        most = secure_bed_buffers(&bed) > most ? secure_bed_buffers(&bed) : most;
    }
    ck_assert_uint_ge(most, 2); /* else the window took all the answers */
    ck_assert_uint_le(most, 8);
    bed_deafen(secure.client, false);
    secure_say(&secure, "HELP\r\n");
    ck_assert(secure_hears(&secure, "214 "));
    quit(&secure);
}
END_TEST

/* -------------------------------------------------------------------- waiting and ending ---- */

/* What is decrypted and not yet taken is neither lost nor taken twice, and nobody spins on it. */
START_TEST(a_body_that_waits_for_room_arrives_as_it_was_sent)
{
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    begin_message("EHLO");
    secure_say(&secure, "Subject: long\r\n\r\n");
    say_lines(1500);
    bed_run(&bed, 5000);
    uint32_t before = bed.sleepless;
    bed_run(&bed, 2000);
    ck_assert_uint_le(bed.sleepless - before, 2);
    secure_say(&secure, ".\r\nQUIT\r\n");
    if (_i == 1)
        secure_finish(&secure);
    ck_assert(secure_hears(&secure, "250 2.0.0 queued"));
    ck_assert(secure_ends_well(&secure));
    secure_close(&secure);
    secure_connect(&secure, &bed, DOOR_POP3S, from);
    secure_say(&secure, "USER " BOX "\r\nPASS x\r\nRETR 1\r\n");
    bed_run(&bed, 300000); /* it is read as slowly */
    ck_assert(secure_hears(&secure, "Subject: long\r\n\r\n"));
    expect_lines(1500);
    quit(&secure);
}
END_TEST

START_TEST(a_slow_reader_in_tls_gets_every_byte_once)
{
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    begin_message("EHLO");
    say_lines(1000);
    secure_say(&secure, ".\r\n");
    ck_assert(secure_hears(&secure, "250 2.0.0 queued"));
    quit(&secure);
    secure_connect(&secure, &bed, DOOR_POP3S, from);
    secure_say(&secure, "USER " BOX "\r\nPASS x\r\nRETR 1\r\nRETR 1\r\nNOOP\r\nQUIT\r\n");
    for (int i = 0; i < 200; i++) {
        bed_deafen(secure.client, i % 2 == 0);
        for (int k = 0; k < 8; k++)
            bed_step(&bed);
    }
    bed_deafen(secure.client, false);
    expect_lines(1000);
    expect_lines(1000);
    ck_assert(secure_hears(&secure, "+OK\r\n+OK bye"));
    ck_assert(secure_ends_well(&secure));
    secure_close(&secure);
}
END_TEST

/* By close_notify, or by the connection's end alone. */
START_TEST(a_peer_in_tls_that_ends_hears_every_answer)
{
    secure_upgrade(&secure, &bed, DOOR_LMTP, from);
    secure_say(&secure, "LHLO c\r\nMAIL FROM:<>\r\n");
    for (int i = 0; i < 500; i++)
        secure_say(&secure, "RCPT TO:<box%d@bed.test>\r\n", i);
    secure_say(&secure, "DATA\r\n");
    ck_assert(secure_hears(&secure, "354"));
    secure_say(&secure, "text\r\n.\r\n");
    if (_i == 0)
        secure_finish(&secure);
    else
        bed_finish(secure.client);
    for (int i = 0; i < 500; i++)
        ck_assert_msg(secure_hears(&secure, "250 2.0.0 queued"), "recipient %d", i);
    ck_assert(secure_ends_well(&secure));
    bed_run(&bed, 100);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    secure_close(&secure);
}
END_TEST

/* All it sent is decrypted, some of it not yet taken, when its end is seen. */
START_TEST(a_peer_in_tls_that_ends_before_it_reads_is_answered)
{
    char commands[6 * 1000 + 1];
    for (size_t i = 0; i < 1000; i++)
        memcpy(commands + 6 * i, "NOOP\r\n", 7);
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    ck_assert(secure_hears(&secure, "220 "));
    bed_deafen(secure.client, true);
    secure_send(&secure, span_text(commands));
    if (_i == 0)
        secure_finish(&secure);
    else
        bed_finish(secure.client);
    bed_run(&bed, 1000);
    bed_deafen(secure.client, false);
    for (int i = 0; i < 1000; i++)
        ck_assert_msg(secure_hears(&secure, "250 "), "NOOP %d", i);
    ck_assert(secure_ends_well(&secure));
    secure_close(&secure);
}
END_TEST

START_TEST(damage_ends_the_session_and_stores_nothing)
{
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    begin_message("EHLO");
    secure_say(&secure, "text\r\n");
    bed_say(secure.client, "\r\n.\r\nand more, in clear\r\n.\r\n");
    ck_assert(bed_ends(secure.client, 1000));
    secure_read(&secure);
    ck_assert_int_eq(secure.last, TLS_BROKEN); /* an alert */
    bed_run(&bed, 1000);
    ck_assert_uint_eq(counters()->tls_failures, 1);
    ck_assert_uint_eq(counters()->messages_stored + counters()->messages_failed, 0);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    ck_assert_uint_eq(secure_bed_buffers(&bed), 0);
    secure_close(&secure);
}
END_TEST

START_TEST(silence_is_told_inside_tls)
{
    secure_connect(&secure, &bed, DOOR_SMTPS, from);
    ck_assert(secure_hears(&secure, "220 "));
    bed_run(&bed, 299000);
    ck_assert(!secure.client->ended);
    bed_run(&bed, 3000);
    ck_assert(secure_hears(&secure, "421 4.4.2"));
    ck_assert(secure_ends_well(&secure));
    secure_close(&secure);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("session_tls");
    TCase *cut = tcase_create("segments");
    tcase_set_timeout(cut, 60);
    tcase_add_loop_test(cut, mail_comes_and_goes_in_records_cut_anywhere, 0, SEGMENTS);
    suite_add_tcase(suite, cut);
    TCase *tests = tcase_create("session");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, open_bed, close_bed);
    tcase_add_test(tests, an_idle_session_in_tls_holds_no_buffer);
    tcase_add_test(tests, a_slow_reader_in_tls_gets_every_byte_once);
    tcase_add_loop_test(tests, a_peer_in_tls_that_ends_hears_every_answer, 0, 2);
    tcase_add_test(tests, damage_ends_the_session_and_stores_nothing);
    tcase_add_test(tests, silence_is_told_inside_tls);
    suite_add_tcase(suite, tests);
    TCase *slow = tcase_create("slow disk");
    tcase_set_timeout(slow, 60);
    tcase_add_checked_fixture(slow, open_slow_bed, close_bed);
    tcase_add_loop_test(slow, a_body_that_waits_for_room_arrives_as_it_was_sent, 0, 2);
    suite_add_tcase(suite, slow);
    TCase *narrow = tcase_create("narrow network");
    tcase_set_timeout(narrow, 60);
    tcase_add_checked_fixture(narrow, open_narrow_bed, close_bed);
    tcase_add_test(narrow, peers_in_tls_that_never_read_leave_room_for_others);
    tcase_add_loop_test(narrow, a_peer_in_tls_that_ends_before_it_reads_is_answered, 0, 2);
    tcase_add_test(narrow, requests_for_new_keys_are_bounded_like_replies);
    suite_add_tcase(suite, narrow);
    return suite;
}
