#include "engine/load/account.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "engine/load/ledger_reader.h"
#include "engine/load/row_index.h"

#include <inttypes.h>
#include <stdlib.h>

/* Texts stand at multiples of 8 bytes, so that 32 bits say where. */
#define TEXT_ALIGNMENT 8u

/* What the ledger says about one message and recipient, and what was found. */
struct posting {
    uint64_t digest;
    uint32_t id; /* where its text is */
    uint32_t mailbox;
    uint16_t copies;  /* that the server has taken, as far as known; never wraps */
    uint16_t found;   /* in `reading`; never wraps */
    uint16_t reading; /* of the mailbox */
    uint8_t id_bytes;
    uint8_t outcome; /* enum ledger_outcome */
};

struct mailbox {
    uint32_t name; /* where its text is */
    uint16_t name_bytes;
    uint16_t reading; /* how often it was begun again: what was found before does not count */
    bool unread;
    uint64_t expected; /* messages acked or doubtful */
    uint64_t fetched, duplicated, corrupted, unknown;
};

/* An array that grows. */
struct rows {
    void *data;
    uint64_t count, capacity;
};

struct account {
    struct rows texts;     /* of TEXT_ALIGNMENT bytes each */
    struct rows postings;  /* struct posting */
    struct rows mailboxes; /* struct mailbox */
    struct row_index posting_index, mailbox_index;
    uint32_t last_id; /* of the posting made last */
    size_t last_id_bytes;
};

/* --------------------------------------------------------------------------------- tables ---- */

/* Makes room for `count` more rows. */
static enum status reserve(struct rows *rows, uint64_t count, size_t row_bytes)
{
    if (rows->capacity - rows->count >= count)
        return STATUS_OK;
    uint64_t capacity =
        rows->capacity * 2 > rows->count + count ? rows->capacity * 2 : rows->count + count + 1024;
    if (capacity > UINT32_MAX)
        capacity = UINT32_MAX;
    void *data = capacity - rows->count >= count ? realloc(rows->data, capacity * row_bytes) : NULL;
    if (data == NULL)
        return STATUS_FULL;
    rows->data = data;
    rows->capacity = capacity;
    return STATUS_OK;
}

static struct posting *posting_at(const struct account *account, uint32_t row)
{
    return (struct posting *)account->postings.data + row;
}

static struct mailbox *mailbox_at(const struct account *account, uint32_t row)
{
    INVARIANT(row < account->mailboxes.count);
    return (struct mailbox *)account->mailboxes.data + row;
}

static struct span text_at(const struct account *account, uint32_t at, size_t size)
{
    return span_of((const uint8_t *)account->texts.data + (size_t)at * TEXT_ALIGNMENT, size);
}

static enum status keep_text(struct account *account, struct span text, uint32_t *at)
{
    uint64_t rows = (text.size + TEXT_ALIGNMENT - 1) / TEXT_ALIGNMENT;
    enum status status = reserve(&account->texts, rows, TEXT_ALIGNMENT);
    if (status != STATUS_OK)
        return status;
    *at = (uint32_t)account->texts.count;
    if (text.size > 0)
        memcpy((uint8_t *)account->texts.data + (size_t)*at * TEXT_ALIGNMENT, text.data, text.size);
    account->texts.count += rows;
    return STATUS_OK;
}

static uint32_t find_mailbox(const struct account *account, struct span name, uint64_t hash)
{
    uint32_t row, at = row_index_start(&account->mailbox_index, hash);
    while ((row = row_index_next(&account->mailbox_index, hash, &at)) != ROW_NONE) {
        const struct mailbox *mailbox = mailbox_at(account, row);
        if (span_equal(text_at(account, mailbox->name, mailbox->name_bytes), name))
            break;
    }
    return row;
}

static enum status obtain_mailbox(struct account *account, struct span name, uint32_t *row)
{
    uint64_t hash = hash64(name, 0);
    *row = find_mailbox(account, name, hash);
    if (*row != ROW_NONE)
        return STATUS_OK;
    struct mailbox made = {.name_bytes = (uint16_t)name.size};
    uint32_t next = (uint32_t)account->mailboxes.count;
    enum status status = reserve(&account->mailboxes, 1, sizeof made);
    if (status == STATUS_OK)
        status = keep_text(account, name, &made.name);
    if (status == STATUS_OK)
        status = row_index_add(&account->mailbox_index, hash, next);
    if (status != STATUS_OK)
        return status;
    account->mailboxes.count++;
    *mailbox_at(account, next) = made;
    *row = next;
    return STATUS_OK;
}

static uint32_t find_posting(const struct account *account, uint32_t mailbox, struct span id,
                             uint64_t hash)
{
    uint32_t row, at = row_index_start(&account->posting_index, hash);
    while ((row = row_index_next(&account->posting_index, hash, &at)) != ROW_NONE) {
        const struct posting *posting = posting_at(account, row);
        if (posting->mailbox == mailbox &&
            span_equal(text_at(account, posting->id, posting->id_bytes), id))
            break;
    }
    return row;
}

/* The recipients of a message mostly stand together, and share their id's text. */
static enum status keep_id(struct account *account, struct span id, uint32_t *at)
{
    if (!span_equal(text_at(account, account->last_id, account->last_id_bytes), id)) {
        enum status status = keep_text(account, id, &account->last_id);
        if (status != STATUS_OK)
            return status;
        account->last_id_bytes = id.size;
    }
    *at = account->last_id;
    return STATUS_OK;
}

static enum status obtain_posting(struct account *account, uint32_t mailbox,
                                  const struct ledger_entry *entry, struct posting **result)
{
    uint64_t hash = hash64(entry->id, mailbox);
    uint32_t row = find_posting(account, mailbox, entry->id, hash);
    if (row != ROW_NONE) {
        *result = posting_at(account, row);
        return STATUS_OK;
    }
    struct posting made = {.digest = entry->digest,
                           .mailbox = mailbox,
                           .id_bytes = (uint8_t)entry->id.size,
                           .outcome = LEDGER_SENT};
    uint32_t next = (uint32_t)account->postings.count;
    enum status status = reserve(&account->postings, 1, sizeof made);
    if (status == STATUS_OK)
        status = keep_id(account, entry->id, &made.id);
    if (status == STATUS_OK)
        status = row_index_add(&account->posting_index, hash, next);
    if (status != STATUS_OK)
        return status;
    account->postings.count++;
    *result = posting_at(account, next);
    **result = made;
    return STATUS_OK;
}

/* -------------------------------------------------------------------------------- reading ---- */

static bool is_expected(const struct posting *posting)
{
    return posting->outcome == LEDGER_ACKED || posting->outcome == LEDGER_DOUBTFUL ||
           posting->outcome == LEDGER_SENT;
}

static enum ledger_outcome merge(enum ledger_outcome before, enum ledger_outcome later)
{
    if (before == LEDGER_ACKED || later == LEDGER_ACKED)
        return LEDGER_ACKED;
    return before == LEDGER_DOUBTFUL ? LEDGER_DOUBTFUL : later;
}

static void post(struct posting *posting, enum ledger_outcome outcome)
{
    bool taken = outcome == LEDGER_ACKED || outcome == LEDGER_DOUBTFUL;
    if (taken && posting->copies < UINT16_MAX)
        posting->copies++;
    posting->outcome = (uint8_t)merge(posting->outcome, outcome);
}

static enum status enter(struct account *account, const struct ledger_entry *entry, bool *agrees)
{
    uint32_t mailbox;
    struct posting *posting;
    enum status status = obtain_mailbox(account, entry->recipient, &mailbox);
    if (status == STATUS_OK)
        status = obtain_posting(account, mailbox, entry, &posting);
    if (status != STATUS_OK)
        return status;
    *agrees = posting->digest == entry->digest;
    post(posting, entry->outcome);
    return STATUS_OK;
}

static enum status read_ledger(struct account *account, struct ledger_reader *reader,
                               const char *path, struct fault *fault)
{
    for (;;) {
        struct ledger_entry entry;
        bool more, agrees;
        enum status status = ledger_reader_next(reader, &entry, &more, fault);
        if (status != STATUS_OK || !more)
            return status;
        if (enter(account, &entry, &agrees) != STATUS_OK)
            return fault_set(fault, STATUS_FULL, "%s: no memory for so many messages", path);
        if (!agrees)
            return fault_set(fault, STATUS_CORRUPT,
                             "%s:%" PRIu64 ": another digest than before for this message", path,
                             ledger_reader_line(reader));
    }
}

static void count_expected(struct account *account)
{
    for (uint32_t i = 0; i < account->postings.count; i++) {
        const struct posting *posting = posting_at(account, i);
        mailbox_at(account, posting->mailbox)->expected += is_expected(posting);
    }
}

static struct account *make(void)
{
    struct account *account = calloc(1, sizeof *account);
    if (account == NULL)
        return NULL;
    if (reserve(&account->texts, 1, TEXT_ALIGNMENT) == STATUS_OK &&
        row_index_init(&account->posting_index) == STATUS_OK &&
        row_index_init(&account->mailbox_index) == STATUS_OK)
        return account;
    account_close(account);
    return NULL;
}

enum status account_open(struct account **result, const char *path, struct fault *fault)
{
    struct ledger_reader *reader;
    enum status status = ledger_reader_open(&reader, path, fault);
    if (status != STATUS_OK)
        return status;
    struct account *account = make();
    status = account != NULL ? read_ledger(account, reader, path, fault)
                             : fault_set(fault, STATUS_FULL, "%s: no memory", path);
    ledger_reader_close(reader);
    if (status != STATUS_OK) {
        if (account != NULL)
            account_close(account);
        return status;
    }
    count_expected(account);
    *result = account;
    return STATUS_OK;
}

void account_close(struct account *account)
{
    row_index_deinit(&account->posting_index);
    row_index_deinit(&account->mailbox_index);
    free(account->texts.data);
    free(account->postings.data);
    free(account->mailboxes.data);
    free(account);
}

/* -------------------------------------------------------------------------------- finding ---- */

uint32_t account_mailboxes(const struct account *account)
{
    return (uint32_t)account->mailboxes.count;
}

struct span account_mailbox(const struct account *account, uint32_t mailbox)
{
    const struct mailbox *row = mailbox_at(account, mailbox);
    return text_at(account, row->name, row->name_bytes);
}

uint64_t account_expected(const struct account *account, uint32_t mailbox)
{
    return mailbox_at(account, mailbox)->expected;
}

/* Copies in the reading that counts. */
static uint16_t copies_found(const struct account *account, const struct posting *posting)
{
    return posting->reading == mailbox_at(account, posting->mailbox)->reading ? posting->found : 0;
}

enum account_verdict account_found(struct account *account, uint32_t mailbox, struct span id,
                                   uint64_t digest)
{
    struct mailbox *row = mailbox_at(account, mailbox);
    row->fetched++;
    uint32_t at = find_posting(account, mailbox, id, hash64(id, mailbox));
    struct posting *posting = at != ROW_NONE ? posting_at(account, at) : NULL;
    if (posting == NULL || !is_expected(posting)) {
        row->unknown++;
        return ACCOUNT_UNKNOWN;
    }
    uint16_t found = copies_found(account, posting);
    uint16_t allowed = posting->copies > 0 ? posting->copies : 1;
    bool duplicated = found >= allowed, corrupted = digest != posting->digest;
    posting->reading = row->reading;
    posting->found = found < UINT16_MAX ? found + 1 : UINT16_MAX;
    row->duplicated += duplicated;
    row->corrupted += corrupted;
    if (corrupted)
        return ACCOUNT_CORRUPTED;
    return duplicated ? ACCOUNT_DUPLICATED : ACCOUNT_FINE;
}

void account_unread(struct account *account, uint32_t mailbox)
{
    mailbox_at(account, mailbox)->unread = true;
}

void account_again(struct account *account, uint32_t mailbox)
{
    struct mailbox *row = mailbox_at(account, mailbox);
    INVARIANT(row->reading < UINT16_MAX);
    row->reading++;
    row->unread = false;
    row->fetched = row->duplicated = row->corrupted = row->unknown = 0;
}

/* --------------------------------------------------------------------------------- totals ---- */

static bool is_lost(const struct account *account, const struct posting *posting)
{
    return posting->outcome == LEDGER_ACKED && copies_found(account, posting) == 0;
}

void account_totals(const struct account *account, struct account_totals *totals)
{
    struct account_totals sum = {0};
    for (uint32_t i = 0; i < account->postings.count; i++) {
        const struct posting *posting = posting_at(account, i);
        sum.acked += posting->outcome == LEDGER_ACKED;
        sum.doubtful += is_expected(posting) && posting->outcome != LEDGER_ACKED;
        sum.lost += is_lost(account, posting);
    }
    for (uint32_t i = 0; i < account->mailboxes.count; i++) {
        const struct mailbox *mailbox = mailbox_at(account, i);
        sum.fetched += mailbox->fetched;
        sum.duplicated += mailbox->duplicated;
        sum.corrupted += mailbox->corrupted;
        sum.unknown += mailbox->unknown;
        sum.unread += mailbox->unread && mailbox->expected > 0;
    }
    *totals = sum;
}

void account_each_lost(const struct account *account,
                       bool (*lost)(void *context, struct span mailbox, struct span id),
                       void *context)
{
    for (uint32_t i = 0; i < account->postings.count; i++) {
        const struct posting *posting = posting_at(account, i);
        if (is_lost(account, posting) && !lost(context, account_mailbox(account, posting->mailbox),
                                               text_at(account, posting->id, posting->id_bytes)))
            return;
    }
}
