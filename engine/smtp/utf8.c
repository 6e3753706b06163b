#include "engine/smtp/utf8.h"

/* RFC 3629 section 4: by first byte, how many bytes and where the second may lie. */
struct lead {
    uint8_t first, last, size, second_min, second_max;
};

static const struct lead leads[] = {
    {0x00, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

static bool well_formed(struct span text, const struct lead *lead)
{
    if (text.size < lead->size)
        return false;
    if (lead->size > 1 && (text.data[1] < lead->second_min || text.data[1] > lead->second_max))
        return false;
    for (size_t i = 2; i < lead->size; i++)
        if ((text.data[i] & 0xC0) != 0x80)
            return false;
    return true;
}

size_t smtp_utf8_size(struct span text)
{
    if (text.size == 0)
        return 0;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (text.data[0] >= leads[i].first && text.data[0] <= leads[i].last)
            return well_formed(text, &leads[i]) ? leads[i].size : 0;
    return 0;
}
