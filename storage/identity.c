#include "storage/identity.h"

#include "base/crc32c.h"
#include "base/random.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const char identity_magic[8] = "mailrace";

static uint32_t checksum(const struct identity *identity)
{
    return crc32c(0, identity, offsetof(struct identity, crc));
}

void identity_make(struct identity *identity, uint64_t seed, uint32_t shards, uint64_t created_ns)
{
    struct random random = {.state = seed};
    uint64_t id[2] = {random_next(&random), random_next(&random)};
    *identity = (struct identity){
        .format = STORE_FORMAT,
        .shards = shards,
        .key = random_next(&random),
        .created_ns = created_ns,
    };
    memcpy(identity->magic, identity_magic, sizeof(identity->magic));
    memcpy(identity->id, id, sizeof(identity->id));
    identity->crc = checksum(identity);
}

enum status identity_parse(struct span bytes, struct identity *identity, struct fault *fault)
{
    struct identity read;
    if (bytes.size < sizeof(read))
        return fault_set(fault, STATUS_CORRUPT, "the STORE object is %zu bytes short",
                         sizeof(read) - bytes.size);
    memcpy(&read, bytes.data, sizeof(read));
    if (memcmp(read.magic, identity_magic, sizeof(read.magic)) != 0 || read.crc != checksum(&read))
        return fault_set(fault, STATUS_CORRUPT, "the STORE object fails its checksum");
    if (read.format > STORE_FORMAT)
        return fault_set(fault, STATUS_NEWER,
                         "the store has format %" PRIu32 ", this program knows up to %u",
                         read.format, STORE_FORMAT);
    *identity = read;
    return STATUS_OK;
}

uint32_t identity_record_seed(const struct identity *identity)
{
    return crc32c(0, &identity->key, sizeof(identity->key));
}
