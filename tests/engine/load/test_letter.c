#include "engine/load/letter.h"

#include "base/clock.h"
#include "base/digest.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WALL_NS (1000000000ull * NS_PER_S) /* Sun, 09 Sep 2001 01:46:40 */
#define RUN 0x0123456789ABCDEFull
#define CUT_MAX (1u << 20)

static struct paper paper;
static struct letter_options options;
static struct letter_desk *desk;
static char whole[CUT_MAX + 1]; /* of one letter */

static struct distribution always(uint64_t low, uint64_t high)
{
    return (struct distribution){.kind = DISTRIBUTION_UNIFORM, .low = low, .high = high};
}

static void setup(void)
{
    ck_assert_int_eq(paper_open(&paper, 1, CUT_MAX, NULL), STATUS_OK);
    options = (struct letter_options){
        .from = SPAN("me@from.test"),
        .to = "user%d@to.test",
        .users = 10,
        .size = always(4096, 4096),
        .recipients = always(1, 1),
        .paper = &paper,
        .seed = 1,
        .run = RUN,
        .digest = true,
    };
}

static void teardown(void)
{
    paper_close(&paper);
}

static struct letter_desk *open_desk(uint32_t shard)
{
    struct letter_desk *opened = NULL;
    struct fault fault;
    ck_assert_msg(letter_desk_open(&opened, &options, shard, 4, &fault) == STATUS_OK, "%s",
                  fault.text);
    return opened;
}

static struct letter *write_letter(void)
{
    struct letter *letter = letter_write(desk, WALL_NS);
    ck_assert_ptr_nonnull(letter);
    return letter;
}

/* All parts in `whole`, as BDAT or DATA has them. */
static struct span join(const struct letter *letter, bool stuffed)
{
    size_t size = 0;
    ck_assert_uint_le(letter->parts_count, LETTER_PARTS_MAX);
    for (uint32_t i = 0; i < letter->parts_count; i++) {
        struct span part = stuffed ? letter->parts[i].stuffed : letter->parts[i].plain;
        ck_assert(part.size > 0 && part.size <= CUT_MAX - size);
        memcpy(whole + size, part.data, part.size);
        size += part.size;
    }
    whole[size] = '\0';
    return span_of(whole, size);
}

static struct span body_of(struct span message)
{
    const uint8_t *end = memmem(message.data, message.size, "\r\n\r\n", 4);
    ck_assert_ptr_nonnull(end);
    return span_from(message, (size_t)(end + 4 - message.data));
}

/* ------------------------------------------------------------------------ made-up letters ---- */

START_TEST(header_and_body)
{
    desk = open_desk(0xBEEF);
    struct letter *letter = letter_write(desk, WALL_NS);
    struct span message = join(letter, false);
    char expected[1024];
    snprintf(expected, sizeof expected,
             "X-Mailrace-Id: 0123456789abcdefbeef000000000000\r\n"
             "Message-ID: <0123456789abcdefbeef000000000000@from.test>\r\n"
             "Date: Sun, 09 Sep 2001 01:46:40 +0000\r\n"
             "From: <me@from.test>\r\n"
             "Subject: mailrace\r\n"
             "MIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=us-ascii\r\n"
             "To: <%.*s>\r\n"
             "\r\n"
             "0123456789abcdefbeef000000000000\r\n",
             (int)letter->message.recipients[0].path.size,
             (const char *)letter->message.recipients[0].path.data);
    ck_assert_msg(strncmp(whole, expected, strlen(expected)) == 0, "%.600s", whole);
    ck_assert_mem_eq(letter->id, "0123456789abcdefbeef000000000000", LETTER_ID_BYTES);
    ck_assert_uint_eq(message.size, 4096);
    ck_assert_uint_eq(letter->message.octets, 4096);
    ck_assert(span_equal(letter->message.reverse_path, SPAN("me@from.test")));
    ck_assert(!letter->message.eight_bit && !letter->message.smtputf8);
    ck_assert_uint_eq(letter->digest, digest_of(body_of(message)));
    letter_free(desk, letter);
    letter_desk_close(desk);
}
END_TEST

/* Every size around whole lines is met, in lines that any server takes. */
START_TEST(sizes_are_met)
{
    for (uint64_t size = LETTER_OCTETS_MIN; size < LETTER_OCTETS_MIN + 3 * PAPER_LINE_BYTES;
         size++) {
        options.size = always(size, size);
        desk = open_desk(0);
        struct letter *letter = write_letter();
        struct span message = join(letter, false);
        ck_assert_uint_eq(message.size, size);
        ck_assert_uint_eq(letter->message.octets, size);
        ck_assert_mem_eq(message.data + size - 2, "\r\n", 2);
        ck_assert_uint_eq(letter->digest, digest_of(body_of(message)));
        struct span rest = message;
        while (rest.size > 0) {
            size_t line = (size_t)((uint8_t *)memchr(rest.data, '\n', rest.size) + 1 - rest.data);
            ck_assert(line >= 2 && line <= 78 + 2 && rest.data[line - 2] == '\r');
            ck_assert(memchr(rest.data, '\r', line - 2) == NULL);
            ck_assert(rest.data[0] != '.');
            rest = span_from(rest, line);
        }
        ck_assert(span_equal(join(letter, true), span_of(whole, size)));
        letter_desk_close(desk);
    }
}
END_TEST

START_TEST(sizes_are_drawn)
{
    uint64_t least = UINT64_MAX, most = 0;
    options.size = always(LETTER_OCTETS_MIN, CUT_MAX);
    desk = open_desk(0);
    for (uint32_t i = 0; i < 500; i++) {
        struct letter *letter = write_letter();
        uint64_t octets = 0;
        for (uint32_t k = 0; k < letter->parts_count; k++)
            octets += letter->parts[k].plain.size;
        ck_assert_uint_eq(letter->message.octets, octets);
        least = octets < least ? octets : least;
        most = octets > most ? octets : most;
        letter_free(desk, letter);
    }
    ck_assert(least < CUT_MAX / 20 && most > CUT_MAX / 20 * 19);
    letter_desk_close(desk);
}
END_TEST

START_TEST(a_gigabyte)
{
    options.size = always(1u << 30, 1u << 30);
    options.digest = false;
    paper_close(&paper);
    ck_assert_int_eq(paper_open(&paper, 1, 1u << 30, NULL), STATUS_OK);
    desk = open_desk(0);
    struct letter *letter = write_letter();
    uint64_t octets = 0;
    for (uint32_t i = 0; i < letter->parts_count; i++)
        octets += letter->parts[i].plain.size;
    ck_assert_uint_eq(octets, 1u << 30);
    ck_assert_uint_eq(letter->message.octets, octets);
    ck_assert_uint_eq(letter->digest, 0);
    letter_desk_close(desk);
}
END_TEST

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, LETTER_ID_BYTES);
}

/* Ids differ over letters, shards and runs. */
START_TEST(ids_are_unique)
{
    enum { EACH = 300, ALL = 3 * EACH };
    static char ids[ALL][LETTER_ID_BYTES];
    for (uint32_t i = 0; i < ALL; i++) {
        if (i % EACH == 0) {
            options.run = i == 2 * EACH ? RUN + 1 : RUN;
            desk = open_desk(i == EACH);
        }
        struct letter *letter = write_letter();
        memcpy(ids[i], letter->id, LETTER_ID_BYTES);
        letter_free(desk, letter);
        if (i % EACH == EACH - 1)
            letter_desk_close(desk);
    }
    qsort(ids, ALL, LETTER_ID_BYTES, compare_ids);
    for (uint32_t i = 1; i < ALL; i++)
        ck_assert_mem_ne(ids[i], ids[i - 1], LETTER_ID_BYTES);
}
END_TEST

/* Letters of one seed are the same but for the id; of two shards or seeds they are not, at no
 * distance. */
START_TEST(the_seed_decides)
{
    enum { LETTERS = 40 };
    static const struct {
        uint64_t seed;
        uint32_t shard;
        bool same;
    } rows[] = {{1, 0, true},  {1, 1, false}, {1, 2, false},
                {1, 3, false}, {1, 4, false}, {2, 0, false}};
    struct span first[LETTERS]; /* their texts, in the paper */
    options.size = always(LETTER_OCTETS_MIN, 100000);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t same = 0, shifted = 0;
        options.seed = rows[i].seed;
        options.run = i;
        desk = open_desk(rows[i].shard);
        for (uint32_t k = 0; k < LETTERS; k++) {
            struct letter *letter = write_letter();
            struct span text = letter->parts[1].plain;
            if (i == 0)
                first[k] = text;
            same += text.data == first[k].data && text.size == first[k].size;
            for (uint32_t m = 0; m < LETTERS; m++)
                shifted += m != k && text.data == first[m].data && text.size == first[m].size;
            letter_free(desk, letter);
        }
        letter_desk_close(desk);
        ck_assert_uint_eq(same, rows[i].same ? LETTERS : 0);
        ck_assert(i == 0 || shifted == 0);
    }
}
END_TEST

/* As many as were ordered; a block that comes back is written anew. */
START_TEST(letters_run_out)
{
    struct letter *letters[4];
    desk = open_desk(0);
    for (uint32_t i = 0; i < 4; i++)
        letters[i] = write_letter();
    ck_assert_ptr_null(letter_write(desk, WALL_NS));
    letters[2]->attempts = 3;
    letters[2]->fates = 1;
    letters[2]->next = letters[1];
    letters[2]->message.recipients[0].outcome = SMTP_CLIENT_REFUSED;
    letter_free(desk, letters[2]);
    struct letter *again = letter_write(desk, WALL_NS);
    ck_assert_ptr_eq(again, letters[2]);
    ck_assert_mem_eq(again->id + LETTER_ID_BYTES - 12, "000000000004", 12);
    ck_assert(again->attempts == 0 && again->fates == 0 && again->next == NULL);
    ck_assert_uint_eq(again->message.recipients[0].outcome, SMTP_CLIENT_PENDING);
    ck_assert_ptr_null(letter_write(desk, WALL_NS));
    letter_desk_close(desk);
}
END_TEST

/* ---------------------------------------------------------------------------- recipients ---- */

static void expect_recipient(const struct letter *letter, uint32_t index, uint64_t user)
{
    char expected[32];
    snprintf(expected, sizeof expected, "user%llu@to.test", (unsigned long long)user);
    struct span path = letter->message.recipients[index].path;
    ck_assert_msg(span_equal(path, span_text(expected)), "%.*s, not %s", (int)path.size,
                  (const char *)path.data, expected);
}

START_TEST(recipients_are_different_users)
{
    bool first_seen[10] = {false}, count_seen[11] = {false};
    options.recipients = always(1, 200);
    desk = open_desk(0);
    for (uint32_t i = 0; i < 3000; i++) {
        struct letter *letter = write_letter();
        uint32_t count = letter->message.recipient_count;
        struct span first = letter->message.recipients[0].path;
        uint32_t user = (uint32_t)(first.data[4] - '0');
        ck_assert(count >= 1 && count <= 10 && user < 10);
        first_seen[user] = count_seen[count] = true;
        for (uint32_t k = 0; k < count; k++)
            expect_recipient(letter, k, (user + k) % 10);
        letter_free(desk, letter);
    }
    for (uint32_t i = 0; i < 10; i++)
        ck_assert(first_seen[i] && count_seen[i + 1]);
    letter_desk_close(desk);
}
END_TEST

START_TEST(one_recipient_without_a_number)
{
    options.to = "a@b.test";
    options.recipients = always(1, 5);
    desk = open_desk(0);
    for (uint32_t i = 0; i < 4; i++) {
        struct letter *letter = write_letter();
        ck_assert_uint_eq(letter->message.recipient_count, 1);
        ck_assert(span_equal(letter->message.recipients[0].path, SPAN("a@b.test")));
    }
    letter_desk_close(desk);
}
END_TEST

START_TEST(addresses_may_be_utf8)
{
    static const struct {
        const char *from, *to;
        bool smtputf8;
    } rows[] = {
        {"a@b.test", "c%d@d.test", false},
        {"\xC3\xA4@b.test", "c%d@d.test", true},
        {"a@b.test", "c%d@\xC3\xA4.test", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        options.from = span_text(rows[i].from);
        options.to = rows[i].to;
        desk = open_desk(0);
        ck_assert(write_letter()->message.smtputf8 == rows[i].smtputf8);
        letter_desk_close(desk);
    }
}
END_TEST

/* The last users' numbers have ten digits. */
START_TEST(long_numbers)
{
    options.users = UINT32_MAX;
    options.recipients = always(500, 500);
    desk = open_desk(0);
    struct letter *letter = write_letter();
    ck_assert_uint_eq(letter->message.recipient_count, 500);
    ck_assert_uint_ge(letter->message.recipients[499].path.size, strlen("user500@to.test"));
    letter_desk_close(desk);
}
END_TEST

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(wrong_usage)
{
    static const char longest[] = A50 A50 A50 A50 A50 "@abc",
                      longer[] = A50 A50 A50 A50 A50 "@abcd";
    static const struct {
        const char *from, *to;
        uint32_t recipients;
        const char *line; /* NULL: right usage */
    } rows[] = {
        {"a@b", "c%d@d", 1, NULL},
        {"a@b", "c%d@d", 10, NULL},
        {"a@b", "c%d@d", 11, "--recipients: 11 or more for each message, but --to names only 10"},
        {"a@b", "c@d", 2, "--recipients: 2 or more for each message, but --to names only 1"},
        {"a@b", "", 1, "--to: ''"},
        {"a@b", "c%s@d", 1, "--to: 'c%s@d'"},
        {"", "c@d", 1, NULL},
        {"a%d@b", "c@d", 1, NULL},
        {"a b", "c@d", 1, "--from: 'a b' is no address"},
        {"<>", "c@d", 1, "--from: '<>' is no address"},
        {"a@b\r\nDATA", "c@d", 1, "--from: 'a@b"},
        {"a\xE4@b", "c@d", 1, "--from: "},
        {longest, "c@d", 1, NULL},
        {longer, "c@d", 1, "longer than 254 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct letter_desk *opened = (struct letter_desk *)(void *)whole; /* must stay */
        struct fault fault = {.text = ""};
        options.from = span_text(rows[i].from);
        options.to = rows[i].to;
        options.recipients = always(rows[i].recipients, rows[i].recipients);
        enum status status = letter_desk_open(&opened, &options, 0, 4, &fault);
        if (rows[i].line == NULL) {
            ck_assert_msg(status == STATUS_OK, "%s", fault.text);
            letter_desk_close(opened);
        } else {
            ck_assert_msg(status == STATUS_USAGE, "%s to %s", rows[i].from, rows[i].to);
            ck_assert_msg(strstr(fault.text, rows[i].line) != NULL, "%s", fault.text);
            ck_assert_ptr_eq(opened, (struct letter_desk *)(void *)whole);
        }
    }
}
END_TEST

START_TEST(says_when_there_is_no_memory)
{
    struct fault fault;
    options.users = UINT32_MAX;
    options.recipients = always(1, UINT32_MAX);
    ck_assert_int_eq(letter_desk_open(&desk, &options, 0, UINT32_MAX, &fault), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(fault.text, "no memory"));
}
END_TEST

/* --------------------------------------------------------------------- letters of a corpus ---- */

static const struct corpus *open_corpus(struct corpus **corpus)
{
    static const char mbox[] = "From x\nX-Mailrace-Id: old\nS: a\n\n.1\n\n"
                               "From x\nS: b\xC3\xA4\n"
                               "\nFrom x\n\n2\xC3\n";
    char path[] = "/tmp/mailrace-letter-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, mbox, sizeof mbox - 1), sizeof mbox - 1);
    close(file);
    struct fault fault;
    ck_assert_msg(corpus_open(corpus, path, &fault) == STATUS_OK, "%s", fault.text);
    unlink(path);
    ck_assert_uint_eq(corpus_count(*corpus), 3);
    return *corpus;
}

START_TEST(a_corpus_is_sent_as_it_is)
{
    static const struct {
        const char *plain, *stuffed, *body; /* after the id */
        bool eight_bit, smtputf8;
    } rows[] = {
        {"S: a\r\n\r\n.1\r\n", "S: a\r\n\r\n..1\r\n", ".1\r\n", false, false},
        {"S: b\xC3\xA4\r\n\r\n", "S: b\xC3\xA4\r\n\r\n", "", true, true},
        {"\r\n2\xC3\r\n", "\r\n2\xC3\r\n", "2\xC3\r\n", true, false},
    };
    bool seen[3] = {false};
    struct corpus *corpus;
    options.corpus = open_corpus(&corpus);
    options.paper = NULL;
    desk = open_desk(1);
    for (uint32_t i = 0; i < 100; i++) {
        struct letter *letter = write_letter();
        char id[64];
        int id_bytes =
            snprintf(id, sizeof id, "X-Mailrace-Id: %.*s\r\n", (int)LETTER_ID_BYTES, letter->id);
        join(letter, false);
        ck_assert(strncmp(whole, id, (size_t)id_bytes) == 0);
        uint32_t row = 0;
        while (row < 3 && strcmp(whole + id_bytes, rows[row].plain) != 0)
            row++;
        ck_assert_msg(row < 3, "%s", whole);
        ck_assert_uint_eq(letter->message.octets, strlen(whole));
        ck_assert_uint_eq(letter->digest, digest_of(span_text(rows[row].body)));
        ck_assert(letter->message.eight_bit == rows[row].eight_bit);
        ck_assert(letter->message.smtputf8 == rows[row].smtputf8);
        join(letter, true);
        ck_assert_str_eq(whole + id_bytes, rows[row].stuffed);
        seen[row] = true;
        letter_free(desk, letter);
    }
    ck_assert(seen[0] && seen[1] && seen[2]);
    letter_desk_close(desk);
    corpus_close(corpus);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("letter");
    TCase *tcase = tcase_create("letter");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, header_and_body);
    tcase_add_test(tcase, sizes_are_met);
    tcase_add_test(tcase, sizes_are_drawn);
    tcase_add_test(tcase, a_gigabyte);
    tcase_add_test(tcase, ids_are_unique);
    tcase_add_test(tcase, the_seed_decides);
    tcase_add_test(tcase, letters_run_out);
    tcase_add_test(tcase, recipients_are_different_users);
    tcase_add_test(tcase, one_recipient_without_a_number);
    tcase_add_test(tcase, addresses_may_be_utf8);
    tcase_add_test(tcase, long_numbers);
    tcase_add_test(tcase, wrong_usage);
    tcase_add_test(tcase, says_when_there_is_no_memory);
    tcase_add_test(tcase, a_corpus_is_sent_as_it_is);
    suite_add_tcase(suite, tcase);
    return suite;
}
