#include "engine/smtp/reply.h"

#include "tests/check_main.h"

#include <ctype.h>

/* RFC 5321 section 4.2: three digits; RFC 2034: "<class>.<subject>.<detail> " of the same class,
 * except after 354; CRLF at the end and nowhere else. */
START_TEST(test_shape)
{
    struct span text = smtp_reply_text(_i);
    const uint8_t *at = text.data;
    ck_assert_uint_ge(text.size, 8);
    ck_assert_uint_le(text.size, 96);
    ck_assert(at[0] >= '2' && at[0] <= '5' && isdigit(at[1]) && isdigit(at[2]) && at[3] == ' ');
    if (at[0] != '3') {
        size_t i = 4;
        ck_assert(at[i] == at[0] && at[i + 1] == '.');
        for (i += 2; isdigit(at[i]); i++)
            ;
        ck_assert(at[i] == '.' && isdigit(at[i + 1]));
        for (i++; isdigit(at[i]); i++)
            ;
        ck_assert(at[i] == ' ');
    }
    ck_assert_mem_eq(at + text.size - 2, "\r\n", 2);
    for (size_t i = 0; i < text.size - 2; i++)
        ck_assert(at[i] >= ' ' && at[i] < 0x7F);
    ck_assert_int_eq(smtp_reply_is_error(_i), at[0] == '5');
}
END_TEST

START_TEST(test_of_status)
{
    ck_assert_int_eq(smtp_reply_of(STATUS_OK), REPLY_OK);
    ck_assert_int_eq(smtp_reply_of(STATUS_FULL), REPLY_NO_SPACE);
    for (int status = STATUS_IO; status < STATUS_COUNT; status++)
        ck_assert_int_eq(smtp_reply_of(status), REPLY_TRY_LATER);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_loop_test(tcase, test_shape, REPLY_NONE + 1, REPLY_COUNT);
    tcase_add_test(tcase, test_of_status);
    suite_add_tcase(suite, tcase);
    return suite;
}
