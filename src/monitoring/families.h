/* The list of all metrics. docs/metrics.md says the same, and a test compares the two. */
#ifndef CONV__MONITORING_FAMILIES_H
#define CONV__MONITORING_FAMILIES_H

#include <stdbool.h>

#include "conversation/status.h"

typedef enum conv__family_type {
    CONV__COUNTER,
    CONV__GAUGE,
    CONV__HISTOGRAM,
    CONV__INFO
} conv__family_type;

/* symbol, name (of a counter or an info without its suffix), type, unit, meaning. The unit is the
 * name's end where the name has one. */
#define CONV__FAMILY_MAP(X)                                                                        \
    X(SAVE_FAILURES, "conversation_save_failures", COUNTER, "saves",                               \
      "Exchanges that the store did not take, and tracked records that it refused, by cause and "  \
      "by what became of them.")                                                                   \
    X(TOKEN_USAGE, "gen_ai_client_token_usage", HISTOGRAM, "tokens",                               \
      "Tokens of one operation in the store, by gen_ai_token_type (input, output).")               \
    X(OPERATION_DURATION, "gen_ai_client_operation_duration_seconds", HISTOGRAM, "seconds",        \
      "How long the provider or the operation took; error_type says how it ended otherwise.")      \
    X(EVENTS, "conversation_events", COUNTER, "events", "Events told, by kind.")                   \
    X(TURNS, "conversation_turns", COUNTER, "turns",                                               \
      "Answers of conv_process_message, by status.")                                               \
    X(TURN_DURATION, "conversation_turn_duration_seconds", HISTOGRAM, "seconds",                   \
      "How long conv_process_message took, the provider included.")                                \
    X(SAVE_DURATION, "conversation_save_duration_seconds", HISTOGRAM, "seconds",                   \
      "How long a caller waited for the store or the journal, by result.")                         \
    X(MESSAGES, "conversation_messages_saved", COUNTER, "messages",                                \
      "Messages of exchanges in the store.")                                                       \
    X(USAGE_RECORDS, "conversation_usage_records", COUNTER, "records",                             \
      "Usage records in the store, by whether a price was known.")                                 \
    X(TOKENS, "conversation_tokens", COUNTER, "tokens",                                            \
      "Tokens of usage records in the store, by type; input includes cache, output reasoning.")    \
    X(COST, "conversation_cost_usd", COUNTER, "US dollars",                                        \
      "Cost of usage records in the store, exact.")                                                \
    X(STORE_AWAY, "conversation_store_away", GAUGE, "1 or 0",                                      \
      "Whether the store failed a moment ago, so that nobody waits for it.")                       \
    X(JOURNAL_ENTRIES, "conversation_journal_entries", GAUGE, "entries",                           \
      "Entries of the journal: turns under way, exchanges and usage that wait, dead letters.")     \
    X(JOURNAL_BYTES, "conversation_journal_bytes", GAUGE, "bytes",                                 \
      "Size of the journal's file and its log.")                                                   \
    X(JOURNAL_AGE, "conversation_journal_oldest_age_seconds", GAUGE, "seconds",                    \
      "Age of the oldest entry that waits for the store; 0 when nothing waits.")                   \
    X(TRACKER_BUFFERED, "conversation_tracker_buffered_records", GAUGE, "records",                 \
      "Tracked usage records that were not brought to the store yet.")                             \
    X(WRITER_WAITING, "conversation_writer_waiting_exchanges", GAUGE, "exchanges",                 \
      "Exchanges whose callers wait for a transaction to take them along.")                        \
    X(SUBMITTED, "conversation_submitted_exchanges", GAUGE, "exchanges",                           \
      "Submitted exchanges that are not settled yet; lost if the program dies.")                   \
    X(POOL_CONNECTIONS, "conversation_pool_connections", GAUGE, "connections",                     \
      "Open connections to PostgreSQL, by state.")                                                 \
    X(POOL_LIMIT, "conversation_pool_connections_limit", GAUGE, "connections",                     \
      "How many connections may be open at once.")                                                 \
    X(POOL_WAITING, "conversation_pool_waiting_callers", GAUGE, "callers",                         \
      "Callers that wait for a connection.")                                                       \
    X(HEALTH, "conversation_health_ok", GAUGE, "1 or 0",                                           \
      "Whether the last look at this part found it ok, neither degraded nor failing.")             \
    X(SUBSCRIPTIONS, "conversation_event_subscriptions", GAUGE, "subscriptions",                   \
      "Subscriptions to events.")                                                                  \
    X(EVENTS_WAITING, "conversation_events_waiting", GAUGE, "events",                              \
      "Events in queues of subscriptions or in their handlers.")                                   \
    X(EVENT_DELIVERIES, "conversation_event_deliveries", COUNTER, "events",                        \
      "Events that a handler has dealt with, by its answer.")                                      \
    X(EVENTS_DROPPED, "conversation_events_dropped", COUNTER, "events",                            \
      "Events that a subscription dropped.")                                                       \
    X(SERIES_OVERFLOW, "conversation_metric_overflows", COUNTER, "records",                        \
      "Usage records counted as model other, because there were too many names.")                  \
    X(BUILD, "conversation_build", INFO, "", "The library's version.")

typedef enum conv__family_index {
#define CONV__FAMILY_ENUM(symbol, name, type, unit, meaning) CONV__FAMILY_##symbol,
    CONV__FAMILY_MAP(CONV__FAMILY_ENUM)
#undef CONV__FAMILY_ENUM
        CONV__FAMILIES
} conv__family_index;

typedef struct conv__family {
    const char *name;
    conv__family_type type;
    const char *unit;
    const char *meaning;
} conv__family;

extern const conv__family conv__families[CONV__FAMILIES];

const char *conv__family_type_name(conv__family_type type);

/* Why the store did not take something: its SQLSTATE's class, else the status. */
enum { CONV__CAUSES = 28 };
int conv__cause_of(conv_status status, const char *sqlstate);
const char *conv__cause_name(int cause);

#endif
