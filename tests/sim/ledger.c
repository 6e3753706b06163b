#include "tests/sim/ledger.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

uint32_t ledger_add(struct ledger *ledger, uint8_t mailboxes, uint32_t bytes, uint32_t body_seed)
{
    INVARIANT(ledger->count < LEDGER_MESSAGES_MAX && mailboxes != 0);
    struct ledger_message *message = &ledger->messages[ledger->count];
    message->mailboxes = mailboxes;
    message->body_bytes = bytes;
    message->body_seed = body_seed;
    return ledger->count++;
}

/* Lines of drawn length, some beginning with a dot (stuffed here), some empty. */
struct span ledger_body(struct ledger *ledger, uint32_t number)
{
    const struct ledger_message *message = &ledger->messages[number];
    struct random random = {message->body_seed};
    uint8_t *out = ledger->body;
    size_t size = (size_t)snprintf((char *)out, 64, "X-Sim-Id: %08u\r\n\r\n", number);
    INVARIANT(message->body_bytes + 2048 < LEDGER_BODY_BYTES_MAX);
    while (size < message->body_bytes) {
        uint64_t drawn = random_next(&random);
        uint32_t length = (uint32_t)(drawn % 90);
        if (drawn >> 40 & 1 && (drawn >> 41) % 4 == 0) {
            out[size++] = '.';
            out[size++] = '.';
        }
        for (uint32_t i = 0; i < length; i++)
            out[size++] = (uint8_t)('a' + (drawn >> (i % 50)) % 26);
        out[size++] = '\r';
        out[size++] = '\n';
    }
    memcpy(out + size, ".\r\n", 3);
    return span_of(out, size + 3);
}

const char *ledger_check_copy(struct ledger *ledger, uint32_t mailbox, struct span wire,
                              struct span uidl, uint32_t *number)
{
    const uint8_t *mark = memmem(wire.data, wire.size, "\r\nX-Sim-Id: ", 12);
    if (mark == NULL || (size_t)(wire.data + wire.size - mark) < 20)
        return "a message that nobody sent";
    struct span body = span_of(mark + 2, (size_t)(wire.data + wire.size - mark) - 2);
    uint32_t found = (uint32_t)strtoul((const char *)mark + 12, NULL, 10);
    *number = found;
    if (found >= ledger->count || !(ledger->messages[found].mailboxes & 1u << mailbox))
        return "a message in a mailbox it was not sent to";
    if (!span_equal(body, ledger_body(ledger, found)))
        return "a message whose bytes differ";
    struct ledger_message *message = &ledger->messages[found];
    char text[24] = "";
    INVARIANT(uidl.size < sizeof text);
    memcpy(text, uidl.data, uidl.size);
    if (message->uidls[mailbox][0] == '\0')
        memcpy(message->uidls[mailbox], text, sizeof text);
    if (strcmp(text, message->uidls[mailbox]) != 0)
        return "a message whose UIDL changed";
    if (message->deletions[mailbox] == LEDGER_DELETED)
        return "a deleted message";
    if (message->outcome == LEDGER_UNSENT || message->outcome == LEDGER_REFUSED)
        return "a message that was never accepted";
    return NULL;
}

static const char *check_message(const struct ledger_message *message)
{
    uint32_t present = 0, absent = 0;
    for (uint32_t i = 0; i < LEDGER_MAILBOXES; i++) {
        if (!(message->mailboxes & 1u << i))
            continue;
        if (message->seen[i] > 1)
            return "a message twice in one mailbox";
        if (message->deletions[i] != LEDGER_KEPT)
            continue;
        present += message->seen[i];
        absent += message->seen[i] == 0;
        if (message->outcome == LEDGER_ACKED && message->seen[i] == 0)
            return "an acknowledged message lost";
    }
    if (present > 0 && absent > 0)
        return "a message that only some of its recipients have";
    return NULL;
}

const char *ledger_check_all(const struct ledger *ledger, uint32_t *number)
{
    for (*number = 0; *number < ledger->count; (*number)++) {
        const char *wrong = check_message(&ledger->messages[*number]);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

void ledger_observe(struct ledger *ledger, struct span bytes, uint64_t now_ns)
{
    ledger->trace = hash64(bytes, ledger->trace ^ now_ns * 0x9E3779B97F4A7C15ull);
}
