#include "tools/blast_html.h"

#include "tests/check_main.h"
#include "tests/tools/blast_sample.h"
#include "tools/blast_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BEGIN "<script type=\"application/json\" id=\"report\">"
#define END "</script>"

static char *page_of(const struct blast_sample *sample)
{
    char path[] = "/tmp/blast-html-XXXXXX", *page = NULL;
    struct fault fault;
    size_t capacity = 0;
    close(mkstemp(path));
    ck_assert_int_eq(blast_html_write(path, &sample->options, &sample->report, &fault), STATUS_OK);
    FILE *file = fopen(path, "r");
    ck_assert(file != NULL);
    ck_assert_int_gt(getdelim(&page, &capacity, '\0', file), 0);
    fclose(file);
    unlink(path);
    return page;
}

/* What is said must come through, and end neither the element nor the document. */
static const char *const hostile[] = {
    "plain",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\xe2\x80\xa8</SCRIPT >&amp;\"'",
};

enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

START_TEST(text_from_outside_stays_text)
{
    struct blast_sample *sample = blast_sample();
    json_error_t error;
    sample->options.hello = hostile[_i];
    char *page = page_of(sample);
    char *begin = strstr(page, BEGIN);
    ck_assert(begin != NULL);
    begin += strlen(BEGIN);
    char *end = strchr(begin, '<');
    ck_assert(strncmp(end, END, strlen(END)) == 0);
    *end = '\0';
    json_t *json = json_loads(begin, 0, &error);
    ck_assert_msg(json != NULL, "%s", error.text);
    json_t *settings = json_object_get(json, "settings");
    ck_assert_str_eq(json_string_value(json_object_get(settings, "hello")), hostile[_i]);
    json_decref(json);
    free(page);
    free(sample);
}
END_TEST

/* Nothing is fetched from anywhere: all that the template links to has been put in. */
START_TEST(the_page_needs_nothing_else)
{
    struct blast_sample *sample = blast_sample_empty();
    char *page = page_of(sample);
    ck_assert(strncmp(page, "<!doctype html>", 15) == 0);
    ck_assert(strstr(page, "</html>") != NULL);
    ck_assert(strstr(page, "default-src 'none'") != NULL);
    ck_assert(strstr(page, " src=") == NULL);
    ck_assert(strstr(page, "stylesheet") == NULL);
    ck_assert(strstr(page, "@import") == NULL);
    ck_assert(strstr(page, "url(") == NULL);
    free(page);
    free(sample);
}
END_TEST

START_TEST(names_what_it_cannot_write)
{
    struct blast_sample *sample = blast_sample_empty();
    struct fault fault = {0};
    ck_assert_int_eq(blast_html_write("/absent/a.html", &sample->options, &sample->report, &fault),
                     STATUS_ABSENT);
    ck_assert(strstr(fault.text, "/absent/a.html") != NULL);
    free(sample);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blast_html");
    TCase *tests = tcase_create("blast_html");
    tcase_add_loop_test(tests, text_from_outside_stays_text, 0, HOSTILE);
    tcase_add_test(tests, the_page_needs_nothing_else);
    tcase_add_test(tests, names_what_it_cannot_write);
    suite_add_tcase(suite, tests);
    return suite;
}
