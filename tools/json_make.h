/* Making JSON: objects out of tables, numbers that JSON has, text that is UTF-8. */
#ifndef TOOLS_JSON_MAKE_H
#define TOOLS_JSON_MAKE_H

#include "base/span.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct json_member {
    const char *name; /* UTF-8 */
    json_t *value;    /* taken over, also on failure; NULL: there was no memory for it */
};

/* A new reference; NULL: no memory for all of it. */
json_t *json_make_object(const struct json_member *members, size_t count);

/* `json` if it is whole, else NULL and it is gone. */
json_t *json_make_whole(json_t *json, bool whole);

/* JSON's integers end at 2^63; what is beyond counts as that. */
json_t *json_make_count(uint64_t count);
json_t *json_make_real(bool known, double value);
/* Text from outside: as it is if it is UTF-8, else escaped as log_escape does; NULL becomes null.
 */
json_t *json_make_text(const char *text);
json_t *json_make_span(struct span text);

#endif
