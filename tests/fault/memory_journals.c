/* See memory_journals.h. */
#include "fault/memory_journals.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "core/memory.h"
#include "db/migration.h"
#include "fault/sqlite_file.h"
#include "repositories/sqlite/journal.h"

enum { WAITING = 2 };

/* The turns of the journal whose entries are decided about, and the acts. */
enum { DEAD, INTERRUPTED, WAITS, DROPPED };

static void save(memory_trial *self, conv_client *client, uint64_t number)
{
    fault_turn turn = {.turn = number};
    if (witness_save(self->lines, client, &turn, self->timeout_ms, NULL) != CONV_OK) _exit(99);
}

static conv_client *open_away(memory_trial *self)
{
    self->params.store_timeout_ms = MEMORY_AWAY_MS;
    conv_client *client = memory_open(self);
    self->params.store_timeout_ms = self->timeout_ms;
    memory_store_take_away(self->store);
    return client;
}

void memory_leave_waiting(memory_trial *self)
{
    conv_client *client = open_away(self);
    fault_turn tracked = {.turn = 9};
    for (uint64_t i = 0; i < WAITING; i++)
        save(self, client, i);
    if (witness_track(self->lines, client, &tracked, true, NULL) != CONV_OK) _exit(99);
    memory_close(self, client, 0);
    memory_store_put_back(self->store);
}

void memory_remove_journal(memory_trial *self)
{
    char command[160];
    snprintf(command, sizeof command, "rm -f '%s'*", self->params.journal);
    if (system(command) != 0) _exit(99);
}

/* The store has no part in it, which is why the library's own function is called. */
void memory_open_journal(memory_trial *self)
{
    conv__journal *journal = NULL;
    char *set_aside = NULL;
    memory_done(self, 0,
                conv__sqlite_journal_open(self->params.journal, false, &set_aside, &journal, NULL));
    conv__release(set_aside);
    if (journal != NULL) journal->functions->close(journal);
}

void memory_judge_journal(const memory_trial *self, checker_findings *all)
{
    const char *path = self->params.journal;
    long versions = sqlite_file_number(path, "SELECT count(*) FROM sqlite_schema") == 0
                        ? 0
                        : sqlite_file_number(path, "SELECT count(*) FROM conversation_schema");
    long wanted = 0;
    while (conv__migrations_journal[wanted].version != 0)
        wanted++;
    if (versions == wanted || (versions == 0 && self->facts->done == 0)) return;
    fprintf(stderr, "violation: the new journal has %ld of %ld migrations\n", versions, wanted);
    all->half++;
}

void memory_damage_journal(memory_trial *self)
{
    memory_leave_waiting(self);
    sqlite_file_damage_journal(self->params.journal);
}

/* How often there are four turns, in four digits: each is below ten. */
#define TURN(number) "count(*) FILTER (WHERE content LIKE 's0 t" #number " %question%')"
#define TURNS                                                                                      \
    "SELECT " TURN(0) " + 10 * " TURN(1) " + 100 * " TURN(2) " + 1000 * " TURN(                    \
        3) " FROM chat_messages"

static int digit(long number, int place)
{
    while (place-- > 0)
        number /= 10;
    return (int)(number % 10);
}

static void violate(long *counter, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    fputs("violation: ", stderr);
    vfprintf(stderr, format, words);
    fputc('\n', stderr);
    va_end(words);
    ++*counter;
}

void memory_judge_rescue(const memory_trial *self, checker_findings *all)
{
    long stored = memory_store_number(self->store, "SELECT (" TURNS
                                                   ") + 10000 * (SELECT count(*) FROM usage_logs)");
    for (int turn = 0; turn < WAITING; turn++) {
        int count = digit(stored, turn);
        if (count != 1)
            violate(count == 0 ? &all->lost : &all->doubled, "turn %d is there %d times", turn,
                    count);
    }
    if (stored / 10000 != WAITING + 1)
        violate(&all->lost, "a usage record is missing or there twice");
    if (sqlite_file_number(self->params.journal,
                           "SELECT count(*) FROM journal WHERE kind <> 'dead'") != 0)
        violate(&all->wrong, "something still waits in the rescued journal");
}

/* As a process that dies while the provider answers. */
static conv_status die_answering(void *context, const conv_provider_request *request,
                                 conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)request;
    (void)response;
    (void)error;
    _exit(0);
}

static void interrupt_turn(memory_trial *self)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        conv_turn turn = CONV_TURN_INIT;
        conv_reply *reply = NULL;
        char session[FAULT_ID_SIZE];
        char id[FAULT_ID_SIZE];
        fault_turn said = {.turn = INTERRUPTED};
        char *question = fault_text(&said, false);
        fault_session_id(0, session);
        fault_turn_id(INTERRUPTED, id);
        turn.session_id = session;
        turn.turn_id = id;
        turn.message = conv_text(question);
        turn.context_messages = -1;
        if (conv_provider_callback("dying", die_answering, NULL, &turn.provider, NULL) != CONV_OK)
            _exit(99);
        _exit(conv_process_message(memory_open(self), &turn, &reply, NULL) == CONV_OK ? 98 : 99);
    }
    if (waitpid(child, &status, 0) != child || status != 0) _exit(99);
}

void memory_leave_entries(memory_trial *self)
{
    conv_client *client = open_away(self);
    save(self, client, DEAD);
    memory_close(self, client, 0);
    memory_store_put_back(self->store);
    memory_store_execute(self->store,
                         "CREATE TRIGGER poison BEFORE INSERT ON chat_messages WHEN new.content"
                         " LIKE 's0 t0 %' BEGIN SELECT RAISE(ABORT, 'poison'); END");
    memory_close(self, memory_open(self), MEMORY_HEALTHY_MS);
    memory_store_execute(self->store, "DROP TRIGGER poison");
    interrupt_turn(self);
    client = open_away(self);
    save(self, client, WAITS);
    save(self, client, DROPPED);
    memory_close(self, client, 0);
    memory_store_put_back(self->store);
}

void memory_rescue_journal(memory_trial *self)
{
    conv_journal *journal = NULL;
    memory_done(self, 0, conv_journal_open(self->params.journal, &journal, NULL));
    if (journal != NULL && conv_journal_set_aside(journal) == NULL)
        violate(&self->wrong, "the damage was not seen");
    conv_journal_close(journal);
}

static void decide_entry(memory_trial *self, conv_journal *journal, const conv_journal_entry *entry)
{
    conv_journal_page *page = NULL;
    fault_turn turn = {0};
    bool reply = false;
    memory_note(self, conv_journal_get(journal, entry->entry_id, &page, NULL));
    conv_journal_page_free(page);
    if (!entry->readable || entry->message_count == 0 ||
        !fault_read_text(entry->messages[0].content.data, &turn, &reply)) {
        violate(&self->wrong, "an entry can't be read");
        return;
    }
    int act = (int)turn.turn;
    if (entry->kind == CONV_JOURNAL_DEAD || entry->kind == CONV_JOURNAL_TURN)
        memory_done(self, act, conv_journal_retry(journal, entry->entry_id, NULL));
    else if (act == DROPPED)
        memory_done(self, act, conv_journal_drop(journal, entry->entry_id, NULL));
}

void memory_decide_entries(memory_trial *self)
{
    conv_journal *journal = NULL;
    conv_journal_page *page = NULL;
    conv_journal_counts counts;
    memory_note(self, conv_journal_open(self->params.journal, &journal, NULL));
    if (journal == NULL) return;
    memory_note(self, conv_journal_count(journal, &counts, NULL));
    memory_note(self, conv_journal_list(journal, NULL, &page, NULL));
    for (size_t i = 0; page != NULL && i < conv_journal_page_count(page); i++)
        decide_entry(self, journal, conv_journal_page_entry(page, i));
    conv_journal_page_free(page);
    conv_journal_close(journal);
}

/* What was to be tried again is in the store; what was not is where it was. */
static void judge_retry(const memory_trial *self, int turn, const char *kind, int stored, int kept,
                        checker_findings *all)
{
    bool done = (self->facts->done & 1u << turn) != 0;
    if (stored + kept != 1)
        violate(stored + kept == 0 ? &all->lost : &all->doubled,
                "the %s entry is stored %d times and kept %d times", kind, stored, kept);
    else if (done && stored == 0)
        violate(&all->wrong, "the %s entry was not tried again", kind);
}

void memory_judge_entries(const memory_trial *self, checker_findings *all)
{
    long stored = memory_store_number(self->store, TURNS);
    long kept = sqlite_file_number(self->params.journal,
                                   "SELECT count(*) FILTER (WHERE kind = 'dead')"
                                   " + 10 * count(*) FILTER (WHERE kind = 'turn') FROM journal");
    int dropped = digit(stored, DROPPED);
    judge_retry(self, DEAD, "dead", digit(stored, DEAD), digit(kept, 0), all);
    judge_retry(self, INTERRUPTED, "turn", digit(stored, INTERRUPTED), digit(kept, 1), all);
    if (digit(stored, WAITS) != 1) violate(&all->lost, "what waits is not there once");
    if (dropped > 1 || (dropped == 1 && (self->facts->done & 1u << DROPPED) != 0))
        violate(&all->wrong, "what was dropped is there %d times", dropped);
}
