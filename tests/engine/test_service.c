/* Starting and stopping the whole: what service_run refuses, and that it ends as it was told. */
#include "engine/service.h"

#include "base/clock.h"
#include "tests/check_main.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char directory[64], store[80], file[80];

static void set_up(void)
{
    snprintf(directory, sizeof directory, "/tmp/test_service_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(store, sizeof store, "%s/store", directory);
    snprintf(file, sizeof file, "%s/file", directory);
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static void listen_on(struct service_options *options, enum door_kind door, const char *address)
{
    struct fault fault;
    struct service_listener *listener = &options->listeners[options->listeners_count++];
    listener->door = door;
    ck_assert_int_eq(net_address_parse(address, &listener->address, &fault), STATUS_OK);
}

static struct service_options a_service(void)
{
    struct service_options options;
    service_options_default(&options);
    options.store_directory = store;
    options.shards = 1;
    options.cpus = "none";
    options.connections_max = 16;
    options.memory_bytes = 8 << 20;
    options.segment_bytes = 8 << 20;
    options.hostname = "mx.service.test";
    options.accept_all = true;
    return options;
}

/* ---------------------------------------------------------------------------- refusals ---- */

static int taken_port(char out[32])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    snprintf(out, 32, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void a_taken_address(struct service_options *options)
{
    static char text[32];
    taken_port(text); /* stays open until the test's process ends */
    options->listeners_count = 0;
    listen_on(options, DOOR_SMTP, text);
}

static void a_taken_address_for_two_shards(struct service_options *options)
{
    a_taken_address(options);
    options->shards = 2;
}

static void a_store_that_is_a_file(struct service_options *options)
{
    FILE *made = fopen(store, "w");
    ck_assert_ptr_nonnull(made);
    fclose(made);
    (void)options;
}

static void a_store_nowhere(struct service_options *options)
{
    options->store_directory = "/proc/no/store/can/be/here";
}

static void an_unknown_user(struct service_options *options)
{
    options->user = "no-such-user-here";
}

static void any_password_for_all_the_world(struct service_options *options)
{
    options->any_password = true;
    listen_on(options, DOOR_POP3, "0.0.0.0:0");
}

static void no_passwd_file(struct service_options *options)
{
    options->passwd_file = file;
    listen_on(options, DOOR_POP3, "127.0.0.1:0");
}

static void a_wrong_passwd_file(struct service_options *options)
{
    FILE *made = fopen(file, "w");
    ck_assert_ptr_nonnull(made);
    fputs("user:{NO-SUCH-SCHEME}x\n", made);
    fclose(made);
    no_passwd_file(options);
}

static void no_recipients_file(struct service_options *options)
{
    options->recipients_file = file;
}

static void no_such_processor(struct service_options *options)
{
    options->cpus = "1023";
}

static const struct {
    const char *what;
    void (*spoil)(struct service_options *options);
    enum status status;
    const char *named; /* in the line that says why */
} refusals[] = {
    {"a taken address", a_taken_address, STATUS_NETWORK, "127.0.0.1:"},
    {"a taken address, two shards", a_taken_address_for_two_shards, STATUS_NETWORK, "127.0.0.1:"},
    {"a store that is a file", a_store_that_is_a_file, STATUS_SYSTEM, "store"},
    {"a store nowhere", a_store_nowhere, STATUS_ABSENT, "/proc/no"},
    {"an unknown user", an_unknown_user, STATUS_ABSENT, "no-such-user-here"},
    {"any password", any_password_for_all_the_world, STATUS_USAGE, "loopback"},
    {"no passwd file", no_passwd_file, STATUS_ABSENT, "file"},
    {"a wrong passwd file", a_wrong_passwd_file, STATUS_CONFIG, "file:1"},
    {"no recipients file", no_recipients_file, STATUS_ABSENT, "file"},
    {"no such processor", no_such_processor, STATUS_USAGE, "1023"},
};

START_TEST(what_can_not_work_is_refused_with_a_reason)
{
    struct fault fault = {0};
    struct service_options options = a_service();
    listen_on(&options, DOOR_SMTP, "127.0.0.1:0");
    refusals[_i].spoil(&options);
    enum status status = service_run(&options, &fault);
    ck_assert_msg(status == refusals[_i].status, "%s: %s: %s", refusals[_i].what,
                  status_text(status), fault.text);
    ck_assert_int_eq(fault.status, status);
    ck_assert_msg(strstr(fault.text, refusals[_i].named) != NULL, "%s", fault.text);
}
END_TEST

/* ---------------------------------------------------------------------- a life of its own ---- */

/* Connects to the unix socket as soon as there is one; the file descriptor. */
static int connect_to(const char *path)
{
    const struct timespec moment = {.tv_nsec = 5 * NS_PER_MS};
    union net_address address;
    struct fault fault;
    char text[100];
    snprintf(text, sizeof text, "unix:%s", path);
    ck_assert_int_eq(net_address_parse(text, &address, &fault), STATUS_OK);
    for (int tries = 0; tries < 1000; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, &address.any, net_address_size(&address)) == 0)
            return fd;
        close(fd);
        nanosleep(&moment, NULL);
    }
    return -1;
}

/* Whether a line that begins with `start` comes. */
static bool reads(int fd, const char *start)
{
    char line[512];
    size_t size = 0;
    while (size < sizeof line - 1 && read(fd, line + size, 1) == 1)
        if (line[size++] == '\n') {
            line[size] = '\0';
            if (strncmp(line, start, strlen(start)) == 0)
                return true;
            size = 0;
        }
    return false;
}

static void tell(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* A client in a thread: the service has the main one, as in life. */
static void *deliver_reload_and_stop(void *context)
{
    bool *good = context;
    int fd = connect_to(file);
    *good = reads(fd, "220 mx.service.test");
    tell(fd, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<box@a.test>\r\nDATA\r\n");
    *good = *good && reads(fd, "354");
    tell(fd, "text\r\n.\r\n");
    *good = *good && reads(fd, "250 2.0.0 queued");
    for (int i = 0; i < 5; i++)
        kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    *good = *good && reads(fd, "421 4.3.2");
    close(fd);
    return NULL;
}

START_TEST(a_service_ends_in_order_when_it_is_told_to)
{
    bool good[2] = {false, false};
    char address[100], recipients[100];
    snprintf(address, sizeof address, "unix:%s", file);
    snprintf(recipients, sizeof recipients, "%s/recipients", directory);
    FILE *made = fopen(recipients, "w");
    ck_assert_ptr_nonnull(made);
    fputs("@a.test\n", made);
    fclose(made);
    for (int life = 0; life < 2; life++) { /* the second finds the store of the first */
        struct fault fault;
        struct service_options options = a_service();
        options.shards = 2;
        options.accept_all = false;
        options.recipients_file = recipients;
        listen_on(&options, DOOR_SMTP, address);
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        pthread_t client;
        ck_assert_int_eq(pthread_create(&client, NULL, deliver_reload_and_stop, &good[life]), 0);
        ck_assert_int_eq(service_run(&options, &fault), STATUS_OK);
        pthread_join(client, NULL);
        ck_assert(good[life]);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("service");
    TCase *tests = tcase_create("service");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, what_can_not_work_is_refused_with_a_reason, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(tests, a_service_ends_in_order_when_it_is_told_to);
    suite_add_tcase(suite, tests);
    return suite;
}
