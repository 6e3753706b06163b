#include "engine/pop3/client_list.h"

#include "engine/pop3/number.h"

/* Cuts the next word off `rest`; empty: there is none. */
static struct span cut_word(struct span *rest)
{
    size_t start = 0;
    while (start < rest->size && rest->data[start] == ' ')
        start++;
    size_t end = start;
    while (end < rest->size && rest->data[end] != ' ')
        end++;
    struct span word = span_of(rest->data + start, end - start);
    *rest = span_from(*rest, end);
    return word;
}

/* A line as long as can be kept may end within a word. */
static struct span without_cut_word(struct span line)
{
    if (line.size >= REPLY_LINE_BYTES_KEPT)
        while (line.size > 0 && line.data[line.size - 1] != ' ')
            line.size--;
    return line;
}

unsigned pop3_client_capabilities_of(struct span line)
{
    static const struct {
        struct span keyword;
        enum pop3_client_capability bit;
    } table[] = {
        {SPAN_INIT("STLS"), POP3_CLIENT_HAS_STLS},
        {SPAN_INIT("PIPELINING"), POP3_CLIENT_HAS_PIPELINING},
        {SPAN_INIT("USER"), POP3_CLIENT_HAS_USER},
    };
    struct span rest = without_cut_word(line), keyword = cut_word(&rest), word;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (span_equal_nocase(keyword, table[i].keyword))
            return table[i].bit;
    if (span_equal_nocase(keyword, SPAN("SASL")))
        while ((word = cut_word(&rest)).size > 0)
            if (span_equal_nocase(word, SPAN("PLAIN")))
                return POP3_CLIENT_HAS_PLAIN;
    return 0;
}

static bool is_uidl(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7F)
            return false;
    return text.size > 0 && text.size <= POP3_CLIENT_UIDL_BYTES_MAX;
}

bool pop3_client_uidl_parse(struct span row, uint32_t count, uint32_t *number, struct span *uidl)
{
    uint64_t value;
    if (!pop3_number_parse(cut_word(&row), &value) || value < 1 || value > count)
        return false;
    struct span text = cut_word(&row);
    if (!is_uidl(text))
        return false;
    *number = (uint32_t)value;
    *uidl = text;
    return true;
}

bool pop3_client_stat_parse(struct span text, uint32_t *messages, uint64_t *octets)
{
    uint64_t count, size;
    if (!pop3_number_parse(cut_word(&text), &count) || count > POP3_CLIENT_MESSAGES_MAX ||
        !pop3_number_parse(cut_word(&text), &size))
        return false;
    *messages = (uint32_t)count;
    *octets = size;
    return true;
}
