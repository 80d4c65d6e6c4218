/* Conversations that wait for a worker, bounded, such that of one session there is never more than
 * one under way, and always the earliest: a file may name the same conversation twice. */
#ifndef CLI_QUEUE_H
#define CLI_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "conversation/transcript.h"
#include "conversation/uuid.h"

#define CLI_JOBS_MOST 256 /* taken and not over, for all workers together */

typedef struct cli_job {
    conv_uuid session_id;
    conv_transcript *transcript; /* goes with the job */
    const char *unit;            /* what `number` counts: "line" */
    size_t number;               /* where it is in the file */
    size_t bytes;                /* of its messages */
    struct cli_job *next;
} cli_job;

typedef struct cli_queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    cli_job *first; /* waiting, in the order of the file */
    cli_job *last;
    size_t waiting;
    size_t bytes;
    size_t count_most;
    size_t bytes_most;
    const cli_job *running[CLI_JOBS_MOST];
    size_t workers; /* that have not come to the end yet; CLI_JOBS_MOST at most */
    bool ended;
} cli_queue;

/* For at most so many waiting jobs, with so many bytes. False when the system has no room for it.
 */
bool cli_queue_open(cli_queue *queue, size_t count_most, size_t bytes_most);
void cli_queue_close(cli_queue *queue); /* frees what still waits */

/* Hands a job over. Waits at most `wait_ms` for room; false: there was none, the job is still the
 * caller's. A job larger than the bound is taken when it would be alone. */
bool cli_queue_put(cli_queue *queue, cli_job *job, int wait_ms);

/* Counts a worker in, before its thread starts; and out again if it could not start. */
void cli_queue_enter(cli_queue *queue);
void cli_queue_leave(cli_queue *queue);

/* No more jobs come. */
void cli_queue_end(cli_queue *queue);

/* Waits at most `wait_ms` for the workers to come to the end; whether they have. */
bool cli_queue_wait(cli_queue *queue, int wait_ms);

/* The next job whose session nobody works on; waits for one. NULL at the end: this worker is then
 * counted out. */
cli_job *cli_queue_take(cli_queue *queue);

/* The same without waiting; NULL when there is none now. */
cli_job *cli_queue_take_another(cli_queue *queue);

/* The job that cli_queue_take gave is over; frees it. */
void cli_queue_done(cli_queue *queue, cli_job *job);

#endif
