#include "base/log.h"

#include "base/clock.h"
#include "base/invariant.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024
#define ESCAPE_BYTES 4 /* \xNN */

/* The one thing here that outlives a call: set once at start, read by every thread. */
static _Atomic int level_max = LOG_LEVEL_INFO;

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

/* Control bytes would let a message look like two lines: nobody may forge one. */
static void flatten(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)text[i] < ' ' || text[i] == 0x7F)
            text[i] = ' ';
}

void log_line(enum log_level level, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed))
        return;
    char line[LINE_BYTES_MAX];
    int prefix = getenv("JOURNAL_STREAM") != NULL
                     ? snprintf(line, sizeof line, "<%d>", (int)level)
                     : snprintf(line, sizeof line, "%s ", level_names[level]);
    INVARIANT(prefix > 0);
    size_t size = (size_t)prefix;

    va_list arguments;
    va_start(arguments, format);
    int message = vsnprintf(line + size, sizeof line - size, format, arguments);
    va_end(arguments);
    INVARIANT(message >= 0);
    size_t room = sizeof line - size - 1; /* where vsnprintf put its NUL the line end goes */
    size += (size_t)message < room ? (size_t)message : room;
    flatten(line, size);
    line[size++] = '\n';
    /* Where stderr is gone there is nobody left to tell. */
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
}

const char *log_escape(struct span bytes, char *out, size_t capacity)
{
    INVARIANT(capacity > 0);
    static const char hex[] = "0123456789ABCDEF";
    size_t size = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        bool plain = byte >= ' ' && byte < 0x7F && byte != '\\';
        if (capacity - 1 - size < (plain ? 1 : ESCAPE_BYTES))
            break;
        if (plain) {
            out[size++] = (char)byte;
            continue;
        }
        memcpy(out + size, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 15]}, ESCAPE_BYTES);
        size += ESCAPE_BYTES;
    }
    out[size] = '\0';
    return out;
}

bool log_allowed(struct log_limit *limit, uint64_t now_ns, uint32_t per_second)
{
    uint64_t second = now_ns / NS_PER_S;
    if (limit->second != second) {
        limit->second = second;
        limit->count = 0;
    }
    if (limit->count >= per_second) {
        limit->suppressed++;
        return false;
    }
    limit->count++;
    return true;
}
