#include "engine/smtp/parameters.h"

#include "tests/check_main.h"

#include <stdio.h>

#define BAD REPLY_BAD_PARAMETER
#define UNKNOWN REPLY_UNKNOWN_PARAMETER
#define FINE REPLY_NONE

struct row {
    const char *text;
    enum smtp_parameter_command command;
    enum smtp_reply reply;
    const char *parsed; /* see print() */
};

#define X20 "xxxxxxxxxxxxxxxxxxxx"
#define X100 X20 X20 X20 X20 X20

static const struct row rows[] = {
    {"", SMTP_OF_MAIL, FINE, "0"},
    {"   ", SMTP_OF_MAIL, FINE, "0"},
    {" SIZE=123", SMTP_OF_MAIL, FINE, "123"},
    {" size=0  body=8bitmime", SMTP_OF_MAIL, FINE, "0 body 8bitmime"},
    {" SMTPUTF8 BODY=7BIT", SMTP_OF_MAIL, FINE, "0 utf8 body 7BIT"},
    {" RET=HDRS ENVID=QQ+2B+3D314", SMTP_OF_MAIL, FINE, "0 ret HDRS envid QQ+=314"},
    {" RET=full", SMTP_OF_MAIL, FINE, "0 ret full"},
    {" ENVID=" X100, SMTP_OF_MAIL, FINE, "0 envid " X100},
    {" NOTIFY=never", SMTP_OF_RCPT, FINE, "0 notify never"},
    {" NOTIFY=SUCCESS,delay,FAILURE", SMTP_OF_RCPT, FINE, "0 notify SUCCESS,delay,FAILURE"},
    {" ORCPT=rfc822;a+2Bb@x", SMTP_OF_RCPT, FINE, "0 orcpt rfc822;a+b@x"},
    {" ORCPT=x-y;+20", SMTP_OF_RCPT, FINE, "0 orcpt x-y; "},

    {" FOO", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" FOO=BAR", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" SIZ=1", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" SIZES=1", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" =1", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" AUTH=<>", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" NOTIFY=NEVER", SMTP_OF_MAIL, UNKNOWN, NULL},
    {" SIZE=1", SMTP_OF_RCPT, UNKNOWN, NULL},
    {" BODY=BINARYMIME", SMTP_OF_MAIL, BAD, NULL},

    {"SIZE=1", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=-1", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=+1", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=12x", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=0x12", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=1=2", SMTP_OF_MAIL, BAD, NULL},
    {" SIZE=1 SIZE=1", SMTP_OF_MAIL, BAD, NULL},
    {" SMTPUTF8=yes", SMTP_OF_MAIL, BAD, NULL},
    {" SMTPUTF8 SMTPUTF8", SMTP_OF_MAIL, BAD, NULL},
    {" BODY", SMTP_OF_MAIL, BAD, NULL},
    {" BODY=8BIT", SMTP_OF_MAIL, BAD, NULL},
    {" RET=ALL", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=a+2", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=a+2b", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=a+", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=+0D+0A", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=+00", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=+7F", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=\x01", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=\xC3\xA9", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=+C3+A9", SMTP_OF_MAIL, BAD, NULL},
    {" ENVID=" X100 "x", SMTP_OF_MAIL, BAD, NULL},
    {" NOTIFY=", SMTP_OF_RCPT, BAD, NULL},
    {" NOTIFY=NEVER,DELAY", SMTP_OF_RCPT, BAD, NULL},
    {" NOTIFY=DELAY,", SMTP_OF_RCPT, BAD, NULL},
    {" NOTIFY=,DELAY", SMTP_OF_RCPT, BAD, NULL},
    {" NOTIFY=SOON", SMTP_OF_RCPT, BAD, NULL},
    {" ORCPT=a@x", SMTP_OF_RCPT, BAD, NULL},
    {" ORCPT=;a@x", SMTP_OF_RCPT, BAD, NULL},
    {" ORCPT=rfc822;", SMTP_OF_RCPT, BAD, NULL},
    {" ORCPT=rfc822", SMTP_OF_RCPT, BAD, NULL},
    {" ORCPT=rfc822;+0A", SMTP_OF_RCPT, BAD, NULL},
    {" ORCPT=rfc822;" X100 X100 X100 X100 X100, SMTP_OF_RCPT, BAD, NULL},
};

static void print(const struct smtp_parameters *parameters, char *out, size_t size)
{
    const struct span fields[] = {
        parameters->body, parameters->ret, span_of(parameters->envid, parameters->envid_size),
        parameters->notify, span_of(parameters->orcpt, parameters->orcpt_size)};
    const char *names[] = {"body", "ret", "envid", "notify", "orcpt"};
    int used = snprintf(out, size, "%llu%s", (unsigned long long)parameters->size,
                        parameters->smtputf8 ? " utf8" : "");
    for (size_t i = 0; i < 5; i++)
        if (fields[i].size > 0)
            used += snprintf(out + used, size - (size_t)used, " %s %.*s", names[i],
                             (int)fields[i].size, (const char *)fields[i].data);
}

START_TEST(test_rows)
{
    const struct row *row = &rows[_i];
    struct smtp_parameters parameters;
    char parsed[1024];
    ck_assert_int_eq(smtp_parameters_parse(span_text(row->text), row->command, false, &parameters),
                     row->reply);
    if (row->reply == FINE) {
        print(&parameters, parsed, sizeof parsed);
        ck_assert_str_eq(parsed, row->parsed);
    }
}
END_TEST

/* RFC 6533: an original recipient may be UTF-8, if the transaction said so, and well-formed. */
START_TEST(test_utf8)
{
    const struct {
        const char *text;
        bool good;
    } cases[] = {{" ORCPT=utf-8;j\xC3\xB6rg@x", true},
                 {" ORCPT=utf-8;j+C3+B6rg@x", true},
                 {" ORCPT=utf-8;j\xF6rg@x", false},
                 {" ORCPT=utf-8;j+F6rg@x", false}};
    struct smtp_parameters parameters;
    struct span text = span_text(cases[_i].text);
    ck_assert_int_eq(smtp_parameters_parse(text, SMTP_OF_RCPT, true, &parameters),
                     cases[_i].good ? FINE : BAD);
    ck_assert_int_eq(smtp_parameters_parse(text, SMTP_OF_RCPT, false, &parameters), BAD);
}
END_TEST

START_TEST(test_number)
{
    const struct {
        const char *text;
        bool good;
        uint64_t number;
    } cases[] = {
        {"0", true, 0},
        {"00000000000000000001", true, 1},
        {"4294967295", true, 4294967295},
        {"4294967296", true, 4294967296},
        {"9223372036854775808", true, 9223372036854775808ull},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"000000000000000000001", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
    };
    uint64_t number = 77;
    ck_assert_int_eq(smtp_number_parse(span_text(cases[_i].text), &number), cases[_i].good);
    ck_assert_uint_eq(number, cases[_i].good ? cases[_i].number : 77);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_parameters");
    TCase *tcase = tcase_create("parameters");
    tcase_add_loop_test(tcase, test_rows, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, test_utf8, 0, 4);
    tcase_add_loop_test(tcase, test_number, 0, 17);
    suite_add_tcase(suite, tcase);
    return suite;
}
