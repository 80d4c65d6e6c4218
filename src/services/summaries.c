/* Making a summary: read, ask, save. It never holds a connection while the provider answers, and
 * nobody but who asked for it hears of its failure. */
#include "services/summaries.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "providers/response.h"
#include "repositories/sessions.h"
#include "repositories/summaries.h"
#include "repositories/usage.h"
#include "services/context.h"
#include "services/question.h"
#include "services/summary_text.h"

#define ACTION "make summary"

enum { DEFAULT_LIMIT = 50, MAX_LIMIT = 1000, PAGE = 1000 };

struct conv_summary_page {
    conv__arena arena; /* everything in the list lives here */
    conv__summary_list list;
};

/* One summary in the making. What the page will give out lives in its arena. */
typedef struct making {
    const conv__summaries *service;
    conv_uuid session_id;
    conv__arena scratch;
    conv__session_list session;
    conv__summary_list earlier;
    conv__branch branch;
    size_t covered; /* messages of the branch that go into it */
    conv__summary_basis basis;
    conv_provider_response *response;
    conv_status answer;
    conv_error answer_error;
    conv__usage_row usage;
    conv__summary_row row;
    bool inserted; /* the usage record; known after commit, as is */
    bool found;    /* that all it was made of was still there */
    conv_summary_page *page;
} making;

static conv_status read(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    making *self = context;
    conv__store *store = transaction->store;
    const conv_uuid nobody = {{0}};
    conv_status status = store->chat->functions->read_session(
        store->chat, transaction, self->session_id, arena, &self->session, error);
    if (status == CONV_OK)
        status = store->summaries->functions->find(store->summaries, transaction, self->session_id,
                                                   nobody, nobody, arena, &self->earlier, error);
    if (status != CONV_OK) return status;
    const conv__branch_query query = {
        .session_id = self->session_id,
        .after = self->earlier.count > 0 ? self->earlier.summaries[0].last_position : 0,
        .limit = PAGE};
    return store->sessions->functions->read_branch(store->sessions, transaction, &query, arena,
                                                   &self->branch, error);
}

/* Of a user who was erased meanwhile nothing but the sums may come into the ledger. */
static conv_status hide_erased(making *self, conv__transaction *transaction, conv_error *error)
{
    conv__session_repository *sessions = transaction->store->sessions;
    const conv__accepted item = {.user_id = self->usage.user.id,
                                 .accepted_us = self->row.created_us};
    bool erased = false;
    conv_status status =
        sessions->functions->find_deleted(sessions, transaction, &item, 1, true, &erased, error);
    if (status == CONV_OK && erased) conv__usage_row_hide(&self->usage, conv_uuid_v4());
    return status;
}

static conv_status save(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    making *self = context;
    conv__store *store = transaction->store;
    const conv__usage_row *usage = &self->usage;
    (void)arena;
    conv_status status = store->summaries->functions->hold(store->summaries, transaction,
                                                           &self->basis, &self->found, error);
    if (status == CONV_OK) status = hide_erased(self, transaction, error);
    if (status == CONV_OK)
        status = store->usage->functions->save(store->usage, transaction, &usage, 1,
                                               &self->inserted, error);
    if (status != CONV_OK || self->answer != CONV_OK || !self->found) return status;
    return store->summaries->functions->save(store->summaries, transaction, &self->row, error);
}

static const conv_summary *earlier_of(const making *self)
{
    return self->earlier.count > 0 ? &self->earlier.summaries[0] : NULL;
}

/* All that the provider is shown. */
static conv_status note_basis(making *self, conv_error *error)
{
    conv_uuid *ids = conv__arena_allocate(&self->scratch, self->covered * sizeof *ids);
    if (ids == NULL) return conv__fail_memory(error, ACTION);
    self->basis = (conv__summary_basis){.session_id = self->session_id, .messages = ids};
    if (self->earlier.count > 0) self->basis.earlier_id = self->earlier.summaries[0].summary_id;
    for (size_t i = 0; i < self->covered; i++) {
        const conv_message *message = &self->branch.messages.rows[i].message;
        if (conv__summary_takes(message)) ids[self->basis.count++] = message->message_id;
    }
    return CONV_OK;
}

/* What was stored before the chain redacted, as a turn's context. */
static conv_status redact_read(making *self, conv_error *error)
{
    const conv__redaction *redaction = &self->service->redaction;
    conv_status status = CONV_OK;
    bool unused = false;
    for (size_t i = 0; status == CONV_OK && i < self->covered; i++)
        status = conv__redaction_message(redaction, &self->scratch,
                                         &self->branch.messages.rows[i].message, &unused);
    for (size_t i = 0; status == CONV_OK && i < self->earlier.count; i++) {
        conv_summary *earlier = &self->earlier.summaries[i];
        status = conv__redaction_text(redaction, &self->scratch, &earlier->text);
        if (status == CONV_OK)
            status = conv__redaction_text(redaction, &self->scratch, &earlier->key_points);
    }
    return status == CONV_OK ? CONV_OK : conv__fail_memory(error, ACTION);
}

static conv_status ask_provider(making *self, conv_delta_function wanted, void *context,
                                conv_error *error)
{
    const conv__summaries *service = self->service;
    char session_id[CONV_UUID_TEXT_SIZE];
    char turn_id[CONV_UUID_TEXT_SIZE];
    conv_message messages[2];
    conv_uuid_format(self->session_id, session_id);
    conv_uuid_format(self->row.summary_id, turn_id);
    if (conv__summary_request(&self->scratch, earlier_of(self), &self->branch.messages,
                              self->covered, service->most_tokens, messages) != CONV_OK ||
        conv__provider_response_create(wanted, context, &self->response) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    const conv_provider_request request = {.size = sizeof request,
                                           .model = conv_text(service->model),
                                           .messages = messages,
                                           .message_count = 2,
                                           .timeout_ms = service->turn_timeout_ms,
                                           .session_id = session_id,
                                           .turn_id = turn_id};
    int64_t latency_us = 0;
    self->answer = conv__provider_calls_ask(service->provider_calls, service->provider, &request,
                                            self->response, &latency_us, &self->answer_error);
    self->usage.usage.latency_ms = latency_us / 1000;
    return CONV_OK;
}

/* Redacted when it has been read: in a Markdown fence JSON would pass for plain text. */
static conv_status read_answer(making *self, conv_bytes answer)
{
    const conv__redaction *redaction = &self->service->redaction;
    conv__arena *arena = &self->page->arena;
    conv_status status = conv__summary_read_answer(arena, answer, &self->row);
    if (status == CONV_OK) status = conv__redaction_text(redaction, arena, &self->row.text);
    if (status == CONV_OK) status = conv__redaction_text(redaction, arena, &self->row.key_points);
    return status;
}

/* The last assistant message's text. */
static conv_status take_answer(making *self, conv_error *error)
{
    size_t count = 0;
    const conv_message *messages = conv__provider_response_messages(self->response, &count);
    conv_bytes answer = conv_text(NULL);
    for (size_t i = 0; i < count; i++)
        if (messages[i].role == CONV_ROLE_ASSISTANT) answer = messages[i].content;
    conv__arena *arena = &self->page->arena;
    if (conv__arena_copy(arena, answer, &answer) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    if (self->answer == CONV_OK) self->answer = read_answer(self, answer);
    if (self->answer == CONV_NO_MEMORY) return conv__fail_memory(error, ACTION);
    if (self->answer == CONV_OK) {
        const conv__message_row *last = &self->branch.messages.rows[self->covered - 1];
        self->row.last_position = last->message.position;
        return conv__summary_to_row(arena, &self->row, error);
    }
    if (self->answer_error.status != self->answer)
        conv__fail(&self->answer_error, self->answer, "ask provider",
                   "the provider answered without a text");
    return CONV_OK;
}

static conv_status make_usage(making *self, conv_error *error)
{
    char session_id[CONV_UUID_TEXT_SIZE];
    int64_t latency_ms = self->usage.usage.latency_ms;
    conv_bytes model = conv__provider_response_model(self->response);
    conv_usage usage = *conv__provider_response_usage(self->response);
    if (model.data == NULL) model = conv_text(self->service->model);
    conv__arena *arena = &self->page->arena;
    if (conv__arena_copy(arena, model, &self->row.model) != CONV_OK ||
        conv__redaction_text(&self->service->redaction, &self->scratch, &usage.raw) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    conv_uuid_format(self->session_id, session_id);
    usage.session_id = conv_text(session_id);
    if (conv__arena_copy(&self->scratch, usage.session_id, &usage.session_id) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    usage.log_id = self->row.log_id;
    usage.created_us = self->row.created_us;
    usage.user_id = self->session.sessions[0].external_user_id;
    usage.service = conv_text("summary");
    usage.operation = conv_text("summarize");
    usage.model = self->row.model;
    usage.provider = conv_text(self->service->provider->functions->name);
    usage.latency_ms = latency_ms;
    usage.status = self->answer == CONV_OK ? CONV_OUTCOME_COMPLETE : CONV_OUTCOME_FAILED;
    usage.error = self->answer == CONV_OK ? conv_text(NULL) : conv_text(self->answer_error.message);
    conv__usage_add_up(&usage);
    conv__prices_apply(self->service->prices, &usage);
    return conv__usage_to_row(&self->scratch, &usage, &self->usage, error);
}

/* What was paid for is in the ledger, whatever became of the summary. */
static conv_status keep(making *self, conv_error *error)
{
    conv_status status =
        conv__ask(self->service->store, CONV__ASK_WRITE,
                  conv__deadline_in_ms(self->service->store_timeout_ms), save, NULL, self, error);
    if (status != CONV_OK) {
        conv_error unused;
        conv_status tracked = conv__usage_from_row(&self->usage, &unused);
        if (tracked == CONV_OK)
            tracked = conv__tracker_take(self->service->tracker, &self->usage.usage,
                                         self->service->prices, &unused);
        (void)tracked; /* the caller hears of the store's failure */
        return status;
    }
    const conv__usage_save saved = {.row = &self->usage, .fresh = self->inserted};
    conv__report_usage(self->service->bus, &saved, false, NULL);
    if (self->answer != CONV_OK) {
        if (error != NULL) *error = self->answer_error;
        return self->answer;
    }
    if (!self->found)
        return conv__fail(error, CONV_NOT_FOUND, ACTION,
                          "what it was made of was deleted or erased meanwhile, so the summary "
                          "was not saved; if the session is still there, make it again");
    conv__summary_list *list = &self->page->list;
    list->summaries = conv__arena_allocate(&self->page->arena, sizeof *list->summaries);
    if (list->summaries == NULL) return conv__fail_memory(error, ACTION);
    status = conv__summary_from_row(&self->row, &list->summaries[0], error);
    if (status == CONV_OK &&
        conv__arena_copy(&self->page->arena, self->session.sessions[0].external_id,
                         &list->summaries[0].external_id) != CONV_OK)
        status = conv__fail_memory(error, ACTION);
    list->count = status == CONV_OK ? 1 : 0;
    return status;
}

static conv_status run(making *self, conv_delta_function wanted, void *context, conv_error *error)
{
    conv_status status = conv__ask(self->service->store, CONV__ASK_READ,
                                   conv__deadline_in_ms(self->service->store_timeout_ms), read,
                                   &self->scratch, self, error);
    if (status != CONV_OK) return status;
    self->covered =
        conv__summary_cut(&self->branch.messages, earlier_of(self),
                          self->service->summary_tokens / 2, self->service->most_tokens);
    if (self->covered == 0) return CONV_OK;
    status = note_basis(self, error);
    if (status == CONV_OK) status = redact_read(self, error);
    if (status == CONV_OK) status = ask_provider(self, wanted, context, error);
    if (status == CONV_OK) status = take_answer(self, error);
    if (status == CONV_OK) status = make_usage(self, error);
    return status == CONV_OK ? keep(self, error) : status;
}

/* One summary takes in only so much, and what is in neither summary nor context is told to nobody.
 */
static bool is_behind(const making *self)
{
    const conv__message_list *list = &self->branch.messages;
    int64_t tokens = 0;
    for (size_t i = self->covered; i < list->count; i++)
        tokens += conv__message_tokens(&list->rows[i].message);
    return self->covered > 0 && (list->has_more || tokens >= self->service->summary_tokens);
}

conv_status conv__summaries_make(const conv__summaries *service, conv_uuid session_id,
                                 conv_delta_function wanted, void *context,
                                 conv_summary_page **page, bool *behind, conv_error *error)
{
    if (service->provider == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the client has no provider that could make it");
    making self = {.service = service,
                   .session_id = session_id,
                   .row = {.summary_id = conv_uuid_v7(),
                           .session_id = session_id,
                           .log_id = conv_uuid_v7(),
                           .created_us = conv__now_us()},
                   .page = conv__allocate(sizeof *self.page)};
    if (self.page == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = run(&self, wanted, context, error);
    if (behind != NULL) *behind = status == CONV_OK && is_behind(&self);
    conv__provider_response_free(self.response);
    conv__arena_reset(&self.scratch);
    if (status == CONV_OK)
        *page = self.page;
    else
        conv_summary_page_free(self.page);
    return status;
}

void conv__summaries_tell(const conv__summaries *service, const conv_summary_page *page, bool here)
{
    if (page == NULL || page->list.count == 0) return;
    conv__report_summary(service->bus, &page->list.summaries[0],
                         here ? CONV__REPORT_HERE : CONV__REPORT_APART);
}

typedef struct list_work {
    conv__summary_query query;
    conv__summary_list *list;
} list_work;

static conv_status list(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    list_work *work = context;
    conv__summary_repository *summaries = transaction->store->summaries;
    return summaries->functions->list(summaries, transaction, &work->query, arena, work->list,
                                      error);
}

conv_status conv__summaries_list(conv__store *store, int64_t deadline_ns,
                                 const conv_summary_filter *filter, conv_summary_page **page,
                                 conv_error *error)
{
    static const char action[] = "list summaries";
    static const conv_summary_filter everything = CONV_SUMMARY_FILTER_INIT;
    if (filter == NULL) filter = &everything;
    if (filter->size != sizeof *filter)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "the filter was not begun with CONV_SUMMARY_FILTER_INIT");
    if (filter->limit > MAX_LIMIT)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "limit is over 1000");
    conv_summary_page *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, action);
    list_work work = {.query = {.limit = filter->limit > 0 ? filter->limit : DEFAULT_LIMIT,
                                .after_us = filter->after_us,
                                .after_id = filter->after_id},
                      .list = &made->list};
    if (filter->session_id != NULL)
        work.query.session_id = conv_uuid_ensure(conv_text(filter->session_id));
    conv_status status =
        conv__ask(store, CONV__ASK_READ, deadline_ns, list, &made->arena, &work, error);
    if (status == CONV_OK)
        *page = made;
    else
        conv_summary_page_free(made);
    return status;
}

size_t conv_summary_page_count(const conv_summary_page *page)
{
    return page->list.count;
}

const conv_summary *conv_summary_page_summary(const conv_summary_page *page, size_t index)
{
    return index < page->list.count ? &page->list.summaries[index] : NULL;
}

bool conv_summary_page_has_more(const conv_summary_page *page)
{
    return page->list.has_more;
}

void conv_summary_page_free(conv_summary_page *page)
{
    if (page == NULL) return;
    conv__arena_reset(&page->arena);
    conv__release(page);
}
