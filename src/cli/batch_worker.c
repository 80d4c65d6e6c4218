/* One worker: takes conversations from the queue and saves their turns in order. It must not save a
 * turn after one that failed: the order of a session is the order of its turns. */
#include "cli/batch.h"
#include "cli/display.h"
#include "cli/terminal.h"

#define ID_COLUMNS 60

/* Whether the failure is the store's and would meet every other turn too. */
bool cli_batch_concerns_all(const conv_error *error)
{
    switch (error->status) {
    case CONV_UNAVAILABLE:
    case CONV_TIMEOUT:
    case CONV_PERMISSION:
    case CONV_STATE:
        return true;
    default:
        return error->recovery == CONV_RECOVERY_WAIT || error->recovery == CONV_RECOVERY_OPERATOR;
    }
}

void cli_batch_count_turn(cli_batch *batch, const conv_transcript_turn *turn, cli_batch_saved saved)
{
    pthread_mutex_lock(&batch->mutex);
    batch->counts.exchanges++;
    batch->counts.messages += (int64_t)(turn->request_count + turn->reply_count);
    batch->counts.repeated += saved.repeated ? 1 : 0;
    batch->counts.journaled += saved.journaled ? 1 : 0;
    pthread_mutex_unlock(&batch->mutex);
}

static void add_one(cli_batch *batch, int64_t *count)
{
    pthread_mutex_lock(&batch->mutex);
    (*count)++;
    pthread_mutex_unlock(&batch->mutex);
}

void cli_batch_count_conversation(cli_batch *batch)
{
    add_one(batch, &batch->counts.conversations);
}

void cli_batch_leave_open(cli_batch *batch)
{
    add_one(batch, &batch->counts.open);
}

void cli_batch_store_failed(cli_batch *batch, const conv_error *error)
{
    pthread_mutex_lock(&batch->mutex);
    if (!batch->store_failed) batch->store_error = *error;
    batch->store_failed = true;
    batch->counts.open++;
    pthread_mutex_unlock(&batch->mutex);
    atomic_store(&batch->stop, true);
}

void cli_batch_conversation_failed(cli_batch *batch, const cli_job *job, size_t turn,
                                   const conv_error *error)
{
    char id[4 * ID_COLUMNS + 1] = ""; /* no character takes more than four bytes a column */
    char place[32] = "";
    add_one(batch, &batch->counts.failed);
    FILE *file = fmemopen(id, sizeof id, "w");
    if (file != NULL) {
        cli_display_line(file, conv_text(conv_transcript_id(job->transcript)), ID_COLUMNS);
        fclose(file);
    }
    if (turn > 0) snprintf(place, sizeof place, ", turn %zu", turn);
    cli_complain("%s %zu (%s)%s: %s: %s", job->unit, job->number, id, place, error->action,
                 error->message);
}

/* Whether the whole conversation is stored now. */
static void save_turns(cli_batch *batch, const cli_job *job, conv_provider *provider)
{
    cli_batch_turn turn = {.transcript = job->transcript, .provider = provider};
    char turn_id[CONV_TURN_ID_SIZE];
    turn.turn_id = turn_id;
    size_t index = 0;
    for (; conv_transcript_turn_get(job->transcript, index, &turn.turn); index++) {
        if (atomic_load(&batch->stop)) {
            cli_batch_leave_open(batch);
            return;
        }
        conv_transcript_turn_id(conv_transcript_id(job->transcript), index + 1, turn_id);
        turn.title = index == 0 ? conv_transcript_title(job->transcript) : NULL;
        cli_batch_saved saved = {0};
        conv_error error = CONV_ERROR_INIT;
        if (batch->kind->save(batch->client, &turn, &saved, &error) != CONV_OK) {
            if (cli_batch_concerns_all(&error))
                cli_batch_store_failed(batch, &error);
            else
                cli_batch_conversation_failed(batch, job, index + 1, &error);
            return;
        }
        cli_batch_count_turn(batch, &turn.turn, saved);
    }
    cli_batch_count_conversation(batch);
}

static void save_conversation(cli_batch *batch, const cli_job *job)
{
    conv_provider *provider = NULL;
    conv_error error = CONV_ERROR_INIT;
    if (batch->kind->asks &&
        conv_provider_recorded_transcript(job->transcript, &provider, &error) != CONV_OK) {
        cli_batch_conversation_failed(batch, job, 0, &error);
        return;
    }
    save_turns(batch, job, provider);
    conv_provider_free(provider);
}

void *cli_batch_work(void *context)
{
    cli_batch *batch = context;
    for (cli_job *job; (job = cli_queue_take(&batch->queue)) != NULL;) {
        save_conversation(batch, job);
        cli_queue_done(&batch->queue, job);
    }
    return NULL;
}
