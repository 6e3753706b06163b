#include "engine/recipients.h"

#include "base/hash.h"
#include "engine/smtp/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct entry {
    uint32_t size; /* 0: an empty place in the table */
    uint8_t name[320];
};

/* An open-addressing table, at most half full. Domains stand in it twice: as "@domain" when
 * everything there is taken, and as "domain" to tell an unknown user from a foreign domain. */
struct recipients {
    size_t places; /* a power of two */
    size_t count;
    struct entry *entries;
};

static struct entry *find(const struct recipients *recipients, struct span name)
{
    for (size_t i = hash64(name, 0);; i++) {
        struct entry *entry = &recipients->entries[i & (recipients->places - 1)];
        if (entry->size == 0 || span_equal(span_of(entry->name, entry->size), name))
            return entry;
    }
}

static bool grow(struct recipients *recipients)
{
    struct recipients larger = {.places = recipients->places ? recipients->places * 2 : 64,
                                .count = recipients->count};
    larger.entries = calloc(larger.places, sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < recipients->places; i++) {
        const struct entry *entry = &recipients->entries[i];
        if (entry->size > 0)
            *find(&larger, span_of(entry->name, entry->size)) = *entry;
    }
    free(recipients->entries);
    *recipients = larger;
    return true;
}

static bool add(struct recipients *recipients, struct span name)
{
    if ((recipients->count + 1) * 2 > recipients->places && !grow(recipients))
        return false;
    struct entry *entry = find(recipients, name);
    if (entry->size == 0) {
        entry->size = (uint32_t)name.size;
        memcpy(entry->name, name.data, name.size);
        recipients->count++;
    }
    return true;
}

/* The domain of a normalised mailbox: after the last '@', which a quoted local part may hold too.
 */
static struct span domain_of(struct span mailbox)
{
    for (size_t i = mailbox.size; i-- > 0;)
        if (mailbox.data[i] == '@')
            return span_from(mailbox, i + 1);
    return span_of(NULL, 0);
}

/* STATUS_CONFIG: not an entry. STATUS_SYSTEM: no memory. */
static enum status add_line(struct recipients *recipients, struct span line)
{
    bool whole_domain = line.data[0] == '@';
    uint8_t name[SMTP_MAILBOX_BYTES_MAX];
    size_t size = 0;
    if (whole_domain) {
        char with_user[322] = "x";
        if (line.size < 2 || line.size > 256)
            return STATUS_CONFIG;
        memcpy(with_user + 1, line.data, line.size);
        if (!smtp_mailbox_normalise(span_of(with_user, line.size + 1), true, name, &size))
            return STATUS_CONFIG;
        size--;
        memmove(name, name + 1, size);
    } else if (!smtp_mailbox_normalise(line, true, name, &size)) {
        return STATUS_CONFIG;
    }
    struct span mailbox = span_of(name, size), domain = domain_of(mailbox);
    bool added = add(recipients, mailbox) && (domain.size == 0 || add(recipients, domain));
    return added ? STATUS_OK : STATUS_SYSTEM;
}

static struct span trimmed(const char *line, ssize_t size)
{
    struct span span = span_of(line, (size_t)size);
    while (span.size > 0 && span.data[span.size - 1] <= ' ')
        span.size--;
    while (span.size > 0 && span.data[0] <= ' ')
        span = span_from(span, 1);
    return span;
}

static enum status load_lines(struct recipients *recipients, FILE *file, const char *path,
                              struct fault *fault)
{
    char *line = NULL;
    size_t capacity = 0;
    enum status status = STATUS_OK;
    ssize_t size;
    for (unsigned number = 1; status == STATUS_OK && (size = getline(&line, &capacity, file)) >= 0;
         number++) {
        struct span entry = trimmed(line, size);
        if (entry.size == 0 || entry.data[0] == '#')
            continue;
        status = add_line(recipients, entry);
        if (status == STATUS_CONFIG)
            fault_set(fault, status, "%s:%u: neither user@domain nor @domain", path, number);
        else if (status != STATUS_OK)
            fault_set(fault, status, "%s: no memory for so many recipients", path);
    }
    if (status == STATUS_OK && ferror(file))
        status = fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    free(line);
    return status;
}

enum status recipients_load(struct recipients **result, const char *path, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fault_set(fault, status_from_errno(errno), "recipients file %s: %s", path,
                         strerror(errno));
    struct recipients *recipients = calloc(1, sizeof *recipients);
    enum status status = STATUS_SYSTEM;
    if (recipients == NULL || !grow(recipients))
        fault_set(fault, status, "%s: no memory", path);
    else
        status = load_lines(recipients, file, path, fault);
    fclose(file);
    if (status == STATUS_OK)
        *result = recipients;
    else
        recipients_free(recipients);
    return status;
}

void recipients_free(struct recipients *recipients)
{
    if (recipients == NULL)
        return;
    free(recipients->entries);
    free(recipients);
}

enum smtp_verdict recipients_check(const struct recipients *recipients, struct span mailbox)
{
    if (recipients == NULL || find(recipients, mailbox)->size > 0)
        return SMTP_ACCEPT;
    struct span domain = domain_of(mailbox);
    if (span_equal(mailbox, SPAN("postmaster")))
        return SMTP_ACCEPT;
    if (domain.size == 0)
        return SMTP_UNKNOWN_MAILBOX;
    struct span whole = span_of(domain.data - 1, domain.size + 1);
    struct span local = span_of(mailbox.data, mailbox.size - whole.size);
    bool ours = find(recipients, domain)->size > 0;
    if (find(recipients, whole)->size > 0 || (ours && span_equal(local, SPAN("postmaster"))))
        return SMTP_ACCEPT;
    return ours ? SMTP_UNKNOWN_MAILBOX : SMTP_RELAY_DENIED;
}
