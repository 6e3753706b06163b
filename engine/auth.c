#include "engine/auth.h"

#include "base/invariant.h"
#include "engine/passwd.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct request {
    auth_answer *answer;
    void *context;
    uint64_t cookie;
    uint16_t user_bytes, password_bytes;
    uint8_t user[AUTH_USER_BYTES_MAX];
    uint8_t password[AUTH_PASSWORD_BYTES_MAX];
};

/* A passwd table and how many use it: the present one counts as used by `auth`, the others only by
 * the workers that began with them. Under auth->lock. */
struct table {
    struct passwd *passwd;
    uint32_t users;
};

struct worker {
    struct auth *auth;
    pthread_t thread;
    struct crypt_data scratch; /* libcrypt's working memory: 32 KiB */
};

struct auth {
    pthread_mutex_t lock; /* of the queue, `table` and `closing` */
    pthread_cond_t work;
    pthread_mutex_t answering; /* one answer at a time; never taken with `lock` held */
    struct table *table;       /* NULL with any_password */
    struct request *requests;  /* a ring */
    uint32_t requests_max, first, waiting;
    bool closing;
    bool any_password;
    uint32_t running; /* threads */
    struct worker *workers;
};

void auth_options_default(struct auth_options *options)
{
    *options = (struct auth_options){.workers = 2, .requests_max = 256};
}

/* ------------------------------------------------------------------------- tables ---- */

static enum status table_load(struct table **table, const char *file, struct fault *fault)
{
    struct table *loaded = malloc(sizeof *loaded);
    if (!loaded)
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory", file);
    *loaded = (struct table){.users = 1};
    enum status status = passwd_load(&loaded->passwd, file, fault);
    if (status != STATUS_OK) {
        free(loaded);
        return status;
    }
    *table = loaded;
    return STATUS_OK;
}

static void table_release(struct auth *auth, struct table *table)
{
    pthread_mutex_lock(&auth->lock);
    INVARIANT(table->users > 0);
    bool unused = --table->users == 0;
    pthread_mutex_unlock(&auth->lock);
    if (!unused)
        return;
    passwd_free(table->passwd);
    free(table);
}

enum status auth_reload(struct auth *auth, const char *file, struct fault *fault)
{
    INVARIANT(auth->table);
    struct table *fresh = NULL;
    enum status status = table_load(&fresh, file, fault);
    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&auth->lock);
    struct table *stale = auth->table;
    auth->table = fresh;
    pthread_mutex_unlock(&auth->lock);
    table_release(auth, stale);
    return STATUS_OK;
}

/* ------------------------------------------------------------------------- workers ---- */

static void answer(struct auth *auth, const struct request *request, enum status status)
{
    pthread_mutex_lock(&auth->answering);
    request->answer(request->context, request->cookie, status);
    pthread_mutex_unlock(&auth->answering);
}

/* Moves the oldest request out of the ring. Under auth->lock. */
static void take_first(struct auth *auth, struct request *request)
{
    struct request *first = &auth->requests[auth->first];
    *request = *first;
    explicit_bzero(first, sizeof *first);
    auth->first = (auth->first + 1) % auth->requests_max;
    auth->waiting--;
}

/* Waits for a request and the table to check it with. False: auth is closing. */
static bool next_request(struct auth *auth, struct request *request, struct table **table)
{
    pthread_mutex_lock(&auth->lock);
    while (auth->waiting == 0 && !auth->closing)
        pthread_cond_wait(&auth->work, &auth->lock);
    bool go_on = !auth->closing;
    if (go_on) {
        take_first(auth, request);
        *table = auth->table;
        (*table)->users++;
    }
    pthread_mutex_unlock(&auth->lock);
    return go_on;
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct request request;
    struct table *table;
    while (next_request(worker->auth, &request, &table)) {
        bool right =
            passwd_check(table->passwd, span_of(request.user, request.user_bytes),
                         span_of(request.password, request.password_bytes), &worker->scratch);
        table_release(worker->auth, table);
        answer(worker->auth, &request, right ? STATUS_OK : STATUS_DENIED);
        explicit_bzero(&request, sizeof request);
    }
    return NULL;
}

/* Signals are for the service's thread. */
static enum status start_workers(struct auth *auth, uint32_t count, struct fault *fault)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = 0;
    while (auth->running < count && error == 0) {
        struct worker *worker = &auth->workers[auth->running];
        worker->auth = auth;
        error = pthread_create(&worker->thread, NULL, work, worker);
        auth->running += error == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return fault_set(fault, STATUS_SYSTEM, "no thread to check passwords: %s", strerror(error));
    return STATUS_OK;
}

/* ------------------------------------------------------------------------- the way in ---- */

static enum status start(struct auth *auth, const struct auth_options *options, struct fault *fault)
{
    if (options->any_password)
        return STATUS_OK;
    if (!options->passwd_file)
        return fault_set(fault, STATUS_CONFIG, "nothing to check passwords with: no passwd file");
    auth->requests_max = options->requests_max;
    auth->requests = calloc(options->requests_max, sizeof *auth->requests);
    auth->workers = calloc(options->workers, sizeof *auth->workers);
    if (!auth->requests || !auth->workers)
        return fault_set(fault, STATUS_SYSTEM, "no memory to check passwords");
    enum status status = table_load(&auth->table, options->passwd_file, fault);
    return status == STATUS_OK ? start_workers(auth, options->workers, fault) : status;
}

enum status auth_open(struct auth **auth, const struct auth_options *options, struct fault *fault)
{
    INVARIANT(options->workers >= 1 && options->workers <= AUTH_WORKERS_MAX);
    INVARIANT(options->requests_max >= 1);
    struct auth *opened = calloc(1, sizeof *opened);
    if (!opened)
        return fault_set(fault, STATUS_SYSTEM, "no memory to check passwords");
    pthread_mutex_init(&opened->lock, NULL);
    pthread_mutex_init(&opened->answering, NULL);
    pthread_cond_init(&opened->work, NULL);
    opened->any_password = options->any_password;
    enum status status = start(opened, options, fault);
    if (status != STATUS_OK) {
        auth_close(opened);
        return status;
    }
    *auth = opened;
    return STATUS_OK;
}

/* What is too long is kept as empty: that is nobody's name and no one's password. */
static uint16_t keep(struct span text, uint8_t *out, size_t capacity)
{
    if (text.size == 0 || text.size > capacity)
        return 0;
    memcpy(out, text.data, text.size);
    return (uint16_t)text.size;
}

static enum status enqueue(struct auth *auth, const struct request *request)
{
    pthread_mutex_lock(&auth->lock);
    INVARIANT(!auth->closing);
    enum status status = STATUS_AGAIN;
    if (auth->waiting < auth->requests_max) {
        auth->requests[(auth->first + auth->waiting) % auth->requests_max] = *request;
        auth->waiting++;
        status = STATUS_OK;
        pthread_cond_signal(&auth->work);
    }
    pthread_mutex_unlock(&auth->lock);
    return status;
}

enum status auth_submit(struct auth *auth, struct span user, struct span password, uint64_t cookie,
                        auth_answer *answer_to, void *context)
{
    struct request request = {.answer = answer_to, .context = context, .cookie = cookie};
    if (auth->any_password) {
        answer(auth, &request, STATUS_OK);
        return STATUS_OK;
    }
    request.user_bytes = keep(user, request.user, sizeof request.user);
    request.password_bytes = keep(password, request.password, sizeof request.password);
    enum status status = enqueue(auth, &request);
    explicit_bzero(&request, sizeof request);
    return status;
}

void auth_close(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    auth->closing = true;
    pthread_cond_broadcast(&auth->work);
    pthread_mutex_unlock(&auth->lock);
    for (uint32_t i = 0; i < auth->running; i++)
        pthread_join(auth->workers[i].thread, NULL);

    while (auth->waiting > 0) {
        struct request request;
        take_first(auth, &request);
        answer(auth, &request, STATUS_AGAIN);
        explicit_bzero(&request, sizeof request);
    }
    if (auth->table)
        table_release(auth, auth->table);
    pthread_cond_destroy(&auth->work);
    pthread_mutex_destroy(&auth->answering);
    pthread_mutex_destroy(&auth->lock);
    free(auth->requests);
    free(auth->workers);
    free(auth);
}
