/* mailrace store tail: the logs as lines, for pipelines. */
#include "base/clock.h"
#include "base/log.h"
#include "storage/store.h"
#include "tools/json_make.h"
#include "tools/position.h"
#include "tools/stop.h"
#include "tools/store_action.h"
#include "tools/store_opened.h"
#include "tools/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS_MIN 4u /* for more, doubled each time there is none */
#define WAIT_MS_MAX 128u
#define LOST_MS_MIN 100u /* before the logs are judged anew, again and again */
#define LOST_MS_MAX 30000u

struct tailing {
    const struct store_flags *flags;
    const char *directory;
    struct stop stop;
    uint64_t places[STORE_SHARDS_MAX];
    bool placed; /* begins at `places` */
    bool lost;   /* the logs are to be judged anew */
    uint64_t lines;
    char position[POSITION_BYTES];
};

/* ---- one line ---- */

struct recipients { /* of an entry */
    struct span reverse_path;
    bool deleted; /* from all of its mailboxes */
};

static bool next_mailbox(struct envelope_cursor *cursor, struct span *mailbox)
{
    unsigned tag;
    while (envelope_next(cursor, &tag, mailbox))
        if (tag == ENVELOPE_MAILBOX)
            return true;
    return false;
}

static struct recipients recipients_of(const struct store *store, const struct store_entry *entry)
{
    struct recipients recipients = {.deleted = !entry->fresh};
    struct envelope_cursor cursor = envelope_read(entry->envelope);
    unsigned tag;
    struct span value;
    while (envelope_next(&cursor, &tag, &value)) {
        if (tag == ENVELOPE_REVERSE_PATH)
            recipients.reverse_path = value;
        if (tag == ENVELOPE_MAILBOX && recipients.deleted)
            recipients.deleted = !store_holds(store, value, &entry->link);
    }
    return recipients;
}

static bool print_text(struct tailing *tailing, const struct store_entry *entry,
                       const struct recipients *recipients)
{
    char id[STORE_ID_TEXT_BYTES], when[TEXT_TIME_BYTES], name[TEXT_NAME_BYTES];
    struct envelope_cursor cursor = envelope_read(entry->envelope);
    struct span mailbox;
    store_id_text(entry->link.id, id);
    printf("%s %.*s %s %" PRIu64 " %s <%s>", tailing->position, STORE_ID_TEXT_BYTES, id,
           text_time(entry->received_ns, when), store_link_octets(&entry->link),
           recipients->deleted ? "deleted" : "kept", text_column(recipients->reverse_path, name));
    while (next_mailbox(&cursor, &mailbox))
        printf(" %s", text_column(mailbox, name));
    return putchar('\n') != EOF;
}

static json_t *json_of_mailboxes(const struct store_entry *entry)
{
    struct envelope_cursor cursor = envelope_read(entry->envelope);
    struct span mailbox;
    json_t *array = json_array();
    bool whole = array != NULL;
    while (next_mailbox(&cursor, &mailbox))
        whole = json_array_append_new(array, json_make_span(mailbox)) == 0 && whole;
    return json_make_whole(array, whole);
}

static bool print_json(struct tailing *tailing, const struct store_entry *entry,
                       const struct recipients *recipients)
{
    char id[STORE_ID_TEXT_BYTES], when[TEXT_TIME_BYTES];
    store_id_text(entry->link.id, id);
    const struct json_member members[] = {
        {"position", json_make_text(tailing->position)},
        {"id", json_make_span(span_of(id, sizeof id))},
        {"time", json_make_text(text_time(entry->received_ns, when))},
        {"mailboxes", json_of_mailboxes(entry)},
        {"reverse_path", json_make_span(recipients->reverse_path)},
        {"size", json_make_count(store_link_octets(&entry->link))},
        {"deleted", json_boolean(recipients->deleted)},
    };
    json_t *line = json_make_object(members, sizeof members / sizeof members[0]);
    bool good = line != NULL && json_dumpf(line, stdout, JSON_COMPACT) == 0;
    json_decref(line);
    return good && putchar('\n') != EOF;
}

static enum status print_entry(struct tailing *tailing, const struct store *store,
                               const struct store_stream *stream, const struct store_entry *entry,
                               struct fault *fault)
{
    struct recipients recipients = recipients_of(store, entry);
    position_text(store_stream_places(stream), tailing->position);
    tailing->lines++;
    bool good = tailing->flags->json ? print_json(tailing, entry, &recipients)
                                     : print_text(tailing, entry, &recipients);
    return good ? STATUS_OK : fault_set(fault, STATUS_IO, "standard output: write error");
}

/* ---- the stream ---- */

static bool wait(struct tailing *tailing, unsigned *ms, unsigned most)
{
    bool stopped = stop_wait(&tailing->stop, *ms);
    *ms = *ms * 2 < most ? *ms * 2 : most;
    return stopped;
}

/* All lines there are, and without an end if there is to be none. */
static enum status print_stream(struct tailing *tailing, const struct store *store,
                                struct store_stream *stream, struct fault *fault)
{
    struct store_entry entry;
    unsigned ms = WAIT_MS_MIN;
    for (;;) {
        enum status status = store_stream_next(stream, &entry);
        if (status == STATUS_OK) {
            status = print_entry(tailing, store, stream, &entry, fault);
            ms = WAIT_MS_MIN;
            if (status == STATUS_OK &&
                (tailing->lines % 1024 != 0 || !stop_wait(&tailing->stop, 0)))
                continue;
            return status;
        }
        tailing->lost = status == STATUS_CORRUPT;
        if (status != STATUS_AGAIN)
            return fault_set(fault, status, "%s: %s", tailing->directory, status_text(status));
        if (fflush(stdout) != 0)
            return fault_set(fault, STATUS_IO, "standard output: write error");
        if ((!tailing->flags->follow && !store_stream_waits(stream)) ||
            wait(tailing, &ms, WAIT_MS_MAX))
            return STATUS_OK;
    }
}

static enum status tail_once(struct tailing *tailing, struct fault *fault)
{
    struct store_opened opened;
    struct store_stream *stream;
    tailing->lost = false;
    enum status status = store_opened_read(&opened, tailing->directory, fault);
    if (status != STATUS_OK)
        return status;
    status =
        store_stream_open(&stream, opened.store, tailing->placed ? tailing->places : NULL, fault);
    tailing->lost = status == STATUS_CORRUPT;
    if (status == STATUS_OK) {
        status = print_stream(tailing, opened.store, stream, fault);
        memcpy(tailing->places, store_stream_places(stream), sizeof tailing->places);
        tailing->placed = true;
        store_stream_close(stream);
    }
    store_opened_close(&opened);
    return status;
}

/* When judging the logs anew brings no more, what is strange in them is no part of them: a torn
 * tail that nobody has written over yet. */
static enum status tail(struct tailing *tailing, struct fault *fault)
{
    unsigned ms = LOST_MS_MIN;
    for (uint64_t before = UINT64_MAX;;) {
        enum status status = tail_once(tailing, fault);
        if (!tailing->lost)
            return status;
        if (tailing->lines != before)
            ms = LOST_MS_MIN;
        else if (!tailing->flags->follow)
            return STATUS_OK;
        before = tailing->lines;
        if (wait(tailing, &ms, LOST_MS_MAX))
            return STATUS_OK;
    }
}

enum status store_tail(struct store_call *call, struct fault *fault)
{
    struct tailing *tailing = calloc(1, sizeof *tailing);
    char from[TEXT_NAME_BYTES];
    if (tailing == NULL)
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    tailing->flags = &call->flags;
    tailing->directory = call->directory;
    tailing->placed = call->flags.from != NULL;
    enum status status = STATUS_OK;
    if (call->flags.from != NULL && !position_parse(call->flags.from, tailing->places))
        status = fault_set(fault, STATUS_USAGE, "--from: '%s' is no position",
                           text_name(span_text(call->flags.from), from));
    if (status == STATUS_OK) {
        stop_open(&tailing->stop);
        status = tail(tailing, fault);
        stop_close(&tailing->stop);
    }
    free(tailing);
    return status;
}
