#include "engine/load/ledger_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

struct ledger_reader {
    int fd;
    bool ended;       /* the file has nothing more */
    uint64_t line;    /* lines taken */
    size_t from;      /* of the buffer: taken before it */
    size_t looked_at; /* no LF from there to here */
    size_t upto;      /* read */
    uint8_t recipient[LEDGER_RECIPIENT_BYTES_MAX];
    char *path;
    uint8_t buffer[BUFFER_BYTES];
};

enum status ledger_reader_open(struct ledger_reader **result, const char *path, struct fault *fault)
{
    struct ledger_reader *reader = malloc(sizeof *reader);
    char *name = strdup(path);
    if (reader == NULL || name == NULL) {
        free(reader);
        free(name);
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory to read it", path);
    }
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    reader->path = name;
    reader->ended = false;
    reader->line = 0;
    reader->from = reader->looked_at = reader->upto = 0;
    if (reader->fd < 0) {
        enum status status =
            fault_set(fault, status_from_errno(errno), "%s: %s", path, strerror(errno));
        free(reader);
        free(name);
        return status;
    }
    *result = reader;
    return STATUS_OK;
}

void ledger_reader_close(struct ledger_reader *reader)
{
    close(reader->fd);
    free(reader->path);
    free(reader);
}

static enum status fill(struct ledger_reader *reader, struct fault *fault)
{
    size_t kept = reader->upto - reader->from;
    if (kept == BUFFER_BYTES)
        return fault_set(fault, STATUS_CORRUPT, "%s:%" PRIu64 ": no line of a ledger", reader->path,
                         reader->line + 1);
    memmove(reader->buffer, reader->buffer + reader->from, kept);
    reader->looked_at -= reader->from;
    reader->from = 0;
    reader->upto = kept;
    ssize_t got;
    do
        got = read(reader->fd, reader->buffer + kept, BUFFER_BYTES - kept);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fault_set(fault, status_from_errno(errno), "%s: %s", reader->path, strerror(errno));
    reader->ended = got == 0;
    reader->upto += (size_t)got;
    return STATUS_OK;
}

/* Takes a line, without its LF, off the buffer. False: none is whole. */
static bool take_line(struct ledger_reader *reader, struct span *line)
{
    const uint8_t *start = reader->buffer + reader->from;
    const uint8_t *lf =
        memchr(reader->buffer + reader->looked_at, '\n', reader->upto - reader->looked_at);
    reader->looked_at = lf != NULL ? (size_t)(lf - reader->buffer) + 1 : reader->upto;
    if (lf == NULL)
        return false;
    *line = span_of(start, (size_t)(lf - start));
    reader->from = reader->looked_at;
    reader->line++;
    return true;
}

static bool parse(struct ledger_reader *reader, struct span line, struct ledger_entry *entry)
{
    return line.size < LEDGER_LINE_BYTES_MAX && ledger_parse(line, entry, reader->recipient);
}

/* What stands after the last LF. */
static bool parse_rest(struct ledger_reader *reader, struct ledger_entry *entry)
{
    struct span rest = span_of(reader->buffer + reader->from, reader->upto - reader->from);
    reader->from = reader->upto;
    reader->line++;
    return parse(reader, rest, entry);
}

enum status ledger_reader_next(struct ledger_reader *reader, struct ledger_entry *entry, bool *more,
                               struct fault *fault)
{
    struct span line;
    while (!take_line(reader, &line)) {
        enum status status = reader->ended ? STATUS_OK : fill(reader, fault);
        if (status != STATUS_OK)
            return status;
        if (reader->ended) {
            *more = parse_rest(reader, entry);
            return STATUS_OK;
        }
    }
    if (!parse(reader, line, entry))
        return fault_set(fault, STATUS_CORRUPT, "%s:%" PRIu64 ": no line of a ledger", reader->path,
                         reader->line);
    *more = true;
    return STATUS_OK;
}

uint64_t ledger_reader_line(const struct ledger_reader *reader)
{
    return reader->line;
}
