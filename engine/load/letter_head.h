/* What comes before a letter's text: its X-Mailrace-Id field and, if the letter is made up, the
 * rest of its header through the empty line. Filled into a form, as most of it is the same every
 * time. */
#ifndef ENGINE_LOAD_LETTER_HEAD_H
#define ENGINE_LOAD_LETTER_HEAD_H

#include "base/clock.h"
#include "base/output.h"
#include "engine/load/letter.h"

struct letter_head {
    bool made_up;
    struct clock_date_cache date;
    uint8_t form[LETTER_OCTETS_MIN];
    uint32_t form_bytes;
    uint32_t ids_at[2], ids_count; /* places in the form */
    uint32_t date_at;
};

/* `from`: the reverse-path of all letters. */
void letter_head_init(struct letter_head *head, struct span from, bool made_up);

/* `to`: the first recipient; not looked at if the letter is not made up. Needs LETTER_HEAD_BYTES; a
 * made-up letter's head and its first line, of LETTER_ID_BYTES and one, fit LETTER_OCTETS_MIN with
 * the ends of that line and of the last. */
void letter_head_write(struct letter_head *head, const char id[LETTER_ID_BYTES], uint64_t wall_ns,
                       struct span to, struct output *out);

#endif
