/* The engine against itself: all that a load says was taken is in the store, once, unchanged. */
#include "engine/load/generator.h"

#include "base/digest.h"
#include "engine/load/account.h"
#include "tests/check_main.h"
#include "tests/engine/load/bed_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct bed bed;
static struct account *account;

/* The message that the client heard last, up to the line with the dot. */
static void check_message(struct client *client, uint32_t mailbox, size_t start)
{
    char *text = (char *)client->input + start, *end = (char *)client->input + client->at;
    end[-3] = '\0'; /* of "\r\n.\r\n": the body ends with CRLF */
    const char *id = strstr(text, "X-Mailrace-Id: "), *body = strstr(text, "\r\n\r\n");
    ck_assert(id != NULL && body != NULL);
    struct span digested = span_text(body + 4);
    ck_assert_int_eq(account_found(account, mailbox,
                                   span_of(id + strlen("X-Mailrace-Id: "), LETTER_ID_BYTES),
                                   digest_of(digested)),
                     ACCOUNT_FINE);
}

static void read_mailbox(uint32_t mailbox)
{
    struct span name = account_mailbox(account, mailbox);
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
    struct client *client = bed_log_in(&bed, text);
    bed_say(client, "STAT\r\n");
    ck_assert(bed_hears(client, "+OK "));
    ck_assert(bed_hears(client, "\r\n"));
    uint64_t count = strtoull(strrchr((char *)client->input, '+') + 4, NULL, 10);
    ck_assert_uint_eq(count, account_expected(account, mailbox));
    for (uint64_t i = 1; i <= count; i++) {
        bed_say(client, "RETR %lu\r\n", (unsigned long)i);
        size_t start = client->at;
        ck_assert(bed_hears(client, "\r\n.\r\n"));
        check_message(client, mailbox, start);
    }
    bed_say(client, "QUIT\r\n");
    ck_assert(bed_ends(client, 1000));
}

static void check_store(const char *ledger_path, const struct tally *tally)
{
    struct account_totals totals;
    struct fault fault;
    ck_assert(account_open(&account, ledger_path, &fault) == STATUS_OK);
    for (uint32_t i = 0; i < account_mailboxes(account); i++)
        read_mailbox(i);
    account_totals(account, &totals);
    ck_assert_uint_eq(totals.acked, tally->recipients.acked);
    ck_assert_uint_eq(totals.fetched, tally->recipients.acked);
    ck_assert_uint_eq(totals.lost + totals.duplicated + totals.corrupted + totals.unknown, 0);
    account_close(account);
}

static const struct row {
    const char *name;
    enum door_kind door;
    uint32_t shards, per_connection;
    bool pipeline, chunking;
    double rate;
} rows[] = {
    {"step by step", DOOR_SMTP, 1, 0, false, false, 0},
    {"pipelined, two shards", DOOR_SMTP, 2, 0, true, false, 0},
    {"chunked", DOOR_SMTP, 1, 0, true, true, 0},
    {"one by one", DOOR_SMTP, 1, 3, false, true, 0},
    {"LMTP", DOOR_LMTP, 1, 0, false, false, 0},
    {"LMTP, pipelined and chunked", DOOR_LMTP, 2, 5, true, true, 0},
    {"at a rate", DOOR_SMTP, 1, 0, true, false, 1000},
};

START_TEST(what_was_taken_is_there)
{
    const struct row *row = &rows[_i];
    struct blast_options options;
    struct bed_options bed_with = bed_options();
    struct tally *tally = calloc(1, sizeof *tally);
    struct fault fault;
    char path[64];
    int file = memfd_create("ledger", 0);
    ck_assert(tally != NULL && file >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    blast_options_default(&options);
    options.target.scheme = row->door == DOOR_LMTP ? TARGET_LMTP : TARGET_SMTP;
    options.messages = 60;
    options.connections = 7;
    options.users = 5;
    options.per_connection = row->per_connection;
    options.pipeline = row->pipeline;
    options.chunking = row->chunking;
    options.rate = row->rate;
    ck_assert(distribution_parse("1-3", 1, 10, &options.recipients, &fault) == STATUS_OK);
    ck_assert(distribution_parse("mix:600*9,70k*1", 512, 1 << 20, &options.size, &fault) ==
              STATUS_OK);
    bed_with.shards = row->shards;
    bed_open(&bed, &bed_with);
    bed_load(&bed, row->door, &options, path, tally);
    ck_assert_uint_eq(tally->messages.acked, 60);
    ck_assert_uint_eq(tally->recipients.acked, tally->recipients.sent);
    ck_assert_uint_eq(tally->failures[SMTP_CLIENT_FINE], tally->connected);
    check_store(path, tally);
    bed_close(&bed);
    free(tally);
    close(file);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load and shards");
    TCase *load = tcase_create("load");
    tcase_add_loop_test(load, what_was_taken_is_there, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, load);
    return suite;
}
