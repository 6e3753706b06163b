/* Every PAUSE_MS the thread takes all that the queues hold. So nobody has to wake it but
 * ledger_close, and its writes grow with the load by themselves. */
#include "engine/load/ledger.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/spsc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_BYTES (64u << 20)
#define BUFFER_BYTES (1u << 20)
#define PAUSE_MS 5u

/* What crosses the threads: an entry with its texts behind it. */
struct frame {
    uint64_t digest, octets;
    uint16_t recipient_bytes;
    uint8_t id_bytes;
    uint8_t outcome;
    uint8_t text[]; /* id, recipient */
};

#define FRAME_BYTES_MAX (sizeof(struct frame) + LEDGER_ID_BYTES_MAX + LEDGER_RECIPIENT_BYTES_MAX)

struct ledger {
    char *path;
    int fd;
    uint32_t writers;
    struct spsc **queues;
    char *buffer; /* of the thread */
    size_t used;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t closed;
    bool closing;      /* under the lock */
    _Atomic int error; /* the first errno; 0: none */
};

/* ------------------------------------------------------------------------------- writers ---- */

bool ledger_write(struct ledger *ledger, uint32_t writer, const struct ledger_entry *entry)
{
    INVARIANT(writer < ledger->writers && entry->outcome < LEDGER_OUTCOMES);
    INVARIANT(ledger_is_id(entry->id) && entry->recipient.size <= LEDGER_RECIPIENT_BYTES_MAX);
    struct spsc *queue = ledger->queues[writer];
    struct frame *frame =
        spsc_reserve(queue, sizeof *frame + entry->id.size + entry->recipient.size);
    if (frame == NULL)
        return false;
    *frame = (struct frame){.digest = entry->digest,
                            .octets = entry->octets,
                            .recipient_bytes = (uint16_t)entry->recipient.size,
                            .id_bytes = (uint8_t)entry->id.size,
                            .outcome = (uint8_t)entry->outcome};
    memcpy(frame->text, entry->id.data, entry->id.size);
    if (entry->recipient.size > 0)
        memcpy(frame->text + entry->id.size, entry->recipient.data, entry->recipient.size);
    spsc_publish(queue);
    return true;
}

bool ledger_has_room(struct ledger *ledger, uint32_t writer, uint32_t entries)
{
    INVARIANT(writer < ledger->writers);
    return spsc_has_room(ledger->queues[writer], entries, FRAME_BYTES_MAX);
}

bool ledger_failed(const struct ledger *ledger)
{
    return atomic_load_explicit(&ledger->error, memory_order_relaxed) != 0;
}

/* ---------------------------------------------------------------------------- the thread ---- */

static void fail(struct ledger *ledger, int error)
{
    int none = 0;
    atomic_compare_exchange_strong(&ledger->error, &none, error);
}

/* After a failure what is in the buffer is dropped: lines after a gap would make a wrong account.
 */
static void flush(struct ledger *ledger)
{
    const char *at = ledger->buffer;
    while (ledger->used > 0 && !ledger_failed(ledger)) {
        ssize_t written = write(ledger->fd, at, ledger->used);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            fail(ledger, errno);
            break;
        }
        at += written;
        ledger->used -= (size_t)written;
    }
    ledger->used = 0;
}

static void add_line(struct ledger *ledger, const struct frame *frame)
{
    if (BUFFER_BYTES - ledger->used < LEDGER_LINE_BYTES_MAX)
        flush(ledger);
    INVARIANT(BUFFER_BYTES - ledger->used >= LEDGER_LINE_BYTES_MAX);
    const struct ledger_entry entry = {
        .id = span_of(frame->text, frame->id_bytes),
        .recipient = span_of(frame->text + frame->id_bytes, frame->recipient_bytes),
        .digest = frame->digest,
        .octets = frame->octets,
        .outcome = frame->outcome};
    ledger->used += ledger_format(&entry, ledger->buffer + ledger->used);
}

/* Takes what one queue holds, but no more than about a buffer full, so that none is starved.
 * Returns whether it is empty. */
static bool empty_queue(struct ledger *ledger, struct spsc *queue)
{
    struct span frame;
    for (size_t taken = 0; taken < BUFFER_BYTES; taken += frame.size) {
        frame = spsc_peek(queue);
        if (frame.data == NULL)
            return true;
        if (!ledger_failed(ledger))
            add_line(ledger, (const struct frame *)(const void *)frame.data);
        spsc_consume(queue);
    }
    return false;
}

/* False: there is more. */
static bool empty_queues(struct ledger *ledger)
{
    bool empty = true;
    for (uint32_t i = 0; i < ledger->writers; i++)
        empty &= empty_queue(ledger, ledger->queues[i]);
    flush(ledger);
    return empty;
}

/* Until somebody may have written, or there will be nobody any more: then false. */
static bool pause_writing(struct ledger *ledger)
{
    struct timespec until;
    pthread_mutex_lock(&ledger->lock);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PAUSE_MS * (long)NS_PER_MS;
    until.tv_sec += until.tv_nsec / (long)NS_PER_S;
    until.tv_nsec %= (long)NS_PER_S;
    int waited = 0;
    while (!ledger->closing && waited == 0)
        waited = pthread_cond_timedwait(&ledger->closed, &ledger->lock, &until);
    bool closing = ledger->closing;
    pthread_mutex_unlock(&ledger->lock);
    return !closing;
}

static void *run(void *context)
{
    struct ledger *ledger = context;
    bool goes_on;
    do {
        goes_on = pause_writing(ledger);
        while (!empty_queues(ledger))
            ;
    } while (goes_on);
    return NULL;
}

/* With all signals blocked, that of a broken pipe too: it is an error like another. */
static int start_thread(struct ledger *ledger)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&ledger->thread, NULL, run, ledger);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ----------------------------------------------------------------------- open and close ---- */

static void release(struct ledger *ledger)
{
    for (uint32_t i = 0; ledger->queues != NULL && i < ledger->writers; i++)
        spsc_close(ledger->queues[i]);
    free(ledger->queues);
    free(ledger->buffer);
    free(ledger->path);
    pthread_cond_destroy(&ledger->closed);
    pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}

static void init_lock(struct ledger *ledger)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->closed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&ledger->lock, NULL);
}

static struct ledger *make(const char *path, uint32_t writers)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL)
        return NULL;
    init_lock(ledger);
    ledger->writers = writers;
    ledger->path = strdup(path);
    ledger->buffer = malloc(BUFFER_BYTES);
    ledger->queues = calloc(writers, sizeof *ledger->queues);
    bool made = ledger->path != NULL && ledger->buffer != NULL && ledger->queues != NULL;
    for (uint32_t i = 0; made && i < writers; i++)
        made = spsc_open(&ledger->queues[i], QUEUE_BYTES) == STATUS_OK;
    if (made)
        return ledger;
    release(ledger);
    return NULL;
}

enum status ledger_open(struct ledger **result, const char *path, uint32_t writers,
                        struct fault *fault)
{
    INVARIANT(writers > 0);
    struct ledger *ledger = make(path, writers);
    if (ledger == NULL)
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory for the ledger's queues", path);
    enum status status;
    ledger->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (ledger->fd < 0) {
        status = fault_set(fault, status_from_errno(errno), "%s: %s", path, strerror(errno));
        goto free_memory;
    }
    int error = start_thread(ledger);
    if (error != 0) {
        status = fault_set(fault, STATUS_SYSTEM, "%s: no thread for the ledger: %s", path,
                           strerror(error));
        goto close_file;
    }
    *result = ledger;
    return STATUS_OK;

close_file:
    close(ledger->fd);
free_memory:
    release(ledger);
    return status;
}

/* Pipes and devices have nothing to sync (fsync(2): EINVAL, EROFS). */
static void sync_file(struct ledger *ledger)
{
    if (!ledger_failed(ledger) && fsync(ledger->fd) != 0 && errno != EINVAL && errno != EROFS &&
        errno != ENOTSUP)
        fail(ledger, errno);
    if (close(ledger->fd) != 0)
        fail(ledger, errno);
}

enum status ledger_close(struct ledger *ledger, struct fault *fault)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->closing = true;
    pthread_cond_signal(&ledger->closed);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(ledger->thread, NULL);
    sync_file(ledger);
    enum status status = STATUS_OK;
    int error = atomic_load(&ledger->error);
    if (error != 0)
        status =
            fault_set(fault, status_from_errno(error), "%s: %s", ledger->path, strerror(error));
    release(ledger);
    return status;
}
