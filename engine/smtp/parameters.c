#include "engine/smtp/parameters.h"

#include "engine/smtp/utf8.h"

#define NUMBER_DIGITS_MAX 20u

bool smtp_number_parse(struct span text, uint64_t *number)
{
    uint64_t value = 0;
    if (text.size == 0 || text.size > NUMBER_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *number = value;
    return true;
}

static bool is_keyword_byte(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10 || (uint8_t)(ascii_lower(byte) - 'a') < 26 || byte == '-';
}

/* xtext = *( xchar / hexchar ) ; hexchar = "+" 2(%x30-39 / %x41-46), RFC 3461 section 4 */
static int hex_digit(uint8_t byte)
{
    if ((uint8_t)(byte - '0') < 10)
        return byte - '0';
    return (uint8_t)(byte - 'A') < 6 ? byte - 'A' + 10 : -1;
}

/* Printable ASCII and spaces, and with `utf8` well-formed UTF-8. */
static bool is_text(struct span text, bool utf8)
{
    for (size_t size; text.size > 0; text = span_from(text, size)) {
        size = smtp_utf8_size(text);
        if (size == 0 || (size > 1 && !utf8) || text.data[0] < ' ' || text.data[0] == 0x7F)
            return false;
    }
    return true;
}

static bool xtext_decode(struct span text, bool utf8, uint8_t *out, size_t capacity, size_t *size)
{
    size_t used = 0;
    for (size_t i = 0; i < text.size; i++) {
        int byte = text.data[i];
        if (byte == '+') {
            if (text.size - i < 3)
                return false;
            int high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);
            if (high < 0 || low < 0)
                return false;
            byte = high << 4 | low;
            i += 2;
        }
        if (used == capacity)
            return false;
        out[used++] = (uint8_t)byte;
    }
    *size = used;
    return is_text(span_of(out, used), utf8);
}

static bool one_of(struct span value, const struct span *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(value, words[i]))
            return true;
    return false;
}

/* Each takes the value of one parameter; false: it is bad. */
static bool take_size(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    (void)utf8;
    return smtp_number_parse(value, &parameters->size);
}

static bool take_body(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    (void)utf8;
    const struct span words[] = {SPAN("7BIT"), SPAN("8BITMIME")};
    parameters->body = value;
    return one_of(value, words, 2);
}

static bool take_smtputf8(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    (void)value, (void)utf8;
    parameters->smtputf8 = true;
    return true;
}

static bool take_ret(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    (void)utf8;
    const struct span words[] = {SPAN("FULL"), SPAN("HDRS")};
    parameters->ret = value;
    return one_of(value, words, 2);
}

static bool take_envid(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    (void)utf8; /* RFC 3461 section 4.4: printable US-ASCII */
    size_t size;
    if (!xtext_decode(value, false, parameters->envid, sizeof parameters->envid, &size))
        return false;
    parameters->envid_size = (uint16_t)size;
    return true;
}

/* "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static bool take_notify(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    (void)utf8;
    const struct span words[] = {SPAN("SUCCESS"), SPAN("FAILURE"), SPAN("DELAY")};
    parameters->notify = value;
    if (span_equal_nocase(value, SPAN("NEVER")))
        return true;
    for (;;) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        size_t size = comma ? (size_t)(comma - value.data) : value.size;
        if (!one_of(span_of(value.data, size), words, 3))
            return false;
        if (comma == NULL)
            return true;
        value = span_from(value, size + 1);
    }
}

/* original-recipient-address = addr-type ";" xtext */
static bool take_orcpt(struct smtp_parameters *parameters, struct span value, bool utf8)
{
    size_t type_size = 0, size;
    while (type_size < value.size && is_keyword_byte(value.data[type_size]))
        type_size++;
    if (type_size == 0 || type_size == value.size || value.data[type_size] != ';' ||
        type_size + 1 > sizeof parameters->orcpt)
        return false;
    memcpy(parameters->orcpt, value.data, type_size + 1);
    if (!xtext_decode(span_from(value, type_size + 1), utf8, parameters->orcpt + type_size + 1,
                      sizeof parameters->orcpt - type_size - 1, &size))
        return false;
    parameters->orcpt_size = (uint16_t)(type_size + 1 + size);
    return size > 0;
}

struct parameter {
    struct span name;
    uint8_t commands; /* enum smtp_parameter_command */
    bool has_value;
    bool (*take)(struct smtp_parameters *parameters, struct span value, bool utf8);
};

#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)text, sizeof text - 1                                                     \
    }

static const struct parameter table[] = {
    {NAME("SIZE"), SMTP_OF_MAIL, true, take_size},
    {NAME("BODY"), SMTP_OF_MAIL, true, take_body},
    {NAME("SMTPUTF8"), SMTP_OF_MAIL, false, take_smtputf8},
    {NAME("RET"), SMTP_OF_MAIL, true, take_ret},
    {NAME("ENVID"), SMTP_OF_MAIL, true, take_envid},
    {NAME("NOTIFY"), SMTP_OF_RCPT, true, take_notify},
    {NAME("ORCPT"), SMTP_OF_RCPT, true, take_orcpt},
};

#define PARAMETERS (sizeof table / sizeof *table)

/* The row of a parameter's name; PARAMETERS: none. */
static size_t find(struct span name, enum smtp_parameter_command command)
{
    size_t i = 0;
    while (i < PARAMETERS &&
           !((table[i].commands & command) && span_equal_nocase(table[i].name, name)))
        i++;
    return i;
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value]. The value has neither "=" nor controls. */
static enum smtp_reply parse_one(struct span word, enum smtp_parameter_command command, bool utf8,
                                 uint32_t *seen, struct smtp_parameters *parameters)
{
    const uint8_t *equals = memchr(word.data, '=', word.size);
    size_t name_size = equals ? (size_t)(equals - word.data) : word.size;
    size_t row = find(span_of(word.data, name_size), command);
    if (row == PARAMETERS)
        return REPLY_UNKNOWN_PARAMETER;
    struct span value = equals ? span_from(word, name_size + 1) : SPAN("");
    bool repeated = *seen & 1u << row;
    *seen |= 1u << row;
    if (repeated || (equals != NULL) != table[row].has_value ||
        (equals && (value.size == 0 || memchr(value.data, '=', value.size))) ||
        !table[row].take(parameters, value, utf8))
        return REPLY_BAD_PARAMETER;
    return REPLY_NONE;
}

enum smtp_reply smtp_parameters_parse(struct span text, enum smtp_parameter_command command,
                                      bool utf8, struct smtp_parameters *parameters)
{
    uint32_t seen = 0;
    memset(parameters, 0, offsetof(struct smtp_parameters, envid));
    while (text.size > 0) {
        size_t size = 1;
        if (text.data[0] != ' ')
            return REPLY_BAD_PARAMETER;
        while (size < text.size && text.data[size] != ' ')
            size++;
        struct span word = span_of(text.data + 1, size - 1);
        enum smtp_reply reply =
            word.size ? parse_one(word, command, utf8, &seen, parameters) : REPLY_NONE;
        if (reply != REPLY_NONE)
            return reply;
        text = span_from(text, size);
    }
    return REPLY_NONE;
}
