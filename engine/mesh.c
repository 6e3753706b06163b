#include "engine/mesh.h"

#include "base/invariant.h"
#include "base/spsc.h"
#include "engine/net/net.h"

#include <stdlib.h>

struct mesh_shard {
    _Alignas(64) struct inbox inbox;
    struct net *net;
    bool
        *woken; /* by destination: links were sent since the last flush; this shard's thread only */
};

struct mesh {
    uint32_t shards;
    struct mesh_shard *members;
    struct spsc **links; /* [from * shards + to] */
};

struct link_frame {
    struct store_link link;
    uint32_t mailbox_bytes;
    uint8_t mailbox[];
};

enum status mesh_open(struct mesh **result, uint32_t shards, size_t queue_bytes)
{
    INVARIANT(shards > 0 && shards <= STORE_SHARDS_MAX);
    struct mesh *mesh = calloc(1, sizeof *mesh);
    if (mesh == NULL)
        return STATUS_SYSTEM;
    mesh->shards = shards;
    mesh->members = aligned_alloc(64, shards * sizeof *mesh->members);
    mesh->links = calloc((size_t)shards * shards, sizeof *mesh->links);
    enum status status = mesh->members && mesh->links ? STATUS_OK : STATUS_SYSTEM;
    if (mesh->members != NULL)
        memset(mesh->members, 0, shards * sizeof *mesh->members);
    for (uint32_t i = 0; status == STATUS_OK && i < shards; i++) {
        mesh->members[i].woken = calloc(shards, sizeof(bool));
        if (mesh->members[i].woken == NULL)
            status = STATUS_SYSTEM;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < shards * shards; i++)
        if (i / shards != i % shards)
            status = spsc_open(&mesh->links[i], queue_bytes);
    if (status != STATUS_OK) {
        mesh_close(mesh);
        return status;
    }
    *result = mesh;
    return STATUS_OK;
}

void mesh_close(struct mesh *mesh)
{
    for (uint32_t i = 0; mesh->links && i < mesh->shards * mesh->shards; i++)
        if (mesh->links[i] != NULL)
            spsc_close(mesh->links[i]);
    for (uint32_t i = 0; mesh->members && i < mesh->shards; i++)
        free(mesh->members[i].woken);
    free(mesh->links);
    free(mesh->members);
    free(mesh);
}

void mesh_attach(struct mesh *mesh, uint32_t shard, struct net *net)
{
    mesh->members[shard].net = net;
}

bool mesh_send_link(struct mesh *mesh, uint32_t from, uint32_t to, struct span mailbox,
                    const struct store_link *link)
{
    INVARIANT(from != to && from < mesh->shards && to < mesh->shards);
    struct spsc *queue = mesh->links[from * mesh->shards + to];
    struct link_frame *frame = spsc_reserve(queue, sizeof *frame + mailbox.size);
    /* Even a refusal wakes the receiver: only it can make room. */
    mesh->members[from].woken[to] = true;
    if (frame == NULL)
        return false;
    frame->link = *link;
    frame->mailbox_bytes = (uint32_t)mailbox.size;
    memcpy(frame->mailbox, mailbox.data, mailbox.size);
    spsc_publish(queue);
    return true;
}

void mesh_flush(struct mesh *mesh, uint32_t from)
{
    bool *woken = mesh->members[from].woken;
    for (uint32_t to = 0; to < mesh->shards; to++)
        if (woken[to]) {
            woken[to] = false;
            mesh->members[to].net->calls->wake(mesh->members[to].net);
        }
}

void mesh_send_crossing(struct mesh *mesh, uint32_t to, struct crossing *crossing)
{
    INVARIANT(to < mesh->shards);
    inbox_push(&mesh->members[to].inbox, &crossing->item);
    mesh->members[to].net->calls->wake(mesh->members[to].net);
}

static void drain_links(struct spsc *queue, const struct mesh_visitor *visitor)
{
    for (;;) {
        struct span bytes = spsc_peek(queue);
        if (bytes.data == NULL)
            return;
        const struct link_frame *frame = (const struct link_frame *)(const void *)bytes.data;
        visitor->link(visitor->context, span_of(frame->mailbox, frame->mailbox_bytes),
                      &frame->link);
        spsc_consume(queue);
    }
}

void mesh_drain(struct mesh *mesh, uint32_t shard, const struct mesh_visitor *visitor)
{
    struct inbox_item *item = inbox_take(&mesh->members[shard].inbox);
    for (uint32_t from = 0; from < mesh->shards; from++)
        if (from != shard)
            drain_links(mesh->links[from * mesh->shards + shard], visitor);
    while (item != NULL) {
        struct inbox_item *next = item->next;
        visitor->crossing(visitor->context, (struct crossing *)(void *)item);
        item = next;
    }
}
