#include "base/output.h"

#include <stdarg.h>
#include <stdio.h>

#define NUMBER_BYTES_MAX 20 /* 2^64-1 */
#define PRINT_BYTES_MAX 1024

void output_add_number(struct output *out, uint64_t number)
{
    uint8_t text[NUMBER_BYTES_MAX];
    size_t start = sizeof text;
    do {
        text[--start] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    output_add(out, span_of(text + start, sizeof text - start));
}

/* By way of the stack, as vsnprintf needs room for a NUL that the output need not have. */
void output_print(struct output *out, const char *format, ...)
{
    char text[PRINT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    INVARIANT(size >= 0 && (size_t)size < sizeof text);
    output_add(out, span_of(text, (size_t)size));
}
