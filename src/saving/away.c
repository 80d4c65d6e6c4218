/* The circuit breaker: whether the store is known to be away, since when and why. It asks the store
 * nothing but whether it is there at all. */
#include <stdio.h>

#include "core/error.h"
#include "core/time.h"
#include "saving/retry.h"
#include "saving/saving_internal.h"

void conv__saving_store_away(conv__saving *saving, const conv_error *why)
{
    enum { BASE_MS = 100, LIMIT_MS = 10000 };
    pthread_mutex_lock(&saving->lock);
    snprintf(saving->away_because, sizeof saving->away_because, "%s", why->message);
    saving->failure = *why;
    /* Many callers hear of one failure; it counts once. */
    if (!saving->away || saving->trying || conv__deadline_passed(saving->retry_at_ns)) {
        int64_t pause_ms = BASE_MS;
        for (int i = 0; i < saving->failures && pause_ms < LIMIT_MS; i++)
            pause_ms *= 2;
        if (pause_ms > LIMIT_MS) pause_ms = LIMIT_MS;
        /* Jitter: clients that lost the same store must not come back all at once. */
        pause_ms -= (int64_t)conv__retry_random() % (pause_ms / 4);
        saving->failures++;
        saving->away = true;
        saving->trying = false;
        saving->retry_at_ns = conv__deadline_in_ms(pause_ms);
        pthread_cond_signal(&saving->wake);
    }
    pthread_mutex_unlock(&saving->lock);
}

void conv__saving_failed(conv__saving *saving, const conv_error *why)
{
    pthread_mutex_lock(&saving->lock);
    saving->failure = *why;
    pthread_mutex_unlock(&saving->lock);
}

void conv__saving_cause(conv__saving *saving, conv_error *cause)
{
    conv__error_clear(cause);
    pthread_mutex_lock(&saving->lock);
    if (saving->waiting > 0 && saving->failure.status != CONV_OK) *cause = saving->failure;
    pthread_mutex_unlock(&saving->lock);
}

void conv__saving_store_back(conv__saving *saving)
{
    pthread_mutex_lock(&saving->lock);
    if (saving->away) {
        saving->away = saving->trying = false;
        saving->failures = 0;
        pthread_cond_signal(&saving->wake);
    }
    pthread_mutex_unlock(&saving->lock);
}

/* With the lock, as the next two. */
static bool is_paused(const conv__saving *saving)
{
    return saving->away && !conv__deadline_passed(saving->retry_at_ns);
}

static bool is_away(const conv__saving *saving, const char *action, conv_error *error)
{
    bool away = saving->unproven || is_paused(saving);
    if (away)
        conv__fail(error, CONV_UNAVAILABLE, action, "the store is away%s%s",
                   saving->away_because[0] != '\0' ? ": " : "", saving->away_because);
    return away;
}

static void begin_trying(conv__saving *saving)
{
    if (!saving->away) return;
    saving->trying = true;
    saving->retry_at_ns = conv__deadline_in_ms(saving->params.store_timeout_ms);
}

bool conv__saving_is_away(conv__saving *saving, const char *action, conv_error *error)
{
    pthread_mutex_lock(&saving->lock);
    bool away = is_away(saving, action, error);
    pthread_mutex_unlock(&saving->lock);
    return away;
}

bool conv__saving_may_try(conv__saving *saving, const char *action, conv_error *error)
{
    pthread_mutex_lock(&saving->lock);
    bool may = !is_away(saving, action, error);
    if (may) begin_trying(saving);
    pthread_mutex_unlock(&saving->lock);
    return may;
}

bool conv__saving_may_drain(conv__saving *saving)
{
    pthread_mutex_lock(&saving->lock);
    bool may = !is_paused(saving);
    if (may) begin_trying(saving);
    pthread_mutex_unlock(&saving->lock);
    return may;
}

void conv__saving_not_tried(conv__saving *saving)
{
    pthread_mutex_lock(&saving->lock);
    if (saving->trying) {
        saving->trying = false;
        saving->retry_at_ns = conv__monotonic_ns();
    }
    pthread_mutex_unlock(&saving->lock);
}

bool conv__saving_prove(conv__saving *saving)
{
    conv_error why = CONV_ERROR_INIT;
    pthread_mutex_lock(&saving->lock);
    bool unproven = saving->unproven;
    pthread_mutex_unlock(&saving->lock);
    if (!unproven) return true;
    if (saving->params.prove(saving->params.prove_context, &why) != CONV_OK) {
        conv__saving_store_away(saving, &why);
        return false;
    }
    pthread_mutex_lock(&saving->lock);
    saving->unproven = false;
    pthread_mutex_unlock(&saving->lock);
    conv__saving_store_back(saving);
    return true;
}
