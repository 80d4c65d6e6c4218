/* Saving the conversations of a file, several at a time: what replay and import share. */
#ifndef CLI_BATCH_H
#define CLI_BATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/queue.h"
#include "conversation/client.h"
#include "conversation/provider.h"
#include "conversation/transcript.h"
#include "conversation/turn.h"

/* One turn of a conversation, as it goes into the store. */
typedef struct cli_batch_turn {
    const conv_transcript *transcript;
    conv_transcript_turn turn;
    const char *turn_id;
    const char *title;       /* for the session that the first turn makes; else NULL */
    conv_provider *provider; /* answers from the transcript; NULL where nobody is asked */
} cli_batch_turn;

/* What became of a turn that was saved. */
typedef struct cli_batch_saved {
    bool repeated;  /* it had been saved before */
    bool journaled; /* it waits in the journal */
} cli_batch_saved;

/* Either `save` or `exchange` is set: with the latter, turns of several conversations are saved
 * together. Both are called on many threads. */
typedef struct cli_batch_kind {
    const char *done; /* "replayed", "imported" */
    int jobs;         /* conversations at a time, if nobody says how many */
    bool asks;        /* whether turns need a provider */
    /* Saves the turn. */
    conv_status (*save)(conv_client *client, const cli_batch_turn *turn, cli_batch_saved *saved,
                        conv_error *error);
    /* Makes the exchange that is to be saved; its messages are on the heap, and all else belongs to
     * the turn. False when out of memory. */
    bool (*exchange)(const cli_batch_turn *turn, conv_exchange *exchange);
} cli_batch_kind;

/* What the file holds and is now stored, whether by this run or by one before. */
typedef struct cli_batch_counts {
    int64_t conversations;
    int64_t exchanges;
    int64_t messages;
    int64_t repeated;  /* exchanges that an earlier run had saved */
    int64_t journaled; /* exchanges that the store did not take when they came */
    int64_t failed;    /* conversations that could not be read or saved */
    int64_t open;      /* conversations begun and left when the run was stopped */
} cli_batch_counts;

typedef struct cli_batch {
    const cli_batch_kind *kind;
    conv_client *client;
    cli_queue queue;
    size_t together;       /* conversations that a worker may have in hand at once */
    atomic_bool stop;      /* finish the turn under way and take no other */
    pthread_mutex_t mutex; /* guards what follows */
    cli_batch_counts counts;
    bool store_failed;
    conv_error store_error; /* the first that says that the store is away */
} cli_batch;

/* A worker's thread; `context` is the cli_batch. The second one is for kinds with `exchange`. */
void *cli_batch_work(void *context);
void *cli_batch_work_together(void *context);

/* What a worker has to say about a turn or a conversation. */
bool cli_batch_concerns_all(const conv_error *error); /* the failure would meet every turn */
void cli_batch_count_turn(cli_batch *batch, const conv_transcript_turn *turn,
                          cli_batch_saved saved);
void cli_batch_count_conversation(cli_batch *batch);
void cli_batch_leave_open(cli_batch *batch); /* a conversation, because the run is stopped */
void cli_batch_store_failed(cli_batch *batch, const conv_error *error);
void cli_batch_conversation_failed(cli_batch *batch, const cli_job *job, size_t turn,
                                   const conv_error *error);

/* Runs the command: reads the file that it names, saves it, prints the summary. */
cli_exit cli_batch_run(const cli_arguments *arguments, const cli_batch_kind *kind);

#endif
