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
    char escaped[1024];
    if (text == NULL)
        return json_null();
    json_t *json = json_string(text);
    return json != NULL ? json : json_string(log_escape(span_text(text), escaped, sizeof escaped));
}
