#include "engine/net/socket.h"

#include "tests/check_main.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[32], path[64];
static const struct net_listener_options options = {.backlog = 8};

static void setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/mailrace-socket-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "unix:%s/s", directory);
}

static void teardown(void)
{
    unlink(path + 5);
    ck_assert_int_eq(rmdir(directory), 0);
}

static union net_address parse(const char *text)
{
    union net_address address;
    struct fault fault = {0};
    ck_assert_msg(net_address_parse(text, &address, &fault) == STATUS_OK, "%s", fault.text);
    return address;
}

static int get_option(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

START_TEST(accepted_sockets_inherit_no_delay)
{
    union net_address any = parse("127.0.0.1:0"), bound, peer;
    struct fault fault = {0};
    int listener;
    ck_assert_int_eq(socket_listen(&any, &options, &fault, &listener, &bound), STATUS_OK);
    ck_assert_uint_ne(bound.ipv4.sin_port, 0);
    int fd = socket_connecting(&bound, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    ck_assert(!socket_peer(fd, &peer));
    ck_assert_int_eq(connect(fd, &bound.any, net_address_size(&bound)), 0);
    ck_assert(socket_peer(fd, &peer));
    ck_assert_uint_eq(peer.ipv4.sin_port, bound.ipv4.sin_port);
    int accepted = accept(listener, NULL, NULL);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(get_option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    close(accepted);
    close(fd);
    close(listener);
}
END_TEST

START_TEST(ipv6_leaves_ipv4_alone)
{
    union net_address any = parse("[::]:0"), bound;
    struct fault fault = {0};
    int fd6, fd4;
    ck_assert_msg(socket_listen(&any, &options, &fault, &fd6, &bound) == STATUS_OK, "%s",
                  fault.text);
    union net_address same = parse("0.0.0.0:0"), ignored;
    same.ipv4.sin_port = bound.ipv6.sin6_port;
    ck_assert_int_eq(socket_listen(&same, &options, &fault, &fd4, &ignored), STATUS_OK);
    close(fd6);
    close(fd4);
}
END_TEST

START_TEST(a_stale_socket_file_is_replaced_a_live_one_is_not)
{
    union net_address address = parse(path), bound;
    struct fault fault = {0};
    int first, second = -1;
    ck_assert_int_eq(socket_listen(&address, &options, &fault, &first, &bound), STATUS_OK);
    ck_assert_int_eq(socket_listen(&address, &options, &fault, &second, &bound), STATUS_NETWORK);
    ck_assert_ptr_nonnull(strstr(fault.text, path));
    ck_assert_int_eq(second, -1);
    close(first); /* as a crash would: the file stays */
    ck_assert_int_eq(socket_listen(&address, &options, &fault, &second, &bound), STATUS_OK);
    close(second);
}
END_TEST

START_TEST(a_busy_listener_is_alive)
{
    union net_address address = parse(path), bound;
    static const struct net_listener_options short_backlog = {.backlog = 0};
    struct fault fault = {0};
    int listener, other, callers[2];
    ck_assert_int_eq(socket_listen(&address, &short_backlog, &fault, &listener, &bound), STATUS_OK);
    int result = 0;
    for (int i = 0; i < 2; i++) {
        callers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        result = connect(callers[i], &address.any, net_address_size(&address));
    }
    ck_assert_int_eq(result, -1); /* its backlog is full */
    ck_assert_int_eq(socket_listen(&address, &options, &fault, &other, &bound), STATUS_NETWORK);
    close(callers[0]);
    close(callers[1]);
    close(listener);
}
END_TEST

START_TEST(a_file_that_is_no_socket_stays)
{
    union net_address address = parse(path), bound;
    FILE *file = fopen(path + 5, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    struct fault fault = {0};
    int fd;
    ck_assert_int_eq(socket_listen(&address, &options, &fault, &fd, &bound), STATUS_NETWORK);
    struct stat status;
    ck_assert_int_eq(stat(path + 5, &status), 0);
}
END_TEST

static const char *const elsewhere[] = {"192.0.2.1:0", "unix:/nonexistent-directory/s"};

START_TEST(names_the_address_it_cannot_have)
{
    union net_address address = parse(elsewhere[_i]), bound;
    struct fault fault = {0};
    int fd;
    ck_assert_int_eq(socket_listen(&address, &options, &fault, &fd, &bound), STATUS_NETWORK);
    ck_assert_ptr_nonnull(strstr(fault.text, elsewhere[_i]));
    ck_assert_int_eq(fault.status, STATUS_NETWORK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("socket");
    TCase *tcase = tcase_create("socket");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, accepted_sockets_inherit_no_delay);
    tcase_add_test(tcase, ipv6_leaves_ipv4_alone);
    tcase_add_test(tcase, a_stale_socket_file_is_replaced_a_live_one_is_not);
    tcase_add_test(tcase, a_busy_listener_is_alive);
    tcase_add_test(tcase, a_file_that_is_no_socket_stays);
    tcase_add_loop_test(tcase, names_the_address_it_cannot_have, 0,
                        sizeof elsewhere / sizeof *elsewhere);
    suite_add_tcase(suite, tcase);
    return suite;
}
