#include "storage/medium/medium.h"

/* One operation that its starter waits for. */
struct waiting {
    struct medium_op op; /* first: `done` gets its address */
    bool over;
};

static void waiting_done(struct medium_op *op)
{
    ((struct waiting *)op)->over = true;
}

static int64_t waiting_end(struct medium *m, struct waiting *waiting)
{
    while (!waiting->over)
        m->calls->poll(m, true);
    return waiting->op.result;
}

int64_t medium_read_wait(struct medium *m, struct medium_object *object, void *bytes, uint32_t size,
                         uint64_t offset)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->read(m, object, bytes, size, offset, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_write_wait(struct medium *m, struct medium_object *object, const void *bytes,
                          uint32_t size, uint64_t offset)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->write(m, object, bytes, size, offset, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_sync_wait(struct medium *m, struct medium_object *object)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->sync(m, object, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_prepare_wait(struct medium *m, uint32_t shard, uint64_t bytes)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->prepare(m, shard, bytes, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_adopt_wait(struct medium *m, uint32_t shard, uint32_t number)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->adopt(m, shard, number, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_begin_rewrite_wait(struct medium *m, uint32_t shard, uint64_t bytes)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->begin_rewrite(m, shard, bytes, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_replace_wait(struct medium *m, uint32_t shard, uint32_t number, bool retire)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->replace(m, shard, number, retire, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_recycle_wait(struct medium *m, uint32_t shard, const void *block, uint64_t bytes)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->recycle(m, shard, block, bytes, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_publish_wait(struct medium *m, struct medium_name name, const void *bytes,
                            uint32_t size)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->publish(m, name, bytes, size, &waiting.op);
    return waiting_end(m, &waiting);
}

int64_t medium_remove_wait(struct medium *m, struct medium_name name)
{
    struct waiting waiting = {.op.done = waiting_done};
    m->calls->remove(m, name, &waiting.op);
    return waiting_end(m, &waiting);
}
