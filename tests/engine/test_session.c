/* What a session must never do: wait for ever, spin, lose a reply, or keep what it no longer needs.
 */
#include "engine/session.h"

#include "tests/check_main.h"
#include "tests/engine/shard_bed.h"

#include <stdio.h>

#define BOX "box@bed.test"

static struct bed bed;

static void open_bed(void)
{
    const struct bed_options options = bed_options();
    bed_open(&bed, &options);
}

/* Every operation of the disk takes ten seconds, so the log is soon out of room. */
static void open_slow_bed(void)
{
    struct bed_options options = bed_options();
    options.disk_ns = 10 * NS_PER_S;
    options.staging_bytes = 64 << 10;
    bed_open(&bed, &options);
}

/* Little fits between a peer that writes and one that does not read. */
static void open_narrow_bed(void)
{
    struct bed_options options = bed_options();
    options.window_bytes = 4096;
    bed_open(&bed, &options);
}

static void close_bed(void)
{
    bed_close(&bed);
}

static struct client *begin_message(enum door_kind door)
{
    struct client *client = bed_greet(&bed, door);
    bed_say(client, "%s c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\nDATA\r\n",
            door == DOOR_LMTP ? "LHLO" : "EHLO");
    ck_assert(bed_hears(client, "354"));
    return client;
}

static void say_lines(struct client *client, uint32_t lines)
{
    while (lines-- > 0)
        bed_say(client, "%0998d\r\n", 0);
}

/* A message for 1000 recipients, all accepted, without its final dot. */
static struct client *begin_long_answer(void)
{
    struct client *client = bed_greet(&bed, DOOR_LMTP);
    bed_say(client, "LHLO c\r\nMAIL FROM:<>\r\n");
    for (int i = 0; i < 1000; i++)
        bed_say(client, "RCPT TO:<box%d@bed.test>\r\n", i);
    for (int i = 0; i < 1000; i++)
        ck_assert(bed_hears(client, "250 2.1.5"));
    bed_say(client, "DATA\r\n");
    ck_assert(bed_hears(client, "354"));
    return client;
}

static void expect_long_answer(struct client *client)
{
    for (int i = 0; i < 1000; i++)
        ck_assert_msg(bed_hears(client, "250 2.0.0 queued"), "recipient %d has no answer", i);
}

/* ----------------------------------------------------------- when the store has no room ---- */

START_TEST(a_draft_that_the_store_refuses_is_given_back)
{
    sim_disk_set_errors(bed.disk, 1000000, 0);
    struct client *first = begin_message(DOOR_SMTP);
    bed_say(first, "text\r\n.\r\n");
    ck_assert(bed_hears(first, "\r\n45"));
    struct client *second = begin_message(DOOR_SMTP); /* the log has failed by now */
    say_lines(second, 3);
    bed_run(&bed, 100);
    bed_abort(second);
    bed_run(&bed, 100);
    ck_assert_uint_eq(bed_sessions(&bed), 1);
    bed_abort(first);
    sim_disk_set_errors(bed.disk, 0, 0);
    bed_run(&bed, 20000);
    bed_deliver(&bed, BOX, 3000);
}
END_TEST

START_TEST(a_chunk_that_waits_for_room_is_answered)
{
    struct client *second = bed_greet(&bed, DOOR_SMTP);
    bed_say(second, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\nBDAT 6\r\ntext\r\n");
    ck_assert(bed_hears(second, "250 2.0.0 Chunk"));
    struct client *first = begin_message(DOOR_SMTP);
    sim_disk_set_errors(bed.disk, 1000000, 0);
    bed_say(first, "text\r\n.\r\n");
    bed_run(&bed, 1000);
    sim_disk_set_errors(bed.disk, 0, 0);
    bed_run(&bed, 10000); /* the log moves to another segment: no room until then */
    bed_say(second, "BDAT 0 LAST\r\n");
    ck_assert(bed_hears(second, "250 2.0.0 queued"));
    ck_assert(bed_hears(first, "451"));
}
END_TEST

START_TEST(who_waits_for_room_lets_the_shard_sleep)
{
    struct client *senders[20];
    int count = _i == 0 ? 1 : 20;
    for (int i = 0; i < count; i++) {
        senders[i] = begin_message(DOOR_SMTP);
        say_lines(senders[i], 1500 / (uint32_t)count);
    }
    bed_run(&bed, 5000);
    uint32_t before = bed.sleepless;
    bed_run(&bed, 2000);
    ck_assert_uint_le(bed.sleepless - before, 2);
    for (int i = 0; i < count; i++)
        bed_say(senders[i], ".\r\n");
    for (int i = 0; i < count; i++) /* they are woken when there is room, by nobody else */
        ck_assert(bed_hears(senders[i], "250 2.0.0 queued"));
}
END_TEST

/* ------------------------------------------------------------------- when the peer ends ---- */

START_TEST(a_peer_that_ends_after_the_final_dot_hears_every_answer)
{
    struct client *client = begin_long_answer();
    bed_say(client, "text\r\n.\r\n");
    bed_finish(client);
    expect_long_answer(client);
    ck_assert(bed_ends(client, 1000));
}
END_TEST

static const struct {
    const char *commands, *last_words;
} half_closed[] = {
    {"LIST\r\n", "\r\n2001 152\r\n.\r\n"}, {"RETR 1\r\n", "\r\n.\r\n"},
    {"TOP 1 10\r\n", "\r\n.\r\n"},         {"DELE 1\r\nQUIT\r\n", "+OK bye"},
    {"RETR 1\r\nQUIT\r\n", "+OK bye"},     {"QUIT\r\n", "+OK bye"},
};

START_TEST(a_pop3_peer_that_ends_hears_what_it_asked_for)
{
    bed_deliver(&bed, BOX, 300000);
    for (int i = 0; _i == 0 && i < 10; i++) {
        struct client *sender = bed_greet(&bed, DOOR_SMTP);
        bed_say(sender, "EHLO c\r\n");
        for (int j = 0; j < 200; j++) {
            bed_say(sender, "MAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\nDATA\r\n");
            ck_assert(bed_hears(sender, "354"));
            bed_say(sender, ".\r\n");
            ck_assert(bed_hears(sender, "queued"));
        }
        bed_abort(sender);
    }
    struct client *client = bed_log_in(&bed, BOX);
    bed_say(client, "%s", half_closed[_i].commands);
    bed_finish(client);
    ck_assert(bed_hears(client, half_closed[_i].last_words));
    ck_assert(bed_ends(client, 1000));
    bed_run(&bed, 100);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
}
END_TEST

START_TEST(what_comes_after_quit_does_not_hold_the_connection)
{
    struct client *client = begin_message(DOOR_SMTP);
    bed_say(client, "text\r\n.\r\nQUIT\r\nNOOP\r\n");
    ck_assert(bed_hears(client, "250 2.0.0 queued"));
    ck_assert(bed_hears(client, "221 "));
    ck_assert(bed_ends(client, 1000));
    bed_run(&bed, 100);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
}
END_TEST

/* --------------------------------------------------------------- when the peer does not read ----
 */

START_TEST(a_slow_reader_is_not_a_silent_peer)
{
    bed_deliver(&bed, BOX, 2 << 20);
    struct client *client = bed_log_in(&bed, BOX);
    bed_deafen(client, true);
    bed_say(client, "RETR 1\r\n");
    for (int i = 0; i < 30; i++) { /* half an hour */
        bed_run(&bed, 60000);
        ck_assert_msg(!client->over, "cut off after %d minutes", i);
        bed_deafen(client, false);
        for (int k = 0; k < 8; k++)
            bed_step(&bed);
        bed_deafen(client, true);
    }
    bed_deafen(client, false);
    ck_assert(bed_hears(client, "\r\n.\r\n"));
    bed_say(client, "QUIT\r\n");
    ck_assert(bed_hears(client, "+OK bye"));
}
END_TEST

START_TEST(a_peer_that_never_reads_is_cut_off)
{
    struct client *client = bed_greet(&bed, DOOR_SMTP);
    bed_deafen(client, true);
    for (int i = 0; i < 2000; i++)
        bed_say(client, "EHLO c\r\nHELP\r\nNOOP\r\n");
    bed_run(&bed, 290000);
    ck_assert(!client->over);
    bed_run(&bed, 40000);
    ck_assert(client->over);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
}
END_TEST

/* One reply at a time, each in a block of its own: what a peer leaves unread is counted in blocks,
 * or a few peers would take them all. */
START_TEST(peers_that_never_read_leave_room_for_others)
{
    static struct client *deaf[60];
    for (int i = 0; i < 60; i++) {
        deaf[i] = bed_greet(&bed, DOOR_SMTP);
        bed_deafen(deaf[i], true);
    }
    for (int i = 0; i < 60; i++)
        for (int k = 0; k < 280; k++)
            bed_say(deaf[i], "NOOP\r\n");
    bed_run(&bed, 1000);
    for (int k = 0; k < 100; k++) {
        for (int i = 0; i < 60; i++)
            bed_say(deaf[i], "NOOP\r\n");
        bed_run(&bed, 10);
    }
    bed_deliver(&bed, BOX, 10000);
    for (int i = 0; i < 60; i++) {
        ck_assert(!deaf[i]->over);
        bed_abort(deaf[i]);
    }
}
END_TEST

/* --------------------------------------------------------------------------------- time ---- */

static const struct {
    enum door_kind door;
    const char *words;  /* said before the silence */
    uint32_t seconds;   /* that are borne */
    const char *answer; /* then */
} silences[] = {
    {DOOR_SMTP, NULL, 300, "421 4.4.2"},
    {DOOR_SMTP, "EHLO c\r\nMA", 300, "421 4.4.2"},
    {DOOR_LMTP, "LHLO c\r\n", 300, "421 4.4.2"},
    {DOOR_POP3, NULL, 120, NULL},
    {DOOR_POP3, "USER " BOX "\r\nPASS x\r\n", 600, NULL},
};

START_TEST(silence_ends_a_session)
{
    struct client *client = bed_greet(&bed, silences[_i].door);
    if (silences[_i].words != NULL)
        bed_say(client, "%s", silences[_i].words);
    bed_run(&bed, (silences[_i].seconds - 1) * 1000);
    ck_assert(!client->ended);
    bed_run(&bed, 3000);
    ck_assert(client->ended);
    if (silences[_i].answer != NULL)
        ck_assert(bed_hears(client, silences[_i].answer));
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    ck_assert_uint_eq(shard_counters(bed.shards[0])->timeouts, 1);
}
END_TEST

/* ----------------------------------------------------------------------------- drained ---- */

START_TEST(a_drain_lets_replies_be_read)
{
    struct client *client = begin_long_answer();
    bed_deafen(client, true);
    bed_say(client, "text\r\n.\r\n");
    bed_run(&bed, 100);
    shard_drain(bed.shards[0]);
    bed_run(&bed, 1000);
    bed_deafen(client, false);
    expect_long_answer(client);
    ck_assert(bed_hears(client, "421 4.3.2"));
    ck_assert(bed_ends(client, 1000));
}
END_TEST

START_TEST(an_idle_session_is_small)
{
    ck_assert_uint_le(sizeof(struct session), 448); /* and 64 of the network's connection */
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, open_bed, close_bed);
    tcase_add_test(tests, a_draft_that_the_store_refuses_is_given_back);
    tcase_add_test(tests, a_peer_that_ends_after_the_final_dot_hears_every_answer);
    tcase_add_loop_test(tests, a_pop3_peer_that_ends_hears_what_it_asked_for, 0,
                        sizeof half_closed / sizeof half_closed[0]);
    tcase_add_test(tests, what_comes_after_quit_does_not_hold_the_connection);
    tcase_add_test(tests, a_slow_reader_is_not_a_silent_peer);
    tcase_add_test(tests, a_peer_that_never_reads_is_cut_off);
    tcase_add_loop_test(tests, silence_ends_a_session, 0, sizeof silences / sizeof silences[0]);
    tcase_add_test(tests, an_idle_session_is_small);
    suite_add_tcase(suite, tests);
    TCase *slow = tcase_create("slow disk");
    tcase_set_timeout(slow, 60);
    tcase_add_checked_fixture(slow, open_slow_bed, close_bed);
    tcase_add_test(slow, a_chunk_that_waits_for_room_is_answered);
    tcase_add_loop_test(slow, who_waits_for_room_lets_the_shard_sleep, 0, 2);
    suite_add_tcase(suite, slow);
    TCase *narrow = tcase_create("narrow network");
    tcase_set_timeout(narrow, 60);
    tcase_add_checked_fixture(narrow, open_narrow_bed, close_bed);
    tcase_add_test(narrow, peers_that_never_read_leave_room_for_others);
    tcase_add_test(narrow, a_drain_lets_replies_be_read);
    suite_add_tcase(suite, narrow);
    return suite;
}
