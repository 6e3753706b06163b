/* mailrace store export: mailboxes as Maildirs or mbox files. */
#include "base/clock.h"
#include "base/log.h"
#include "tools/local_text.h"
#include "tools/maildir.h"
#include "tools/mbox.h"
#include "tools/place.h"
#include "tools/store_action.h"
#include "tools/store_opened.h"
#include "tools/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* One mailbox on its way out. */
struct outgoing {
    const struct export_format *format;
    struct span mailbox;
    const char *path;
    struct maildir maildir;
    struct mbox_file mbox;
    off_t mbox_start; /* of the message being written */
    const struct store_link *link;
    struct local_text text;
    bool begun, newline; /* the message; it ends with a newline */
    bool failed;         /* the files can't take it: `fault` says why */
    struct fault *fault;
};

struct export_format {
    const char *suffix; /* of a mailbox among others */
    enum status (*open)(struct outgoing *outgoing, const char *path, struct fault *fault);
    /* Begins a message: `text` is ready then. */
    enum status (*begin)(struct outgoing *outgoing, const struct store_about *about,
                         struct fault *fault);
    enum status (*commit)(struct outgoing *outgoing, struct fault *fault);
    enum status (*abandon)(struct outgoing *outgoing, struct fault *fault); /* what was begun */
    enum status (*finish)(struct outgoing *outgoing, struct fault *fault);
    void (*drop)(struct outgoing *outgoing); /* instead of finish, after a failure */
};

struct exporting {
    const struct export_format *format;
    struct store_reading reading;
    const char *place;
    uint64_t messages, left_out;
    uint32_t mailboxes;
};

/* ---- Maildir ---- */

static enum status folder_open(struct outgoing *outgoing, const char *path, struct fault *fault)
{
    return maildir_open(&outgoing->maildir, path, fault);
}

static enum status folder_begin(struct outgoing *outgoing, const struct store_about *about,
                                struct fault *fault)
{
    char unique[STORE_ID_TEXT_BYTES + 8];
    store_id_text(outgoing->link->id, unique);
    snprintf(unique + STORE_ID_TEXT_BYTES, sizeof unique - STORE_ID_TEXT_BYTES, "_%u",
             outgoing->link->place);
    enum status status = maildir_begin(&outgoing->maildir, about->received_ns, unique, fault);
    if (status == STATUS_OK)
        outgoing->text = (struct local_text){.file = outgoing->maildir.file};
    outgoing->newline = !(about->flags & STORE_NO_FINAL_NEWLINE);
    return status;
}

static enum status folder_commit(struct outgoing *outgoing, struct fault *fault)
{
    return maildir_commit(&outgoing->maildir, fault);
}

static enum status folder_abandon(struct outgoing *outgoing, struct fault *fault)
{
    (void)fault;
    maildir_abandon(&outgoing->maildir);
    return STATUS_OK;
}

static enum status folder_finish(struct outgoing *outgoing, struct fault *fault)
{
    return maildir_close(&outgoing->maildir, fault);
}

/* What was moved into new is whole, and stays. */
static void folder_drop(struct outgoing *outgoing)
{
    enum status status = maildir_close(&outgoing->maildir, NULL);
    (void)status;
}

/* ---- mbox ---- */

static enum status file_open(struct outgoing *outgoing, const char *path, struct fault *fault)
{
    return mbox_file_open(&outgoing->mbox, path, fault);
}

static enum status file_failed(const struct outgoing *outgoing, struct fault *fault)
{
    return place_failed("cannot write", outgoing->mbox.path, errno, fault);
}

static struct span reverse_path(struct span envelope)
{
    struct envelope_cursor cursor = envelope_read(envelope);
    unsigned tag;
    struct span value;
    while (envelope_next(&cursor, &tag, &value))
        if (tag == ENVELOPE_REVERSE_PATH)
            return value;
    return span_of(NULL, 0);
}

static enum status file_begin(struct outgoing *outgoing, const struct store_about *about,
                              struct fault *fault)
{
    const struct mbox_from from = {.sender = reverse_path(about->envelope),
                                   .second = about->received_ns / NS_PER_S};
    outgoing->text = (struct local_text){.file = outgoing->mbox.file, .quotes = true};
    outgoing->newline = true;
    outgoing->mbox_start = ftello(outgoing->mbox.file);
    return mbox_from_write(outgoing->mbox.file, &from) ? STATUS_OK : file_failed(outgoing, fault);
}

static enum status file_commit(struct outgoing *outgoing, struct fault *fault)
{
    return putc('\n', outgoing->mbox.file) != EOF ? STATUS_OK : file_failed(outgoing, fault);
}

static enum status file_abandon(struct outgoing *outgoing, struct fault *fault)
{
    FILE *file = outgoing->mbox.file;
    bool good = fflush(file) == 0 && ftruncate(fileno(file), outgoing->mbox_start) == 0 &&
                fseeko(file, outgoing->mbox_start, SEEK_SET) == 0;
    return good ? STATUS_OK : file_failed(outgoing, fault);
}

static enum status file_finish(struct outgoing *outgoing, struct fault *fault)
{
    return mbox_file_finish(&outgoing->mbox, fault);
}

static void file_drop(struct outgoing *outgoing)
{
    mbox_file_abandon(&outgoing->mbox);
}

static const struct export_format maildir_format = {
    "", folder_open, folder_begin, folder_commit, folder_abandon, folder_finish, folder_drop};
static const struct export_format mbox_format = {".mbox",      file_open,   file_begin, file_commit,
                                                 file_abandon, file_finish, file_drop};

/* ---- a message ---- */

/* Where a delivering agent would name the mailbox: behind the Return-Path that receiving added; 0:
 * nowhere. What was imported has these lines or has not, and comes out as it went in. */
static size_t delivered_to_place(const struct outgoing *outgoing, const struct store_about *about,
                                 struct span wire)
{
    const struct span field = SPAN("Return-Path:");
    if (about->trace_bytes <= field.size || wire.size < about->trace_bytes ||
        !span_equal(span_of(wire.data, field.size), field) || outgoing->mailbox.size == 0 ||
        !text_is_clean(outgoing->mailbox))
        return 0;
    const uint8_t *end = memchr(wire.data, '\n', about->trace_bytes);
    return end != NULL ? (size_t)(end - wire.data) + 1 : 0;
}

static bool write_top(struct outgoing *outgoing, const struct store_about *about, struct span *wire)
{
    size_t place = delivered_to_place(outgoing, about, *wire);
    struct local_text *text = &outgoing->text;
    struct span top = span_of(wire->data, place);
    *wire = span_from(*wire, place);
    return place == 0 ||
           (local_text_write(text, top) && local_text_write(text, SPAN("Delivered-To: ")) &&
            local_text_write(text, outgoing->mailbox) && local_text_write(text, SPAN("\r\n")));
}

static bool write_failed(struct outgoing *outgoing)
{
    if (!outgoing->failed)
        place_failed("cannot write", outgoing->path, errno, outgoing->fault);
    outgoing->failed = true;
    return false;
}

static bool take_piece(void *context, const struct store_about *about, struct span wire)
{
    struct outgoing *outgoing = context;
    if (!outgoing->begun) {
        outgoing->failed = outgoing->format->begin(outgoing, about, outgoing->fault) != STATUS_OK;
        if (outgoing->failed)
            return false;
        outgoing->begun = true;
        if (!write_top(outgoing, about, &wire))
            return write_failed(outgoing);
    }
    return local_text_write(&outgoing->text, wire) || write_failed(outgoing);
}

static void name_left_out(struct exporting *exporting, const struct outgoing *outgoing,
                          enum status status)
{
    char uidl[STORE_UIDL_BYTES_MAX + 1], name[TEXT_NAME_BYTES];
    uidl[store_uidl_text(outgoing->link, uidl)] = '\0';
    log_error("%s, message %s: %s: left out", text_name(outgoing->mailbox, name), uidl,
              status_text(status));
    exporting->left_out++;
}

/* OK also when the message can't be read: then it is named and left out. */
static enum status export_message(struct exporting *exporting, struct outgoing *outgoing,
                                  struct fault *fault)
{
    outgoing->begun = outgoing->failed = false;
    outgoing->fault = fault;
    enum status status =
        store_reading_message(&exporting->reading, outgoing->link, take_piece, outgoing);
    bool ended = status == STATUS_OK &&
                 (local_text_end(&outgoing->text, outgoing->newline) || write_failed(outgoing));
    if (ended) {
        exporting->messages++;
        return outgoing->format->commit(outgoing, fault);
    }
    enum status undone = STATUS_OK;
    if (outgoing->begun)
        undone = outgoing->format->abandon(outgoing, outgoing->failed ? NULL : fault);
    if (outgoing->failed)
        return fault->status;
    if (undone == STATUS_OK)
        name_left_out(exporting, outgoing, status);
    return undone;
}

/* ---- mailboxes ---- */

static enum status export_mailbox(struct exporting *exporting, const struct maildrop *maildrop,
                                  const char *path, struct fault *fault)
{
    struct outgoing outgoing = {
        .format = exporting->format, .mailbox = maildrop->mailbox, .path = path};
    enum status status = exporting->format->open(&outgoing, path, fault);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < maildrop->count && status == STATUS_OK; i++) {
        outgoing.link = &maildrop->links[i];
        status = export_message(exporting, &outgoing, fault);
    }
    if (status != STATUS_OK) {
        exporting->format->drop(&outgoing);
        return status;
    }
    exporting->mailboxes++;
    return exporting->format->finish(&outgoing, fault);
}

/* Among others, below exporting->place. */
static enum status export_row(struct exporting *exporting, const struct mailbox_row *row,
                              struct fault *fault)
{
    char path[PLACE_BYTES], name[TEXT_NAME_BYTES];
    struct maildrop *maildrop;
    if (!place_of_mailbox(exporting->place, row->name, exporting->format->suffix, path)) {
        log_error("%s: the name is too long: left out", text_name(row->name, name));
        exporting->left_out += row->messages;
        return STATUS_OK;
    }
    enum status status = store_peek(exporting->reading.opened->store, row->name, &maildrop);
    if (status != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no memory for the list");
    status = place_make_way(exporting->place, path, fault);
    if (status == STATUS_OK)
        status = export_mailbox(exporting, maildrop, path, fault);
    store_maildrop_free(maildrop);
    return status;
}

static enum status export_all(struct exporting *exporting, struct fault *fault)
{
    struct mailbox_rows rows;
    enum status status = place_make_folder(exporting->place, fault);
    if (status == STATUS_OK)
        status = mailbox_rows_make(&rows, exporting->reading.opened, fault);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < rows.count && status == STATUS_OK; i++)
        status = export_row(exporting, &rows.rows[i], fault);
    mailbox_rows_deinit(&rows);
    return status;
}

static enum status export_one(struct exporting *exporting, const char *name, struct fault *fault)
{
    struct maildrop *maildrop;
    enum status status = store_opened_peek(exporting->reading.opened, name, &maildrop, fault);
    if (status != STATUS_OK)
        return status;
    status = export_mailbox(exporting, maildrop, exporting->place, fault);
    store_maildrop_free(maildrop);
    return status;
}

/* Damage so bad that no mailbox knows of the message was named when the store was opened. */
static uint64_t damaged_records(const struct store_opened *opened)
{
    uint64_t damaged = 0;
    for (uint32_t shard = 0; shard < store_shards_on_disk(opened->store); shard++) {
        struct store_stats stats;
        store_stats(opened->store, shard, &stats);
        damaged += stats.corrupt_batches + stats.corrupt_records;
    }
    return damaged;
}

enum status store_export(const struct store_opened *opened, struct store_call *call,
                         struct fault *fault)
{
    struct exporting exporting = {
        .format = call->flags.mbox ? &mbox_format : &maildir_format,
        .place = call->flags.mbox ? call->flags.mbox : call->flags.maildir,
    };
    if ((call->flags.mbox != NULL) == (call->flags.maildir != NULL))
        return fault_set(fault, STATUS_USAGE, "store export: give --maildir OUT or --mbox OUT");
    enum status status = store_reading_open(&exporting.reading, opened, fault);
    if (status != STATUS_OK)
        return status;
    status = call->operands[0] != NULL ? export_one(&exporting, call->operands[0], fault)
                                       : export_all(&exporting, fault);
    store_reading_close(&exporting.reading);
    if (status != STATUS_OK)
        return status;
    printf("%" PRIu64 " messages, %" PRIu32 " mailboxes: %s\n", exporting.messages,
           exporting.mailboxes, exporting.place);
    call->incomplete = exporting.left_out > 0 || damaged_records(opened) > 0;
    if (exporting.left_out > 0)
        return fault_set(fault, STATUS_CORRUPT, "%" PRIu64 " messages were left out",
                         exporting.left_out);
    if (call->incomplete)
        return fault_set(fault, STATUS_CORRUPT,
                         "%s is damaged: not everything could be exported (see store verify)",
                         opened->directory);
    return STATUS_OK;
}
