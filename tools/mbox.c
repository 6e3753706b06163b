#include "tools/mbox.h"

#include "tools/place.h"
#include "tools/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool mbox_is_quoted(struct span line)
{
    size_t marks = 0;
    while (marks < line.size && line.data[marks] == '>')
        marks++;
    return marks > 0 && mbox_is_from(span_from(line, marks));
}

/* ---- the "From " line ---- */

/* The next word of the text, which moves on; empty at its end. */
static struct span next_word(struct span *text)
{
    size_t start = 0, end;
    while (start < text->size && text->data[start] == ' ')
        start++;
    for (end = start; end < text->size && text->data[end] != ' ';)
        end++;
    struct span word = span_of(text->data + start, end - start);
    *text = span_from(*text, end);
    return word;
}

static bool number_of(struct span word, unsigned low, unsigned high, int *number)
{
    unsigned value = 0;
    if (word.size == 0 || word.size > 4)
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        value = value * 10 + (word.data[i] - '0');
    }
    *number = (int)value;
    return value >= low && value <= high;
}

static int place_of(struct span word, const char names[][4], int count)
{
    for (int i = 0; i < count; i++)
        if (span_equal_nocase(word, span_of(names[i], 3)))
            return i;
    return -1;
}

/* hh:mm[:ss] */
static bool time_of(struct span word, struct tm *tm)
{
    bool seconds = word.size == 8;
    if ((word.size != 5 && !seconds) || word.data[2] != ':' || (seconds && word.data[5] != ':'))
        return false;
    return number_of(span_of(word.data, 2), 0, 23, &tm->tm_hour) &&
           number_of(span_of(word.data + 3, 2), 0, 59, &tm->tm_min) &&
           (!seconds || number_of(span_of(word.data + 6, 2), 0, 60, &tm->tm_sec));
}

/* "+0130" as seconds; other names of zones are taken for UTC. */
static int zone_of(struct span word)
{
    int hours, minutes;
    if (word.size != 5 || (word.data[0] != '+' && word.data[0] != '-') ||
        !number_of(span_of(word.data + 1, 2), 0, 23, &hours) ||
        !number_of(span_of(word.data + 3, 2), 0, 59, &minutes))
        return 0;
    return (word.data[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

/* "Thu Nov 23 16:00:00 2026", as asctime has it; with a zone before or behind the year. */
static bool date_parse(struct span text, uint64_t *second)
{
    struct tm tm = {0};
    int year = 0, zone = 0, number;
    if (place_of(next_word(&text), days, 7) < 0)
        return false;
    tm.tm_mon = place_of(next_word(&text), months, 12);
    if (tm.tm_mon < 0 || !number_of(next_word(&text), 1, 31, &tm.tm_mday) ||
        !time_of(next_word(&text), &tm))
        return false;
    for (struct span word; (word = next_word(&text)).size > 0;)
        if (year == 0 && number_of(word, 1970, 9999, &number))
            year = number;
        else
            zone = zone_of(word);
    tm.tm_year = year - 1900;
    time_t time = timegm(&tm) - zone;
    *second = (uint64_t)time;
    return year > 0 && time >= 0;
}

static struct span without_end(struct span line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    return line;
}

/* The sender may have blanks in it: it ends where a date begins. */
bool mbox_from_parse(struct span line, struct mbox_from *from)
{
    struct span rest = span_from(without_end(line), 5);
    for (size_t i = 0; i < rest.size; i++) {
        bool begins = i == 0 || rest.data[i - 1] == ' ';
        struct mbox_from parsed = {.sender = span_of(rest.data, i > 0 ? i - 1 : 0)};
        if (!begins || !date_parse(span_from(rest, i), &parsed.second))
            continue;
        while (parsed.sender.size > 0 && parsed.sender.data[parsed.sender.size - 1] == ' ')
            parsed.sender.size--;
        if (span_equal_nocase(parsed.sender, SPAN("MAILER-DAEMON")) ||
            span_equal(parsed.sender, SPAN("-")))
            parsed.sender.size = 0;
        *from = parsed;
        return true;
    }
    return false;
}

bool mbox_from_write(FILE *file, const struct mbox_from *from)
{
    bool named = from->sender.size > 0 && text_is_clean(from->sender);
    struct span sender = named ? from->sender : SPAN("MAILER-DAEMON");
    time_t time = (time_t)from->second;
    struct tm tm = {.tm_mday = 1};
    if (gmtime_r(&time, &tm) == NULL)
        return false;
    return fprintf(file, "From %.*s %s %s %2d %02d:%02d:%02d %d\n", (int)sender.size,
                   (const char *)sender.data, days[tm.tm_wday], months[tm.tm_mon], tm.tm_mday,
                   tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900) > 0;
}

/* ---- the file ---- */

static enum status file_failed(const char *path, struct fault *fault)
{
    return place_failed("cannot write", path, errno, fault);
}

enum status mbox_file_open(struct mbox_file *mbox, const char *path, struct fault *fault)
{
    struct stat about;
    if (lstat(path, &about) == 0 && !(S_ISREG(about.st_mode) && about.st_size == 0))
        return fault_set(fault, STATUS_EXISTS, "%s: is there already", path);
    struct mbox_file opened = {.path = strdup(path)};
    if (opened.path == NULL || asprintf(&opened.temporary, "%s.part", path) < 0) {
        free(opened.path);
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    }
    int fd = open(opened.temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        opened.file = fdopen(fd, "w");
    if (opened.file == NULL) {
        enum status status = file_failed(opened.temporary, fault);
        if (fd >= 0)
            close(fd);
        free(opened.path);
        free(opened.temporary);
        return status;
    }
    *mbox = opened;
    return STATUS_OK;
}

static void forget(struct mbox_file *mbox)
{
    free(mbox->path);
    free(mbox->temporary);
    *mbox = (struct mbox_file){0};
}

enum status mbox_file_finish(struct mbox_file *mbox, struct fault *fault)
{
    enum status status = STATUS_OK;
    bool written = fflush(mbox->file) == 0 && fsync(fileno(mbox->file)) == 0;
    if (!written)
        status = file_failed(mbox->path, fault);
    if (fclose(mbox->file) != 0 && status == STATUS_OK)
        status = file_failed(mbox->path, fault);
    if (status == STATUS_OK && rename(mbox->temporary, mbox->path) != 0)
        status = file_failed(mbox->path, fault);
    if (status != STATUS_OK)
        unlink(mbox->temporary);
    else
        status = place_sync_parent(mbox->path, fault);
    forget(mbox);
    return status;
}

void mbox_file_abandon(struct mbox_file *mbox)
{
    fclose(mbox->file);
    unlink(mbox->temporary);
    forget(mbox);
}
