/* The options of a load as text: the way its flags would say them. Never a password. */
#ifndef TOOLS_BLAST_SETTINGS_H
#define TOOLS_BLAST_SETTINGS_H

#include "engine/load/blast.h"

#include <jansson.h>

#define TARGET_TEXT_BYTES 384u
#define DISTRIBUTION_TEXT_BYTES 1536u

/* Each writes to `out` and returns it: "smtp://mx.example.test:25", "lmtp://unix:/run/lmtp". */
const char *target_text(const struct target *target, char out[TARGET_TEXT_BYTES]);
/* "4096", "1024-65536", "lognormal:4096,1.5", "mix:1024*60,5120*25". */
const char *distribution_text(const struct distribution *distribution,
                              char out[DISTRIBUTION_TEXT_BYTES]);

/* Every option under the name of its flag, the target as "target"; sizes in bytes, times in
 * seconds, null for what was not asked for. A new reference; NULL: no memory. */
json_t *blast_settings_json(const struct blast_options *options);

#endif
