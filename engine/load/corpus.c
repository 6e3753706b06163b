#include "engine/load/corpus.h"

#include "base/invariant.h"
#include "engine/load/corpus_builder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct corpus {
    struct corpus_builder builder; /* finished */
};

static enum status system_fault(struct fault *fault, const char *path)
{
    return fault_set(fault, status_from_errno(errno), "corpus %s: %s", path, strerror(errno));
}

static enum status no_memory(struct fault *fault, const char *path)
{
    return fault_set(fault, STATUS_SYSTEM, "corpus %s: no memory for so many messages", path);
}

static bool begins(struct span line, struct span with)
{
    return line.size >= with.size && memcmp(line.data, with.data, with.size) == 0;
}

static bool is_named_eml(const char *name)
{
    size_t size = strlen(name);
    return size > 4 && strcasecmp(name + size - 4, ".eml") == 0;
}

/* --------------------------------------------------------------------------------- files ---- */

struct reading { /* of one file */
    struct corpus_builder *builder;
    bool eml; /* one message, as its name says */
    bool mbox;
    bool begun;    /* a line was seen */
    bool withheld; /* an empty line of an mbox, which is none of the message's if "From " follows */
};

/* mboxrd: one ">" was put before every line that began with "From " after any number of them. */
static struct span unquoted(struct span line)
{
    size_t quotes = 0;
    while (quotes < line.size && line.data[quotes] == '>')
        quotes++;
    bool quoted = quotes > 0 && begins(span_from(line, quotes), SPAN("From "));
    return quoted ? span_from(line, 1) : line;
}

static void take_mbox_line(struct reading *reading, struct span line)
{
    struct corpus_builder *builder = reading->builder;
    bool may_separate = reading->withheld || !reading->begun;
    if (may_separate && begins(line, SPAN("From "))) {
        corpus_builder_end_message(builder);
        reading->withheld = false;
        return;
    }
    if (reading->withheld)
        corpus_builder_add(builder, SPAN(""));
    reading->withheld = line.size == 0;
    if (line.size > 0)
        corpus_builder_add(builder, unquoted(line));
}

static void take_line(struct reading *reading, struct span line)
{
    bool from = !reading->begun && begins(line, SPAN("From "));
    if (from && !reading->eml)
        reading->mbox = true;
    if (reading->mbox)
        take_mbox_line(reading, line);
    else if (!from)
        corpus_builder_add(reading->builder, line);
    reading->begun = true;
}

/* A line up to LF, or to the end of the file, is as many as its bare CRs make of it. */
static void take_lines(struct reading *reading, struct span text)
{
    if (text.data[text.size - 1] == '\n')
        text.size--;
    if (text.size > 0 && text.data[text.size - 1] == '\r')
        text.size--;
    const uint8_t *cr;
    while ((cr = memchr(text.data, '\r', text.size)) != NULL) {
        size_t size = (size_t)(cr - text.data);
        take_line(reading, span_of(text.data, size));
        text = span_from(text, size + 1);
    }
    take_line(reading, text);
}

/* What cannot be kept for want of memory is noticed when all is read. */
static enum status read_messages(struct corpus_builder *builder, FILE *file, const char *path,
                                 bool eml, struct fault *fault)
{
    struct reading reading = {.builder = builder, .eml = eml};
    char *text = NULL;
    size_t capacity = 0;
    ssize_t size;
    errno = 0;
    while (!builder->full && (size = getline(&text, &capacity, file)) > 0)
        take_lines(&reading, span_of(text, (size_t)size));
    enum status status = STATUS_OK;
    if (!builder->full && !feof(file))
        status = errno == ENOMEM ? no_memory(fault, path) : system_fault(fault, path);
    free(text);
    corpus_builder_end_message(builder);
    return status;
}

/* Opens without waiting for the other end of a FIFO; NULL: see errno. */
static FILE *open_file(int folder, const char *name, struct stat *about)
{
    int descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return NULL;
    FILE *file = fstat(descriptor, about) == 0 ? fdopen(descriptor, "r") : NULL;
    if (file == NULL)
        close(descriptor);
    return file;
}

/* ------------------------------------------------------------------------------- folders ---- */

struct names { /* of files, from the folder that is read: "cur/NAME" or "NAME" */
    char **each;
    size_t count, capacity;
};

static bool add_name(struct names *names, const char *folder, const char *name)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity > 0 ? names->capacity * 2 : 64;
        char **each = reallocarray(names->each, capacity, sizeof *each);
        if (each == NULL)
            return false;
        names->each = each;
        names->capacity = capacity;
    }
    if (asprintf(&names->each[names->count], "%s/%s", folder, name) < 0)
        return false;
    names->count++;
    return true;
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->each[i]);
    free(names->each);
}

/* By what stands behind the slash, so that a message has its place whether it is in cur or new. */
static int compare_names(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    int order = strcmp(strchr(left, '/'), strchr(right, '/'));
    return order != 0 ? order : strcmp(left, right);
}

static enum status list(struct names *names, int root, const char *folder, bool all,
                        const char *path, struct fault *fault)
{
    int descriptor = openat(root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (directory == NULL) {
        enum status status = system_fault(fault, path);
        if (descriptor >= 0)
            close(descriptor);
        return status;
    }
    enum status status = STATUS_OK;
    const struct dirent *entry;
    while (status == STATUS_OK && (errno = 0, entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.' && (all || is_named_eml(entry->d_name)) &&
            !add_name(names, folder, entry->d_name))
            status = no_memory(fault, path);
    if (status == STATUS_OK && errno != 0)
        status = system_fault(fault, path);
    closedir(directory);
    return status;
}

static bool is_folder(int root, const char *name)
{
    struct stat about;
    return fstatat(root, name, &about, 0) == 0 && S_ISDIR(about.st_mode);
}

static enum status list_all(struct names *names, int root, const char *path, struct fault *fault)
{
    bool cur = is_folder(root, "cur"), fresh = is_folder(root, "new");
    enum status status = STATUS_OK;
    if (cur)
        status = list(names, root, "cur", true, path, fault);
    if (fresh && status == STATUS_OK)
        status = list(names, root, "new", true, path, fault);
    if (!cur && !fresh)
        status = list(names, root, ".", false, path, fault);
    return status;
}

static enum status read_named(struct corpus_builder *builder, int root, const char *name,
                              const char *path, struct fault *fault)
{
    struct stat about;
    char whole[400];
    const char *shown = strncmp(name, "./", 2) == 0 ? name + 2 : name;
    snprintf(whole, sizeof whole, "%.190s/%.190s", path, shown);
    FILE *file = open_file(root, name, &about);
    if (file == NULL)
        return system_fault(fault, whole);
    enum status status = STATUS_OK;
    if (S_ISREG(about.st_mode))
        status = read_messages(builder, file, whole, true, fault);
    fclose(file);
    return status;
}

static enum status read_folder(struct corpus_builder *builder, int root, const char *path,
                               struct fault *fault)
{
    struct names names = {0};
    enum status status = list_all(&names, root, path, fault);
    if (status == STATUS_OK && names.count > 0)
        qsort(names.each, names.count, sizeof *names.each, compare_names);
    for (size_t i = 0; status == STATUS_OK && i < names.count; i++)
        status = read_named(builder, root, names.each[i], path, fault);
    free_names(&names);
    return status;
}

/* ---------------------------------------------------------------------------- the corpus ---- */

static enum status read_path(struct corpus_builder *builder, const char *path, struct fault *fault)
{
    struct stat about;
    FILE *file = open_file(AT_FDCWD, path, &about);
    if (file == NULL)
        return system_fault(fault, path);
    enum status status;
    if (S_ISDIR(about.st_mode))
        status = read_folder(builder, fileno(file), path, fault);
    else if (S_ISREG(about.st_mode))
        status = read_messages(builder, file, path, is_named_eml(path), fault);
    else
        status = fault_set(fault, STATUS_CONFIG, "corpus %s: neither a file nor a folder", path);
    fclose(file);
    return status;
}

enum status corpus_open(struct corpus **result, const char *path, struct fault *fault)
{
    struct corpus *corpus = calloc(1, sizeof *corpus);
    if (corpus == NULL)
        return no_memory(fault, path);
    enum status status = read_path(&corpus->builder, path, fault);
    if (status == STATUS_OK && !corpus_builder_finish(&corpus->builder))
        status = no_memory(fault, path);
    if (status == STATUS_OK && corpus->builder.count == 0)
        status = fault_set(fault, STATUS_CONFIG,
                           "corpus %s: no message in it (a Maildir, an mbox or .eml files)", path);
    if (status == STATUS_OK)
        *result = corpus;
    else
        corpus_close(corpus);
    return status;
}

void corpus_close(struct corpus *corpus)
{
    corpus_builder_deinit(&corpus->builder);
    free(corpus);
}

uint32_t corpus_count(const struct corpus *corpus)
{
    return corpus->builder.count;
}

const struct corpus_message *corpus_at(const struct corpus *corpus, uint32_t index)
{
    INVARIANT(index < corpus->builder.count);
    return &corpus->builder.messages[index];
}
