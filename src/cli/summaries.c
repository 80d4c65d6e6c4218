/* conversation summaries: what is kept of long sessions, and making it. It holds one page. */
#include "cli/commands.h"

#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/notify.h"
#include "cli/output.h"
#include "cli/provider.h"
#include "cli/session_check.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/summary.h"

#define LIMIT_DEFAULT   50
#define PAGE            1000
#define WIDTH_ELSEWHERE 100

typedef struct printing {
    cli_form form;
    bool whole; /* the whole text, not one line of it */
    bool any;
} printing;

static json_t *points_of(const conv_summary *summary)
{
    json_t *points = NULL;
    if (summary->key_points.data != NULL)
        points = json_loadb(summary->key_points.data, summary->key_points.size, 0, NULL);
    return points != NULL ? points : json_array();
}

static bool print_json(printing *self, const conv_summary *summary)
{
    char id[CONV_UUID_TEXT_SIZE];
    char log_id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(summary->summary_id, id);
    conv_uuid_format(summary->log_id, log_id);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "id", cli_json_text(summary->external_id));
    cli_json_add(value, &failed, "summary_id", json_string(id));
    cli_json_add(value, &failed, "summary", cli_json_text(summary->text));
    cli_json_add(value, &failed, "key_points", points_of(summary));
    cli_json_add(value, &failed, "last_position", json_integer(summary->last_position));
    cli_json_add(value, &failed, "model", cli_json_text(summary->model));
    cli_json_add(value, &failed, "log_id", json_string(log_id));
    cli_json_add(value, &failed, "created_at", cli_json_time(summary->created_us));
    if (self->form == CLI_FORM_JSONL) return cli_json_print(stdout, value, failed);
    if (self->any) fputs(", ", stdout);
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputc('}', stdout);
    return true;
}

static void print_people(const printing *self, const conv_summary *summary)
{
    char time[CLI_FORMAT_SIZE];
    size_t terminal = cli_terminal_width(stdout);
    size_t width = terminal > 20 ? terminal : WIDTH_ELSEWHERE;
    cli_format_time(summary->created_us, time);
    if (self->any) fputc('\n', stdout);
    cli_display_line(stdout, summary->external_id, 60);
    printf("  up to #%lld  %s\n", (long long)summary->last_position, time);
    if (!self->whole) {
        fputs("    ", stdout);
        cli_display_line(stdout, summary->text, width - 4);
        fputc('\n', stdout);
        return;
    }
    cli_display_wrapped(stdout, summary->text, width, "  ");
    json_t *points = points_of(summary);
    for (size_t i = 0; i < json_array_size(points); i++) {
        const char *point = json_string_value(json_array_get(points, i));
        if (point == NULL) continue;
        fputs("  - ", stdout);
        cli_display_line(stdout, conv_text(point), 0);
        fputc('\n', stdout);
    }
    json_decref(points);
}

static bool print_page(printing *self, const conv_summary_page *page)
{
    for (size_t i = 0; i < conv_summary_page_count(page); i++) {
        const conv_summary *summary = conv_summary_page_summary(page, i);
        if (self->form == CLI_FORM_PEOPLE)
            print_people(self, summary);
        else if (!print_json(self, summary))
            return false;
        self->any = true;
    }
    return true;
}

static cli_exit list(const cli_arguments *arguments, conv_client *client, printing *self)
{
    conv_summary_filter filter = CONV_SUMMARY_FILTER_INIT;
    conv_error error = CONV_ERROR_INIT;
    conv_status status = CONV_OK;
    bool limited = cli_given(arguments, CLI_OPTION_LIMIT);
    int64_t left = limited ? arguments->numbers[CLI_OPTION_LIMIT] : LIMIT_DEFAULT;
    bool more = true;
    filter.session_id = self->whole ? arguments->words[1] : arguments->texts[CLI_OPTION_SESSION];
    if (self->whole) left = 1;
    cli_exit code = cli_session_check(arguments, client, filter.session_id);
    if (code != CLI_EXIT_OK) return code;
    if (self->form == CLI_FORM_JSON) fputc('[', stdout);
    while (status == CONV_OK && more && left > 0) {
        conv_summary_page *page = NULL;
        filter.limit = left < PAGE ? (size_t)left : PAGE;
        status = conv_summary_list(client, &filter, &page, &error);
        if (status != CONV_OK) break;
        size_t count = conv_summary_page_count(page);
        more = print_page(self, page) && conv_summary_page_has_more(page) && count > 0;
        left -= (int64_t)count;
        if (count > 0) {
            filter.after_us = conv_summary_page_summary(page, count - 1)->created_us;
            filter.after_id = conv_summary_page_summary(page, count - 1)->summary_id;
        }
        conv_summary_page_free(page);
    }
    if (self->form == CLI_FORM_JSON) fputs("]\n", stdout);
    if (status != CONV_OK) return cli_report(CLI_PART_STORE, &error);
    if (!self->any && (self->whole || self->form == CLI_FORM_PEOPLE))
        cli_note("there is no summary");
    if (more && !self->whole) cli_note("there are more summaries: --limit N shows more of them");
    return self->whole && !self->any ? CLI_EXIT_NOT_FOUND : CLI_EXIT_OK;
}

static cli_exit make(const cli_arguments *arguments, conv_client *client, printing *self)
{
    conv_summary_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = CLI_EXIT_OK;
    self->whole = true;
    if (conv_summary_make(client, arguments->words[1], &page, &error) != CONV_OK)
        return cli_report(error.status == CONV_PROVIDER || error.status == CONV_CANCELLED
                              ? CLI_PART_PROVIDER
                              : CLI_PART_STORE,
                          &error);
    if (self->form == CLI_FORM_JSON) fputc('[', stdout);
    if (!print_page(self, page)) code = CLI_EXIT_FAILED;
    if (self->form == CLI_FORM_JSON) fputs("]\n", stdout);
    if (conv_summary_page_count(page) == 0)
        cli_note("nothing was said that the latest summary does not cover");
    conv_summary_page_free(page);
    return code;
}

/* What is wrong about the words and options, or NULL. */
static const char *problem_of(const cli_arguments *arguments, const char *what)
{
    bool makes = strcmp(what, "make") == 0;
    bool shows = strcmp(what, "show") == 0;
    bool asks = cli_given(arguments, CLI_OPTION_PROVIDER) ||
                cli_given(arguments, CLI_OPTION_MODEL) || cli_given(arguments, CLI_OPTION_BASE_URL);
    if (!makes && !shows && strcmp(what, "list") != 0) return "it is list, show or make";
    if ((makes || shows) != (arguments->word_count == 2))
        return makes || shows ? "show and make want a session" : "list takes --session ID";
    if (asks && !makes) return "--provider, --model and --base-url are for make";
    if (cli_given(arguments, CLI_OPTION_CONTEXT_TOKENS) && !makes)
        return "--context-tokens is for make";
    if (cli_given(arguments, CLI_OPTION_REDACT) && !makes) return "--redact is for make";
    if (cli_given(arguments, CLI_OPTION_JOURNAL) && !makes) return "--journal is for make";
    if (cli_notify_given(arguments) && !makes) return "--notify is for make";
    if (cli_given(arguments, CLI_OPTION_SESSION) && (makes || shows))
        return "--session is for list";
    return NULL;
}

cli_exit cli_summaries(const cli_arguments *arguments)
{
    const char *what = arguments->word_count > 0 ? arguments->words[0] : "list";
    const char *problem = problem_of(arguments, what);
    printing self = {.whole = strcmp(what, "show") == 0};
    conv_provider *provider = NULL;
    conv_client *client = NULL;
    if (problem != NULL) {
        cli_complain("summaries: %s", problem);
        return CLI_EXIT_USAGE;
    }
    if (!cli_form_of(arguments, &self.form)) return CLI_EXIT_USAGE;
    if (strcmp(what, "make") != 0) {
        cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
        return code == CLI_EXIT_OK ? cli_store_close(client, list(arguments, client, &self)) : code;
    }
    cli_exit code = cli_provider_open(arguments, &provider);
    if (code != CLI_EXIT_OK) return code;
    code = cli_store_open_existing(arguments, provider, &client);
    if (code == CLI_EXIT_OK)
        code = cli_store_drain(arguments, client, make(arguments, client, &self));
    conv_provider_free(provider);
    return code;
}
