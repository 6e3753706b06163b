/* Recipients as the flag --to describes them: an address in which %d, at most once, stands for the
 * number of a user. Read-only once parsed; it borrows the text it was parsed from. */
#ifndef ENGINE_LOAD_PATTERN_H
#define ENGINE_LOAD_PATTERN_H

#include "base/output.h"
#include "base/status.h"

struct pattern {
    struct span before, after; /* the number */
    bool counts;               /* there is a %d: else every recipient is the same */
    bool ascii;
    uint32_t bytes_max; /* of a recipient, with a number of 32 bits; ≤ SMTP_CLIENT_PATH_BYTES_MAX */
};

/* USAGE with a line that names the flag. */
enum status pattern_parse(const char *text, struct pattern *pattern,
                          struct fault *fault) MUST_CHECK;

/* Appends the user's address. */
void pattern_write(const struct pattern *pattern, uint32_t user, struct output *out);

/* Whether this may stand between <> in a command: nothing that could end either, no blanks, UTF-8
 * if not ASCII. Empty: yes. */
bool pattern_is_path(struct span text);

/* No byte above 127. */
bool pattern_is_ascii(struct span text);

#endif
