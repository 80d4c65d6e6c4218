/* What every measuring program needs: a clock, a histogram of latencies, its own memory. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>

/* Buckets of equal ratio: 64 for each doubling, so that a percentile is exact to 1.6 %. */
enum { BUCKETS_OF_DOUBLING = 64, DOUBLINGS = 40, BUCKETS = BUCKETS_OF_DOUBLING * DOUBLINGS };

typedef struct histogram {
    uint64_t count;
    uint64_t buckets[BUCKETS];
} histogram;

/* Nanoseconds of a clock that never steps. */
int64_t clock_ns(void);

/* Many threads may add to one. */
void histogram_add(histogram *self, int64_t value_ns);

/* The value below which `share` (0 to 1) of all lie; 0 without any. */
int64_t histogram_at(const histogram *self, double share);

/* Processor time of this process so far, in microseconds. */
double processor_us(void);

/* A line of /proc/self/status in KiB: "VmRSS:", "VmHWM:"; -1 without it. */
long memory_kib(const char *line);

#endif
