/* conversation track: one operation of a script as a usage record. It asks and measures nothing. */
#include "cli/commands.h"

#include <string.h>
#include <time.h>

#include "cli/display.h"
#include "cli/document_print.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/spelling.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/document.h"
#include "conversation/tracking.h"

#define FLUSH_MS 30000

/* What operations are called: by OpenTelemetry's GenAI conventions, and of documents. */
static const char *const names[] = {"chat",         "create_agent",    "embedding",
                                    "embeddings",   "execute_tool",    "generate_content",
                                    "invoke_agent", "text_completion", "delete",
                                    "embed",        "parse",           "search",
                                    "upload"};

static int64_t now_us(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    return (int64_t)moment.tv_sec * 1000000 + moment.tv_nsec / 1000;
}

/* A name of these that `word` is by one slip of the finger; NULL: it is one, or a name of its own.
 */
static const char *meant_by(const char *word)
{
    cli_spelling spelling = cli_spelling_begin(word);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cli_spelling_try(&spelling, names[i]);
    return spelling.best != NULL && spelling.distance == 1 ? spelling.best : NULL;
}

static cli_exit refuse(const char *problem)
{
    cli_complain("track: %s", problem);
    cli_hint("`conversation help track` shows how");
    return CLI_EXIT_USAGE;
}

/* The ledger forgets nothing, so a name is questioned before it is in there. */
static cli_exit check_operation(const cli_arguments *arguments)
{
    const char *word = arguments->words[0];
    if (word[0] == '\0') return refuse("the operation has no name");
    const char *meant = cli_given(arguments, CLI_OPTION_YES) ? NULL : meant_by(word);
    if (meant == NULL) return CLI_EXIT_OK;
    cli_complain("track: unknown operation; did you mean '%s'?", meant);
    cli_hint("--yes records it under the name that was given");
    return CLI_EXIT_USAGE;
}

static int64_t count_of(const cli_arguments *arguments, cli_option option)
{
    return cli_given(arguments, option) ? arguments->numbers[option] : CONV_UNKNOWN;
}

static void set_total(conv_usage *usage)
{
    if (usage->input_tokens != CONV_UNKNOWN && usage->output_tokens != CONV_UNKNOWN &&
        __builtin_add_overflow(usage->input_tokens, usage->output_tokens, &usage->total_tokens))
        usage->total_tokens = CONV_UNKNOWN;
}

static conv_outcome outcome_of(const char *name)
{
    conv_outcome outcome = CONV_OUTCOME_COMPLETE;
    while (name != NULL && outcome < CONV_OUTCOME_FAILED &&
           strcmp(conv_outcome_name(outcome), name) != 0)
        outcome++;
    return outcome;
}

/* The id is made here, so that the same command can be repeated by it after a failure. */
static cli_exit read_usage(const cli_arguments *arguments, conv_usage *usage)
{
    const char *const *texts = arguments->texts;
    const char *log_id = texts[CLI_OPTION_LOG_ID];
    const char *document = texts[CLI_OPTION_DOCUMENT];
    const char *cost = texts[CLI_OPTION_COST];
    const char *service = texts[CLI_OPTION_SERVICE];
    *usage = (conv_usage)CONV_USAGE_INIT;
    if (service != NULL && service[0] == '\0') return refuse("--service is empty");
    if (cost != NULL && (conv_decimal_parse(conv_text(cost), &usage->cost_usd) != CONV_OK ||
                         usage->cost_usd.negative))
        return refuse("--cost wants US dollars as a decimal number, e.g. 0.00042");
    usage->priced = cost != NULL;
    usage->log_id = log_id != NULL ? conv_uuid_ensure(conv_text(log_id)) : conv_uuid_v7();
    usage->document_id = conv_text(document);
    usage->session_id = conv_text(texts[CLI_OPTION_SESSION]);
    usage->user_id = conv_text(texts[CLI_OPTION_USER]);
    usage->service = conv_text(service != NULL    ? service
                               : document != NULL ? "documents"
                                                  : "application");
    usage->operation = conv_text(arguments->words[0]);
    usage->model = conv_text(texts[CLI_OPTION_MODEL]);
    usage->input_tokens = count_of(arguments, CLI_OPTION_INPUT_TOKENS);
    usage->output_tokens = count_of(arguments, CLI_OPTION_OUTPUT_TOKENS);
    usage->processed_bytes = count_of(arguments, CLI_OPTION_BYTES);
    usage->latency_ms = count_of(arguments, CLI_OPTION_LATENCY);
    usage->status = outcome_of(texts[CLI_OPTION_STATUS]);
    set_total(usage);
    return CLI_EXIT_OK;
}

static conv_status track(conv_client *client, const conv_usage *usage, conv_error *error)
{
    conv_status status = conv_track_usage(client, usage, error);
    return status == CONV_OK ? conv_track_flush(client, FLUSH_MS, NULL, error) : status;
}

/* Looks for the document first: under a wrong id the library would record what was used all the
 * same, and the command with the right one would count it again. */
static conv_status track_document(const cli_arguments *arguments, conv_client *client,
                                  const conv_usage *usage, conv_error *error)
{
    conv_document_page *page = NULL;
    conv_status status = conv_document_get(client, arguments->texts[CLI_OPTION_DOCUMENT],
                                           arguments->texts[CLI_OPTION_SESSION], &page, error);
    conv_document_page_free(page);
    if (status == CONV_OK) status = conv_document_track(client, usage, error);
    if (status == CONV_OK || arguments->texts[CLI_OPTION_JOURNAL] == NULL ||
        !conv_error_is_retryable(error))
        return status;
    status = track(client, usage, error);
    if (status == CONV_OK)
        cli_note("the store was away: what was used is recorded, and the document keeps its last "
                 "operation");
    return status;
}

static void print_line(const conv_usage *usage)
{
    char text[CONV_DECIMAL_TEXT_SIZE > CLI_FORMAT_SIZE ? CONV_DECIMAL_TEXT_SIZE : CLI_FORMAT_SIZE];
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(usage->log_id, id);
    printf("recorded %s: ", id);
    cli_display_line(stdout, usage->service, 0);
    putchar(' ');
    cli_display_line(stdout, usage->operation, 0);
    if (usage->document_id.data != NULL) {
        fputs(" of ", stdout);
        cli_display_line(stdout, usage->document_id, 0);
    }
    if (usage->status != CONV_OUTCOME_COMPLETE) printf(", %s", conv_outcome_name(usage->status));
    if (usage->input_tokens != CONV_UNKNOWN) {
        cli_format_count(usage->input_tokens, text);
        printf(", %s %s in", text, usage->input_tokens == 1 ? "token" : "tokens");
    }
    if (usage->output_tokens != CONV_UNKNOWN) {
        cli_format_count(usage->output_tokens, text);
        printf(", %s %s out", text, usage->output_tokens == 1 ? "token" : "tokens");
    }
    if (usage->processed_bytes != CONV_UNKNOWN) {
        cli_format_bytes(usage->processed_bytes, text);
        printf(", %s", text);
    }
    if (usage->priced) {
        conv_decimal_format(usage->cost_usd, text);
        printf(", %s USD", text);
    }
    if (usage->latency_ms != CONV_UNKNOWN) {
        cli_format_duration(usage->latency_ms, text);
        printf(", %s", text);
    }
    putchar('\n');
}

static cli_exit print(const conv_usage *usage, bool json)
{
    if (!json) {
        print_line(usage);
        return CLI_EXIT_OK;
    }
    bool failed = false;
    json_t *value = cli_operation_value(usage);
    cli_json_add(value, &failed, "session", cli_json_text(usage->session_id));
    cli_json_add(value, &failed, "document", cli_json_text(usage->document_id));
    return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static cli_exit report(const cli_arguments *arguments, const conv_usage *usage,
                       const conv_error *error)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(usage->log_id, id);
    cli_exit code = cli_report(CLI_PART_STORE, error);
    if (error->outcome_unknown && arguments->texts[CLI_OPTION_LOG_ID] == NULL)
        cli_hint("with --log-id %s it counts once", id);
    return code;
}

cli_exit cli_track(const cli_arguments *arguments)
{
    conv_usage usage;
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = check_operation(arguments);
    if (code == CLI_EXIT_OK) code = read_usage(arguments, &usage);
    if (code == CLI_EXIT_OK) code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    usage.created_us = now_us();
    conv_status status = cli_given(arguments, CLI_OPTION_DOCUMENT)
                             ? track_document(arguments, client, &usage, &error)
                             : track(client, &usage, &error);
    code = status == CONV_OK ? print(&usage, cli_given(arguments, CLI_OPTION_JSON))
                             : report(arguments, &usage, &error);
    return cli_store_drain(arguments, client, code);
}
