/* A load that never was, for the tests of its reports: figures that are easy to tell apart. */
#ifndef TESTS_TOOLS_BLAST_SAMPLE_H
#define TESTS_TOOLS_BLAST_SAMPLE_H

#include "engine/load/blast.h"

struct blast_sample {
    struct blast_options options;
    struct blast_report report;
};

/* Freed with free(). Two thousand messages in four seconds, most of them acked. */
struct blast_sample *blast_sample(void);
/* The same options, and nothing happened at all. */
struct blast_sample *blast_sample_empty(void);

#endif
