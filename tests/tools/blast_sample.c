#include "tests/tools/blast_sample.h"

#include "base/invariant.h"

#include <stdlib.h>

enum { ACKED = 1990, CONNECTIONS = 10, STEPS = 4 };

struct blast_sample *blast_sample_empty(void)
{
    struct blast_sample *sample = calloc(1, sizeof *sample);
    struct fault fault;
    INVARIANT(sample != NULL);
    blast_options_default(&sample->options);
    enum status status =
        target_parse("smtp://127.0.0.1:2525", 1u << TARGET_SMTP, &sample->options.target, &fault);
    INVARIANT(status == STATUS_OK);
    sample->options.messages = 2000;
    sample->options.connections = CONNECTIONS;
    sample->options.shards = 2;
    sample->options.gather_us = 0;
    sample->options.user = "alice";
    sample->options.password = "sesame";
    return sample;
}

static void add_latencies(struct tally *total)
{
    for (uint64_t i = 1; i <= CONNECTIONS; i++)
        histogram_record(&total->latency[TALLY_CONNECT], i * 10000);
    for (uint64_t i = 1; i <= ACKED; i++) {
        histogram_record(&total->latency[TALLY_COMMIT], i * 1000);
        histogram_record(&total->latency[TALLY_TOTAL], i * 2000);
    }
}

struct blast_sample *blast_sample(void)
{
    struct blast_sample *sample = blast_sample_empty();
    struct blast_report *report = &sample->report;
    struct tally *total = &report->total;
    total->messages = (struct tally_outcomes){2000, ACKED, 5, 3, 2};
    total->recipients = (struct tally_outcomes){4000, 2 * ACKED, 10, 6, 4};
    total->octets = 8000000;
    total->retries = 1;
    total->connected = CONNECTIONS;
    total->unconnected = 4;
    total->replies[250] = 12345;
    total->replies[451] = 5;
    total->failures[SMTP_CLIENT_FINE] = 8;
    total->failures[SMTP_CLIENT_LOST] = 2;
    add_latencies(total);
    report->seconds = 4;
    report->cpu_seconds = 0.5;
    report->steps_count = STEPS;
    for (uint32_t i = 0; i < STEPS; i++)
        report->steps[i] = (struct tally_step){.seconds = i + 1,
                                               .length = 1,
                                               .acked = 500,
                                               .refused = i,
                                               .octets = 2000000,
                                               .p50_ns = 1500000,
                                               .p99_ns = 3500000,
                                               .in_flight = 10 - i};
    return sample;
}
