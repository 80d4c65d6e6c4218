/* Making events of exchanges and usage records: ids, names, counts and cost, no text. */
#include "saving/report.h"

#include <string.h>

#include "core/time.h"

static void set_usage(conv_event *event, const conv__usage_row *row)
{
    const conv_usage *usage = &row->usage;
    event->log_id = usage->log_id;
    event->session_id = row->session_id;
    event->document_id = row->document_id;
    event->user_id = row->user.id;
    conv__event_set_name(event->service, usage->service);
    conv__event_set_name(event->operation, usage->operation);
    conv__event_set_name(event->model, usage->model);
    conv__event_set_name(event->provider, usage->provider);
    event->outcome = usage->status;
    event->input_tokens = usage->input_tokens;
    event->output_tokens = usage->output_tokens;
    event->total_tokens = usage->total_tokens;
    event->cache_read_tokens = usage->cache_read_tokens;
    event->cache_write_tokens = usage->cache_write_tokens;
    event->reasoning_tokens = usage->reasoning_tokens;
    event->latency_ms = usage->latency_ms;
    event->priced = usage->priced;
    if (usage->priced) event->cost_usd = usage->cost_usd;
}

static void set_failure(conv_event *event, conv_status status, const conv_error *error)
{
    event->status = status;
    memcpy(event->sqlstate, error->sqlstate, sizeof event->sqlstate);
}

static conv_event of_exchange(conv_event_kind kind, const conv__exchange *exchange)
{
    conv_event event = conv__event_make(kind);
    set_usage(&event, &exchange->usage);
    event.session_id = exchange->session.session_id;
    event.user_id = exchange->session.user.id;
    event.turn_id = exchange->exchange_id;
    event.outcome = exchange->status;
    event.message_count = (int64_t)exchange->message_count;
    return event;
}

static void tell(conv__bus *bus, const conv_event *event, conv__report_way way, conv__buffer *later)
{
    bool heard = later == NULL || conv__bus_wants(bus, event->kind);
    conv__news news = {event, 1, way == CONV__REPORT_HERE, CONV__NO_DEADLINE, NULL};
    if (way == CONV__REPORT_COUNT || !heard) {
        conv__bus_count_only(bus, event);
        return;
    }
    if (later != NULL) {
        conv__buffer_append(later, event, sizeof *event);
        if (!later->failed) return;
        later->failed = false;
        news.deadline_ns = 0;
    }
    conv__bus_tell(bus, &news);
}

static void post(conv__bus *bus, const conv_event *event, conv__buffer *later)
{
    tell(bus, event, CONV__REPORT_APART, later);
}

void conv__report_later(conv__bus *bus, conv__buffer *later, conv__report_way way,
                        int64_t deadline_ns, const conv__latest *latest)
{
    const void *events = later->data; /* aligned as any block of memory is */
    const conv__news news = {events, later->size / sizeof(conv_event), way == CONV__REPORT_HERE,
                             deadline_ns, latest};
    if (news.count > 0) conv__bus_tell(bus, &news);
    conv__buffer_free(later);
}

/* False when nothing became of the session. */
static bool of_session(const conv__save *save, conv_event *event)
{
    const conv__exchange *exchange = save->exchange;
    if (!save->session_created && !exchange->has_parent) return false;
    *event = conv__event_make(save->session_created ? CONV_EVENT_SESSION_CREATED
                                                    : CONV_EVENT_SESSION_BRANCHED);
    event->session_id = exchange->session.session_id;
    event->user_id = exchange->session.user.id;
    if (!save->session_created) event->turn_id = exchange->exchange_id;
    return true;
}

void conv__report_save(conv__bus *bus, const conv__save *save, int64_t store_us,
                       conv__report_way way, conv__buffer *later)
{
    bool failed = save->status != CONV_OK;
    if (bus == NULL || (!failed && !save->fresh)) return;
    conv_event_kind kind = failed            ? CONV_EVENT_EXCHANGE_FAILED
                           : save->journaled ? CONV_EVENT_EXCHANGE_JOURNALED
                                             : CONV_EVENT_EXCHANGE_SAVED;
    conv_event event;
    if (kind == CONV_EVENT_EXCHANGE_SAVED && of_session(save, &event))
        tell(bus, &event, way, later);
    event = of_exchange(kind, save->exchange);
    event.store_us = store_us;
    if (failed) set_failure(&event, save->status, &save->error);
    if (save->journaled) {
        event.status = save->cause;
        memcpy(event.sqlstate, save->cause_sqlstate, sizeof event.sqlstate);
    }
    event.dead = save->dead;
    tell(bus, &event, way, later);
}

void conv__report_refused(conv__bus *bus, const conv__exchange *exchange, const conv_error *error)
{
    conv_event event = of_exchange(CONV_EVENT_EXCHANGE_FAILED, exchange);
    event.outcome = CONV_OUTCOME_FAILED;
    set_failure(&event, error->status, error);
    conv__bus_emit(bus, &event);
}

void conv__report_drained(conv__bus *bus, const conv__save *save, conv__buffer *later)
{
    conv_event event;
    if (bus == NULL) return;
    if (save->status != CONV_OK) {
        event = of_exchange(CONV_EVENT_EXCHANGE_FAILED, save->exchange);
        set_failure(&event, save->status, &save->error);
        event.dead = true;
        post(bus, &event, later);
        return;
    }
    if ((save->session_created || !save->repeated) && of_session(save, &event))
        post(bus, &event, later);
    event = of_exchange(CONV_EVENT_EXCHANGE_RECOVERED, save->exchange);
    post(bus, &event, later);
    /* Another attempt was there first, and has told so. */
    if (save->repeated) return;
    event = of_exchange(CONV_EVENT_EXCHANGE_SAVED, save->exchange);
    event.through_journal = true;
    post(bus, &event, later);
}

void conv__report_dropped(conv__bus *bus, const conv__exchange *exchange, conv__buffer *later)
{
    if (bus == NULL) return;
    conv_event event = of_exchange(CONV_EVENT_EXCHANGE_DROPPED, exchange);
    post(bus, &event, later);
}

void conv__report_usage(conv__bus *bus, const conv__usage_save *save, bool through_journal,
                        conv__buffer *later)
{
    bool failed = save->status != CONV_OK;
    /* What comes from the journal may have been committed by a try whose answer was lost. */
    if (bus == NULL || (!failed && !save->fresh && !through_journal)) return;
    conv_event event =
        conv__event_make(failed ? CONV_EVENT_USAGE_FAILED : CONV_EVENT_USAGE_RECORDED);
    set_usage(&event, save->row);
    event.through_journal = through_journal;
    if (failed) set_failure(&event, save->status, &save->error);
    event.dead = failed && (through_journal || save->dead);
    post(bus, &event, later);
}

void conv__report_document(conv__bus *bus, conv_event_kind kind, const conv__usage_row *row,
                           bool recorded, conv__buffer *later)
{
    if (kind != CONV_EVENT_KINDS) {
        conv_event event = conv__event_make(kind);
        set_usage(&event, row);
        tell(bus, &event, CONV__REPORT_HERE, later);
    }
    if (!recorded) return;
    conv_event event = conv__event_make(CONV_EVENT_USAGE_RECORDED);
    set_usage(&event, row);
    tell(bus, &event, CONV__REPORT_HERE, later);
}

void conv__report_summary(conv__bus *bus, const conv_summary *summary, conv__report_way way)
{
    conv_event event = conv__event_make(CONV_EVENT_SESSION_SUMMARIZED);
    event.session_id = summary->session_id;
    event.log_id = summary->log_id;
    conv__event_set_name(event.model, summary->model);
    tell(bus, &event, way, NULL);
}

void conv__report_flush(conv__bus *bus, int64_t records, conv__buffer *later)
{
    if (bus == NULL || records == 0) return;
    conv_event event = conv__event_make(CONV_EVENT_USAGE_FLUSHED);
    event.record_count = records;
    post(bus, &event, later);
}
