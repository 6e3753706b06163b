#include "tools/mail_source.h"

#include "base/clock.h"
#include "base/log.h"
#include "tools/mail_files.h"
#include "tools/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES 65536u /* at once; a "From " line is shorter */

struct mail_source {
    const char *path;
    uint64_t bytes_max;
    /* The message at hand. */
    uint8_t *bytes;
    size_t size, capacity;
    bool too_large, no_memory;
    char problem[128];
    /* Files. */
    struct mail_files files;
    size_t next;
    /* Or an mbox. */
    int mbox; /* -1: files */
    uint64_t number, written_ns;
    uint8_t *input;
    uint32_t input_start, input_size;
    bool input_ended;
    bool in_line;     /* the input goes on inside a line */
    bool after_blank; /* the last line was empty, or it is the beginning */
    uint8_t sender[READ_BYTES];
};

/* ---- the message at hand ---- */

static void begin(struct mail_source *source)
{
    source->size = 0;
    source->too_large = source->no_memory = false;
}

/* What is too large is counted, not kept. */
static void append(struct mail_source *source, struct span part)
{
    if (part.size > source->bytes_max - source->size) {
        source->too_large = true;
        return;
    }
    if (source->size + part.size > source->capacity) {
        size_t capacity = source->capacity ? source->capacity * 2 : READ_BYTES;
        while (capacity < source->size + part.size)
            capacity *= 2;
        uint8_t *grown = realloc(source->bytes, capacity);
        source->no_memory |= grown == NULL;
        if (grown == NULL)
            return;
        source->bytes = grown;
        source->capacity = capacity;
    }
    memcpy(source->bytes + source->size, part.data, part.size);
    source->size += part.size;
}

static enum status give(struct mail_source *source, struct mail *mail, struct fault *fault)
{
    if (source->no_memory)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %s", mail->name);
    mail->raw = span_of(source->bytes, source->size);
    if (source->too_large) {
        snprintf(source->problem, sizeof source->problem, "is larger than %" PRIu64 " bytes",
                 source->bytes_max);
        mail->problem = source->problem;
    }
    return STATUS_OK;
}

/* ---- files ---- */

static const char *read_failed(struct mail_source *source)
{
    snprintf(source->problem, sizeof source->problem, "cannot be read: %s", strerror(errno));
    return source->problem;
}

/* The file may have become anything since it was listed: a pipe must not stop us. */
static void read_file(struct mail_source *source, const char *path, struct mail *mail)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &about) != 0) {
        mail->problem = read_failed(source);
    } else if (!S_ISREG(about.st_mode)) {
        mail->problem = "is no regular file";
    } else {
        ssize_t got = 0;
        while (!source->too_large && (got = read(fd, source->input, READ_BYTES)) > 0)
            append(source, span_of(source->input, (size_t)got));
        if (!source->too_large && got < 0)
            mail->problem = read_failed(source);
    }
    if (fd >= 0)
        close(fd);
}

static enum status next_file(struct mail_source *source, struct mail *mail, struct fault *fault)
{
    if (source->next == source->files.count)
        return STATUS_ABSENT;
    const struct mail_file *file = &source->files.files[source->next++];
    log_escape(span_text(file->path), mail->name, sizeof mail->name);
    mail->received_ns = file->written_ns;
    read_file(source, file->path, mail);
    return mail->problem ? STATUS_OK : give(source, mail, fault);
}

/* ---- mbox ---- */

/* More of the file behind what is left of the input. */
static enum status fill(struct mail_source *source, struct fault *fault)
{
    memmove(source->input, source->input + source->input_start, source->input_size);
    source->input_start = 0;
    while (!source->input_ended && source->input_size < READ_BYTES) {
        ssize_t got =
            read(source->mbox, source->input + source->input_size, READ_BYTES - source->input_size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_set(fault, status_from_errno(errno), "cannot read %s: %s", source->path,
                             strerror(errno));
        source->input_ended = got == 0;
        source->input_size += (uint32_t)got;
    }
    return STATUS_OK;
}

/* The next line, or a part of one that is longer than the input. ABSENT at the end. */
static enum status peek_line(struct mail_source *source, struct span *line, struct fault *fault)
{
    for (int filled = 0;; filled++) {
        const uint8_t *start = source->input + source->input_start;
        const uint8_t *end =
            source->input_size > 0 ? memchr(start, '\n', source->input_size) : NULL;
        size_t size = end ? (size_t)(end - start) + 1 : source->input_size;
        if (end || filled) {
            *line = span_of(start, size);
            return size > 0 ? STATUS_OK : STATUS_ABSENT;
        }
        enum status status = fill(source, fault);
        if (status != STATUS_OK)
            return status;
    }
}

static void pass_line(struct mail_source *source, struct span line)
{
    source->input_start += (uint32_t)line.size;
    source->input_size -= (uint32_t)line.size;
    bool ended = line.data[line.size - 1] == '\n';
    source->after_blank =
        !source->in_line && ended && line.size <= 2 && (line.size == 1 || line.data[0] == '\r');
    source->in_line = !ended;
}

/* Some programs leave out the empty line before it: then there must be a date in it. */
static bool is_separator(const struct mail_source *source, struct span line)
{
    struct mbox_from from;
    return !source->in_line && mbox_is_from(line) &&
           (source->after_blank || mbox_from_parse(line, &from));
}

static void take_from_line(struct mail_source *source, struct span line, struct mail *mail)
{
    struct mbox_from from;
    mail->received_ns = source->written_ns;
    if (!mbox_from_parse(line, &from))
        return;
    mail->received_ns = from.second * NS_PER_S;
    if (from.sender.size > 0)
        memcpy(source->sender, from.sender.data, from.sender.size);
    mail->sender = span_of(source->sender, from.sender.size);
}

static void append_line(struct mail_source *source, struct span line)
{
    bool quoted = !source->in_line && mbox_is_quoted(line);
    append(source, quoted ? span_from(line, 1) : line);
}

/* The empty line before a separator, or at the end, belongs to the format. */
static void take_off_blank(struct mail_source *source)
{
    if (!source->after_blank || source->size == 0)
        return;
    source->size--;
    if (source->size > 0 && source->bytes[source->size - 1] == '\r')
        source->size--;
}

static enum status next_in_mbox(struct mail_source *source, struct mail *mail, struct fault *fault)
{
    struct span line;
    char path[MAIL_NAME_BYTES - 64];
    enum status status = peek_line(source, &line, fault);
    if (status != STATUS_OK)
        return status;
    snprintf(mail->name, sizeof mail->name, "%s, message %" PRIu64,
             log_escape(span_text(source->path), path, sizeof path), ++source->number);
    take_from_line(source, line, mail);
    pass_line(source, line);
    while (source->in_line && (status = peek_line(source, &line, fault)) == STATUS_OK)
        pass_line(source, line); /* of the "From " line */
    while (status == STATUS_OK && (status = peek_line(source, &line, fault)) == STATUS_OK &&
           !is_separator(source, line)) {
        append_line(source, line);
        pass_line(source, line);
    }
    if (status != STATUS_OK && status != STATUS_ABSENT)
        return status;
    if (!source->too_large)
        take_off_blank(source);
    return give(source, mail, fault);
}

/* ---- opening ---- */

static enum status open_failed(const char *path, struct fault *fault)
{
    return fault_set(fault, status_from_errno(errno), "cannot read %s: %s", path, strerror(errno));
}

static uint64_t written_ns(const struct stat *about)
{
    uint64_t second = about->st_mtim.tv_sec > 0 ? (uint64_t)about->st_mtim.tv_sec : 0;
    return second * NS_PER_S + (uint64_t)about->st_mtim.tv_nsec;
}

/* An mbox is told by its first line; any other file is one message. */
static enum status open_file(struct mail_source *source, const struct stat *about,
                             struct fault *fault)
{
    struct span line;
    source->mbox = open(source->path, O_RDONLY | O_CLOEXEC);
    if (source->mbox < 0)
        return open_failed(source->path, fault);
    enum status status = peek_line(source, &line, fault);
    source->written_ns = written_ns(about);
    source->after_blank = true;
    if (status == STATUS_ABSENT || (status == STATUS_OK && mbox_is_from(line)))
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    close(source->mbox);
    source->mbox = -1;
    char *path = strdup(source->path);
    source->files.files = calloc(1, sizeof *source->files.files);
    if (path == NULL || source->files.files == NULL) {
        free(path);
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    }
    source->files.files[0] = (struct mail_file){.path = path, .written_ns = written_ns(about)};
    source->files.count = 1;
    return STATUS_OK;
}

enum status mail_source_open(struct mail_source **source, const char *path,
                             uint64_t message_bytes_max, struct fault *fault)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return open_failed(path, fault);
    if (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
        return fault_set(fault, STATUS_ABSENT, "%s: neither a file nor a folder", path);
    struct mail_source *opened = calloc(1, sizeof *opened);
    if (opened == NULL || (opened->input = malloc(READ_BYTES)) == NULL) {
        free(opened);
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    }
    opened->path = path;
    opened->bytes_max = message_bytes_max;
    opened->mbox = -1;
    enum status status = S_ISDIR(about.st_mode) ? mail_files_list(&opened->files, path, fault)
                                                : open_file(opened, &about, fault);
    if (status != STATUS_OK) {
        mail_source_close(opened);
        return status;
    }
    *source = opened;
    return STATUS_OK;
}

void mail_source_close(struct mail_source *source)
{
    if (source->mbox >= 0)
        close(source->mbox);
    mail_files_deinit(&source->files);
    free(source->bytes);
    free(source->input);
    free(source);
}

enum status mail_source_next(struct mail_source *source, struct mail *mail, struct fault *fault)
{
    begin(source);
    mail->raw = mail->sender = span_of(NULL, 0);
    mail->problem = NULL;
    return source->mbox >= 0 ? next_in_mbox(source, mail, fault) : next_file(source, mail, fault);
}

uint64_t mail_source_count(const struct mail_source *source)
{
    return source->mbox >= 0 ? 0 : source->files.count;
}
