#include "engine/load/schedule.h"

#include "base/clock.h"

static uint64_t time_of_place(const struct schedule *schedule, double place)
{
    return schedule->started_ns + (uint64_t)(place * (double)NS_PER_S / schedule->rate);
}

static double place_of(const struct schedule *schedule, uint64_t letter)
{
    return (double)letter * schedule->shards + schedule->index;
}

uint64_t schedule_intended_ns(const struct schedule *schedule, uint64_t letter)
{
    return time_of_place(schedule, place_of(schedule, letter));
}

uint64_t schedule_over_ns(const struct schedule *schedule)
{
    bool ends = schedule->duration_ns > 0 && schedule->started_ns > 0;
    return ends ? schedule->started_ns + schedule->duration_ns : UINT64_MAX;
}

bool schedule_is_over(const struct schedule *schedule, uint64_t now_ns)
{
    uint64_t over_ns = schedule_over_ns(schedule);
    return over_ns < UINT64_MAX && now_ns >= over_ns;
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

uint64_t schedule_end_ns(const struct schedule *schedule, uint64_t begun, uint64_t stopped_ns)
{
    if (begun == schedule->quota && begun > 0)
        return time_of_place(schedule, place_of(schedule, begun - 1) + 1);
    uint64_t over_ns = schedule_over_ns(schedule);
    return over_ns < stopped_ns ? over_ns : stopped_ns;
}
