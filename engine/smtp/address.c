#include "engine/smtp/address.h"

#include "base/invariant.h"
#include "engine/smtp/utf8.h"

#include <arpa/inet.h>

#define LABEL_BYTES_MAX 63u

/* What a byte may be part of. Non-ASCII counts as text everywhere (RFC 6531 section 3.3), but only
 * as well-formed UTF-8: see character(). */
enum {
    ATEXT = 1 << 0, /* unquoted local part, dots apart */
    QTEXT = 1 << 1, /* quoted, as it is */
    QPAIR = 1 << 2, /* quoted, after a backslash */
    LABEL = 1 << 3, /* domain label; '_' is not in the RFC but in use */
    BOUND = 1 << 4, /* first or last in a label */
    DTEXT = 1 << 5, /* address literal, as far as IPv4 and IPv6 need */
};

/* clang-format off */
enum {
    P = QPAIR,         /* quote and backslash */
    Q = QTEXT | QPAIR, /* other punctuation, only when quoted */
    T = Q | ATEXT,     /* punctuation */
    D = Q | DTEXT,
    H = T | LABEL,
    U = H | BOUND,
    A = U | DTEXT,     /* letters and digits */
};
static const uint8_t classes[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* controls */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* controls */
    Q, T, P, T, T, T, T, T, Q, Q, T, T, Q, H, D, T, /*   … / */
    A, A, A, A, A, A, A, A, A, A, D, Q, Q, T, Q, T, /* 0 … ? */
    Q, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* @ … O */
    A, A, A, A, A, A, A, A, A, A, A, Q, P, Q, T, U, /* P … _ */
    T, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A, /* ` … o */
    A, A, A, A, A, A, A, A, A, A, A, T, T, T, T, 0, /* p … ~ */
};
/* clang-format on */

struct cursor {
    const uint8_t *at, *end;
    bool non_ascii;
};

static bool next_is(const struct cursor *cursor, uint8_t byte)
{
    return cursor->at < cursor->end && *cursor->at == byte;
}

static bool take(struct cursor *cursor, uint8_t byte)
{
    if (!next_is(cursor, byte))
        return false;
    cursor->at++;
    return true;
}

/* Takes one character of a class. */
static bool character(struct cursor *cursor, uint8_t class)
{
    if (cursor->at == cursor->end)
        return false;
    if (*cursor->at < sizeof classes) {
        if (!(classes[*cursor->at] & class))
            return false;
        cursor->at++;
        return true;
    }
    if (!(class & (ATEXT | QTEXT | LABEL | BOUND)))
        return false;
    size_t size = smtp_utf8_size(span_of(cursor->at, (size_t)(cursor->end - cursor->at)));
    cursor->at += size;
    cursor->non_ascii |= size > 0;
    return size > 0;
}

/* Takes all that follow of a class; false if there is none. */
static bool characters(struct cursor *cursor, uint8_t class)
{
    if (!character(cursor, class))
        return false;
    while (character(cursor, class))
        ;
    return true;
}

/* Dot-string = Atom *("." Atom) ; Atom = 1*atext */
static bool dot_string(struct cursor *cursor)
{
    do {
        if (!characters(cursor, ATEXT))
            return false;
    } while (take(cursor, '.'));
    return true;
}

/* quoted-pairSMTP = %d92 %d32-126 */
static bool quoted_pair(struct cursor *cursor)
{
    return take(cursor, '\\') && character(cursor, QPAIR);
}

/* Quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE */
static bool quoted_string(struct cursor *cursor)
{
    if (!take(cursor, '"'))
        return false;
    while (character(cursor, QTEXT) || quoted_pair(cursor))
        ;
    return take(cursor, '"');
}

/* sub-domain = Let-dig [Ldh-str] / U-label */
static bool label(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;
    if (!character(cursor, BOUND))
        return false;
    while (character(cursor, LABEL))
        ;
    return (size_t)(cursor->at - start) <= LABEL_BYTES_MAX && cursor->at[-1] != '-';
}

/* Domain = sub-domain *("." sub-domain) */
static bool domain(struct cursor *cursor)
{
    do {
        if (!label(cursor))
            return false;
    } while (take(cursor, '.'));
    return true;
}

struct literal {
    int family;
    uint8_t address[sizeof(struct in6_addr)];
};

/* address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]", section 4.1.3. The
 * registry of other kinds is empty. `text` is without the brackets. */
static bool literal_parse(struct span text, struct literal *literal)
{
    const struct span tag = SPAN("IPv6:");
    literal->family = AF_INET;
    if (text.size > tag.size && span_equal_nocase(span_of(text.data, tag.size), tag)) {
        literal->family = AF_INET6;
        text = span_from(text, tag.size);
    }
    char terminated[INET6_ADDRSTRLEN];
    if (text.size >= sizeof terminated)
        return false;
    memcpy(terminated, text.data, text.size);
    terminated[text.size] = 0;
    return inet_pton(literal->family, terminated, literal->address) == 1;
}

static bool address_literal(struct cursor *cursor)
{
    struct literal literal;
    if (!take(cursor, '['))
        return false;
    const uint8_t *start = cursor->at;
    if (!characters(cursor, DTEXT))
        return false;
    struct span text = span_of(start, (size_t)(cursor->at - start));
    return take(cursor, ']') && literal_parse(text, &literal);
}

static bool is_postmaster(struct span local)
{
    return span_equal_nocase(local, SPAN("postmaster"));
}

/* Mailbox = Local-part "@" ( Domain / address-literal ), or postmaster alone (section 4.5.1) */
static bool mailbox(struct cursor *cursor, struct smtp_address *address)
{
    const uint8_t *start = cursor->at;
    if (!(next_is(cursor, '"') ? quoted_string(cursor) : dot_string(cursor)))
        return false;
    struct span local = span_of(start, (size_t)(cursor->at - start)), name = {0};
    if (take(cursor, '@')) {
        const uint8_t *name_start = cursor->at;
        if (!(next_is(cursor, '[') ? address_literal(cursor) : domain(cursor)))
            return false;
        name = span_of(name_start, (size_t)(cursor->at - name_start));
    } else if (!is_postmaster(local)) {
        return false;
    }
    struct span text = span_of(start, (size_t)(cursor->at - start));
    if (local.size > SMTP_LOCAL_PART_BYTES_MAX || name.size > SMTP_DOMAIN_BYTES_MAX ||
        text.size + 2 > SMTP_PATH_BYTES_MAX)
        return false;
    *address = (struct smtp_address){text, local, name, cursor->non_ascii};
    return true;
}

/* A-d-l ":" ; A-d-l = At-domain *( "," At-domain ) ; At-domain = "@" Domain */
static bool source_route(struct cursor *cursor)
{
    do {
        if (!take(cursor, '@') || !domain(cursor))
            return false;
    } while (take(cursor, ','));
    return take(cursor, ':');
}

bool smtp_path_parse(struct span text, struct smtp_address *address, size_t *size)
{
    struct cursor cursor = {text.data, text.data + text.size, false};
    struct smtp_address parsed = {0};
    if (!take(&cursor, '<'))
        return false;
    if (next_is(&cursor, '@') && !source_route(&cursor))
        return false;
    bool null_path = text.size > 1 && text.data[1] == '>';
    if (!null_path && !mailbox(&cursor, &parsed))
        return false;
    if (!take(&cursor, '>'))
        return false;
    *address = parsed;
    *size = (size_t)(cursor.at - text.data);
    return true;
}

bool smtp_address_parse(struct span text, struct smtp_address *address)
{
    struct cursor cursor = {text.data, text.data + text.size, false};
    struct smtp_address parsed;
    if (!mailbox(&cursor, &parsed) || cursor.at != cursor.end)
        return false;
    *address = parsed;
    return true;
}

/* Without quotes and backslashes: they are spelling, not part of the name (section 4.1.2). */
static size_t normalise_local(struct span local, uint8_t *out)
{
    bool quoted = local.data[0] == '"';
    size_t size = 0;
    for (size_t i = quoted; i < local.size - quoted; i++) {
        if (quoted && local.data[i] == '\\')
            i++;
        out[size++] = local.data[i];
    }
    if (is_postmaster(span_of(out, size)))
        memcpy(out, "postmaster", size);
    return size;
}

static size_t normalise_literal(struct span text, uint8_t *out)
{
    struct literal literal;
    char spelled[INET6_ADDRSTRLEN];
    INVARIANT(literal_parse(span_of(text.data + 1, text.size - 2), &literal));
    INVARIANT(inet_ntop(literal.family, literal.address, spelled, sizeof spelled));
    struct span tag = literal.family == AF_INET6 ? SPAN("[ipv6:") : SPAN("[");
    size_t size = strlen(spelled);
    memcpy(out, tag.data, tag.size);
    memcpy(out + tag.size, spelled, size);
    out[tag.size + size] = ']';
    return tag.size + size + 1;
}

size_t smtp_address_normalise(const struct smtp_address *address,
                              uint8_t out[SMTP_MAILBOX_BYTES_MAX])
{
    INVARIANT(address->text.size > 0);
    size_t size = normalise_local(address->local, out);
    if (address->domain.size == 0)
        return size;
    out[size++] = '@';
    if (address->domain.data[0] == '[')
        return size + normalise_literal(address->domain, out + size);
    for (size_t i = 0; i < address->domain.size; i++)
        out[size++] = ascii_lower(address->domain.data[i]);
    return size;
}

bool smtp_mailbox_normalise(struct span name, bool utf8, uint8_t out[SMTP_MAILBOX_BYTES_MAX],
                            size_t *size)
{
    struct smtp_address address;
    if (!smtp_address_parse(name, &address) || (address.non_ascii && !utf8))
        return false;
    *size = smtp_address_normalise(&address, out);
    return true;
}
