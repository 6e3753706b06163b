#include "tools/json_make.h"

#include "base/log.h"

json_t *json_make_object(const struct json_member *members, size_t count)
{
    json_t *object = json_object();
    bool whole = object != NULL;
    for (size_t i = 0; i < count; i++)
        whole = json_object_set_new(object, members[i].name, members[i].value) == 0 && whole;
    return json_make_whole(object, whole);
}

json_t *json_make_whole(json_t *json, bool whole)
{
    if (whole)
        return json;
    json_decref(json);
    return NULL;
}

json_t *json_make_count(uint64_t count)
{
    return json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count);
}

json_t *json_make_real(bool known, double value)
{
    return known ? json_real(value) : json_null();
}

json_t *json_make_text(const char *text)
{
    return text != NULL ? json_make_span(span_text(text)) : json_null();
}

json_t *json_make_span(struct span text)
{
    char escaped[1024];
    json_t *json = json_stringn((const char *)text.data, text.size);
    return json != NULL ? json : json_string(log_escape(text, escaped, sizeof escaped));
}
