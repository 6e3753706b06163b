#include "storage/tally.h"

#include "storage/store_log.h"

void tally_read(const struct store *store, uint32_t shard, uint32_t segment, struct tally *tally)
{
    *tally = (struct tally){.links = 0};
    for (uint32_t owner = 0; owner < store->options.shards; owner++) {
        const struct mailboxes *mailboxes = &store->mailboxes[owner];
        for (uint32_t i = 0; i <= mailboxes->mask; i++) {
            const struct mailbox *mailbox = mailboxes->table[i];
            for (uint32_t l = 0; mailbox && l < mailbox->count; l++) {
                const struct store_link *link = &mailbox->links[l];
                if (link->segment != segment || link_shard(link->id) != shard || link->place > 0)
                    continue;
                tally->links++;
                tally->bytes += link->record_bytes;
            }
        }
    }
}
