#include "storage/retain.h"

#include "storage/store_log.h"

static bool is_on(const struct retain *retain)
{
    return retain->after_ns > 0 || retain->keep > 0;
}

/* How many links at the beginning of the list, which is in the order of receipt, are to go. */
static uint32_t count_expired(const struct retain *retain, const struct store_link *links,
                              uint32_t count, uint64_t now_ns)
{
    uint32_t expired = retain->keep > 0 && count > retain->keep ? count - retain->keep : 0;
    while (retain->after_ns > 0 && expired < count &&
           links[expired].received_s * NS_PER_S + retain->after_ns < now_ns)
        expired++;
    return expired;
}

static void expire(struct store_log *log, const struct mailbox *mailbox, uint32_t expired)
{
    struct retain *retain = &log->retain;
    struct maildrop *maildrop;
    retain->found = true;
    if (store_maildrop_open(log, mailbox_name(mailbox), &maildrop) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < expired; i++)
        maildrop->deleted[i / 8] |= (uint8_t)(1u << (i % 8));
    retain->maildrop = maildrop;
    store_expunge(log, maildrop, (uintptr_t)retain);
}

/* What was found may have left more to find; else there is a pause. */
static void end_round(struct retain *retain, uint64_t now_ns)
{
    uint64_t pause_ns = RETAIN_ROUND_NS;
    if (retain->after_ns > 0 && retain->after_ns / 8 < pause_ns)
        pause_ns = retain->after_ns / 8;
    retain->satisfied = !retain->found || retain->failure != STATUS_OK;
    retain->found = false;
    retain->cursor = 0;
    retain->next_ns = retain->satisfied ? now_ns + pause_ns : now_ns;
}

bool retain_turn(struct store_log *log)
{
    struct retain *retain = &log->retain;
    const struct mailboxes *mailboxes = log->mailboxes;
    uint64_t now_ns = clock_monotonic_ns(log->clock), wall_ns = clock_wall_ns(log->clock);
    if (!is_on(retain) || retain->closing || retain->maildrop || now_ns < retain->next_ns)
        return false;
    if (retain->cursor == 0)
        retain->failure = STATUS_OK;
    for (uint32_t looks = 0; looks < RETAIN_LOOKS && !retain->maildrop; looks++) {
        if (retain->cursor > mailboxes->mask) {
            end_round(retain, now_ns);
            return false;
        }
        const struct mailbox *mailbox = mailboxes->table[retain->cursor++];
        uint32_t expired = mailbox && !mailbox->locked
                               ? count_expired(retain, mailbox->links, mailbox->count, wall_ns)
                               : 0;
        if (expired > 0)
            expire(log, mailbox, expired);
    }
    return !retain->maildrop;
}

uint64_t retain_next_ns(const struct store_log *log)
{
    return is_on(&log->retain) && !log->retain.maildrop ? log->retain.next_ns : UINT64_MAX;
}

bool retain_ended(struct store_log *log, uint64_t cookie, enum status status)
{
    struct retain *retain = &log->retain;
    if (cookie != (uintptr_t)retain)
        return false;
    if (status != STATUS_OK)
        retain->failure = status;
    for (uint32_t i = 0; status == STATUS_OK && i < retain->maildrop->count; i++)
        log->counters.expired += retain->maildrop->deleted[i / 8] >> (i % 8) & 1;
    store_maildrop_close(log, retain->maildrop);
    retain->maildrop = NULL;
    return true;
}
