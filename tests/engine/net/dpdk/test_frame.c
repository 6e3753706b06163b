#include "engine/net/dpdk/frame.h"

#include "tests/check_main.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* A frame of TCP over IPv4 that is as it should be, with 5 bytes of data and 4 of padding. */
static const uint8_t good4[63] = {
    [12] = 0x08, [14] = 0x45, [17] = 45, [23] = 6,    [26] = 10,
    [29] = 2,    [30] = 10,   [33] = 1,  [34] = 0x30, [35] = 0x39,
    [37] = 25,   [38] = 1,    [41] = 4,  [46] = 0x50, [47] = FRAME_ACK,
};

static const uint8_t good6[74] = {
    [12] = 0x86, [13] = 0xDD, [14] = 0x60, [19] = 20,   [20] = 6,
    [37] = 2,    [53] = 1,    [55] = 80,   [66] = 0x50, [67] = FRAME_SYN,
};

/* Of a block of exactly so many bytes, so that a sanitizer sees a look beyond. */
static enum frame_kind look(const uint8_t *bytes, uint32_t size, struct frame_view *view)
{
    uint8_t *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    enum frame_kind kind = frame_look(copy, size, view);
    free(copy);
    return kind;
}

START_TEST(sees_who_talks_to_whom)
{
    struct frame_view view;
    ck_assert_int_eq(frame_look(good4, sizeof good4, &view), FRAME_TCP);
    ck_assert_uint_eq(view.address_bytes, 4);
    ck_assert_ptr_eq(view.source, good4 + 26);
    ck_assert_ptr_eq(view.destination, good4 + 30);
    ck_assert_uint_eq(ntohs(view.source_port), 12345);
    ck_assert_uint_eq(ntohs(view.destination_port), 25);
    ck_assert_uint_eq(view.sequence, 0x01000004);
    ck_assert_uint_eq(view.payload_bytes, 5);
    ck_assert_uint_eq(view.flags, FRAME_ACK);
    ck_assert_int_eq(frame_look(good6, sizeof good6, &view), FRAME_TCP);
    ck_assert_uint_eq(view.address_bytes, 16);
    ck_assert_ptr_eq(view.source, good6 + 22);
    ck_assert_uint_eq(view.source_port, htons(80));
    ck_assert_uint_eq(view.payload_bytes, 0);
}
END_TEST

START_TEST(never_looks_beyond_the_end)
{
    struct frame_view view;
    for (uint32_t size = 0; size < 59; size++)
        ck_assert_int_eq(look(good4, size, &view), FRAME_USELESS);
    for (uint32_t size = 0; size < sizeof good6; size++)
        ck_assert_int_eq(look(good6, size, &view), FRAME_USELESS);
    ck_assert_int_eq(look(good4, 59, &view), FRAME_TCP);
}
END_TEST

START_TEST(believes_no_header_that_contradicts_itself)
{
    static const struct {
        uint8_t at, value;
        enum frame_kind kind;
    } rows[] = {
        {14, 0x65, FRAME_USELESS}, /* another version */
        {14, 0x44, FRAME_USELESS}, /* a header of 16 bytes */
        {14, 0x4F, FRAME_USELESS}, /* one longer than the packet */
        {17, 39, FRAME_USELESS},   /* no room for TCP */
        {17, 50, FRAME_USELESS},   /* more than there is */
        {20, 0x20, FRAME_USELESS}, /* more fragments follow */
        {21, 1, FRAME_USELESS},    /* not the first fragment */
        {20, 0x40, FRAME_TCP},     /* not to be fragmented */
        {23, 17, FRAME_USELESS},   /* UDP */
        {23, 1, FRAME_ECHO},       /* ICMP */
        {46, 0x40, FRAME_USELESS}, /* a TCP header of 16 bytes */
        {46, 0x70, FRAME_USELESS}, /* one longer than the packet */
        {13, 6, FRAME_NEIGHBOUR},  /* ARP */
        {12, 0x81, FRAME_USELESS}, /* a VLAN */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct frame_view view;
        uint8_t bytes[sizeof good4];
        memcpy(bytes, good4, sizeof bytes);
        bytes[rows[i].at] = rows[i].value;
        ck_assert_msg(look(bytes, sizeof bytes, &view) == rows[i].kind, "row %zu", i);
    }
}
END_TEST

START_TEST(options_end_where_the_header_does)
{
    static const struct {
        uint8_t bytes[8];
        enum frame_kind kind;
    } rows[] = {
        {{2, 4, 5, 0xB4, 1, 1, 4, 2}, FRAME_TCP},      /* MSS, twice nothing, SACK permitted */
        {{1, 1, 1, 0, 9, 9, 9, 9}, FRAME_TCP},         /* an end, and what comes after it */
        {{1, 1, 1, 1, 1, 1, 1, 2}, FRAME_USELESS},     /* no room for a length */
        {{2, 4, 5, 0xB4, 5, 10, 0, 0}, FRAME_USELESS}, /* longer than the header */
        {{2, 4, 5, 0xB4, 8, 1, 0, 0}, FRAME_USELESS},  /* shorter than itself */
        {{2, 4, 5, 0xB4, 8, 0, 0, 0}, FRAME_USELESS},
        {{254, 8, 0, 0, 0, 0, 0, 0}, FRAME_TCP}, /* whatever it is, it ends in time */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct frame_view view;
        uint8_t bytes[62];
        memcpy(bytes, good4, 54);
        bytes[17] = 48;
        bytes[46] = 0x70;
        memcpy(bytes + 54, rows[i].bytes, 8);
        ck_assert_msg(look(bytes, sizeof bytes, &view) == rows[i].kind, "row %zu", i);
    }
}
END_TEST

START_TEST(knows_neighbours_from_routers)
{
    static const struct {
        uint8_t type;
        enum frame_kind kind;
    } rows[] = {{128, FRAME_ECHO},      {133, FRAME_USELESS},   {134, FRAME_USELESS},
                {135, FRAME_NEIGHBOUR}, {136, FRAME_NEIGHBOUR}, {137, FRAME_USELESS}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct frame_view view;
        uint8_t bytes[sizeof good6];
        memcpy(bytes, good6, sizeof bytes);
        bytes[20] = 58;
        bytes[54] = rows[i].type;
        ck_assert_int_eq(look(bytes, sizeof bytes, &view), rows[i].kind);
        bytes[20] = 0; /* a header between IPv6 and the rest */
        ck_assert_int_eq(look(bytes, sizeof bytes, &view), FRAME_USELESS);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *tcase = tcase_create("frame");
    tcase_add_test(tcase, sees_who_talks_to_whom);
    tcase_add_test(tcase, never_looks_beyond_the_end);
    tcase_add_test(tcase, believes_no_header_that_contradicts_itself);
    tcase_add_test(tcase, options_end_where_the_header_does);
    tcase_add_test(tcase, knows_neighbours_from_routers);
    suite_add_tcase(suite, tcase);
    return suite;
}
