#include "base/envelope.h"

#include "base/invariant.h"

bool envelope_add(struct envelope *envelope, enum envelope_tag tag, struct span value)
{
    INVARIANT(envelope->size <= envelope->capacity);
    INVARIANT(tag > 0 && tag <= UINT8_MAX);
    uint32_t room = envelope->capacity - envelope->size;
    if (value.size > UINT16_MAX || room < ENVELOPE_ITEM_BYTES + value.size)
        return false;

    uint8_t *at = envelope->bytes + envelope->size;
    at[0] = (uint8_t)tag;
    at[1] = 0;
    at[2] = (uint8_t)(value.size & 0xFF);
    at[3] = (uint8_t)(value.size >> 8);
    if (value.size > 0)
        memcpy(at + ENVELOPE_ITEM_BYTES, value.data, value.size);
    envelope->size += ENVELOPE_ITEM_BYTES + (uint32_t)value.size;
    envelope->recipients += tag == ENVELOPE_MAILBOX;
    return true;
}

void envelope_truncate(struct envelope *envelope, uint32_t size, uint32_t recipients)
{
    INVARIANT(size <= envelope->size && recipients <= envelope->recipients);
    envelope->size = size;
    envelope->recipients = recipients;
}

bool envelope_next(struct envelope_cursor *cursor, unsigned *tag, struct span *value)
{
    struct span rest = cursor->rest;
    if (cursor->bad || rest.size == 0)
        return false;
    if (rest.size < ENVELOPE_ITEM_BYTES || rest.data[0] == 0 || rest.data[1] != 0) {
        cursor->bad = true;
        return false;
    }
    size_t size = (size_t)(rest.data[2] | rest.data[3] << 8);
    if (rest.size - ENVELOPE_ITEM_BYTES < size) {
        cursor->bad = true;
        return false;
    }
    *tag = rest.data[0];
    *value = span_of(rest.data + ENVELOPE_ITEM_BYTES, size);
    cursor->rest = span_from(rest, ENVELOPE_ITEM_BYTES + size);
    return true;
}
