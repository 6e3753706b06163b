/* One connection after another against everything that a server may say or do in the middle of
 * three messages to two recipients each. */
#include "engine/load/sender.h"

#include "tests/check_main.h"
#include "tests/engine/load/load_bed.h"

#include <stdio.h>

static struct load_bed bed;
static char long_line[4102];

enum mode { STEP, PIPELINED, CHUNKED, MODES };

struct row {
    const char *name;
    struct script_fault faults[SCRIPT_FAULTS_MAX];
    const char *expected[MODES]; /* load_bed_fates; NULL: nothing new */
};

static struct load_bed_options options_of(enum mode mode, uint32_t messages, const char *recipients)
{
    struct load_bed_options options = load_bed_options();
    struct fault fault;
    options.blast.messages = messages;
    options.blast.pipeline = mode != STEP;
    options.blast.chunking = mode == CHUNKED;
    ck_assert(distribution_parse(recipients, 1, 100, &options.blast.recipients, &fault) ==
              STATUS_OK);
    return options;
}

#define AT(point, action, text, skip, times)                                                       \
    {                                                                                              \
        SCRIPT_##point, SCRIPT_##action, text, skip, times                                         \
    }
#define TIMES_8(text) text text text text text text text text
#define LONG_REPLY TIMES_8(TIMES_8(TIMES_8("250-a\r\n"))) "250 a\r\n"

static const struct row rows[] = {
    {"all well",
     {{0}},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:15; fine 1"}},
    {"replies of many lines",
     {AT(MAIL, SAY, "250-a\r\n250-\r\n250 c\r\n", 0, 0), AT(RCPT, SAY, "250-a\r\n250 b\r\n", 0, 0),
      AT(COMMIT, SAY, "250-\r\n250\r\n", 0, 0), AT(BANNER, SAY, "220-a\r\n220 b\r\n", 0, 0)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:15; fine 1"}},
    {"banner 421",
     {AT(BANNER, CLOSE, "421 later\r\n", 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3 421:1; fine 1 shut down 1", NULL, NULL}},
    {"banner 554",
     {AT(BANNER, SAY, "554 no\r\n", 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3 554:1; fine 1 turned away 1", NULL,
      NULL}},
    {"EHLO unknown",
     {AT(HELLO, SAY, "500 what?\r\n", 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3 500:1; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3 500:1; fine 1", NULL}},
    {"EHLO and HELO unknown",
     {AT(HELLO, SAY, "500 what?\r\n", 0, 2)},
     {"3 = 3 acked; 6 = 6 acked; 220:2 221:1 250:13 354:3 500:2; fine 1 turned away 1", NULL,
      NULL}},
    {"EHLO 421",
     {AT(HELLO, CLOSE, "421 later\r\n", 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:2 221:1 250:13 354:3 421:1; fine 1 shut down 1", NULL, NULL}},
    {"MAIL 451 once",
     {AT(MAIL, SAY, "451 not now\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:9 354:2 451:1; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:9 354:2 451:1 503:3; fine "
      "1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:11 451:1 503:2 554:1; "
      "fine 1"}},
    {"MAIL 550 always",
     {AT(MAIL, SAY, "550 no\r\n", 0, 0)},
     {"3 = 3 refused; 6 = 6 refused; 220:1 221:1 250:1 550:3; fine 1",
      "3 = 3 refused; 6 = 6 refused; 220:1 221:1 250:1 503:9 550:3; fine 1",
      "3 = 3 refused; 6 = 6 refused; 220:1 221:1 250:3 503:6 550:3 554:3; fine 1"}},
    {"MAIL 421",
     {AT(MAIL, CLOSE, "421 bye\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:2 221:1 250:10 354:2 421:1; fine 1 "
      "shut down 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:2 221:1 250:10 354:2 421:1; fine 1 "
      "shut down 1",
      "3 = 1 acked + 1 refused + 1 doubtful; 6 = 2 acked + 2 refused + 2 doubtful; 220:1 250:6 "
      "421:1; shut down 1"}},
    {"one RCPT 450",
     {AT(RCPT, SAY, "450 not now\r\n", 2, 1)},
     {"3 = 3 acked; 6 = 5 acked + 1 refused; 220:1 221:1 250:12 354:3 450:1; fine 1",
      "3 = 3 acked; 6 = 5 acked + 1 refused; 220:1 221:1 250:12 354:3 450:1; fine 1",
      "3 = 3 acked; 6 = 5 acked + 1 refused; 220:1 221:1 250:14 450:1; fine 1"}},
    {"both RCPT 550",
     {AT(RCPT, SAY, "550 no\r\n", 2, 2)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:11 354:2 550:2; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:11 354:2 503:1 550:2; "
      "fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:12 550:2 554:1; fine 1"}},
    {"second RCPT 421",
     {AT(RCPT, CLOSE, "421 bye\r\n", 3, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 1 refused + 1 failed; 220:2 221:1 250:12 354:2 421:1; "
      "fine 1 shut down 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 1 refused + 1 failed; 220:2 221:1 250:12 354:2 421:1; "
      "fine 1 shut down 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 1 refused + 3 doubtful; 220:1 250:8 421:1; shut "
      "down 1"}},
    {"DATA 354 for nobody",
     {AT(RCPT, SAY, "550 no\r\n", 2, 2), AT(DATA, SAY, "354 go on\r\n", 1, 1)},
     {NULL,
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:10 354:3 550:2 554:1; "
      "fine 1",
      NULL}},
    {"DATA 451",
     {AT(DATA, SAY, "451 not now\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:2 451:1; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:2 451:1; fine 1",
      NULL}},
    {"DATA 421",
     {AT(DATA, CLOSE, "421 bye\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:2 221:1 250:13 354:2 421:1; fine 1 "
      "shut down 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:2 221:1 250:13 354:2 421:1; fine 1 "
      "shut down 1",
      NULL}},
    {"end of data 452",
     {AT(COMMIT, SAY, "452 full\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:12 354:3 452:1; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:12 354:3 452:1; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:14 452:1; fine 1"}},
    {"end of data 554 always",
     {AT(COMMIT, SAY, "554 no\r\n", 0, 0)},
     {"3 = 3 refused; 6 = 6 refused; 220:1 221:1 250:10 354:3 554:3; fine 1",
      "3 = 3 refused; 6 = 6 refused; 220:1 221:1 250:10 354:3 554:3; fine 1",
      "3 = 3 refused; 6 = 6 refused; 220:1 221:1 250:12 554:3; fine 1"}},
    {"end of data 421",
     {AT(COMMIT, CLOSE, "421 bye\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:2 221:1 250:13 354:3 421:1; fine 1 "
      "shut down 1",
      "3 = 1 acked + 1 refused + 1 failed; 6 = 2 acked + 2 refused + 2 failed; 220:1 250:8 354:2 "
      "421:1; shut down 1",
      "3 = 1 acked + 1 refused + 1 doubtful; 6 = 2 acked + 2 refused + 2 doubtful; 220:1 250:9 "
      "421:1; shut down 1"}},
    {"reset at BANNER",
     {AT(BANNER, RESET, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1 connection lost 1", NULL, NULL}},
    {"reset at HELLO",
     {AT(HELLO, RESET, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:2 221:1 250:13 354:3; fine 1 connection lost 1", NULL, NULL}},
    {"reset at MAIL",
     {AT(MAIL, RESET, NULL, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 connection "
      "lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:2 221:1 250:9 "
      "354:2; fine 1 connection lost 1",
      "3 = 3 doubtful; 6 = 6 doubtful; 220:1 250:4; connection lost 1"}},
    {"reset at RCPT",
     {AT(RCPT, RESET, NULL, 2, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:11 354:2; fine 1 connection "
      "lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:2 221:1 250:9 "
      "354:2; fine 1 connection lost 1",
      "3 = 3 doubtful; 6 = 6 doubtful; 220:1 250:4; connection lost 1"}},
    {"reset at DATA",
     {AT(DATA, RESET, NULL, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 connection "
      "lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:2 221:1 250:9 "
      "354:2; fine 1 connection lost 1",
      NULL}},
    {"reset at BODY",
     {AT(BODY, RESET, NULL, 1, 1)},
     {"3 = 2 acked + 1 doubtful; 6 = 4 acked + 2 doubtful; 220:2 221:1 250:13 354:3; fine 1 "
      "connection lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:1 250:8 "
      "354:2; connection lost 1",
      "3 = 3 doubtful; 6 = 6 doubtful; 220:1 250:4; connection lost 1"}},
    {"reset at COMMIT",
     {AT(COMMIT, RESET, NULL, 1, 1)},
     {"3 = 2 acked + 1 doubtful; 6 = 4 acked + 2 doubtful; 220:2 221:1 250:13 354:3; fine 1 "
      "connection lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:1 250:8 "
      "354:2; connection lost 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:9; connection lost 1"}},
    {"reset at QUIT",
     {AT(QUIT, RESET, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 250:13 354:3; fine 1", NULL, NULL}},
    {"close at BANNER",
     {AT(BANNER, CLOSE, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1 connection lost 1", NULL, NULL}},
    {"close at HELLO",
     {AT(HELLO, CLOSE, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:2 221:1 250:13 354:3; fine 1 connection lost 1", NULL, NULL}},
    {"close at MAIL",
     {AT(MAIL, CLOSE, NULL, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 connection "
      "lost 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 connection "
      "lost 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; connection lost 1"}},
    {"close at RCPT",
     {AT(RCPT, CLOSE, NULL, 2, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:11 354:2; fine 1 connection "
      "lost 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:11 354:2; fine 1 connection "
      "lost 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:7; connection lost 1"}},
    {"close at DATA",
     {AT(DATA, CLOSE, NULL, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 connection "
      "lost 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 connection "
      "lost 1",
      NULL}},
    {"close at BODY",
     {AT(BODY, CLOSE, NULL, 1, 1)},
     {"3 = 2 acked + 1 doubtful; 6 = 4 acked + 2 doubtful; 220:2 221:1 250:13 354:3; fine 1 "
      "connection lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:1 250:8 "
      "354:2; connection lost 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:9; connection lost 1"}},
    {"close at COMMIT",
     {AT(COMMIT, CLOSE, NULL, 1, 1)},
     {"3 = 2 acked + 1 doubtful; 6 = 4 acked + 2 doubtful; 220:2 221:1 250:13 354:3; fine 1 "
      "connection lost 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:1 250:8 "
      "354:2; connection lost 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:9; connection lost 1"}},
    {"close at QUIT",
     {AT(QUIT, CLOSE, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 250:13 354:3; fine 1", NULL, NULL}},
    {"silence at BANNER",
     {AT(BANNER, SILENCE, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1 timeout 1", NULL, NULL}},
    {"silence at HELLO",
     {AT(HELLO, SILENCE, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:2 221:1 250:13 354:3; fine 1 timeout 1", NULL, NULL}},
    {"silence at MAIL",
     {AT(MAIL, SILENCE, NULL, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 timeout 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 timeout 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; timeout 1"}},
    {"silence at RCPT",
     {AT(RCPT, SILENCE, NULL, 2, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:11 354:2; fine 1 timeout 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:11 354:2; fine 1 timeout 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:7; timeout 1"}},
    {"silence at DATA",
     {AT(DATA, SILENCE, NULL, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 timeout 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 timeout 1",
      NULL}},
    {"silence at COMMIT",
     {AT(COMMIT, SILENCE, NULL, 1, 1)},
     {"3 = 2 acked + 1 doubtful; 6 = 4 acked + 2 doubtful; 220:2 221:1 250:13 354:3; fine 1 "
      "timeout 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 2 failed + 2 doubtful; 220:1 250:8 "
      "354:2; timeout 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:9; timeout 1"}},
    {"silence at QUIT",
     {AT(QUIT, SILENCE, NULL, 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:1 250:13 354:3; timeout 1", NULL, NULL}},
    {"garbage",
     {AT(MAIL, SAY, "hello\r\n", 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 garbage 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 garbage 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; garbage 1"}},
    {"mixed codes",
     {AT(MAIL, SAY, "250-a\r\n251 b\r\n", 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 mixed "
      "codes 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 mixed "
      "codes 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; mixed codes 1"}},
    {"a long line",
     {AT(MAIL, SAY, long_line, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 long line "
      "1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 long line "
      "1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; long line 1"}},
    {"a long reply",
     {AT(MAIL, SAY, LONG_REPLY, 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 long reply "
      "1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 long reply "
      "1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; long reply 1"}},
    {"354 to MAIL",
     {AT(MAIL, SAY, "354 go on\r\n", 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 out of "
      "step 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:10 354:2; fine 1 out of "
      "step 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:6; out of step 1"}},
    {"250 to DATA",
     {AT(DATA, SAY, "250 fine\r\n", 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 out of "
      "step 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 out of "
      "step 1",
      NULL}},
    {"one reply too many",
     {AT(MAIL, SAY, "250 fine\r\n250 fine\r\n", 1, 1)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:11 354:2; fine 1 unasked "
      "reply 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 out of "
      "step 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 250:15; unasked reply 1"}},
    {"a reply too many when all is done",
     {AT(COMMIT, SAY, "250 fine\r\n250 fine\r\n", 0, 1)},
     {"3 = 3 acked; 6 = 6 acked; 220:2 221:1 250:14 354:3; fine 1 unasked reply 1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 221:1 250:13 354:2; fine 1 out of "
      "step 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 250:15; unasked reply 1"}},
    {"a goodbye after each message",
     {AT(COMMIT, CLOSE, "250 taken\r\n", 0, 0)},
     {"3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 250:10 354:2; fine 1 connection lost "
      "1",
      "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 220:2 250:10 354:2; fine 1 connection lost "
      "1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 4 doubtful; 220:1 250:5; connection lost 1"}},
};

static void check_row(const struct row *row, bool lmtp, enum mode mode)
{
    char text[LOAD_BED_TEXT_BYTES];
    struct load_bed_options options = options_of(mode, 3, "2");
    options.script.lmtp = lmtp;
    memcpy(options.script.faults, row->faults, sizeof row->faults);
    load_bed_go(&bed, &options, 600000);
    load_bed_fates(&bed, text);
    ck_assert_msg(strcmp(text, row->expected[mode]) == 0, "%s (mode %d):\n  %s\nis not\n  %s",
                  row->name, mode, text, row->expected[mode]);
    load_bed_close(&bed);
}

START_TEST(what_a_server_does_is_counted_for_what_it_is)
{
    snprintf(long_line, sizeof long_line, "250 %04095d\r\n", 0);
    for (enum mode mode = STEP; mode < MODES; mode++)
        if (rows[_i].expected[mode] != NULL)
            check_row(&rows[_i], false, mode);
}
END_TEST

/* ---------------------------------------------------------------------------------- LMTP ---- */

static const struct row lmtp_rows[] = {
    {"all well",
     {{0}},
     {"3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:16 354:3; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:16 354:3; fine 1",
      "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:18; fine 1"}},
    {"not for the second",
     {AT(COMMIT, SAY, "450 full\r\n", 1, 1)},
     {"3 = 3 acked; 6 = 5 acked + 1 refused; 220:1 221:1 250:15 354:3 450:1; fine 1",
      "3 = 3 acked; 6 = 5 acked + 1 refused; 220:1 221:1 250:15 354:3 450:1; fine 1",
      "3 = 3 acked; 6 = 5 acked + 1 refused; 220:1 221:1 250:17 450:1; fine 1"}},
    {"for none of the second message",
     {AT(COMMIT, SAY, "550 no\r\n", 2, 2)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:14 354:3 550:2; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:14 354:3 550:2; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:16 550:2; fine 1"}},
    {"RCPT refused, then one at the end",
     {AT(RCPT, SAY, "550 no\r\n", 2, 1), AT(COMMIT, SAY, "552 full\r\n", 2, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:3 550:1 552:1; "
      "fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:3 550:1 552:1; "
      "fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:15 550:1 552:1; fine 1"}},
    {"no recipient is known",
     {AT(RCPT, SAY, "550 no\r\n", 2, 2)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:2 550:2; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:2 503:1 550:2; "
      "fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:14 550:2 554:1; fine 1"}},
    {"DATA accepted for nobody",
     {AT(RCPT, SAY, "550 no\r\n", 2, 2), AT(DATA, SAY, "354 go on\r\n", 1, 1)},
     {"3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:13 354:2 550:2; fine 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:2 221:1 250:13 354:3 550:2; fine 1 "
      "out of step 1",
      "3 = 2 acked + 1 refused; 6 = 4 acked + 2 refused; 220:1 221:1 250:14 550:2 554:1; fine 1"}},
    {"close between two fates",
     {AT(COMMIT, CLOSE, NULL, 3, 1)},
     {"3 = 3 acked; 6 = 5 acked + 1 doubtful; 220:2 221:1 250:16 354:3; fine 1 connection lost 1",
      "3 = 2 acked + 1 failed; 6 = 3 acked + 2 failed + 1 doubtful; 220:1 250:10 354:2; connection "
      "lost 1",
      "3 = 2 acked + 1 doubtful; 6 = 3 acked + 3 doubtful; 220:1 250:11; connection lost 1"}},
    {"421 between two fates",
     {AT(COMMIT, CLOSE, "421 bye\r\n", 3, 1)},
     {"3 = 3 acked; 6 = 5 acked + 1 refused; 220:2 221:1 250:16 354:3 421:1; fine 1 shut down 1",
      "3 = 2 acked + 1 failed; 6 = 3 acked + 1 refused + 2 failed; 220:1 250:10 354:2 421:1; shut "
      "down 1",
      "3 = 2 acked + 1 doubtful; 6 = 3 acked + 1 refused + 2 doubtful; 220:1 250:11 421:1; shut "
      "down 1"}},
    {"421 for the first of two",
     {AT(COMMIT, CLOSE, "421 bye\r\n", 2, 1)},
     {"3 = 2 acked + 1 doubtful; 6 = 4 acked + 1 refused + 1 doubtful; 220:2 221:1 250:15 354:3 "
      "421:1; fine 1 shut down 1",
      "3 = 1 acked + 1 failed + 1 doubtful; 6 = 2 acked + 1 refused + 2 failed + 1 doubtful; 220:1 "
      "250:9 354:2 421:1; shut down 1",
      "3 = 1 acked + 2 doubtful; 6 = 2 acked + 1 refused + 3 doubtful; 220:1 250:10 421:1; shut "
      "down 1"}},
    {"silence between two fates",
     {AT(COMMIT, SILENCE, NULL, 3, 1)},
     {"3 = 3 acked; 6 = 5 acked + 1 doubtful; 220:2 221:1 250:16 354:3; fine 1 timeout 1",
      "3 = 2 acked + 1 failed; 6 = 3 acked + 2 failed + 1 doubtful; 220:1 250:10 354:2; timeout 1",
      "3 = 2 acked + 1 doubtful; 6 = 3 acked + 3 doubtful; 220:1 250:11; timeout 1"}},
};

START_TEST(lmtp_recipients_have_their_own_fates)
{
    for (enum mode mode = STEP; mode < MODES; mode++)
        if (lmtp_rows[_i].expected[mode] != NULL)
            check_row(&lmtp_rows[_i], true, mode);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/sender");
    TCase *load = tcase_create("load");
    tcase_add_loop_test(load, what_a_server_does_is_counted_for_what_it_is, 0,
                        sizeof rows / sizeof *rows);
    tcase_add_loop_test(load, lmtp_recipients_have_their_own_fates, 0,
                        sizeof lmtp_rows / sizeof *lmtp_rows);
    tcase_set_timeout(load, 30); /* a busy machine is no failure */
    suite_add_tcase(suite, load);
    return suite;
}
