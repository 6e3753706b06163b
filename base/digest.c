#include "base/digest.h"

#include "base/invariant.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

_Static_assert(sizeof(XXH3_state_t) <= DIGEST_STATE_BYTES, "the state fits its opaque place");

static XXH3_state_t *state(struct digest *digest)
{
    return (XXH3_state_t *)(void *)digest->state;
}

void digest_start(struct digest *digest)
{
    XXH_errorcode result = XXH3_64bits_reset(state(digest));
    INVARIANT(result == XXH_OK);
}

void digest_add(struct digest *digest, struct span bytes)
{
    if (bytes.size == 0)
        return;
    XXH_errorcode result = XXH3_64bits_update(state(digest), bytes.data, bytes.size);
    INVARIANT(result == XXH_OK);
}

uint64_t digest_end(const struct digest *digest)
{
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)digest->state);
}

uint64_t digest_of(struct span bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}
