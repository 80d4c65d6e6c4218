/* Clocks, histogram, memory. Prints nothing. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Small values have a bucket each; above, the highest bits say the doubling, the next six the part.
 */
static size_t bucket_of(uint64_t value)
{
    if (value < 2 * BUCKETS_OF_DOUBLING) return (size_t)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - 6U;
    size_t bucket = (size_t)shift * BUCKETS_OF_DOUBLING + (size_t)(value >> shift);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket. */
static int64_t value_of(size_t bucket)
{
    if (bucket < 2 * BUCKETS_OF_DOUBLING) return (int64_t)bucket;
    unsigned shift = (unsigned)(bucket / BUCKETS_OF_DOUBLING - 1);
    uint64_t part = bucket % BUCKETS_OF_DOUBLING + BUCKETS_OF_DOUBLING;
    return (int64_t)((part << shift) + ((1ULL << shift) >> 1));
}

void histogram_add(histogram *self, int64_t value_ns)
{
    uint64_t *bucket = &self->buckets[bucket_of(value_ns < 0 ? 0 : (uint64_t)value_ns)];
    __atomic_fetch_add(bucket, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&self->count, 1, __ATOMIC_RELAXED);
}

int64_t histogram_at(const histogram *self, double share)
{
    uint64_t wanted = (uint64_t)((double)self->count * share);
    uint64_t seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += self->buckets[i];
        if (seen > wanted) return value_of(i);
    }
    return 0;
}

double processor_us(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

long memory_kib(const char *line)
{
    char text[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    if (status == NULL) return -1;
    while (fgets(text, sizeof text, status) != NULL)
        if (strncmp(text, line, strlen(line)) == 0) kib = strtol(text + strlen(line), NULL, 10);
    fclose(status);
    return kib;
}
