/* The checker against stores that are broken on purpose: it must name what is wrong. */
#include "tests/crash/truth.h"

#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

static struct letters letters;
static struct truth truth;
static struct view view;
static char text[TRUTH_TEXT_BYTES];

/* 0 to "ab", stored; 1 to "b", deleted; 2 to "c", refused; 3 to "cd", in the air; 4 to "a", stored.
 */
static void know(void)
{
    static const char *const mailboxes[] = {"ab", "b", "c", "cd", "a"};
    static const struct journal_note notes[] = {
        {NOTE_SENT, 0, 0},    {NOTE_ACKED, 0, 0},   {NOTE_SENT, 1, 0},  {NOTE_ACKED, 1, 0},
        {NOTE_SENT, 2, 0},    {NOTE_REFUSED, 2, 0}, {NOTE_SENT, 3, 0},  {NOTE_DELETING, 1, 1},
        {NOTE_DELETED, 1, 1}, {NOTE_SENT, 4, 0},    {NOTE_ACKED, 4, 0},
    };
    letters.count = sizeof(mailboxes) / sizeof(*mailboxes);
    for (uint32_t i = 0; i < letters.count; i++) {
        letters.items[i] = (struct letter){.id = 10 + i, .digest = 100 + i, .octets = 1000 + i};
        snprintf(letters.items[i].mailboxes, sizeof(letters.items[i].mailboxes), "%s",
                 mailboxes[i]);
    }
    truth_init(&truth, &letters);
    for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++)
        truth_take(&truth, &notes[i]);
}

static struct sight *show(uint32_t letter, char mailbox, uint32_t place)
{
    struct sight *sight = &view.sights[view.count++];
    *sight = (struct sight){.mailbox = (uint32_t)(mailbox - 'a'),
                            .id = letters.items[letter].id,
                            .place = place,
                            .status = STATUS_OK,
                            .digest = letters.items[letter].digest,
                            .octets = letters.items[letter].octets};
    return sight;
}

/* What a good store shows: sights 0 to 2. */
static void see(void)
{
    know();
    view = (struct view){.shards = 1, .next_ids = {15}};
    show(0, 'a', 0);
    show(0, 'b', 1);
    show(4, 'a', 0);
}

static bool holds(enum truth_weather weather)
{
    text[0] = '\0';
    return truth_check(&truth, &view, weather, text);
}

static void complains(const char *what)
{
    ck_assert(!holds(WEATHER_FAIR));
    ck_assert_msg(strstr(text, what) != NULL, "'%s' says nothing of '%s'", text, what);
}

static void forget(uint32_t sight)
{
    view.sights[sight] = view.sights[--view.count];
}

START_TEST(a_good_store)
{
    see();
    ck_assert_msg(holds(WEATHER_FAIR), "%s", text);
    show(3, 'c', 0); /* what is in the air may be there, for all or for none */
    show(3, 'd', 1);
    ck_assert_msg(holds(WEATHER_FAIR), "%s", text);
}
END_TEST

START_TEST(a_lost_message)
{
    see();
    forget(2);
    complains("message 4 was acknowledged and is lost from mailbox a");
}
END_TEST

START_TEST(a_message_shown_twice)
{
    see();
    show(4, 'a', 0);
    complains("message 4 is in mailbox a twice");
}
END_TEST

START_TEST(other_bytes)
{
    see();
    view.sights[2].digest ^= 1;
    complains("message 4 has other bytes than were sent");
    see();
    view.sights[2].octets++;
    complains("message 4 has other bytes than were sent");
    ck_assert(!holds(WEATHER_DAMAGED)); /* never */
    ck_assert(!holds(WEATHER_LIED));
}
END_TEST

START_TEST(a_deleted_message_is_back)
{
    see();
    show(1, 'b', 0);
    complains("message 1 was deleted from mailbox b and is back");
}
END_TEST

START_TEST(a_refused_message_is_there)
{
    see();
    show(2, 'c', 0);
    complains("message 2 was refused, and is in mailbox c");
}
END_TEST

START_TEST(an_id_is_given_again)
{
    see();
    view.next_ids[0] = 14;
    complains("the id of message 4 will be given again");
}
END_TEST

START_TEST(one_of_two_recipients)
{
    see();
    show(3, 'd', 1);
    complains("message 3 is there for 1 of 2 recipients");
    see();
    forget(1);
    complains("message 0 was acknowledged and is lost from mailbox b");
}
END_TEST

START_TEST(somebody_elses_mail)
{
    see();
    view.sights[2].mailbox = 2;
    complains("message 4 is in mailbox c, which is not its recipient 0");
    see();
    view.sights[2].id = 99;
    complains("mailbox a: a message that nobody has sent (63)");
    see();
    view.strangers = 1;
    complains("a mailbox that nobody has written to");
}
END_TEST

START_TEST(damage_must_be_named)
{
    see();
    forget(2);
    ck_assert(!holds(WEATHER_DAMAGED)); /* gone without a word */
    view.alarms = 1;
    ck_assert_msg(holds(WEATHER_DAMAGED), "%s", text);
    see();
    view.sights[2].status = STATUS_CORRUPT;
    complains("message 4 can't be read");
    ck_assert_msg(holds(WEATHER_DAMAGED), "%s", text);
}
END_TEST

START_TEST(torn_told_as_damaged)
{
    see();
    view.alarms = 1;
    snprintf(view.alarm, sizeof(view.alarm), "batches are damaged");
    complains("a false alarm: batches are damaged");
    snprintf(view.fault, sizeof(view.fault), "no STORE");
    complains("the store: no STORE");
}
END_TEST

START_TEST(lost_from_the_middle)
{
    see();
    forget(2);
    ck_assert_msg(holds(WEATHER_LIED), "%s", text); /* the end of the log */
    see();
    forget(1);
    forget(0);
    ck_assert(!holds(WEATHER_LIED));
    ck_assert_str_eq(text, "message 0 is lost before message 4, in silence");
    view.alarms = 1;
    ck_assert_msg(holds(WEATHER_LIED), "%s", text);
}
END_TEST

START_TEST(settled_for_good)
{
    struct journal journal = {.count = 0};
    see();
    show(3, 'c', 0);
    show(3, 'd', 1);
    truth_settle(&truth, &view, &journal);
    for (uint32_t i = 0; i < journal.count; i++)
        truth_take(&truth, &journal.events[i].note);
    ck_assert_msg(holds(WEATHER_FAIR), "%s", text);
    view.count -= 2;
    complains("message 3 was acknowledged and is lost from mailbox c");
    journal_deinit(&journal);
}
END_TEST

START_TEST(expired_mail_may_go)
{
    struct journal journal = {.count = 0};
    see();
    forget(2);
    truth_take(&truth, &(struct journal_note){NOTE_EXPIRES, 4, 0});
    ck_assert_msg(holds(WEATHER_FAIR), "%s", text);
    truth_settle(&truth, &view, &journal);
    for (uint32_t i = 0; i < journal.count; i++)
        truth_take(&truth, &journal.events[i].note);
    show(4, 'a', 0);
    complains("message 4 was deleted from mailbox a and is back");
    journal_deinit(&journal);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("truth");
    TCase *tests = tcase_create("truth");
    tcase_add_test(tests, a_good_store);
    tcase_add_test(tests, a_lost_message);
    tcase_add_test(tests, a_message_shown_twice);
    tcase_add_test(tests, other_bytes);
    tcase_add_test(tests, a_deleted_message_is_back);
    tcase_add_test(tests, a_refused_message_is_there);
    tcase_add_test(tests, an_id_is_given_again);
    tcase_add_test(tests, one_of_two_recipients);
    tcase_add_test(tests, somebody_elses_mail);
    tcase_add_test(tests, damage_must_be_named);
    tcase_add_test(tests, torn_told_as_damaged);
    tcase_add_test(tests, lost_from_the_middle);
    tcase_add_test(tests, settled_for_good);
    tcase_add_test(tests, expired_mail_may_go);
    suite_add_tcase(suite, tests);
    return suite;
}
