/* The bounded queue between the reader of a file and the workers. It must not look into a
 * conversation. */
#include "cli/queue.h"

#include <stdlib.h>
#include <time.h>

static void free_job(cli_job *job)
{
    conv_transcript_free(job->transcript);
    free(job);
}

bool cli_queue_open(cli_queue *queue, size_t count_most, size_t bytes_most)
{
    *queue = (cli_queue){.count_most = count_most, .bytes_most = bytes_most};
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return false;
    bool ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&queue->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!ok) return false;
    if (pthread_mutex_init(&queue->mutex, NULL) == 0) return true;
    pthread_cond_destroy(&queue->changed);
    return false;
}

void cli_queue_close(cli_queue *queue)
{
    while (queue->first != NULL) {
        cli_job *job = queue->first;
        queue->first = job->next;
        free_job(job);
    }
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->changed);
}

static struct timespec in_ms(int milliseconds)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_sec += milliseconds / 1000;
    moment.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (moment.tv_nsec >= 1000000000) {
        moment.tv_nsec -= 1000000000;
        moment.tv_sec++;
    }
    return moment;
}

/* Sums without overflow: both are at most what memory holds. */
static bool has_room(const cli_queue *queue, const cli_job *job)
{
    if (queue->waiting == 0) return true;
    return queue->waiting < queue->count_most && queue->bytes + job->bytes <= queue->bytes_most;
}

bool cli_queue_put(cli_queue *queue, cli_job *job, int wait_ms)
{
    struct timespec end = in_ms(wait_ms);
    pthread_mutex_lock(&queue->mutex);
    bool room = has_room(queue, job);
    while (!room && pthread_cond_timedwait(&queue->changed, &queue->mutex, &end) == 0)
        room = has_room(queue, job);
    if (room) {
        job->next = NULL;
        if (queue->last == NULL)
            queue->first = job;
        else
            queue->last->next = job;
        queue->last = job;
        queue->waiting++;
        queue->bytes += job->bytes;
        pthread_cond_broadcast(&queue->changed);
    }
    pthread_mutex_unlock(&queue->mutex);
    return room;
}

void cli_queue_enter(cli_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->workers++;
    pthread_mutex_unlock(&queue->mutex);
}

void cli_queue_leave(cli_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->workers--;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

void cli_queue_end(cli_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->ended = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
}

bool cli_queue_wait(cli_queue *queue, int wait_ms)
{
    struct timespec end = in_ms(wait_ms);
    pthread_mutex_lock(&queue->mutex);
    while (queue->workers > 0 &&
           pthread_cond_timedwait(&queue->changed, &queue->mutex, &end) == 0) {
    }
    bool over = queue->workers == 0;
    pthread_mutex_unlock(&queue->mutex);
    return over;
}

static bool is_running(const cli_queue *queue, const cli_job *job)
{
    for (size_t i = 0; i < CLI_JOBS_MOST; i++)
        if (queue->running[i] != NULL &&
            conv_uuid_compare(queue->running[i]->session_id, job->session_id) == 0)
            return true;
    return false;
}

/* The first job that may run. An earlier job of the same session stands before it in the queue: it
 * is either taken first, or kept back by the same running one. */
static cli_job *pick(cli_queue *queue)
{
    cli_job *before = NULL;
    for (cli_job *job = queue->first; job != NULL; before = job, job = job->next) {
        if (is_running(queue, job)) continue;
        if (before == NULL)
            queue->first = job->next;
        else
            before->next = job->next;
        if (queue->last == job) queue->last = before;
        queue->waiting--;
        queue->bytes -= job->bytes;
        for (size_t i = 0; i < CLI_JOBS_MOST; i++) {
            if (queue->running[i] != NULL) continue;
            queue->running[i] = job;
            break;
        }
        return job;
    }
    return NULL;
}

cli_job *cli_queue_take(cli_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    cli_job *job = pick(queue);
    while (job == NULL && !(queue->ended && queue->waiting == 0)) {
        pthread_cond_wait(&queue->changed, &queue->mutex);
        job = pick(queue);
    }
    if (job == NULL) queue->workers--;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    return job;
}

cli_job *cli_queue_take_another(cli_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    cli_job *job = pick(queue);
    if (job != NULL) pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    return job;
}

void cli_queue_done(cli_queue *queue, cli_job *job)
{
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < CLI_JOBS_MOST; i++)
        if (queue->running[i] == job) queue->running[i] = NULL;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    free_job(job);
}
