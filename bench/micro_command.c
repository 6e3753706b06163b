/* The command parser: verbs found, command lines cut and answered, addresses parsed. */
#include "base/invariant.h"
#include "bench/harness.h"
#include "bench/micro_smtp.h"
#include "engine/smtp/verbs.h"

#define RECIPIENTS 50u

static const struct span lines[] = {
    SPAN_INIT("EHLO client.example.test"),
    SPAN_INIT("MAIL FROM:<a@example.test>"),
    SPAN_INIT("RCPT TO:<b@example.test>"),
    SPAN_INIT("DATA"),
    SPAN_INIT("RSET"),
    SPAN_INIT("noop"),
    SPAN_INIT("QUIT"),
    SPAN_INIT("XYZZY"),
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static void *setup(const struct bench *bench)
{
    (void)bench;
    return micro_smtp_open(2);
}

static void teardown(void *state)
{
    micro_smtp_close(state);
}

static void run_find(void *state, uint64_t iterations)
{
    struct span argument;
    (void)state;
    while (iterations-- > 0)
        for (size_t i = 0; i < LINES; i++)
            bench_keep((uintptr_t)smtp_verb_find(lines[i], &argument));
}

static void run_noop(void *state, uint64_t iterations)
{
    while (iterations-- > 0)
        micro_smtp_feed(state, SPAN("NOOP\r\n"));
}

static void run_envelope(void *state, uint64_t iterations)
{
    while (iterations-- > 0)
        micro_smtp_feed(state, SPAN("MAIL FROM:<load@example.test> SIZE=4096 BODY=8BITMIME\r\n"
                                    "RCPT TO:<user1@example.test>\r\n"
                                    "RSET\r\n"));
}

static void run_recipients(void *state, uint64_t iterations)
{
    struct micro_smtp *smtp = state;
    while (iterations-- > 0) {
        micro_smtp_feed(smtp, SPAN("MAIL FROM:<load@example.test>\r\n"));
        for (uint32_t user = 0; user < RECIPIENTS; user++)
            micro_smtp_feed(smtp, dialogue_envelope(&smtp->dialogue, DIALOGUE_RCPT, user));
        micro_smtp_feed(smtp, SPAN("RSET\r\n"));
    }
}

static const struct bench benches[] = {
    {"command/verb", setup, run_find, teardown, 0, LINES},
    {"command/noop", setup, run_noop, teardown, 0, 1},
    {"command/mail_rcpt_rset", setup, run_envelope, teardown, 0, 3},
    {"command/recipients_50", setup, run_recipients, teardown, 0, RECIPIENTS},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof(benches) / sizeof(benches[0]));
}
