/* The wall clock of a process, moved by SHIFT_S seconds; time that passes is left as it is.
 * libfaketime moves sleeps too, and a sleep until a moment of the monotonic clock fails in it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift_s;

__attribute__((constructor)) static void read_shift(void)
{
    const char *text = getenv("SHIFT_S");
    shift_s = text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += shift_s;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec moment;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &moment);
    now->tv_sec = moment.tv_sec;
    now->tv_usec = moment.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    if (out)
        *out = moment.tv_sec;
    return moment.tv_sec;
}
