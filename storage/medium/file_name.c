#include "storage/medium/file_name.h"

#include "base/invariant.h"

#include <inttypes.h>
#include <stdio.h>

static const char temporary_suffix[] = ".tmp";
static const char *const numbered_suffix[] = {[MEDIUM_SEGMENT] = ".seg", [MEDIUM_HINT] = ".idx"};

static void leaf(struct medium_name name, char out[FILE_PATH_BYTES])
{
    int size = 0;
    switch (name.kind) {
    case MEDIUM_STORE:
        size = snprintf(out, FILE_PATH_BYTES, "STORE");
        break;
    case MEDIUM_SPARE:
        size = snprintf(out, FILE_PATH_BYTES, "spare.tmp");
        break;
    case MEDIUM_REWRITE:
        size = snprintf(out, FILE_PATH_BYTES, "rewrite.tmp");
        break;
    case MEDIUM_RETIRED:
        size = snprintf(out, FILE_PATH_BYTES, "retired.tmp");
        break;
    case MEDIUM_SEGMENT:
    case MEDIUM_HINT:
        size = snprintf(out, FILE_PATH_BYTES, "%08" PRIu32 "%s", name.number,
                        numbered_suffix[name.kind]);
        break;
    }
    INVARIANT(size > 0 && size < FILE_PATH_BYTES);
}

void file_name_home(struct medium_name name, char out[FILE_PATH_BYTES])
{
    int size = name.kind == MEDIUM_STORE
                   ? snprintf(out, FILE_PATH_BYTES, ".")
                   : snprintf(out, FILE_PATH_BYTES, "shard-%02" PRIu32, name.shard);
    INVARIANT(size > 0 && size < FILE_PATH_BYTES);
}

/* "home/leaf" and a suffix; STORE stays a bare name. */
static void path(struct medium_name name, const char *suffix, char out[FILE_PATH_BYTES])
{
    char home[FILE_PATH_BYTES], last[FILE_PATH_BYTES];
    file_name_home(name, home);
    leaf(name, last);
    int size = name.kind == MEDIUM_STORE
                   ? snprintf(out, FILE_PATH_BYTES, "%s%s", last, suffix)
                   : snprintf(out, FILE_PATH_BYTES, "%s/%s%s", home, last, suffix);
    INVARIANT(size > 0 && size < FILE_PATH_BYTES);
}

void file_name_path(struct medium_name name, char out[FILE_PATH_BYTES])
{
    path(name, "", out);
}

void file_name_temporary(struct medium_name name, char out[FILE_PATH_BYTES])
{
    path(name, temporary_suffix, out);
}

/* The decimal digits at the beginning of the text (none: 0); false beyond 32 bits. */
static bool leading_number(const char *text, uint32_t *number)
{
    uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)value;
    return true;
}

bool file_name_is_home(const char *text, uint32_t *shard)
{
    static const char prefix[] = "shard-";
    struct medium_name name = {.kind = MEDIUM_SEGMENT};
    char written[FILE_PATH_BYTES];
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 ||
        !leading_number(text + sizeof prefix - 1, &name.shard))
        return false;
    file_name_home(name, written);
    if (strcmp(text, written) != 0)
        return false;
    *shard = name.shard;
    return true;
}

bool file_name_parse(const char *text, struct medium_name in, struct medium_name *name)
{
    static const enum medium_kind in_store[] = {MEDIUM_STORE};
    static const enum medium_kind in_shard[] = {MEDIUM_SEGMENT, MEDIUM_HINT, MEDIUM_SPARE,
                                                MEDIUM_REWRITE, MEDIUM_RETIRED};
    const enum medium_kind *kinds = in.kind == MEDIUM_STORE ? in_store : in_shard;
    size_t count = in.kind == MEDIUM_STORE ? sizeof in_store / sizeof *in_store
                                           : sizeof in_shard / sizeof *in_shard;
    struct medium_name parsed = {.shard = in.shard};
    char written[FILE_PATH_BYTES];
    if (!leading_number(text, &parsed.number))
        return false;
    for (size_t i = 0; i < count; i++) {
        parsed.kind = kinds[i];
        leaf(parsed, written);
        bool numbered = parsed.kind == MEDIUM_SEGMENT || parsed.kind == MEDIUM_HINT;
        if (strcmp(text, written) == 0 && numbered == (parsed.number > 0)) {
            *name = parsed;
            return true;
        }
    }
    return false;
}

bool file_name_is_temporary(const char *text, struct medium_name in)
{
    size_t size = strlen(text), suffix = sizeof temporary_suffix - 1;
    char stem[FILE_PATH_BYTES];
    struct medium_name name;
    if (size <= suffix || size >= sizeof stem || strcmp(text + size - suffix, temporary_suffix))
        return false;
    memcpy(stem, text, size - suffix);
    stem[size - suffix] = '\0';
    return file_name_parse(stem, in, &name) &&
           (name.kind == MEDIUM_STORE || name.kind == MEDIUM_HINT);
}
