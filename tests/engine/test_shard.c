/* What a shard promises: whom it takes in, how it ends, and what clients find in their maildrops.
 */
#include "engine/shard.h"

#include "tests/check_main.h"
#include "tests/engine/shard_bed.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BOX "box@bed.test"

static struct bed bed;

static void open_shards(uint32_t shards, uint64_t seed)
{
    struct bed_options options = bed_options();
    options.shards = shards;
    options.seed = seed;
    options.link_queue_bytes = 512; /* often full */
    options.idle_per_thousand = shards > 1 ? 300 : 0;
    bed_open(&bed, &options);
}

static void quit(struct client *client)
{
    bed_say(client, "QUIT\r\n");
    ck_assert(bed_hears(client, "+OK"));
    ck_assert(bed_ends(client, 1000));
}

/* --------------------------------------------------------------------------- taken in ---- */

START_TEST(a_full_shard_leaves_who_comes_in_the_queue)
{
    struct bed_options options = bed_options();
    options.connections_max = 4;
    bed_open(&bed, &options);
    struct client *clients[4];
    for (int i = 0; i < 4; i++)
        clients[i] = bed_greet(&bed, (enum door_kind)(i % DOOR_SMTPS));
    struct client *fifth = bed_connect(&bed, DOOR_SMTP);
    bed_run(&bed, 5000);
    ck_assert_uint_eq(fifth->size, 0);
    ck_assert(!fifth->over);
    ck_assert_uint_eq(bed_sessions(&bed), 4);
    bed_abort(clients[2]); /* the POP3 one */
    ck_assert(bed_hears(fifth, "220 "));
    for (int i = 0; i < 4; i++) /* and nobody was disturbed */
        ck_assert(i == 2 || !clients[i]->over);
    bed_close(&bed);
}
END_TEST

/* ------------------------------------------------------------------------------ ending ---- */

START_TEST(a_drain_ends_the_idle_and_lets_the_busy_finish)
{
    open_shards(1, 1);
    struct client *idle = bed_greet(&bed, DOOR_SMTP), *reader = bed_log_in(&bed, BOX);
    struct client *busy = bed_greet(&bed, DOOR_SMTP);
    bed_say(busy, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\nDATA\r\n");
    ck_assert(bed_hears(busy, "354"));
    bed_say(busy, "Subject: x\r\n\r\n");
    bed_run(&bed, 100);
    shard_drain(bed.shards[0]);
    ck_assert(bed_hears(idle, "421 4.3.2"));
    ck_assert(bed_ends(idle, 1000));
    ck_assert(bed_ends(reader, 1000));
    struct client *late = bed_connect(&bed, DOOR_SMTP);
    bed_run(&bed, 1000);
    ck_assert(late->over && late->size == 0);
    ck_assert(!shard_is_drained(bed.shards[0]));
    bed_say(busy, "text\r\n.\r\n");
    ck_assert(bed_hears(busy, "250 2.0.0 queued"));
    ck_assert(bed_hears(busy, "421 4.3.2"));
    ck_assert(bed_ends(busy, 1000));
    bed_run(&bed, 100);
    ck_assert(shard_is_drained(bed.shards[0]));
    bed_close(&bed);
}
END_TEST

START_TEST(a_drain_waits_for_nobody_longer_than_it_may)
{
    open_shards(1, 1);
    struct client *stalled = bed_greet(&bed, DOOR_SMTP);
    bed_say(stalled, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<" BOX ">\r\nDATA\r\n");
    ck_assert(bed_hears(stalled, "354"));
    bed_say(stalled, "Subject: x\r\n");
    bed_run(&bed, 100);
    shard_drain(bed.shards[0]);
    bed_run(&bed, 4500);
    ck_assert(!stalled->over);
    bed_run(&bed, 1000);
    ck_assert(stalled->over);
    ck_assert(shard_is_drained(bed.shards[0]));
    bed_close(&bed);
}
END_TEST

/* --------------------------------------------------------------------------- maildrops ---- */

START_TEST(a_maildrop_is_one_sessions_at_a_time)
{
    open_shards(3, (uint64_t)_i + 1);
    struct client *first = bed_log_in(&bed, BOX);
    struct client *second = bed_greet(&bed, DOOR_POP3);
    bed_say(second, "USER " BOX "\r\nPASS x\r\n");
    ck_assert(bed_hears(second, "-ERR [IN-USE]"));
    switch (_i % 3) {
    case 0:
        bed_abort(first);
        break;
    case 1:
        bed_finish(first);
        break;
    default:
        bed_say(first, "QUIT\r\n");
    }
    ck_assert(bed_ends(first, 1000));
    if (_i % 3 != 2) /* after QUIT it is free as soon as the reply is read */
        bed_run(&bed, 10);
    bed_say(second, "USER " BOX "\r\nPASS x\r\n");
    ck_assert(bed_hears(second, "+OK 0 messages"));
    bed_close(&bed);
}
END_TEST

START_TEST(a_login_that_is_cut_short_leaves_no_lock)
{
    open_shards(3, (uint64_t)_i + 1);
    struct random random = {(uint64_t)_i};
    for (int i = 0; i < 20; i++) {
        struct client *client = bed_greet(&bed, DOOR_POP3);
        bed_say(client, "USER " BOX "\r\nPASS x\r\nDELE 1\r\nQUIT\r\n");
        for (uint64_t steps = random_below(&random, 30); steps > 0; steps--)
            bed_step(&bed);
        bed_abort(client);
    }
    bed_run(&bed, 100);
    ck_assert_uint_eq(bed_sessions(&bed), 0);
    quit(bed_log_in(&bed, BOX));
    bed_close(&bed);
}
END_TEST

START_TEST(who_has_seen_250_finds_the_message)
{
    open_shards(3, (uint64_t)_i + 1);
    bed.idle_per_thousand = 950; /* links and logins that meet in one turn are what counts */
    struct client *sender = bed_greet(&bed, DOOR_SMTP);
    bed_say(sender, "EHLO c\r\n");
    for (int i = 0; i < 12; i++) {
        struct client *reader = bed_greet(&bed, DOOR_POP3);
        bed_say(reader, "USER box%d@bed.test\r\n", i % 5);
        ck_assert(bed_hears(reader, "+OK"));
        bed_say(sender, "MAIL FROM:<>\r\nRCPT TO:<box%d@bed.test>\r\nDATA\r\n", i % 5);
        ck_assert(bed_hears(sender, "354"));
        bed_say(sender, "text\r\n.\r\n");
        ck_assert(bed_hears(sender, "250 2.0.0 queued"));
        bed_say(reader, "PASS x\r\n");
        char found[32];
        snprintf(found, sizeof found, "+OK %d message", i / 5 + 1);
        ck_assert_msg(bed_hears(reader, found), "message %d is not there", i);
        quit(reader);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(a_message_for_many_reaches_them_through_full_queues)
{
    open_shards(3, (uint64_t)_i + 1);
    struct client *client = bed_greet(&bed, DOOR_LMTP);
    bed_say(client, "LHLO c\r\nMAIL FROM:<>\r\n");
    for (int i = 0; i < 60; i++)
        bed_say(client, "RCPT TO:<box%d@bed.test>\r\n", i);
    bed_say(client, "DATA\r\n");
    ck_assert(bed_hears(client, "354"));
    bed_say(client, "text\r\n.\r\nQUIT\r\n");
    for (int i = 0; i < 60; i++)
        ck_assert(bed_hears(client, "250 2.0.0 queued"));
    for (int i = 0; i < 60; i++) {
        struct client *reader = bed_greet(&bed, DOOR_POP3);
        bed_say(reader, "USER box%d@bed.test\r\nPASS x\r\nQUIT\r\n", i);
        ck_assert_msg(bed_hears(reader, "+OK 1 message"), "recipient %d has nothing", i);
        ck_assert(bed_ends(reader, 1000));
    }
    bed_close(&bed);
}
END_TEST

static const struct {
    const char *commands;
    bool quits;
    uint32_t left; /* of three messages */
} deletions[] = {
    {"DELE 1\r\nDELE 3\r\n", true, 1}, {"DELE 1\r\n", false, 3},
    {"DELE 1\r\nRSET\r\n", true, 3},   {"DELE 1\r\nDELE 2\r\nDELE 3\r\n", true, 0},
    {"RETR 2\r\n", true, 3},
};

START_TEST(deletions_are_made_by_quit_alone)
{
    open_shards(2, (uint64_t)_i + 1);
    for (int i = 0; i < 3; i++)
        bed_deliver(&bed, BOX, 1000);
    struct client *client = bed_log_in(&bed, BOX);
    bed_say(client, "%sNOOP\r\n", deletions[_i].commands);
    ck_assert(bed_hears(client, "\n+OK\r\n"));
    if (deletions[_i].quits)
        quit(client);
    else
        bed_abort(client);
    bed_run(&bed, 100);
    client = bed_greet(&bed, DOOR_POP3);
    bed_say(client, "USER " BOX "\r\nPASS x\r\nSTAT\r\n");
    char stat[32];
    snprintf(stat, sizeof stat, "\r\n+OK %u ", deletions[_i].left);
    ck_assert(bed_hears(client, stat));
    bed_close(&bed);
}
END_TEST

START_TEST(a_reader_may_go_at_any_moment)
{
    open_shards(2, (uint64_t)_i + 1);
    struct random random = {(uint64_t)_i};
    bed_deliver(&bed, BOX, 700000);
    for (int i = 0; i < 12; i++) { /* more than may be read at once */
        struct client *client = bed_log_in(&bed, BOX);
        bed_deafen(client, i % 2);
        bed_say(client, "RETR 1\r\n");
        for (uint64_t steps = random_below(&random, 60); steps > 0; steps--)
            bed_step(&bed);
        bed_abort(client);
        bed_run(&bed, 10);
    }
    struct client *client = bed_log_in(&bed, BOX);
    bed_say(client, "RETR 1\r\n");
    ck_assert(bed_hears(client, "\r\n.\r\n"));
    quit(client);
    bed_close(&bed);
}
END_TEST

START_TEST(readers_of_long_messages_wait_for_each_other)
{
    enum { READERS = 12 }; /* the bed lets four be read at once */
    open_shards(1, 1);
    struct client *clients[READERS];
    for (int i = 0; i < READERS; i++) {
        char mailbox[32];
        snprintf(mailbox, sizeof mailbox, "box%d@bed.test", i);
        bed_deliver(&bed, mailbox, 200000);
        clients[i] = bed_log_in(&bed, mailbox);
    }
    for (int i = 0; i < READERS; i++)
        bed_say(clients[i], "RETR 1\r\nQUIT\r\n");
    for (int i = 0; i < READERS; i++)
        ck_assert(bed_hears(clients[i], "\r\n.\r\n+OK bye"));
    bed_close(&bed);
}
END_TEST

/* --------------------------------------------------------------------------- passwords ---- */

/* Steps of the simulation while the workers compute, as they do in real time. */
static bool hears_in_time(struct client *client, const char *text)
{
    const struct timespec moment = {.tv_nsec = 2 * NS_PER_MS};
    for (int i = 0; i < 5000; i++) {
        if (strstr((const char *)client->input, text) != NULL)
            return true;
        bed_step(&bed);
        nanosleep(&moment, NULL);
    }
    return false;
}

/* One is being checked, one waits, the others are told to come back. */
START_TEST(logins_that_auth_has_no_room_for_fail_for_now)
{
    enum { LOGINS = 8 };
    char path[] = "/tmp/test_shard_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_gt(dprintf(fd, BOX ":{CRYPT}%s\n", crypt("right", "$6$rounds=60000$salt$")), 0);
    close(fd);
    struct bed_options options = bed_options();
    options.passwd_file = path;
    options.auth_requests_max = 1;
    bed_open(&bed, &options);
    unlink(path);
    struct client *clients[LOGINS];
    for (int i = 0; i < LOGINS; i++)
        clients[i] = bed_greet(&bed, DOOR_POP3);
    for (int i = 0; i < LOGINS; i++)
        bed_say(clients[i], "USER " BOX "\r\nPASS wrong\r\n");
    int later = 0;
    for (int i = 0; i < LOGINS; i++) {
        ck_assert(hears_in_time(clients[i], "-ERR"));
        later += strstr((const char *)clients[i]->input, "-ERR [SYS/TEMP]") != NULL;
    }
    ck_assert_int_ge(later, 1);
    ck_assert_int_lt(later, LOGINS);
    ck_assert_uint_eq(shard_counters(bed.shards[0])->login_failures, LOGINS);
    bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("shard");
    TCase *tests = tcase_create("shard");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_full_shard_leaves_who_comes_in_the_queue);
    tcase_add_test(tests, a_drain_ends_the_idle_and_lets_the_busy_finish);
    tcase_add_test(tests, a_drain_waits_for_nobody_longer_than_it_may);
    tcase_add_loop_test(tests, a_maildrop_is_one_sessions_at_a_time, 0, 9);
    tcase_add_loop_test(tests, a_login_that_is_cut_short_leaves_no_lock, 0, 10);
    tcase_add_loop_test(tests, who_has_seen_250_finds_the_message, 0, 10);
    tcase_add_loop_test(tests, a_message_for_many_reaches_them_through_full_queues, 0, 3);
    tcase_add_loop_test(tests, deletions_are_made_by_quit_alone, 0,
                        sizeof deletions / sizeof deletions[0]);
    tcase_add_loop_test(tests, a_reader_may_go_at_any_moment, 0, 10);
    tcase_add_test(tests, readers_of_long_messages_wait_for_each_other);
    tcase_add_test(tests, logins_that_auth_has_no_room_for_fail_for_now);
    suite_add_tcase(suite, tests);
    return suite;
}
