/* What an application does, while memory fails. See memory_scenarios.h; what concerns the journal's
 * file is in memory_journals.c. */
#include "fault/memory_scenarios.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/memory_journals.h"

#define COUNT(what) "(SELECT count(*) FROM " what ")"
#define USER        "0192f0c1-0000-7000-8000-000000000001"

static void flush(memory_trial *self)
{
    memory_note(self, conv_track_flush(self->client, self->timeout_ms, NULL, NULL));
}

static void save(memory_trial *self, uint64_t number)
{
    fault_turn turn = {.turn = number};
    memory_note(self, witness_save(self->lines, self->client, &turn, self->timeout_ms, NULL));
}

static bool track(memory_trial *self, uint64_t number)
{
    fault_turn turn = {.turn = number};
    conv_status status =
        witness_track(self->lines, self->client, &turn, self->params.journal != NULL, NULL);
    memory_note(self, status);
    return status == CONV_OK;
}

enum { ROUNDS = 2, SAVED_FROM = 10 };

/* Without a journal a flush alone says that a record is kept: of the last round, and of an earlier
 * one whose flush failed. */
static void flush_tracked(memory_trial *self, bool waits[ROUNDS], int last)
{
    for (int i = 0; i <= last; i++) {
        fault_turn turn = {.turn = SAVED_FROM + (uint64_t)i};
        if (!waits[i] && i < last) continue;
        conv_status status = witness_flush(self->lines, self->client, waits[i] ? &turn : NULL,
                                           self->timeout_ms, NULL);
        memory_note(self, status);
        if (status == CONV_OK) waits[i] = false;
    }
}

/* A provider that has no memory leaves a failed exchange, which the same turn replaces. */
static void process(memory_trial *self, uint64_t number)
{
    fault_turn turn = {.turn = number};
    conv_status status = CONV_INTERNAL;
    for (int i = 0; i < 2 && status != CONV_OK; i++) {
        memory_allow_twice(self);
        status = witness_process(self->lines, self->client, &turn, self->timeout_ms, NULL);
        memory_note(self, status);
    }
}

/* The second time finds what the first has made: statements, connections, the tracker's file. */
static void take_turns(memory_trial *self)
{
    bool waits[ROUNDS] = {false};
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = (uint64_t)i;
        process(self, number);
        save(self, SAVED_FROM + number);
        waits[i] = track(self, SAVED_FROM + number);
        flush_tracked(self, waits, i);
    }
}

static void prepare_repeat(memory_trial *self)
{
    self->client = memory_open(self);
    save(self, 0);
    process(self, 1);
    memory_close(self, self->client, MEMORY_HEALTHY_MS);
}

/* Without memory to ask the store, the journal takes what turns out to be a conflict when it gets
 * there. */
static void repeat(memory_trial *self)
{
    fault_turn other = {.turn = 0, .variant = 1};
    save(self, 0);
    process(self, 1);
    conv_status status = witness_save(self->lines, self->client, &other, self->timeout_ms, NULL);
    memory_expect(self, status, CONV_CONFLICT);
    if (status == CONV_OK) self->facts->dead = 1;
}

static void save_together(memory_trial *self)
{
    fault_turn turns[] = {{.turn = 0}, {.session = 1, .turn = 0}, {.turn = 1}, {.turn = 2}};
    memory_note(self,
                witness_together(self->lines, self->client, turns, 4, self->timeout_ms, NULL));
}

static atomic_int collected;

static void collect(void *context, const conv_async_result *result)
{
    (void)context;
    witness_collect(result);
    atomic_fetch_add(&collected, 1);
}

/* What was taken gets a result, within two seconds beyond the client's limit. */
static void await_results(memory_trial *self, int taken)
{
    conv_async_result result;
    for (int64_t ms = 0; atomic_load(&collected) < taken && ms < self->timeout_ms + 4000; ms++) {
        conv_status status = conv_async_next(self->client, &result, NULL);
        if (status == CONV_OK) {
            memory_begin_call(); /* the witness has timed it */
            memory_note(self, result.status);
            collect(NULL, &result);
        } else {
            usleep(1000);
        }
    }
    memory_begin_call(); /* what was waited is no part of the next one */
    if (atomic_load(&collected) == taken) return;
    fprintf(stderr, "violation: %d submitted, %d results\n", taken, atomic_load(&collected));
    self->wrong++;
}

static void save_later(memory_trial *self)
{
    /* Of the library until the client is closed. */
    static witness_submitted lines[4];
    int taken = 0;
    int descriptor = -1;
    atomic_store(&collected, 0);
    memory_note(self, conv_async_descriptor(self->client, &descriptor, NULL));
    for (uint64_t i = 0; i < 4; i++) {
        fault_turn turn = {.session = i / 2, .turn = i};
        lines[i].limit_ms = self->timeout_ms + 2000;
        conv_status status = witness_submit(self->lines, self->client, &turn,
                                            i % 2 == 0 ? collect : NULL, &lines[i], NULL);
        memory_note(self, status);
        taken += status == CONV_OK;
    }
    await_results(self, taken);
}

/* What comes later in a session waits behind what the journal has of it. */
static void be_away(memory_trial *self)
{
    memory_take_away(self);
    save(self, 0);
    process(self, 1);
    track(self, 2);
    memory_bring_back(self);
    save(self, 3);
    flush(self);
}

static conv_provider *echo(void)
{
    static conv_provider *provider;
    if (provider == NULL && conv_provider_echo(&provider, NULL) != CONV_OK) _exit(99);
    return provider;
}

static void settle_provider(memory_trial *self)
{
    self->params.provider = echo();
}

static void say(memory_trial *self, const char *session, const char *user, const char *turn)
{
    conv_message messages[] = {{.role = CONV_ROLE_USER, .content = conv_text("a question")},
                               {.role = CONV_ROLE_ASSISTANT, .content = conv_text("an answer")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = session;
    exchange.user_id = user;
    exchange.turn_id = turn;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.input_tokens = 7;
    memory_note(self, conv_save_exchange(self->client, &exchange, NULL, NULL));
}

static conv_status register_document(memory_trial *self, conv_document_page **page)
{
    conv_document_params document = CONV_DOCUMENT_PARAMS_INIT;
    document.document_id = "document";
    document.session_id = "gone";
    document.user_id = USER;
    document.name = conv_text("a.pdf");
    document.size_bytes = 10;
    document.metadata = "{\"pages\": 1}";
    return conv_document_register(self->client, &document, page, NULL);
}

static conv_status summarize(memory_trial *self)
{
    conv_summary_page *page = NULL;
    conv_status status = conv_summary_make(self->client, "gone", &page, NULL);
    conv_summary_page_free(page);
    return status;
}

/* A user with a session that has a bit of everything, and with a turn in somebody else's. */
static void prepare_user(memory_trial *self)
{
    self->params.provider = echo();
    self->client = memory_open(self);
    say(self, "gone", USER, "1");
    say(self, "gone", USER, "2");
    say(self, "kept", "somebody else", "1");
    say(self, "kept", USER, "2");
    memory_note(self, conv_session_tag(self->client, "gone", "a tag", NULL));
    memory_note(self, register_document(self, NULL));
    memory_note(self, summarize(self));
    memory_close(self, self->client, MEMORY_HEALTHY_MS);
    if (self->refused > 0) _exit(99);
}

static void read_history(memory_trial *self)
{
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = "gone";
    memory_note(self, conv_history_read(self->client, &params, &history, NULL));
    conv_history_free(history);
}

static void list_and_sum(memory_trial *self)
{
    conv_session_page *sessions = NULL;
    conv_document_page *documents = NULL;
    conv_summary_page *summaries = NULL;
    conv_usage_totals *totals = NULL;
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    memory_note(self, conv_session_list(self->client, &filter, &sessions, NULL));
    conv_session_page_free(sessions);
    memory_note(self, conv_document_list(self->client, NULL, &documents, NULL));
    conv_document_page_free(documents);
    memory_note(self, conv_summary_list(self->client, NULL, &summaries, NULL));
    conv_summary_page_free(summaries);
    memory_note(self, conv_usage_sum(self->client, NULL, CONV_USAGE_GROUP_DAY, &totals, NULL));
    conv_usage_totals_free(totals);
}

static void read_again_and_again(memory_trial *self)
{
    for (int i = 0; i < ROUNDS; i++) {
        read_history(self);
        list_and_sum(self);
    }
}

/* Each count is below ten. */
#define AND(factor, what) " + " #factor " * " COUNT(what)
#define USERS_STATE                                                                                \
    "SELECT " COUNT("chat_sessions") AND(10, "chat_exchanges") AND(100, "chat_messages")           \
        AND(1000, "chat_session_tags") AND(10000, "chat_documents")                                \
            AND(100000, "chat_sessions_summary")                                                   \
                AND(1000000, "usage_logs WHERE user_id = '" USER "'")                              \
                    AND(10000000, "chat_deletions")

static void delete_session(memory_trial *self)
{
    memory_done(self, 0, conv_session_delete(self->client, "gone", NULL, NULL));
}

static void erase_user(memory_trial *self)
{
    conv_erase_receipt receipt;
    memory_done(self, 0, conv_user_erase(self->client, USER, &receipt, NULL));
}

static void prepare_talk(memory_trial *self)
{
    self->client = memory_open(self);
    say(self, "gone", NULL, "1");
    say(self, "gone", NULL, "2");
    memory_close(self, self->client, MEMORY_HEALTHY_MS);
    if (self->refused > 0) _exit(99);
}

static void make_summary(memory_trial *self)
{
    memory_allow_twice(self);
    memory_done(self, 0, summarize(self));
}

/* Of a provider's failure a usage record remains, so those are counted by their summary only. */
#define SUMMARY_STATE                                                                              \
    "SELECT " COUNT("chat_sessions_summary") " + 10 * " COUNT(                                     \
        "chat_sessions_summary s JOIN usage_logs u ON u.log_id = s.log_id")

static void make_document(memory_trial *self)
{
    conv_document_page *page = NULL;
    memory_done(self, 0, register_document(self, &page));
    conv_document_page_free(page);
}

static void prepare_document(memory_trial *self)
{
    self->client = memory_open(self);
    memory_note(self, register_document(self, NULL));
    memory_close(self, self->client, MEMORY_HEALTHY_MS);
    if (self->refused > 0) _exit(99);
}

static void delete_document(memory_trial *self)
{
    conv_document_receipt receipt;
    memory_done(self, 0, conv_document_delete(self->client, "document", "gone", &receipt, NULL));
}

#define DOCUMENT_STATE "SELECT " COUNT("chat_documents") " + 10 * " COUNT("usage_logs")

static const memory_scenario busy[] = {
    {.name = "turns", .act = take_turns},
    {.name = "history, lists and sums read",
     .journal = MEMORY_JOURNAL_NEVER,
     .prepare = prepare_user,
     .act = read_again_and_again},
    {.name = "same id again, and with other content", .prepare = prepare_repeat, .act = repeat},
    {.name = "several saved together", .act = save_together},
    {.name = "saved asynchronously", .act = save_later},
    {.name = "session deleted",
     .prepare = prepare_user,
     .act = delete_session,
     .state = USERS_STATE},
    {.name = "user erased", .prepare = prepare_user, .act = erase_user, .state = USERS_STATE},
    {.name = "summary",
     .journal = MEMORY_JOURNAL_NEVER,
     .settle = settle_provider,
     .prepare = prepare_talk,
     .act = make_summary,
     .state = SUMMARY_STATE},
    {.name = "document registered",
     .journal = MEMORY_JOURNAL_NEVER,
     .settle = settle_provider,
     .act = make_document,
     .state = DOCUMENT_STATE},
    {.name = "document deleted",
     .journal = MEMORY_JOURNAL_NEVER,
     .settle = settle_provider,
     .prepare = prepare_document,
     .act = delete_document,
     .state = DOCUMENT_STATE},
    {.name = "new journal",
     .way = MEMORY_ALONE,
     .journal = MEMORY_JOURNAL_ALWAYS,
     .sqlite_only = true,
     .as_left = true,
     .prepare = memory_remove_journal,
     .act = memory_open_journal,
     .judge = memory_judge_journal},
    {.name = "damaged journal rescued",
     .way = MEMORY_ALONE,
     .journal = MEMORY_JOURNAL_ALWAYS,
     .sqlite_only = true,
     .prepare = memory_damage_journal,
     .act = memory_rescue_journal,
     .judge = memory_judge_rescue},
    {.name = "journal's entries",
     .way = MEMORY_ALONE,
     .journal = MEMORY_JOURNAL_ALWAYS,
     .sqlite_only = true,
     .prepare = memory_leave_entries,
     .act = memory_decide_entries,
     .judge = memory_judge_entries},
};

static const memory_scenario waiting[] = {
    {.name = "store away, then drain",
     .journal = MEMORY_JOURNAL_ALWAYS,
     .away = true,
     .act = be_away},
    {.name = "journal of another process drained",
     .way = MEMORY_OPENING,
     .journal = MEMORY_JOURNAL_ALWAYS,
     .prepare = memory_leave_waiting,
     .act = flush},
};

void memory_run_share(campaign *run, memory_store *store, int share)
{
    bool waits = share < MEMORY_WAITING_SHARES;
    run->share = waits ? share : share - MEMORY_WAITING_SHARES;
    run->shares = waits ? MEMORY_WAITING_SHARES : MEMORY_BUSY_SHARES;
    if (waits)
        memory_run(run, store, waiting, sizeof waiting / sizeof waiting[0]);
    else
        memory_run(run, store, busy, sizeof busy / sizeof busy[0]);
}
