#include "engine/net/dpdk/steer.h"

#include "tests/check_main.h"

#include <arpa/inet.h>
#include <string.h>

static struct steer steer;

static uint32_t hash_of(int family, const char *remote, uint16_t remote_port, const char *local,
                        uint16_t local_port)
{
    uint8_t from[16], to[16];
    ck_assert_int_eq(inet_pton(family, remote, from), 1);
    ck_assert_int_eq(inet_pton(family, local, to), 1);
    return steer_hash(&steer, from, to, family == AF_INET ? 4 : 16, htons(remote_port),
                      htons(local_port));
}

/* "Verifying the RSS hash calculation", Windows drivers' documentation. */
START_TEST(steer_hashes_as_cards_do)
{
    steer_init(&steer, 1);
    ck_assert_uint_eq(hash_of(AF_INET, "66.9.149.187", 2794, "161.142.100.80", 1766), 0x51ccc178);
    ck_assert_uint_eq(hash_of(AF_INET, "199.92.111.2", 14230, "65.69.140.83", 4739), 0xc626b0ea);
    ck_assert_uint_eq(hash_of(AF_INET6, "3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766),
                      0x40207d3d);
}
END_TEST

/* Ethernet, IPv4 without options, TCP without options or data. */
static void make_tcp(uint8_t frame[54], uint16_t source_port)
{
    memset(frame, 0, 54);
    frame[12] = 8;
    frame[14] = 0x45;
    frame[17] = 40;
    frame[23] = 6;
    frame[29] = 1;
    frame[33] = 2;
    frame[34] = (uint8_t)(source_port >> 8);
    frame[35] = (uint8_t)source_port;
    frame[46] = 0x50;
}

START_TEST(steer_spreads_connections_and_keeps_each)
{
    uint32_t counts[4] = {0};
    uint8_t frame[54];
    steer_init(&steer, 4);
    for (unsigned port = 0; port < 4000; port++) {
        make_tcp(frame, (uint16_t)port);
        uint32_t shard = steer_frame(&steer, frame, sizeof frame);
        ck_assert_uint_lt(shard, 4);
        counts[shard]++;
        frame[47] = 0x10; /* other flags, the same connection */
        ck_assert_uint_eq(steer_frame(&steer, frame, sizeof frame), shard);
    }
    for (unsigned i = 0; i < 4; i++)
        ck_assert(counts[i] > 800 && counts[i] < 1200);
}
END_TEST

START_TEST(steer_keeps_ports_of_one_shard_for_it)
{
    uint8_t frame[54];
    unsigned others = 0;
    steer_init(&steer, 4);
    steer_keep(&steer, htons(9090), 2);
    for (unsigned port = 0; port < 100; port++) {
        make_tcp(frame, (uint16_t)port);
        others += steer_frame(&steer, frame, sizeof frame) != 2;
        frame[36] = 9090 >> 8;
        frame[37] = 9090 & 255;
        ck_assert_uint_eq(steer_frame(&steer, frame, sizeof frame), 2);
    }
    ck_assert_uint_gt(others, 50);
}
END_TEST

START_TEST(steer_lets_all_hear_of_neighbours)
{
    uint8_t arp[42] = {[12] = 8, [13] = 6}, echo[42] = {[12] = 8, [14] = 0x45, [17] = 28, [23] = 1};
    steer_init(&steer, 4);
    ck_assert_uint_eq(steer_frame(&steer, arp, sizeof arp), STEER_ALL);
    ck_assert_uint_eq(steer_frame(&steer, echo, sizeof echo), 0);
    ck_assert_uint_eq(steer_frame(&steer, echo, 5), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("steer");
    TCase *tcase = tcase_create("steer");
    tcase_add_test(tcase, steer_hashes_as_cards_do);
    tcase_add_test(tcase, steer_spreads_connections_and_keeps_each);
    tcase_add_test(tcase, steer_keeps_ports_of_one_shard_for_it);
    tcase_add_test(tcase, steer_lets_all_hear_of_neighbours);
    suite_add_tcase(suite, tcase);
    return suite;
}
