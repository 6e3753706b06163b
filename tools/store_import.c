/* mailrace store import: mail from files into a mailbox, the way that received mail goes. */
#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "engine/smtp/address.h"
#include "tools/mail_source.h"
#include "tools/stop.h"
#include "tools/store_action.h"
#include "tools/store_opened.h"
#include "tools/text.h"
#include "tools/wire_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TAIL_BYTES (64u * 1024)   /* of a message, not staged */
#define PIECE_BYTES (256u * 1024) /* staged at once */
#define PROGRESS_NS (NS_PER_S / 5)

struct importing {
    struct stop stop;
    struct store_opened opened;
    struct store_log *log;
    struct mail_source *source;
    struct wire_text text;
    const char *path;
    struct span mailbox;
    uint8_t mailbox_bytes[SMTP_MAILBOX_BYTES_MAX];
    uint64_t passed; /* messages of the source that are dealt with, those to skip included */
    uint64_t given, octets, left_out;
    uint64_t durable;    /* messages */
    uint64_t last;       /* `passed` when the last durable one was given */
    enum status failure; /* of the first message that did not become durable */
    bool terminal, shown;
    uint64_t shown_ns;
};

/* ---- what the log tells ---- */

static bool take_link(void *context, uint32_t owner, struct span mailbox,
                      const struct store_link *link)
{
    struct importing *importing = context;
    (void)owner; /* there is one shard */
    store_link_add(importing->log, mailbox, link);
    return true;
}

static void stored(void *context, uint64_t cookie, uint64_t id, enum status status)
{
    struct importing *importing = context;
    (void)id;
    if (importing->failure != STATUS_OK)
        return;
    if (status != STATUS_OK) {
        importing->failure = status;
        return;
    }
    importing->durable++;
    importing->last = cookie;
}

static void turn(struct importing *importing)
{
    struct medium *medium = importing->opened.medium;
    bool stuck = store_turn(importing->log);
    medium->calls->poll(medium, !stuck);
}

/* ---- one message ---- */

static enum status stage(struct importing *importing, struct store_draft *draft, struct span piece)
{
    enum status status;
    while ((status = store_stage(importing->log, draft, piece)) == STATUS_AGAIN)
        turn(importing);
    return status;
}

static struct span sender_of(const struct importing *importing, const struct mail *mail)
{
    return mail->sender.size > 0 ? mail->sender : wire_text_return_path(&importing->text);
}

/* The envelope says what is known: who sent it, and where it is to be. */
static void make_envelope(const struct importing *importing, const struct mail *mail,
                          struct envelope *envelope)
{
    struct span sender = sender_of(importing, mail);
    if (sender.size > SMTP_MAILBOX_BYTES_MAX || !text_is_clean(sender))
        sender.size = 0;
    bool added = envelope_add(envelope, ENVELOPE_REVERSE_PATH, sender) &&
                 envelope_add(envelope, ENVELOPE_MAILBOX, importing->mailbox);
    INVARIANT(added);
}

static enum status give(struct importing *importing, const struct mail *mail)
{
    const struct wire_text *text = &importing->text;
    uint8_t bytes[2 * SMTP_MAILBOX_BYTES_MAX + 2 * ENVELOPE_ITEM_BYTES];
    struct envelope envelope = {.bytes = bytes, .capacity = sizeof bytes};
    struct store_draft draft = {.next = NULL};
    struct span body = span_from(span_of(text->bytes, text->size), text->trace_bytes);
    make_envelope(importing, mail, &envelope);
    enum status status = STATUS_OK;
    while (body.size > TAIL_BYTES && status == STATUS_OK) {
        size_t size = body.size - TAIL_BYTES < PIECE_BYTES ? body.size - TAIL_BYTES : PIECE_BYTES;
        status = stage(importing, &draft, span_of(body.data, size));
        body = span_from(body, size);
    }
    const struct store_message message = {
        .envelope = &envelope,
        .trace = span_of(text->bytes, text->trace_bytes),
        .tail = body,
        .received_ns = mail->received_ns,
        .stuffed = text->stuffed,
        .header_bytes = text->header_bytes,
        .flags = (text->eight_bit ? STORE_EIGHT_BIT : 0u) |
                 (text->no_final_newline ? STORE_NO_FINAL_NEWLINE : 0u),
    };
    while (status == STATUS_OK && (status = store_append(importing->log, &draft, &message,
                                                         importing->passed)) == STATUS_AGAIN) {
        turn(importing);
        status = STATUS_OK;
    }
    store_discard(importing->log, &draft);
    return status;
}

static void leave_out(struct importing *importing, const struct mail *mail, const char *why)
{
    if (importing->shown)
        fprintf(stderr, "\r\033[K");
    importing->shown = false;
    log_error("%s: %s: left out", mail->name, why);
    importing->left_out++;
}

static enum status import_mail(struct importing *importing, const struct mail *mail,
                               struct fault *fault)
{
    const char *problem = mail->problem;
    enum status status = STATUS_OK;
    if (problem == NULL && mail->raw.size == 0)
        problem = "is empty";
    if (problem == NULL)
        status = wire_text_make(&importing->text, mail->raw, importing->mailbox);
    if (status == STATUS_CORRUPT)
        problem = "has a CR that does not end a line";
    if (problem != NULL) {
        leave_out(importing, mail, problem);
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %s", mail->name);
    status = give(importing, mail);
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: %s", mail->name, status_text(status));
    importing->given++;
    importing->octets += mail->raw.size;
    return STATUS_OK;
}

/* ---- all of them ---- */

static void show_progress(struct importing *importing)
{
    uint64_t now_ns = clock_monotonic_ns(&clock_system);
    uint64_t count = mail_source_count(importing->source);
    char of[32] = "";
    if (!importing->terminal || now_ns - importing->shown_ns < PROGRESS_NS)
        return;
    importing->shown_ns = now_ns;
    importing->shown = true;
    if (count > 0)
        snprintf(of, sizeof of, " of %" PRIu64, count);
    fprintf(stderr, "\r%" PRIu64 "%s messages, %" PRIu64 " MB, %" PRIu64 " durable\033[K",
            importing->passed, of, importing->octets >> 20, importing->durable);
}

/* OK: the source has no more. AGAIN: somebody wants us to stop. */
static enum status import_all(struct importing *importing, uint32_t skip, struct fault *fault)
{
    struct mail mail;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && importing->failure == STATUS_OK) {
        status = mail_source_next(importing->source, &mail, fault);
        if (status != STATUS_OK)
            break;
        importing->passed++;
        if (importing->passed > skip)
            status = import_mail(importing, &mail, fault);
        store_turn(importing->log);
        importing->opened.medium->calls->poll(importing->opened.medium, false);
        show_progress(importing);
        if (status == STATUS_OK && stop_wait(&importing->stop, 0)) {
            status = fault_set(fault, STATUS_AGAIN, "interrupted");
        }
    }
    return status == STATUS_ABSENT ? STATUS_OK : status;
}

/* How far it came, and how to go on. What was given before somebody stopped us is durable. */
static enum status say_how_far(const struct importing *importing, enum status status,
                               struct fault *fault)
{
    struct fault why = *fault;
    bool all = importing->failure == STATUS_OK && status == STATUS_AGAIN;
    if (importing->failure != STATUS_OK)
        fault_set(&why, importing->failure, "%s", status_text(importing->failure));
    return fault_set(fault, why.status,
                     "%s; %" PRIu64 " messages of %s are imported: go on with --skip %" PRIu64,
                     why.text, importing->durable, importing->path,
                     all ? importing->passed : importing->last);
}

static enum status run(struct importing *importing, uint32_t skip, struct fault *fault)
{
    const struct store_events events = {.link = take_link, .stored = stored, .context = importing};
    char name[TEXT_NAME_BYTES];
    enum status status = store_log_open(&importing->log, importing->opened.store, 0,
                                        importing->opened.medium, &events, fault);
    if (status != STATUS_OK)
        return status;
    importing->last = skip;
    status = import_all(importing, skip, fault);
    store_log_close(importing->log);
    if (importing->shown)
        fprintf(stderr, "\r\033[K");
    if (status != STATUS_OK || importing->failure != STATUS_OK)
        return say_how_far(importing, status, fault);
    printf("%" PRIu64 " messages, %" PRIu64 " bytes, are in %s\n", importing->durable,
           importing->octets, text_name(importing->mailbox, name));
    if (importing->left_out > 0)
        return fault_set(fault, STATUS_CORRUPT, "%" PRIu64 " messages were left out",
                         importing->left_out);
    return STATUS_OK;
}

static enum status seed(uint64_t *seed, struct fault *fault)
{
    if (getrandom(seed, sizeof *seed, 0) != sizeof *seed)
        return fault_set(fault, STATUS_SYSTEM, "no random numbers from the system");
    return STATUS_OK;
}

enum status store_import(struct store_call *call, struct fault *fault)
{
    const char *mailbox = call->operands[0], *path = call->operands[1];
    struct importing importing = {.path = path, .terminal = isatty(STDERR_FILENO) == 1};
    struct store_options options;
    char name[TEXT_NAME_BYTES];
    size_t size;
    if (!smtp_mailbox_normalise(span_text(mailbox), true, importing.mailbox_bytes, &size))
        return fault_set(fault, STATUS_USAGE, "'%s' is no mailbox: user@domain",
                         text_name(span_text(mailbox), name));
    importing.mailbox = span_of(importing.mailbox_bytes, size);
    store_options_default(&options);
    options.segment_bytes = call->flags.segment_bytes & ~(uint64_t)(MEDIUM_BLOCK_BYTES - 1);
    enum status status = seed(&options.seed, fault);
    if (status == STATUS_OK)
        status = mail_source_open(&importing.source, path, call->flags.message_bytes_max, fault);
    if (status != STATUS_OK)
        return status;
    status = store_opened_write(&importing.opened, call->directory, &options, fault);
    if (status == STATUS_OK) {
        stop_open(&importing.stop); /* until the store is closed: what is durable is told */
        status = run(&importing, call->flags.skip, fault);
        call->incomplete = importing.left_out > 0 && status == STATUS_CORRUPT;
        store_opened_close(&importing.opened);
        stop_close(&importing.stop);
    }
    mail_source_close(importing.source);
    wire_text_deinit(&importing.text);
    return status;
}
