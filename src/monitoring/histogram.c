/* Counting into histograms. Buckets do not include each other; that is done in the text. */
#include "monitoring/histogram.h"

const conv__histogram conv__histogram_tokens = {1, 4, false};
const conv__histogram conv__histogram_operation = {10000, 2, true};
const conv__histogram conv__histogram_save = {500, 2, true};

void conv__histogram_count(const conv__histogram *histogram, conv__counters *counters, size_t cell,
                           int64_t value)
{
    size_t bucket = 0;
    if (value < 0) value = 0;
    for (int64_t bound = histogram->first; bucket < CONV__BUCKETS && value > bound; bucket++)
        bound *= histogram->factor;
    conv__count(counters, cell + bucket, 1);
    conv__count(counters, cell + CONV__HISTOGRAM_SUM, (uint64_t)value);
}
