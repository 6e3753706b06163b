/* base/ring.h over the simulated kernel: what the media submit is begun at the next turn, in order,
 * and ends in any order, at that turn or a later one. */
#include "base/invariant.h"
#include "tests/crash/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <sys/uio.h>

#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES 0x80
#endif

void kernel_ring_init(struct ring *ring)
{
    *ring = (struct ring){.wake_fd = -1};
}

void kernel_ring_deinit(struct ring *ring)
{
    const struct kernel *kernel = kernel_current();
    for (uint32_t i = 0; i < kernel->flights_count; i++)
        INVARIANT(kernel->flights[i].ring != ring);
}

unsigned ring_register(struct ring *ring, ring_complete *complete, void *context)
{
    INVARIANT(ring->handlers_count < RING_OPERATIONS_MAX);
    ring->handlers[ring->handlers_count].complete = complete;
    ring->handlers[ring->handlers_count].context = context;
    return ring->handlers_count++;
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
    struct kernel *kernel = kernel_current();
    INVARIANT(kernel->flights_count < KERNEL_FLIGHTS_MAX);
    struct kernel_flight *flight = &kernel->flights[kernel->flights_count++];
    *flight = (struct kernel_flight){.ring = ring, .event = JOURNAL_NONE};
    return &flight->sqe;
}

static bool coin(struct kernel *kernel)
{
    return random_below(&kernel->random, 2) == 0;
}

/* ---- what an entry asks for ---- */

static const char *path_of(uint64_t address)
{
    return (const char *)(uintptr_t)address;
}

static uint32_t node_of(struct kernel *kernel, int descriptor)
{
    return kernel_file(kernel, descriptor)->node;
}

/* An event for the name's place; false when there is no such place. */
static bool event_at(struct kernel *kernel, int from, uint64_t path, enum event_kind kind,
                     struct event *event)
{
    const char *leaf;
    *event = (struct event){.kind = kind};
    uint32_t node = kernel_walk(kernel, node_of(kernel, from), path_of(path), &event->node, &leaf);
    snprintf(event->name, sizeof(event->name), "%s", leaf);
    event->target = node;
    return event->node != IMAGE_NONE;
}

static int32_t want_file(struct kernel *kernel, const struct io_uring_sqe *sqe, struct event *event)
{
    bool is_directory = sqe->opcode == IORING_OP_MKDIRAT;
    if (!event_at(kernel, sqe->fd, sqe->addr, EVENT_ENTER, event))
        return -ENOENT;
    event->is_directory = is_directory;
    bool create = is_directory || (sqe->open_flags & O_CREAT);
    if (event->target != IMAGE_NONE) {
        event->kind = EVENT_NOTE; /* nothing changes */
        return create ? -EEXIST : 0;
    }
    return create ? 0 : -ENOENT;
}

static int32_t want_unlink(struct kernel *kernel, const struct io_uring_sqe *sqe,
                           struct event *event)
{
    if (!event_at(kernel, sqe->fd, sqe->addr, EVENT_LEAVE, event) || event->target == IMAGE_NONE)
        return -ENOENT;
    return 0;
}

static int32_t want_rename(struct kernel *kernel, const struct io_uring_sqe *sqe,
                           struct event *event)
{
    struct event new;
    if (!event_at(kernel, sqe->fd, sqe->addr, EVENT_RENAME, event) ||
        !event_at(kernel, (int)sqe->len, sqe->addr2, EVENT_RENAME, &new) ||
        event->target == IMAGE_NONE)
        return -ENOENT;
    INVARIANT(event->node == new.node);
    if (new.target != IMAGE_NONE && (sqe->rename_flags & RENAME_NOREPLACE))
        return -EEXIST;
    memcpy(event->new_name, new.name, sizeof(event->new_name));
    return 0;
}

/* A name more for a node that is there. */
static int32_t want_link(struct kernel *kernel, const struct io_uring_sqe *sqe, struct event *event)
{
    struct event old;
    if (!event_at(kernel, sqe->fd, sqe->addr, EVENT_ENTER, &old) || old.target == IMAGE_NONE ||
        !event_at(kernel, (int)sqe->len, sqe->addr2, EVENT_ENTER, event))
        return -ENOENT;
    if (event->target != IMAGE_NONE)
        return -EEXIST;
    event->target = old.target;
    return 0;
}

static int32_t want_write(struct kernel *kernel, const struct io_uring_sqe *sqe,
                          struct event *event)
{
    *event = (struct event){
        .kind = EVENT_WRITE,
        .node = node_of(kernel, sqe->fd),
        .bytes = (uint8_t *)(uintptr_t)sqe->addr,
        .size = sqe->len,
        .offset = sqe->off,
        .is_through = (sqe->rw_flags & RWF_DSYNC) != 0,
    };
    return (int32_t)sqe->len;
}

static int32_t want_space(struct kernel *kernel, const struct io_uring_sqe *sqe,
                          struct event *event)
{
    if ((sqe->len & FALLOC_FL_WRITE_ZEROES) && !kernel->options.write_zeroes)
        return -EOPNOTSUPP;
    *event = (struct event){
        .kind = EVENT_RESIZE, .node = node_of(kernel, sqe->fd), .offset = sqe->off + sqe->addr};
    return 0;
}

static int32_t want_sync(struct kernel *kernel, const struct io_uring_sqe *sqe, struct event *event)
{
    *event = (struct event){.kind = EVENT_SYNC, .node = node_of(kernel, sqe->fd)};
    return 0;
}

static int32_t want_nothing(struct kernel *kernel, const struct io_uring_sqe *sqe,
                            struct event *event)
{
    (void)kernel, (void)sqe, (void)event;
    return 0;
}

static const struct {
    int32_t (*want)(struct kernel *kernel, const struct io_uring_sqe *sqe, struct event *event);
    bool takes_space;
} calls[IORING_OP_LAST] = {
    [IORING_OP_NOP] = {want_nothing, false},     [IORING_OP_CLOSE] = {want_nothing, false},
    [IORING_OP_READ] = {want_nothing, false},    [IORING_OP_WRITE] = {want_write, true},
    [IORING_OP_FSYNC] = {want_sync, false},      [IORING_OP_FALLOCATE] = {want_space, true},
    [IORING_OP_OPENAT] = {want_file, true},      [IORING_OP_MKDIRAT] = {want_file, true},
    [IORING_OP_UNLINKAT] = {want_unlink, false}, [IORING_OP_RENAMEAT] = {want_rename, true},
    [IORING_OP_LINKAT] = {want_link, true},
};

/* ---- beginning ---- */

/* What is aligned moves whole sectors, and the caller goes on from there. */
static bool shorten(struct kernel *kernel, struct kernel_flight *flight, struct event *event)
{
    uint32_t size = flight->sqe.len, unit = size % IMAGE_SECTOR_BYTES == 0 ? IMAGE_SECTOR_BYTES : 1;
    if (size <= unit)
        return false;
    flight->sqe.len = (1 + (uint32_t)random_below(&kernel->random, (size - 1) / unit)) * unit;
    if (event->kind == EVENT_WRITE) {
        event->size = flight->sqe.len;
        flight->result = (int32_t)event->size;
    }
    return true;
}

/* One of the pages that are asked for, as a rule one that was written. */
static uint64_t draw_page(struct kernel *kernel, const struct io_uring_sqe *sqe)
{
    const struct image_node *node = kernel->now->nodes[node_of(kernel, sqe->fd)];
    uint64_t pages = (sqe->len + IMAGE_PAGE_BYTES - 1) / IMAGE_PAGE_BYTES, page = 0;
    for (int tries = 0; tries < 40; tries++) {
        page = sqe->off / IMAGE_PAGE_BYTES + random_below(&kernel->random, pages);
        if (page < node->pages_count && node->pages[page])
            break;
    }
    return page;
}

static void rot(struct kernel *kernel, const struct io_uring_sqe *sqe)
{
    kernel->rotten_node = node_of(kernel, sqe->fd);
    kernel->rotten_page = draw_page(kernel, sqe);
}

static bool is_rotten(struct kernel *kernel, const struct io_uring_sqe *sqe)
{
    uint64_t at = kernel->rotten_page * IMAGE_PAGE_BYTES;
    return sqe->opcode == IORING_OP_READ && kernel->rotten_node == node_of(kernel, sqe->fd) &&
           at < sqe->off + sqe->len && at + IMAGE_PAGE_BYTES > sqe->off;
}

/* The injected fault changes what is asked for or how it ends. */
static void spoil(struct kernel *kernel, struct kernel_flight *flight, struct event *event)
{
    enum kernel_fault fault = kernel_operate(kernel);
    bool reads = flight->sqe.opcode == IORING_OP_READ, shorter = false;
    if (reads && kernel->options.waits_for_read && !kernel->hit &&
        kernel->operations > kernel->options.fault_operation)
        fault = kernel->options.fault;
    if (fault == FAULT_ROTTEN && reads)
        rot(kernel, &flight->sqe);
    if (kernel->rotten_node != IMAGE_NONE && is_rotten(kernel, &flight->sqe)) {
        kernel->hit = true;
        flight->result = -EIO;
    }
    if (fault == FAULT_NONE || flight->result < 0)
        return;
    switch (fault) {
    case FAULT_EIO:
        flight->fails = true;
        flight->result = -EIO;
        break;
    case FAULT_ENOSPC:
        flight->fails = calls[flight->sqe.opcode].takes_space && event->kind != EVENT_NOTE;
        if (flight->fails)
            flight->result = -ENOSPC;
        break;
    case FAULT_SHORT:
        if (!reads && event->kind != EVENT_WRITE)
            break;
        shorter = shorten(kernel, flight, event);
        break;
    case FAULT_MISREAD:
        flight->misread = reads;
        break;
    default:
        break;
    }
    kernel->hit = kernel->hit || flight->fails || flight->misread || shorter;
}

static void begin(struct kernel *kernel, struct kernel_flight *flight)
{
    struct event event = {.kind = EVENT_NOTE};
    flight->begun = true;
    flight->result = -EIO;
    if (kernel->dead)
        return;
    INVARIANT(calls[flight->sqe.opcode].want);
    flight->result = calls[flight->sqe.opcode].want(kernel, &flight->sqe, &event);
    flight->found = event.target;
    spoil(kernel, flight, &event);
    if ((flight->result < 0 && !flight->fails) || event.kind == EVENT_NOTE)
        return;
    if (event.kind == EVENT_ENTER && event.target == IMAGE_NONE)
        event.target = image_add(kernel->now, event.is_directory);
    flight->event = kernel_begin(kernel, &event);
}

/* ---- ending ---- */

/* Some other bytes of this disk than those at the place that was asked for: all of them, or those
 * of one page. */
static void misread(struct kernel *kernel, uint32_t node, const struct io_uring_sqe *sqe)
{
    uint8_t *to = (uint8_t *)(uintptr_t)sqe->addr;
    uint32_t size = sqe->len, from = 0;
    if (size % IMAGE_PAGE_BYTES == 0 && coin(kernel)) {
        from = (uint32_t)(draw_page(kernel, sqe) * IMAGE_PAGE_BYTES - sqe->off);
        size = IMAGE_PAGE_BYTES;
    }
    for (int tries = 0; tries < 20; tries++) {
        uint32_t other =
            coin(kernel) ? node : (uint32_t)random_below(&kernel->random, kernel->now->count);
        uint64_t bytes = image_size(kernel->now, other);
        uint64_t offset =
            random_below(&kernel->random, bytes / IMAGE_PAGE_BYTES + 1) * IMAGE_PAGE_BYTES;
        uint32_t got = image_read(kernel->now, other, to + from, size, offset);
        memset(to + from + got, 0, size - got);
        if (got > 0 && !image_holds(kernel->now, node, to + from, size, sqe->off + from))
            return;
    }
}

static int32_t end_read(struct kernel *kernel, struct kernel_flight *flight)
{
    struct io_uring_sqe *sqe = &flight->sqe;
    uint32_t node = node_of(kernel, sqe->fd);
    uint32_t got = image_read(kernel->now, node, (void *)(uintptr_t)sqe->addr, sqe->len, sqe->off);
    if (flight->misread && got == sqe->len)
        misread(kernel, node, sqe);
    return (int32_t)got;
}

void kernel_flight_end(struct kernel *kernel, struct kernel_flight *flight,
                       enum event_outcome outcome)
{
    if (flight->event != JOURNAL_NONE)
        kernel_end(kernel, flight->event, flight->fails ? OUTCOME_FAILED : outcome);
    flight->event = JOURNAL_NONE;
    flight->result = -EIO;
}

/* A buffer belongs to the operation from its submission to its end. */
static bool still_is(const struct event *event, const struct kernel_flight *flight)
{
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)flight->sqe.addr;
    return event->kind != EVENT_WRITE || !event->bytes ||
           memcmp(event->bytes, bytes, event->size) == 0;
}

static int32_t end(struct kernel *kernel, struct kernel_flight *flight)
{
    uint32_t event = flight->event;
    int32_t result = flight->result;
    INVARIANT(event == JOURNAL_NONE || still_is(&kernel->journal->events[event], flight));
    kernel_flight_end(kernel, flight, OUTCOME_DONE);
    if (result < 0 || kernel->dead)
        return result;
    if (flight->sqe.opcode == IORING_OP_READ)
        return end_read(kernel, flight);
    if (flight->sqe.opcode == IORING_OP_CLOSE)
        kernel_file(kernel, flight->sqe.fd)->is_open = false;
    if (flight->sqe.opcode == IORING_OP_OPENAT)
        return kernel_descriptor(
            kernel, event != JOURNAL_NONE ? kernel->journal->events[event].target : flight->found);
    return result;
}

static bool take_one(struct kernel *kernel, struct ring *ring, bool must,
                     struct kernel_flight *taken)
{
    uint32_t ours[KERNEL_FLIGHTS_MAX], count = 0;
    for (uint32_t i = 0; i < kernel->flights_count; i++)
        if (kernel->flights[i].ring == ring && kernel->flights[i].begun)
            ours[count++] = i;
    if (count == 0 || (!must && coin(kernel)))
        return false;
    uint32_t chosen = ours[random_below(&kernel->random, count)];
    *taken = kernel->flights[chosen];
    kernel->flights_count--;
    memmove(&kernel->flights[chosen], &kernel->flights[chosen + 1],
            (kernel->flights_count - chosen) * sizeof(kernel->flights[0]));
    return true;
}

unsigned ring_turn(struct ring *ring, uint64_t wait_ns)
{
    struct kernel *kernel = kernel_current();
    struct kernel_flight flight;
    unsigned count = 0;
    for (uint32_t i = 0; i < kernel->flights_count; i++)
        if (kernel->flights[i].ring == ring && !kernel->flights[i].begun)
            begin(kernel, &kernel->flights[i]);
    for (; take_one(kernel, ring, wait_ns > 0 && count == 0, &flight); count++) {
        uint64_t operation = flight.sqe.user_data >> RING_TOKEN_BITS;
        uint64_t token = flight.sqe.user_data & ((1ull << RING_TOKEN_BITS) - 1);
        INVARIANT(operation < ring->handlers_count);
        int32_t result = end(kernel, &flight);
        ring->handlers[operation].complete(ring->handlers[operation].context, token, result, 0);
    }
    return count;
}
