#include "tools/unstuff.h"

/* Takes out a dot that begins a line; the final ".CRLF" loses its CRLF with it. Returns how many
 * bytes of the input are dealt with. */
static size_t begin_line(struct unstuff *unstuff, struct span wire)
{
    if (!unstuff->after_dot) {
        if (wire.data[0] != '.') {
            unstuff->inside_line = true;
            return 0;
        }
        unstuff->after_dot = true;
        return 1;
    }
    if (wire.data[0] == '\r' || wire.data[0] == '\n')
        return 1; /* the end of data: nothing follows it */
    unstuff->after_dot = false;
    unstuff->inside_line = true;
    return 0;
}

bool unstuff_next(struct unstuff *unstuff, struct span *wire, struct span *run)
{
    while (wire->size > 0 && !unstuff->inside_line)
        *wire = span_from(*wire, begin_line(unstuff, *wire));
    if (wire->size == 0)
        return false;
    const uint8_t *end = memchr(wire->data, '\n', wire->size);
    size_t size = end ? (size_t)(end - wire->data) + 1 : wire->size;
    *run = span_of(wire->data, size);
    *wire = span_from(*wire, size);
    unstuff->inside_line = end == NULL;
    return true;
}

bool unstuff_write(struct unstuff *unstuff, struct span wire, FILE *file)
{
    struct span run;
    while (unstuff_next(unstuff, &wire, &run))
        if (fwrite(run.data, 1, run.size, file) != run.size)
            return false;
    return true;
}
