/* A generator against the real engine: one shard of load on the network of a bed of shards. */
#ifndef TESTS_ENGINE_LOAD_BED_LOAD_H
#define TESTS_ENGINE_LOAD_BED_LOAD_H

#include "engine/load/blast.h"
#include "tests/engine/shard_bed.h"

/* Sends what the options say, but their shards and target's address, to the door, and adds to the
 * tally. Fails the test if that does not end. */
void bed_load(struct bed *bed, enum door_kind door, struct blast_options *options,
              const char *ledger_path, struct tally *tally);

#endif
