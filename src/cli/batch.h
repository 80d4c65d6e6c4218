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

typedef struct cli_batch_kind {
    const char *done; /* "replayed", "imported" */
    bool asks;        /* whether turns need a provider */
    /* Saves the turn. Called on many threads. */
    conv_status (*save)(conv_client *client, const cli_batch_turn *turn, cli_batch_saved *saved,
                        conv_error *error);
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
    atomic_bool stop;      /* finish the turn under way and take no other */
    pthread_mutex_t mutex; /* guards what follows */
    cli_batch_counts counts;
    bool store_failed;
    conv_error store_error; /* the first that says that the store is away */
} cli_batch;

/* A worker's thread; `context` is the cli_batch. */
void *cli_batch_work(void *context);

/* Runs the command: reads the file that it names, saves it, prints the summary. */
cli_exit cli_batch_run(const cli_arguments *arguments, const cli_batch_kind *kind);

#endif
