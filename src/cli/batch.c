/* Reads a file of conversations, hands them to the workers, shows progress and sums up. It must not
 * hold more of the file than the queue allows. */
#include "cli/batch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/batch_report.h"
#include "cli/format.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"

#define WRITERS_MOST 4 /* workers that save together: each of them fills a transaction */
#define QUEUE_BYTES  ((size_t)32 << 20)
#define TICK_MS      100
#define LISTED_MOST  10 /* a file of another kind is wrong in every line */

typedef struct run {
    cli_batch batch;
    conv_transcript_reader *reader;
    cli_batch_report report;
    pthread_t threads[CLI_JOBS_MOST];
    size_t thread_count;
    cli_exit read_exit; /* not OK: the file could not be read to its end */
    bool reading_ended;
    int64_t readable;
    int64_t unreadable;
} run;

static bool stopping(run *self)
{
    if (cli_signals_caught() != 0) atomic_store(&self->batch.stop, true);
    return atomic_load(&self->batch.stop);
}

static void tick(run *self)
{
    pthread_mutex_lock(&self->batch.mutex);
    cli_batch_counts counts = self->batch.counts;
    pthread_mutex_unlock(&self->batch.mutex);
    cli_batch_report_tick(&self->report, &counts, conv_transcript_reader_offset(self->reader),
                          conv_transcript_reader_size(self->reader));
}

static size_t weight(const conv_transcript *transcript)
{
    const conv_message *messages = conv_transcript_messages(transcript);
    size_t bytes = 0;
    for (size_t i = 0; i < conv_transcript_message_count(transcript); i++)
        bytes += messages[i].content.size + messages[i].parts.size + messages[i].tool_calls.size;
    return bytes;
}

static void count_failed(run *self)
{
    pthread_mutex_lock(&self->batch.mutex);
    self->batch.counts.failed++;
    pthread_mutex_unlock(&self->batch.mutex);
}

/* Hands a conversation over, or frees it if the run is stopped meanwhile. */
static void hand_over(run *self, conv_transcript *transcript)
{
    cli_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        cli_complain("%s %zu: out of memory", conv_transcript_reader_unit(self->reader),
                     conv_transcript_reader_number(self->reader));
        count_failed(self);
        conv_transcript_free(transcript);
        return;
    }
    job->session_id = conv_uuid_ensure(conv_text(conv_transcript_id(transcript)));
    job->transcript = transcript;
    job->unit = conv_transcript_reader_unit(self->reader);
    job->number = conv_transcript_reader_number(self->reader);
    job->bytes = weight(transcript);
    while (!cli_queue_put(&self->batch.queue, job, TICK_MS)) {
        tick(self);
        if (!stopping(self)) continue;
        pthread_mutex_lock(&self->batch.mutex);
        self->batch.counts.open++;
        pthread_mutex_unlock(&self->batch.mutex);
        conv_transcript_free(transcript);
        free(job);
        return;
    }
    tick(self);
}

/* What was not listed, and what the file should be if it seems to be something else. */
static void explain_unreadable(const run *self)
{
    char count[CLI_FORMAT_SIZE];
    int64_t unlisted = self->unreadable - LISTED_MOST;
    cli_format_count(unlisted, count);
    if (unlisted > 0)
        cli_note("%s more could not be read either, and %s not listed", count,
                 unlisted == 1 ? "is" : "are");
    if (unlisted > 0 || (self->unreadable > 0 && self->readable == 0))
        cli_hint("FILE should be JSON Lines, ChatGPT's conversations.json or ShareGPT");
}

static void read_file(run *self)
{
    while (!stopping(self)) {
        conv_error error = CONV_ERROR_INIT;
        conv_transcript *transcript = NULL;
        conv_status status = conv_transcript_reader_next(self->reader, &transcript, &error);
        if (status == CONV_OK && transcript == NULL) {
            self->reading_ended = cli_signals_caught() == 0;
            return;
        }
        if (status == CONV_OK) {
            self->readable++;
            hand_over(self, transcript);
            continue;
        }
        if (cli_signals_caught() != 0) return;
        if (status == CONV_BAD_DATA || status == CONV_NO_MEMORY) {
            count_failed(self);
            if (self->unreadable++ < LISTED_MOST)
                cli_complain("%s: %s", error.action, error.message);
            continue;
        }
        self->read_exit = cli_report(CLI_PART_INPUT, &error);
        return;
    }
}

static cli_exit start_workers(run *self, size_t jobs, size_t wanted)
{
    void *(*work)(void *) =
        self->batch.kind->exchange != NULL ? cli_batch_work_together : cli_batch_work;
    self->batch.together = jobs / wanted;
    if (pthread_mutex_init(&self->batch.mutex, NULL) != 0) return CLI_EXIT_FAILED;
    if (!cli_queue_open(&self->batch.queue, 2 * jobs, QUEUE_BYTES)) {
        pthread_mutex_destroy(&self->batch.mutex);
        return CLI_EXIT_FAILED;
    }
    cli_signals_hold();
    while (self->thread_count < wanted) {
        cli_queue_enter(&self->batch.queue);
        if (pthread_create(&self->threads[self->thread_count], NULL, work, &self->batch) != 0) {
            cli_queue_leave(&self->batch.queue);
            break;
        }
        self->thread_count++;
    }
    cli_signals_admit();
    /* Fewer threads than asked for do the same work. */
    return self->thread_count > 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static void finish_workers(run *self)
{
    cli_queue_end(&self->batch.queue);
    while (!cli_queue_wait(&self->batch.queue, TICK_MS)) {
        (void)stopping(self);
        tick(self);
    }
    for (size_t i = 0; i < self->thread_count; i++)
        pthread_join(self->threads[i], NULL);
    cli_queue_close(&self->batch.queue);
    pthread_mutex_destroy(&self->batch.mutex);
}

static cli_exit conclude(run *self)
{
    cli_batch *batch = &self->batch;
    cli_batch_rest rest = {.open = batch->counts.open,
                           .ended = self->reading_ended,
                           .bytes_done = conv_transcript_reader_offset(self->reader),
                           .bytes_all = conv_transcript_reader_size(self->reader)};
    cli_exit printed = cli_batch_report_end(&self->report, &batch->counts);
    bool stopped = cli_signals_caught() != 0 && (rest.open > 0 || !rest.ended);
    if (batch->store_failed) cli_report(CLI_PART_STORE, &batch->store_error);
    if (stopped || batch->store_failed) cli_batch_report_rest(&rest);
    if (stopped) return cli_exit_of_signal(cli_signals_caught());
    if (batch->store_failed) return CLI_EXIT_NO_CONNECTION;
    if (self->read_exit != CLI_EXIT_OK) return self->read_exit;
    return batch->counts.failed > 0 ? CLI_EXIT_FAILED : printed;
}

static cli_exit save_file(run *self, const cli_arguments *arguments)
{
    size_t jobs = cli_given(arguments, CLI_OPTION_JOBS)
                      ? (size_t)arguments->numbers[CLI_OPTION_JOBS]
                      : (size_t)self->batch.kind->jobs;
    bool together = self->batch.kind->exchange != NULL;
    size_t workers = together && jobs > WRITERS_MOST ? WRITERS_MOST : jobs;
    cli_exit code = cli_store_open(arguments, CLI_STORE_WRITE, (int)workers, &self->batch.client);
    if (code != CLI_EXIT_OK) return code;
    if (strcmp(arguments->words[0], "-") == 0) cli_signals_end_input();
    cli_signals_catch();
    cli_batch_report_begin(&self->report, arguments, self->batch.kind);
    code = start_workers(self, jobs, workers);
    if (code == CLI_EXIT_OK) {
        read_file(self);
        finish_workers(self);
        explain_unreadable(self);
        code = conclude(self);
    } else {
        cli_complain("start workers: the system has no room for another thread");
    }
    return cli_store_drain(arguments, self->batch.client, code);
}

cli_exit cli_batch_run(const cli_arguments *arguments, const cli_batch_kind *kind)
{
    run *self = calloc(1, sizeof *self);
    if (self == NULL) {
        cli_complain("%s: out of memory", arguments->command->name);
        return CLI_EXIT_FAILED;
    }
    self->batch.kind = kind;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = CLI_EXIT_OK;
    if (conv_transcript_reader_open(arguments->words[0], &self->reader, &error) != CONV_OK)
        code = cli_report(CLI_PART_INPUT, &error);
    else
        code = save_file(self, arguments);
    conv_transcript_reader_close(self->reader);
    free(self);
    return code;
}
