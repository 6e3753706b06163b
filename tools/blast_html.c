#include "tools/blast_html.h"

#include "tools/blast_json.h"
#include "tools/blast_page.h"
#include "tools/whole_file.h"

#include <stdlib.h>

/* JSON inside a script element: it must not hold what HTML takes for the element's end or for a
 * comment, both of which begin with "<" (HTML, section 4.12.1.3). JSON has that in strings only,
 * where it may be written otherwise. */
static char *without_markup(const char *json, size_t *size)
{
    static const char escape[] = "\\u003c";
    size_t count = 0;
    for (const char *at = json; *at != '\0'; at++)
        count += *at == '<';
    char *text = malloc(strlen(json) + count * (sizeof escape - 2) + 1);
    if (text == NULL)
        return NULL;
    char *end = text;
    for (; *json != '\0'; json++) {
        if (*json != '<') {
            *end++ = *json;
            continue;
        }
        memcpy(end, escape, sizeof escape - 1);
        end += sizeof escape - 1;
    }
    *size = (size_t)(end - text);
    return text;
}

enum status blast_html_write(const char *path, const struct blast_options *options,
                             const struct blast_report *report, struct fault *fault)
{
    size_t size;
    char *json = blast_json_text(options, report);
    char *text = json != NULL ? without_markup(json, &size) : NULL;
    free(json);
    if (text == NULL)
        return fault_set(fault, STATUS_SYSTEM, "cannot write '%.200s': no memory", path);
    const struct span parts[] = {blast_page_head, span_of(text, size), blast_page_tail};
    enum status status = whole_file_write(path, parts, 3, fault);
    free(text);
    return status;
}
