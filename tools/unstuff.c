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

bool unstuff_write(struct unstuff *unstuff, struct span wire, FILE *file)
{
    while (wire.size > 0) {
        if (!unstuff->inside_line) {
            wire = span_from(wire, begin_line(unstuff, wire));
            continue;
        }
        const uint8_t *end = memchr(wire.data, '\n', wire.size);
        size_t size = end ? (size_t)(end - wire.data) + 1 : wire.size;
        if (fwrite(wire.data, 1, size, file) != size)
            return false;
        unstuff->inside_line = end == NULL;
        wire = span_from(wire, size);
    }
    return true;
}
