#include "engine/smtp/client_extensions.h"

#include "engine/smtp/client_reply.h"
#include "engine/smtp/parameters.h"

struct extension {
    struct span keyword;
    enum smtp_client_extension bit;
};

static const struct extension extensions[] = {
    {SPAN_INIT("PIPELINING"), SMTP_CLIENT_PIPELINING},
    {SPAN_INIT("CHUNKING"), SMTP_CLIENT_CHUNKING},
    {SPAN_INIT("STARTTLS"), SMTP_CLIENT_OFFERS_STARTTLS},
    {SPAN_INIT("8BITMIME"), SMTP_CLIENT_8BITMIME},
    {SPAN_INIT("SIZE"), SMTP_CLIENT_SIZE},
    {SPAN_INIT("SMTPUTF8"), SMTP_CLIENT_SMTPUTF8},
};
static const struct extension mechanisms[] = {
    {SPAN_INIT("PLAIN"), SMTP_CLIENT_AUTH_PLAIN},
    {SPAN_INIT("LOGIN"), SMTP_CLIENT_AUTH_LOGIN},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* The bit of a keyword; 0: unknown. */
static unsigned find(const struct extension *table, size_t count, struct span keyword)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(table[i].keyword, keyword))
            return table[i].bit;
    return 0;
}

/* Cuts the next word off `rest`; empty: there is none. "AUTH=" is how RFC 2554's drafts had it, and
 * some servers still offer both. */
static struct span cut_word(struct span *rest)
{
    size_t start = 0;
    while (start < rest->size && (rest->data[start] == ' ' || rest->data[start] == '='))
        start++;
    size_t end = start;
    while (end < rest->size && rest->data[end] != ' ' && rest->data[end] != '=')
        end++;
    struct span word = span_of(rest->data + start, end - start);
    *rest = span_from(*rest, end);
    return word;
}

/* A line as long as can be kept may end within a word. */
static struct span without_cut_word(struct span line)
{
    if (line.size >= SMTP_CLIENT_TEXT_BYTES_MAX)
        while (line.size > 0 && line.data[line.size - 1] != ' ')
            line.size--;
    return line;
}

void smtp_client_extension_read(struct span line, uint8_t *offers, uint64_t *size_max)
{
    struct span rest = without_cut_word(line), keyword = cut_word(&rest), word;
    if (span_equal_nocase(keyword, SPAN("AUTH"))) {
        while ((word = cut_word(&rest)).size > 0)
            *offers |= (uint8_t)find(mechanisms, COUNT(mechanisms), word);
        return;
    }
    unsigned bit = find(extensions, COUNT(extensions), keyword);
    *offers |= (uint8_t)bit;
    uint64_t number;
    if (bit == SMTP_CLIENT_SIZE && smtp_number_parse(cut_word(&rest), &number))
        *size_max = number;
}
