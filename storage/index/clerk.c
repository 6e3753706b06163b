#include "storage/index/clerk.h"

#include "base/invariant.h"

#include <signal.h>

static void push(struct jobs *jobs, struct job *job)
{
    job->next = NULL;
    *(jobs->last ? &jobs->last->next : &jobs->first) = job;
    jobs->last = job;
}

static struct job *pop(struct jobs *jobs)
{
    struct job *job = jobs->first;
    if (job)
        jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    return job;
}

static void hand_back(struct job *job)
{
    struct desk *desk = job->desk;
    pthread_mutex_lock(&desk->lock);
    push(&desk->jobs, job);
    if (desk->wake)
        desk->wake(desk->context);
    pthread_mutex_unlock(&desk->lock);
}

static void *clerk_run(void *argument)
{
    struct clerk *clerk = argument;
    pthread_setname_np(pthread_self(), "index");
    pthread_mutex_lock(&clerk->lock);
    for (;;) {
        struct job *job = pop(&clerk->jobs);
        if (!job && clerk->stopping)
            break;
        if (!job) {
            pthread_cond_wait(&clerk->changed, &clerk->lock);
            continue;
        }
        pthread_mutex_unlock(&clerk->lock);
        job->work(job);
        job->worked = true;
        hand_back(job);
        pthread_mutex_lock(&clerk->lock);
    }
    pthread_mutex_unlock(&clerk->lock);
    return NULL;
}

enum status clerk_init(struct clerk *clerk, bool threaded)
{
    *clerk = (struct clerk){.threaded = threaded};
    pthread_mutex_init(&clerk->lock, NULL);
    pthread_cond_init(&clerk->changed, NULL);
    if (!threaded)
        return STATUS_OK;
    sigset_t all, before;
    sigfillset(&all); /* signals are for those who await them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    clerk->threaded = pthread_create(&clerk->thread, NULL, clerk_run, clerk) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return clerk->threaded ? STATUS_OK : STATUS_SYSTEM;
}

void clerk_deinit(struct clerk *clerk)
{
    if (clerk->threaded) {
        pthread_mutex_lock(&clerk->lock);
        clerk->stopping = true;
        pthread_cond_signal(&clerk->changed);
        pthread_mutex_unlock(&clerk->lock);
        pthread_join(clerk->thread, NULL);
    }
    INVARIANT(!clerk->jobs.first);
    pthread_mutex_destroy(&clerk->lock);
    pthread_cond_destroy(&clerk->changed);
}

void clerk_give(struct clerk *clerk, struct desk *desk, struct job *job)
{
    job->desk = desk;
    job->worked = false;
    desk->under_way++;
    if (!clerk->threaded) {
        hand_back(job);
        return;
    }
    pthread_mutex_lock(&clerk->lock);
    push(&clerk->jobs, job);
    pthread_cond_signal(&clerk->changed);
    pthread_mutex_unlock(&clerk->lock);
}

void desk_init(struct desk *desk, void (*wake)(void *context), void *context)
{
    *desk = (struct desk){.wake = wake, .context = context};
    pthread_mutex_init(&desk->lock, NULL);
}

void desk_deinit(struct desk *desk)
{
    INVARIANT(desk->under_way == 0);
    pthread_mutex_destroy(&desk->lock);
}

static struct jobs take_all(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    struct jobs jobs = desk->jobs;
    desk->jobs = (struct jobs){.first = NULL};
    pthread_mutex_unlock(&desk->lock);
    return jobs;
}

void desk_turn(struct desk *desk)
{
    if (desk->under_way == 0)
        return;
    struct jobs jobs = take_all(desk);
    for (struct job *job = pop(&jobs); job; job = pop(&jobs)) {
        if (!job->worked)
            job->work(job);
        desk->under_way--;
        job->done(job);
    }
}

bool desk_is_busy(struct desk *desk)
{
    if (desk->under_way == 0)
        return false;
    pthread_mutex_lock(&desk->lock);
    bool busy = desk->jobs.first != NULL;
    pthread_mutex_unlock(&desk->lock);
    return busy;
}

void desk_wake(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    if (desk->wake)
        desk->wake(desk->context);
    pthread_mutex_unlock(&desk->lock);
}

void desk_quiet(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->wake = NULL;
    pthread_mutex_unlock(&desk->lock);
}

void desk_abandon(struct desk *desk)
{
    struct jobs jobs = take_all(desk);
    for (struct job *job = pop(&jobs); job; job = pop(&jobs)) {
        desk->under_way--;
        if (job->drop)
            job->drop(job);
    }
}
