#include "storage/store_log.h"

void liveness_ask(struct store_log *log, struct liveness *liveness)
{
    liveness->next = log->asked;
    log->asked = liveness;
}

static bool is_live(const struct store *store, const struct liveness_question *question)
{
    uint64_t hash = link_hash(question->mailbox);
    uint32_t owner = link_owner(hash, store->options.shards);
    const struct mailbox *mailbox =
        mailboxes_find(&store->mailboxes[owner], question->mailbox, hash);
    for (uint32_t i = 0; mailbox && i < mailbox->count; i++)
        if (mailbox->links[i].id == question->id)
            return true;
    return false;
}

void liveness_turn(struct store_log *log)
{
    while (log->asked) {
        struct liveness *liveness = log->asked;
        log->asked = liveness->next;
        for (uint32_t i = 0; i < liveness->count; i++)
            liveness->questions[i].live = is_live(log->store, &liveness->questions[i]);
        liveness->answered(liveness);
    }
}
