#include "engine/load/ledger_line.h"

#include "base/invariant.h"

#include <assert.h>

#define DIGEST_DIGITS 16
#define OCTETS_DIGITS_MAX 20
#define OUTCOME_BYTES_MAX 8

static_assert(LEDGER_ID_BYTES_MAX + 4 * LEDGER_RECIPIENT_BYTES_MAX + DIGEST_DIGITS +
                      OCTETS_DIGITS_MAX + OUTCOME_BYTES_MAX + 5 <=
                  LEDGER_LINE_BYTES_MAX,
              "any entry fits a line");

static const struct span outcomes[LEDGER_OUTCOMES] = {
    [LEDGER_SENT] = SPAN_INIT("sent"),         [LEDGER_ACKED] = SPAN_INIT("acked"),
    [LEDGER_REFUSED] = SPAN_INIT("refused"),   [LEDGER_FAILED] = SPAN_INIT("failed"),
    [LEDGER_DOUBTFUL] = SPAN_INIT("doubtful"),
};

const char *ledger_outcome_name(enum ledger_outcome outcome)
{
    INVARIANT(outcome < LEDGER_OUTCOMES);
    return (const char *)outcomes[outcome].data;
}

static bool is_printable(uint8_t byte)
{
    return byte > ' ' && byte < 0x7F;
}

bool ledger_is_id(struct span id)
{
    for (size_t i = 0; i < id.size; i++)
        if (!is_printable(id.data[i]))
            return false;
    return id.size > 0 && id.size <= LEDGER_ID_BYTES_MAX;
}

/* ------------------------------------------------------------------------------- writing ---- */

static const char hex[] = "0123456789abcdef";

static char *add_escaped(char *end, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (is_printable(byte) && byte != '\\') {
            *end++ = (char)byte;
            continue;
        }
        *end++ = '\\';
        *end++ = 'x';
        *end++ = hex[byte >> 4];
        *end++ = hex[byte & 15];
    }
    return end;
}

static char *add(char *end, struct span text)
{
    memcpy(end, text.data, text.size);
    return end + text.size;
}

static char *add_digest(char *end, uint64_t digest)
{
    for (int shift = 64 - 4; shift >= 0; shift -= 4)
        *end++ = hex[digest >> shift & 15];
    return end;
}

static char *add_number(char *end, uint64_t number)
{
    char digits[OCTETS_DIGITS_MAX];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return add(end, span_of(digits + first, sizeof digits - first));
}

size_t ledger_format(const struct ledger_entry *entry, char line[LEDGER_LINE_BYTES_MAX])
{
    INVARIANT(ledger_is_id(entry->id) && entry->recipient.size <= LEDGER_RECIPIENT_BYTES_MAX);
    INVARIANT(entry->outcome < LEDGER_OUTCOMES);
    char *end = add(line, entry->id);
    *end++ = ' ';
    end = add_escaped(end, entry->recipient);
    *end++ = ' ';
    end = add_digest(end, entry->digest);
    *end++ = ' ';
    end = add_number(end, entry->octets);
    *end++ = ' ';
    end = add(end, outcomes[entry->outcome]);
    *end++ = '\n';
    return (size_t)(end - line);
}

/* ------------------------------------------------------------------------------- reading ---- */

/* Cuts the field before the next blank, and that, off `rest`. False: there is no blank. */
static bool cut_field(struct span *rest, struct span *field)
{
    const uint8_t *blank = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
    if (blank == NULL)
        return false;
    *field = span_of(rest->data, (size_t)(blank - rest->data));
    *rest = span_from(*rest, field->size + 1);
    return true;
}

/* The value of a hexadecimal digit; 16: it is none. */
static unsigned hex_value(uint8_t byte)
{
    if ((uint8_t)(byte - '0') < 10)
        return byte - '0';
    return (uint8_t)(byte - 'a') < 6 ? byte - 'a' + 10u : 16;
}

static bool parse_hex(struct span digits, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = hex_value(digits.data[i]);
        if (digit > 15)
            return false;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return true;
}

static bool parse_number(struct span digits, uint64_t *number)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint8_t digit = (uint8_t)(digits.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, digit, &sum))
            return false;
    }
    *number = sum;
    return digits.size > 0;
}

static bool unescape(struct span text, uint8_t *recipient, size_t *size)
{
    size_t used = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t byte = text.data[i];
        if (!is_printable((uint8_t)byte) || used == LEDGER_RECIPIENT_BYTES_MAX)
            return false;
        if (byte == '\\') {
            if (text.size - i < 4 || text.data[i + 1] != 'x' ||
                !parse_hex(span_of(text.data + i + 2, 2), &byte))
                return false;
            i += 3;
        }
        recipient[used++] = (uint8_t)byte;
    }
    *size = used;
    return true;
}

static bool parse_outcome(struct span name, enum ledger_outcome *outcome)
{
    for (enum ledger_outcome i = 0; i < LEDGER_OUTCOMES; i++) {
        if (span_equal(name, outcomes[i])) {
            *outcome = i;
            return true;
        }
    }
    return false;
}

bool ledger_parse(struct span line, struct ledger_entry *entry, uint8_t *recipient)
{
    struct span text, digest, octets;
    struct ledger_entry parsed;
    size_t size;
    if (!cut_field(&line, &parsed.id) || !ledger_is_id(parsed.id) || !cut_field(&line, &text) ||
        !unescape(text, recipient, &size) || !cut_field(&line, &digest) ||
        digest.size != DIGEST_DIGITS || !parse_hex(digest, &parsed.digest) ||
        !cut_field(&line, &octets) || !parse_number(octets, &parsed.octets) ||
        !parse_outcome(line, &parsed.outcome))
        return false;
    parsed.recipient = span_of(recipient, size);
    *entry = parsed;
    return true;
}
