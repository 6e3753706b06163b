#include "storage/reclaim/liveness.h"

#include "storage/index/index_key.h"
#include "storage/link.h"
#include "storage/store_log.h"

#include <stdlib.h>

static void see_nothing(void *context, struct span value)
{
    (void)context;
    (void)value;
}

static void answer(struct liveness *liveness, struct liveness_question *question,
                   struct index_key *key)
{
    struct store *store = liveness->log->store;
    uint64_t hash = link_hash(question->mailbox);
    struct owner *owner = &store->owners[link_owner(hash, store->options.shards)];
    enum owner_view view = owner_view(owner, question->mailbox, hash, question->id);
    question->live = view != OWNER_DEAD;
    if (view != OWNER_ASK_BASE)
        return;
    index_key_mailbox(key, hash, question->mailbox);
    index_key_link(key, question->id);
    enum status status =
        store->index->calls->get(store->index, index_key_span(key), see_nothing, NULL);
    question->live = status != STATUS_ABSENT;
    if (status != STATUS_OK && status != STATUS_ABSENT)
        liveness->status = status;
}

static void answer_all(struct job *job)
{
    struct liveness *liveness = (struct liveness *)(void *)job;
    struct index_key *key = malloc(sizeof(*key));
    liveness->status = key ? STATUS_OK : STATUS_SYSTEM;
    for (uint32_t i = 0; i < liveness->count; i++) {
        liveness->questions[i].live = true;
        if (key)
            answer(liveness, &liveness->questions[i], key);
    }
    free(key);
}

static void answered(struct job *job)
{
    struct liveness *liveness = (struct liveness *)(void *)job;
    liveness->answered(liveness);
}

void liveness_ask(struct store_log *log, struct liveness *liveness)
{
    liveness->log = log;
    liveness->job = (struct job){.work = answer_all, .done = answered};
    clerk_give(&log->store->writer, &log->desk, &liveness->job);
}
