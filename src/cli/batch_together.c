/* One worker that has several conversations in hand and saves their turns together, as many as go
 * into one call. It must not save a turn after one that failed: the order of a session is the order
 * of its turns. */
#include "cli/batch.h"

#include <stdint.h>
#include <stdlib.h>

#define CALL_BYTES ((size_t)8 << 20)

/* A conversation in hand. */
typedef struct piece {
    cli_job *job;
    size_t next; /* turn to be taken */
    bool ended;  /* all its turns are taken, or no more of them are to be */
    bool failed; /* and that was said */
    bool open;   /* the run was stopped before all were saved */
} piece;

/* A turn in the call that is being made. */
typedef struct entry {
    piece *of;
    size_t number; /* of the turn, from 1 */
    conv_transcript_turn turn;
    char turn_id[CONV_TURN_ID_SIZE];
} entry;

typedef struct hand {
    cli_batch *batch;
    piece pieces[CLI_JOBS_MOST];
    size_t piece_count;
    entry entries[CONV_EXCHANGES_MOST];
    conv_exchange exchanges[CONV_EXCHANGES_MOST];
    conv_exchange_result results[CONV_EXCHANGES_MOST];
    size_t count;
    size_t bytes;
} hand;

static void fail(hand *self, piece *one, size_t number, const conv_error *error)
{
    one->failed = true;
    if (cli_batch_concerns_all(error))
        cli_batch_store_failed(self->batch, error);
    else
        cli_batch_conversation_failed(self->batch, one->job, number, error);
}

static void settle(hand *self, const entry *one, const conv_exchange_result *result)
{
    if (one->of->failed) return;
    if (result->status != CONV_OK) {
        fail(self, one->of, one->number, &result->error);
        return;
    }
    cli_batch_count_turn(self->batch, &one->turn,
                         (cli_batch_saved){.repeated = result->repeat,
                                           .journaled = result->saved == CONV_SAVED_JOURNALED});
}

/* A call that is refused as a whole gives no results. */
static void call(hand *self)
{
    conv_error error = CONV_ERROR_INIT;
    for (size_t i = 0; i < self->count; i++)
        self->results[i] = (conv_exchange_result){.status = CONV_OK};
    conv_status status = conv_save_exchanges(self->batch->client, self->exchanges, self->count,
                                             self->results, &error);
    bool told = status == CONV_OK;
    for (size_t i = 0; i < self->count; i++)
        told = told || self->results[i].status != CONV_OK;
    for (size_t i = 0; i < self->count && !told; i++)
        self->results[i] = (conv_exchange_result){.status = status, .error = error};
}

/* Saves what was gathered, or leaves it when the run is stopped. */
static void save_gathered(hand *self)
{
    bool stop = atomic_load(&self->batch->stop);
    if (!stop && self->count > 0) call(self);
    for (size_t i = 0; i < self->count; i++) {
        if (stop)
            self->entries[i].of->open = true;
        else
            settle(self, &self->entries[i], &self->results[i]);
        free((void *)(uintptr_t)self->exchanges[i].messages);
    }
    self->count = 0;
    self->bytes = 0;
}

static size_t weight(const conv_transcript_turn *turn)
{
    size_t bytes = 0;
    for (size_t i = 0; i < turn->request_count + turn->reply_count; i++)
        bytes += turn->messages[i].content.size + turn->messages[i].parts.size +
                 turn->messages[i].tool_calls.size;
    return bytes;
}

/* Takes turns of the conversation until it ends or the call is full. */
static void gather(hand *self, piece *one)
{
    static const conv_error no_memory = {
        .status = CONV_NO_MEMORY, .action = "import exchange", .message = "out of memory"};
    const conv_transcript *transcript = one->job->transcript;
    while (!one->ended && self->count < CONV_EXCHANGES_MOST) {
        entry *taken = &self->entries[self->count];
        *taken = (entry){.of = one, .number = one->next + 1};
        if (!conv_transcript_turn_get(transcript, one->next, &taken->turn)) {
            one->ended = true;
            return;
        }
        size_t bytes = weight(&taken->turn);
        if (self->count > 0 && self->bytes + bytes > CALL_BYTES) return;
        conv_transcript_turn_id(conv_transcript_id(transcript), taken->number, taken->turn_id);
        cli_batch_turn turn = {.transcript = transcript,
                               .turn = taken->turn,
                               .turn_id = taken->turn_id,
                               .title = one->next == 0 ? conv_transcript_title(transcript) : NULL};
        if (!self->batch->kind->exchange(&turn, &self->exchanges[self->count])) {
            if (self->count > 0) return; /* saving what is there gives memory back */
            fail(self, one, taken->number, &no_memory);
            one->ended = true;
            return;
        }
        one->next++;
        self->count++;
        self->bytes += bytes;
    }
}

/* Waits for the first one only. */
static bool take_job(hand *self)
{
    cli_queue *queue = &self->batch->queue;
    if (self->piece_count == self->batch->together) return false;
    cli_job *job = self->piece_count == 0 ? cli_queue_take(queue) : cli_queue_take_another(queue);
    if (job != NULL) self->pieces[self->piece_count++] = (piece){.job = job};
    return job != NULL;
}

/* All in hand, and what may be taken beside it. */
static void save_hand(hand *self)
{
    for (;;) {
        piece *last = &self->pieces[self->piece_count - 1];
        gather(self, last);
        if (last->ended && take_job(self)) continue;
        save_gathered(self);
        if (last->failed) last->ended = true;
        if (!last->ended && atomic_load(&self->batch->stop)) last->ended = last->open = true;
        if (last->ended) return;
    }
}

static void finish_hand(hand *self)
{
    for (size_t i = 0; i < self->piece_count; i++) {
        const piece *one = &self->pieces[i];
        if (one->open && !one->failed)
            cli_batch_leave_open(self->batch);
        else if (!one->failed)
            cli_batch_count_conversation(self->batch);
        cli_queue_done(&self->batch->queue, one->job);
    }
    self->piece_count = 0;
}

/* Says so of each conversation that this worker would have saved. */
static void fail_without_memory(cli_batch *batch)
{
    const conv_error error = {
        .status = CONV_NO_MEMORY, .action = "start worker", .message = "out of memory"};
    for (cli_job *job; (job = cli_queue_take(&batch->queue)) != NULL;) {
        cli_batch_conversation_failed(batch, job, 0, &error);
        cli_queue_done(&batch->queue, job);
    }
}

void *cli_batch_work_together(void *context)
{
    hand *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fail_without_memory(context);
        return NULL;
    }
    self->batch = context;
    while (take_job(self)) {
        save_hand(self);
        finish_hand(self);
    }
    free(self);
    return NULL;
}
