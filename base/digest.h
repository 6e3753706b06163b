/* XXH3 (64 bits) of bytes that come in pieces: of message bodies, to find out that one was changed
 * on its way. Against accidents, not against forgery. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/span.h"

#define DIGEST_STATE_BYTES 640u

struct digest { /* opaque */
    _Alignas(64) uint8_t state[DIGEST_STATE_BYTES];
};

/* Of no bytes yet; then the pieces in order; then, as often as wanted, the digest so far. */
void digest_start(struct digest *digest);
void digest_add(struct digest *digest, struct span bytes);
uint64_t digest_end(const struct digest *digest);

/* All at once: the same value. */
uint64_t digest_of(struct span bytes);

#endif
