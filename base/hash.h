/* XXH3 over a name: which shard owns a mailbox and where it stands in a table. Not for integrity
 * (that is CRC-32C) and never the only proof that two names are equal. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

uint64_t hash64(struct span bytes, uint64_t seed);

#endif
