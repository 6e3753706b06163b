#include "engine/auth.h"

#include "tests/check_main.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEMPLATE "/tmp/test_auth.XXXXXX"

/* "secret word", openssl passwd -6. */
#define SHA512                                                                                     \
    "$6$saltsalt$Gbd7qCDlJSddZ9S5ri9ajiQJKxrbcZm6VQVUgvH3MPS64F04DY8tRDK9uBQT/"                    \
    "2Mr1LV40gv.JBbSMCRKp6QE21"

#define COOKIES_MAX 1024

/* Where the answers come. The gate, while shut, holds a worker inside its answer. */
struct home {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned answered, by_status[STATUS_COUNT], by_cookie[COOKIES_MAX];
    enum status last;
    pthread_t thread;
    bool is_shut, is_at_gate;
};

static struct home home;
static char path[sizeof TEMPLATE];
static struct auth *auth;
static struct fault fault;

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void make(void)
{
    home = (struct home){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    auth = NULL;
    memcpy(path, TEMPLATE, sizeof path);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void clean(void)
{
    unlink(path);
}

static void open_auth(const char *text, uint32_t workers, uint32_t requests_max)
{
    struct auth_options options;
    auth_options_default(&options);
    options.passwd_file = path;
    options.workers = workers;
    options.requests_max = requests_max;
    write_file(text);
    ck_assert_msg(auth_open(&auth, &options, &fault) == STATUS_OK, "%s", fault.text);
}

static void answered(void *context, uint64_t cookie, enum status status)
{
    ck_assert_ptr_eq(context, &home);
    pthread_mutex_lock(&home.lock);
    home.is_at_gate = true;
    pthread_cond_broadcast(&home.changed);
    while (home.is_shut)
        pthread_cond_wait(&home.changed, &home.lock);
    home.is_at_gate = false;
    home.answered++;
    home.by_status[status]++;
    home.by_cookie[cookie]++;
    home.last = status;
    home.thread = pthread_self();
    pthread_cond_broadcast(&home.changed);
    pthread_mutex_unlock(&home.lock);
}

static enum status submit(const char *user, const char *password, uint64_t cookie)
{
    return auth_submit(auth, span_text(user), span_text(password), cookie, answered, &home);
}

static void wait_answered(unsigned count)
{
    pthread_mutex_lock(&home.lock);
    while (home.answered < count)
        pthread_cond_wait(&home.changed, &home.lock);
    pthread_mutex_unlock(&home.lock);
}

static void shut_gate(void)
{
    pthread_mutex_lock(&home.lock);
    home.is_shut = true;
    pthread_mutex_unlock(&home.lock);
}

static void wait_at_gate(void)
{
    pthread_mutex_lock(&home.lock);
    while (!home.is_at_gate)
        pthread_cond_wait(&home.changed, &home.lock);
    pthread_mutex_unlock(&home.lock);
}

static void open_gate(void)
{
    pthread_mutex_lock(&home.lock);
    home.is_shut = false;
    pthread_cond_broadcast(&home.changed);
    pthread_mutex_unlock(&home.lock);
}

/* The answer to one login. */
static enum status ask(struct span user, struct span password)
{
    unsigned before = home.answered;
    ck_assert_int_eq(auth_submit(auth, user, password, 7, answered, &home), STATUS_OK);
    wait_answered(before + 1);
    return home.last;
}

static const struct {
    const char *user, *password;
    enum status status;
} logins[] = {
    {"alice", "secret word", STATUS_OK}, {"alice", "wrong", STATUS_DENIED},
    {"nobody", "wrong", STATUS_DENIED},  {"Alice", "secret word", STATUS_DENIED},
    {"alice", "", STATUS_DENIED},        {"", "", STATUS_DENIED},
    {"", "secret word", STATUS_DENIED},  {"bob", "p", STATUS_OK},
};

START_TEST(test_logins)
{
    open_auth("alice:" SHA512 "\nbob:{PLAIN}p\n", 2, 4);
    ck_assert_int_eq(ask(span_text(logins[_i].user), span_text(logins[_i].password)),
                     logins[_i].status);
    ck_assert(!pthread_equal(home.thread, pthread_self()));
    ck_assert_uint_eq(home.by_cookie[7], 1);
    auth_close(auth);
}
END_TEST

/* What does not fit is wrong, never cut to what fits. */
START_TEST(test_too_long)
{
    static char text[2000], user[AUTH_USER_BYTES_MAX + 1], password[AUTH_PASSWORD_BYTES_MAX + 1];
    const struct span long_user = span_of(user, sizeof user),
                      right_user = span_of(user, sizeof user - 1),
                      long_password = span_of(password, sizeof password),
                      right_password = span_of(password, sizeof password - 1);
    memset(user, 'u', sizeof user);
    memset(password, 'p', sizeof password);
    snprintf(text, sizeof text, "%.*s:{PLAIN}%.*s\n", (int)right_user.size, user,
             (int)right_password.size, password);
    open_auth(text, 1, 4);
    ck_assert_int_eq(ask(right_user, right_password), STATUS_OK);
    ck_assert_int_eq(ask(long_user, right_password), STATUS_DENIED);
    ck_assert_int_eq(ask(right_user, long_password), STATUS_DENIED);
    auth_close(auth);
}
END_TEST

START_TEST(test_any_password)
{
    struct auth_options options;
    auth_options_default(&options);
    options.any_password = true;
    ck_assert_int_eq(auth_open(&auth, &options, &fault), STATUS_OK);
    ck_assert_int_eq(submit("whoever", "whatever", 3), STATUS_OK);
    ck_assert_uint_eq(home.by_cookie[3], 1); /* before auth_submit returned */
    ck_assert_int_eq(home.last, STATUS_OK);
    ck_assert(pthread_equal(home.thread, pthread_self()));
    auth_close(auth);
}
END_TEST

START_TEST(test_queue_is_bounded)
{
    open_auth("bob:{PLAIN}p\n", 1, 3);
    shut_gate();
    ck_assert_int_eq(submit("bob", "p", 0), STATUS_OK);
    wait_at_gate();
    for (uint64_t cookie = 1; cookie <= 3; cookie++)
        ck_assert_int_eq(submit("bob", "p", cookie), STATUS_OK);
    ck_assert_int_eq(submit("bob", "p", 4), STATUS_AGAIN);
    open_gate();
    wait_answered(4);
    ck_assert_int_eq(submit("bob", "x", 5), STATUS_OK);
    wait_answered(5);
    ck_assert_uint_eq(home.by_status[STATUS_OK], 4);
    ck_assert_uint_eq(home.by_cookie[4], 0);
    auth_close(auth);
}
END_TEST

/* Far more work than can be done before the close: every request is answered once all the same. */
START_TEST(test_close_answers_all)
{
    enum { REQUESTS = 500 };
    open_auth("alice:" SHA512 "\n", 2, REQUESTS);
    for (uint64_t cookie = 0; cookie < REQUESTS; cookie++)
        ck_assert_int_eq(submit("alice", "secret word", cookie), STATUS_OK);
    auth_close(auth);
    ck_assert_uint_eq(home.answered, REQUESTS);
    ck_assert_uint_gt(home.by_status[STATUS_AGAIN], 0);
    ck_assert_uint_eq(home.by_status[STATUS_AGAIN] + home.by_status[STATUS_OK], REQUESTS);
    for (uint64_t cookie = 0; cookie < REQUESTS; cookie++)
        ck_assert_uint_eq(home.by_cookie[cookie], 1);
}
END_TEST

START_TEST(test_reload)
{
    open_auth("bob:{PLAIN}old\n", 1, 4);
    ck_assert_int_eq(ask(SPAN("bob"), SPAN("old")), STATUS_OK);
    write_file("bob:{PLAIN}new\neve:{PLAIN}x\n");
    ck_assert_int_eq(auth_reload(auth, path, &fault), STATUS_OK);
    ck_assert_int_eq(ask(SPAN("bob"), SPAN("old")), STATUS_DENIED);
    ck_assert_int_eq(ask(SPAN("bob"), SPAN("new")), STATUS_OK);
    ck_assert_int_eq(ask(SPAN("eve"), SPAN("x")), STATUS_OK);
    auth_close(auth);
}
END_TEST

START_TEST(test_failed_reload_changes_nothing)
{
    open_auth("bob:{PLAIN}old\n", 1, 4);
    write_file("bob:{PLAIN}new\nnonsense\n");
    ck_assert_int_eq(auth_reload(auth, path, &fault), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, ":2: "));
    ck_assert_int_eq(auth_reload(auth, "/nonexistent", &fault), STATUS_ABSENT);
    ck_assert_int_eq(ask(SPAN("bob"), SPAN("old")), STATUS_OK);
    ck_assert_int_eq(ask(SPAN("bob"), SPAN("new")), STATUS_DENIED);
    auth_close(auth);
}
END_TEST

/* Tables come and go under four busy workers; both files know the user. */
START_TEST(test_reload_under_load)
{
    enum { REQUESTS = COOKIES_MAX };
    open_auth("bob:{PLAIN}p\n", 4, REQUESTS);
    for (uint64_t cookie = 0; cookie < REQUESTS; cookie++) {
        ck_assert_int_eq(submit("bob", "p", cookie), STATUS_OK);
        if (cookie % 16 == 0)
            ck_assert_int_eq(auth_reload(auth, path, &fault), STATUS_OK);
    }
    wait_answered(REQUESTS);
    auth_close(auth);
    ck_assert_uint_eq(home.by_status[STATUS_OK], REQUESTS);
}
END_TEST

/* Without a lock of its own: the sanitizer for threads, and lost counts, would tell. */
static void count_alone(void *context, uint64_t cookie, enum status status)
{
    unsigned *count = context;
    (void)cookie, (void)status;
    unsigned before = *count;
    sched_yield();
    *count = before + 1;
}

START_TEST(test_answers_never_overlap)
{
    enum { REQUESTS = 5000 };
    unsigned count = 0;
    open_auth("bob:{PLAIN}p\n", 4, REQUESTS);
    for (uint64_t cookie = 0; cookie < REQUESTS; cookie++)
        ck_assert_int_eq(auth_submit(auth, SPAN("bob"), SPAN("p"), cookie, count_alone, &count),
                         STATUS_OK);
    auth_close(auth);
    ck_assert_uint_eq(count, REQUESTS);
}
END_TEST

START_TEST(test_faults)
{
    struct auth_options options;
    auth_options_default(&options);
    ck_assert_int_eq(auth_open(&auth, &options, &fault), STATUS_CONFIG);
    options.passwd_file = "/nonexistent/passwd";
    ck_assert_int_eq(auth_open(&auth, &options, &fault), STATUS_ABSENT);
    ck_assert_str_eq(fault.text, "/nonexistent/passwd: No such file or directory");
    ck_assert_ptr_null(auth);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("auth");
    tcase_add_checked_fixture(tcase, make, clean);
    tcase_add_loop_test(tcase, test_logins, 0, sizeof logins / sizeof *logins);
    tcase_add_test(tcase, test_too_long);
    tcase_add_test(tcase, test_any_password);
    tcase_add_test(tcase, test_queue_is_bounded);
    tcase_add_test(tcase, test_close_answers_all);
    tcase_add_test(tcase, test_reload);
    tcase_add_test(tcase, test_failed_reload_changes_nothing);
    tcase_add_test(tcase, test_reload_under_load);
    tcase_add_test(tcase, test_answers_never_overlap);
    tcase_add_test(tcase, test_faults);
    suite_add_tcase(suite, tcase);
    return suite;
}
