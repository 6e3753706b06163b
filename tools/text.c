#include "tools/text.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <time.h>

const char *text_name(struct span name, char out[TEXT_NAME_BYTES])
{
    return log_escape(name, out, TEXT_NAME_BYTES);
}

const char *text_column(struct span name, char out[TEXT_NAME_BYTES])
{
    size_t size = 0;
    while (name.size > 0 && size < TEXT_NAME_BYTES - 1) {
        const uint8_t *blank = memchr(name.data, ' ', name.size);
        size_t word = blank ? (size_t)(blank - name.data) : name.size;
        log_escape(span_of(name.data, word), out + size, TEXT_NAME_BYTES - size);
        size += strlen(out + size);
        if (blank && TEXT_NAME_BYTES - size > 4) {
            memcpy(out + size, "\\x20", 4);
            size += 4;
        }
        name = span_from(name, blank ? word + 1 : word);
    }
    out[size] = '\0';
    return out;
}

bool text_is_clean(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] == 0x7F)
            return false;
    return true;
}

static const char *text_tm(uint64_t second, const char *format, char out[TEXT_TIME_BYTES])
{
    time_t time = (time_t)second;
    struct tm tm;
    out[0] = '\0';
    if (gmtime_r(&time, &tm) != NULL)
        strftime(out, TEXT_TIME_BYTES, format, &tm);
    return out;
}

const char *text_second(uint64_t second, char out[TEXT_TIME_BYTES])
{
    return text_tm(second, "%Y-%m-%dT%H:%M:%SZ", out);
}

const char *text_time(uint64_t wall_ns, char out[TEXT_TIME_BYTES])
{
    text_tm(wall_ns / NS_PER_S, "%Y-%m-%dT%H:%M:%S", out);
    size_t size = strlen(out);
    snprintf(out + size, TEXT_TIME_BYTES - size, ".%06uZ", (unsigned)(wall_ns % NS_PER_S / 1000));
    return out;
}
