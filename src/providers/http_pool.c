/* Idle curl handles, so that the next request finds an open connection. Makes no request. */
#include "providers/http_pool.h"

#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/memory.h"

#define IDLE_LANES 16 /* kept at most; more threads than that at once make and drop their own */

struct conv__http_pool {
    pthread_mutex_t lock;
    pid_t owner;
    conv__http_lane *idle;
    int idle_count;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void start_curl(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

conv_status conv__http_pool_create(conv__http_pool **pool)
{
    *pool = NULL;
    pthread_once(&global_once, start_curl);
    if (global_result != CURLE_OK) return CONV_NO_MEMORY;
    conv__http_pool *made = conv__allocate(sizeof *made);
    if (made == NULL) return CONV_NO_MEMORY;
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        conv__release(made);
        return CONV_NO_MEMORY;
    }
    made->owner = getpid();
    *pool = made;
    return CONV_OK;
}

static void free_lane(conv__http_lane *lane)
{
    if (lane->easy != NULL) curl_easy_cleanup(lane->easy);
    if (lane->multi != NULL) curl_multi_cleanup(lane->multi);
    conv__release(lane);
}

void conv__http_pool_free(conv__http_pool *pool)
{
    if (pool == NULL) return;
    /* A child shares the sockets with its parent: closing them properly would end the parent's. */
    bool is_owner = pool->owner == getpid();
    while (is_owner && pool->idle != NULL) {
        conv__http_lane *lane = pool->idle;
        pool->idle = lane->next;
        free_lane(lane);
    }
    if (is_owner) pthread_mutex_destroy(&pool->lock);
    conv__release(pool);
}

static conv__http_lane *make_lane(void)
{
    conv__http_lane *lane = conv__allocate(sizeof *lane);
    if (lane == NULL) return NULL;
    lane->multi = curl_multi_init();
    lane->easy = curl_easy_init();
    if (lane->multi != NULL && lane->easy != NULL) return lane;
    free_lane(lane);
    return NULL;
}

conv__http_lane *conv__http_pool_take(conv__http_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    conv__http_lane *lane = pool->owner == getpid() ? pool->idle : NULL;
    if (lane != NULL) {
        pool->idle = lane->next;
        pool->idle_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return lane != NULL ? lane : make_lane();
}

void conv__http_pool_give_back(conv__http_pool *pool, conv__http_lane *lane)
{
    curl_easy_reset(lane->easy); /* forgets headers, key and body; keeps the connections */
    pthread_mutex_lock(&pool->lock);
    bool keep = pool->owner == getpid() && pool->idle_count < IDLE_LANES;
    if (keep) {
        lane->next = pool->idle;
        pool->idle = lane;
        pool->idle_count++;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!keep) free_lane(lane);
}
