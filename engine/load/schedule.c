#include "engine/load/schedule.h"

#include "base/clock.h"

uint64_t schedule_intended_ns(const struct schedule *schedule, uint64_t letter)
{
    double place = (double)letter * schedule->shards + schedule->index;
    return schedule->started_ns + (uint64_t)(place * (double)NS_PER_S / schedule->rate);
}

bool schedule_is_over(const struct schedule *schedule, uint64_t now_ns)
{
    return schedule->duration_ns > 0 && schedule->started_ns > 0 &&
           now_ns >= schedule->started_ns + schedule->duration_ns;
}

uint64_t schedule_due_ns(const struct schedule *schedule, uint64_t letter)
{
    if (schedule->started_ns == 0 || letter >= schedule->quota)
        return UINT64_MAX;
    if (!schedule_is_open(schedule))
        return schedule->started_ns;
    uint64_t due_ns = schedule_intended_ns(schedule, letter);
    return schedule_is_over(schedule, due_ns) ? UINT64_MAX : due_ns;
}

/* By division, then to the letter: what is due just now is not counted, however it is rounded. */
uint64_t schedule_due_count(const struct schedule *schedule, uint64_t now_ns)
{
    if (schedule->started_ns == 0 || now_ns <= schedule->started_ns)
        return 0;
    if (!schedule_is_open(schedule))
        return schedule->quota;
    uint64_t passed_ns = now_ns - schedule->started_ns;
    if (schedule_is_over(schedule, now_ns))
        passed_ns = schedule->duration_ns;
    double places = (double)passed_ns / (double)NS_PER_S * schedule->rate;
    double ours = (places - schedule->index) / schedule->shards;
    uint64_t count = ours > 0 ? (uint64_t)ours : 0;
    count = count < schedule->quota ? count : schedule->quota;
    while (count > 0 && schedule_due_ns(schedule, count - 1) >= now_ns)
        count--;
    while (schedule_due_ns(schedule, count) < now_ns)
        count++;
    return count;
}
