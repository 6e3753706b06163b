#include "engine/load/pattern.h"

#include "base/log.h"
#include "engine/smtp/client.h"
#include "engine/smtp/utf8.h"

#define NUMBER_BYTES_MAX 10u /* of 32 bits */

bool pattern_is_ascii(struct span text)
{
    uint8_t all = 0;
    for (size_t i = 0; i < text.size; i++)
        all |= text.data[i];
    return all < 0x80;
}

bool pattern_is_path(struct span text)
{
    while (text.size > 0) {
        uint8_t byte = text.data[0];
        size_t size = smtp_utf8_size(text);
        if (size == 0 || byte <= ' ' || byte == 0x7F || byte == '<' || byte == '>')
            return false;
        text = span_from(text, size);
    }
    return true;
}

enum status pattern_parse(const char *text, struct pattern *pattern, struct fault *fault)
{
    struct span whole = span_text(text);
    const char *percent = strchr(text, '%');
    if (percent != NULL && (percent[1] != 'd' || strchr(percent + 1, '%') != NULL))
        return fault_set(fault, STATUS_USAGE,
                         "--to: '%.200s': a %% may stand in it only once, as %%d", text);
    char shown[256];
    if (whole.size == 0 || !pattern_is_path(whole))
        return fault_set(fault, STATUS_USAGE, "--to: '%s' is no address",
                         log_escape(whole, shown, sizeof shown));
    struct pattern parsed = {.before = whole, .ascii = pattern_is_ascii(whole)};
    size_t bytes_max = whole.size;
    if (percent != NULL) {
        parsed.counts = true;
        parsed.before = span_of(text, (size_t)(percent - text));
        parsed.after = span_text(percent + 2);
        bytes_max = whole.size - 2 + NUMBER_BYTES_MAX;
    }
    if (bytes_max > SMTP_CLIENT_PATH_BYTES_MAX)
        return fault_set(fault, STATUS_USAGE, "--to: '%.200s' is too long", text);
    parsed.bytes_max = (uint32_t)bytes_max;
    *pattern = parsed;
    return STATUS_OK;
}

void pattern_write(const struct pattern *pattern, uint32_t user, struct output *out)
{
    output_add(out, pattern->before);
    if (pattern->counts)
        output_add_number(out, user);
    output_add(out, pattern->after);
}
