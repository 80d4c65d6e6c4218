/* Series by operation, provider and model: found without a lock, made under one, and bounded. */
#include "monitoring/metrics_internal.h"

#include <string.h>

#include "core/memory.h"

/* FNV-1a over a name and its NUL. */
static uint64_t hash_name(uint64_t hash, const char *name)
{
    for (;; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
        if (*name == '\0') return hash;
    }
}

static uint64_t hash_of(const conv_event *event)
{
    uint64_t hash = hash_name(UINT64_C(14695981039346656037), event->operation);
    return hash_name(hash_name(hash, event->provider), event->model);
}

static bool is_of(const conv__series *series, uint64_t hash, const conv_event *event)
{
    return series->hash == hash && strcmp(series->operation, event->operation) == 0 &&
           strcmp(series->provider, event->provider) == 0 &&
           strcmp(series->model, event->model) == 0;
}

static conv__series *find(conv__metrics *metrics, uint64_t hash, const conv_event *event,
                          size_t *count)
{
    for (*count = 0; *count < CONV__SERIES; ++*count) {
        conv__series *one = atomic_load_explicit(&metrics->series[*count], memory_order_acquire);
        if (one == NULL) return NULL;
        if (is_of(one, hash, event)) return one;
    }
    return NULL;
}

static conv__series *make(uint64_t hash, const conv_event *event)
{
    conv__series *made = conv__allocate(sizeof *made);
    if (made == NULL) return NULL;
    if (!conv__counters_create(&made->counters, CONV__SERIES_HISTOGRAMS * CONV__HISTOGRAM_CELLS)) {
        conv__release(made);
        return NULL;
    }
    made->hash = hash;
    memcpy(made->operation, event->operation, sizeof made->operation);
    memcpy(made->provider, event->provider, sizeof made->provider);
    memcpy(made->model, event->model, sizeof made->model);
    return made;
}

conv__series *conv__series_of(conv__metrics *metrics, const conv_event *event, bool *overflow)
{
    static const conv_event other = {.operation = "other", .provider = "other", .model = "other"};
    uint64_t hash = hash_of(event);
    size_t count = 0;
    conv__series *found = find(metrics, hash, event, &count);
    *overflow = false;
    if (found != NULL) return found;
    if (count == CONV__SERIES) {
        found = atomic_load_explicit(&metrics->series[CONV__SERIES], memory_order_acquire);
        *overflow = true;
        if (found != NULL) return found;
    }
    pthread_mutex_lock(&metrics->lock);
    found = find(metrics, hash, event, &count); /* another thread may have been here */
    *overflow = found == NULL && count == CONV__SERIES;
    if (*overflow)
        found = atomic_load_explicit(&metrics->series[CONV__SERIES], memory_order_acquire);
    if (found == NULL) {
        found = *overflow ? make(0, &other) : make(hash, event);
        atomic_store_explicit(&metrics->series[count], found, memory_order_release);
    }
    pthread_mutex_unlock(&metrics->lock);
    return found;
}
