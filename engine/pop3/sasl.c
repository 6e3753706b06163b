#include "engine/pop3/sasl.h"

#define NO_SEXTET 64u

static unsigned sextet(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A' + 0u;
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26u;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52u;
    return digit == '+' ? 62u : digit == '/' ? 63u : NO_SEXTET;
}

bool pop3_base64_decode(struct span text, uint8_t out[POP3_SASL_BYTES_MAX], size_t *size)
{
    if (text.size % 4 != 0 || text.size > POP3_COMMAND_BYTES_MAX)
        return false;
    size_t digits = text.size;
    for (int padding = 0; padding < 2 && digits > 0 && text.data[digits - 1] == '='; padding++)
        digits--;

    size_t written = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned value = sextet(text.data[i]);
        if (value == NO_SEXTET)
            return false;
        bits = bits << 6 | value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[written++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return false;
    *size = written;
    return true;
}

/* Cuts the bytes before the first NUL off `rest`; false when there is none. */
static bool cut_at_nul(struct span *rest, struct span *part)
{
    const uint8_t *nul = rest->size > 0 ? memchr(rest->data, 0, rest->size) : NULL;
    if (!nul)
        return false;
    *part = span_of(rest->data, (size_t)(nul - rest->data));
    *rest = span_from(*rest, part->size + 1);
    return true;
}

bool pop3_plain_parse(struct span message, struct span *user, struct span *password)
{
    struct span authzid, authcid, rest = message;
    if (!cut_at_nul(&rest, &authzid) || !cut_at_nul(&rest, &authcid))
        return false;
    if (authcid.size == 0 || rest.size == 0 || memchr(rest.data, 0, rest.size))
        return false;
    if (authzid.size > 0 && !span_equal(authzid, authcid))
        return false;
    *user = authcid;
    *password = rest;
    return true;
}
