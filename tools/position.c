#include "tools/position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A number in decimal, at the beginning of the text, which moves on. */
static bool take_number(const char **text, uint64_t most, uint64_t *number)
{
    uint64_t value = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value) || value > most)
            return false;
    bool any = at != *text;
    *text = at;
    *number = value;
    return any;
}

bool position_parse(const char *text, uint64_t places[STORE_SHARDS_MAX])
{
    uint64_t parsed[STORE_SHARDS_MAX] = {0}, shard, number, next = 0;
    do {
        if (!take_number(&text, STORE_SHARDS_MAX - 1, &shard) || shard < next || *text++ != ':' ||
            !take_number(&text, (1ull << 52) - 1, &number))
            return false;
        parsed[shard] = number;
        next = shard + 1;
    } while (*text++ == ',');
    if (text[-1] != '\0')
        return false;
    memcpy(places, parsed, sizeof parsed);
    return true;
}

const char *position_text(const uint64_t places[STORE_SHARDS_MAX], char out[POSITION_BYTES])
{
    size_t size = 0;
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++)
        if (places[shard] > 0)
            size += (size_t)snprintf(out + size, POSITION_BYTES - size, "%s%" PRIu32 ":%" PRIu64,
                                     size > 0 ? "," : "", shard, places[shard]);
    if (size == 0)
        memcpy(out, "0:0", sizeof "0:0");
    return out;
}
