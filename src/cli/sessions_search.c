/* conversation sessions search: messages by the words that are in them. It holds one page. */
#include "cli/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/output.h"
#include "cli/session_check.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/search.h"

#define LIMIT_DEFAULT   20
#define PAGE            100
#define WIDTH_ELSEWHERE 100

typedef struct search {
    conv_client *client;
    cli_form form;
    conv_search_params params;
    int64_t left;
    bool any;
    bool more;
    bool complete;
    bool has_words;
    conv_error error;
} search;

static bool print_json(search *self, const conv_search_hit *hit)
{
    char session[CONV_UUID_TEXT_SIZE];
    char message[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(hit->session_id, session);
    conv_uuid_format(hit->message_id, message);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "id", cli_json_text(hit->external_id));
    cli_json_add(value, &failed, "session_id", json_string(session));
    cli_json_add(value, &failed, "title", cli_json_text(hit->title));
    cli_json_add(value, &failed, "message_id", json_string(message));
    cli_json_add(value, &failed, "position", json_integer(hit->position));
    cli_json_add(value, &failed, "role", json_string(conv_role_name(hit->role)));
    cli_json_add(value, &failed, "created_at", cli_json_time(hit->created_us));
    cli_json_add(value, &failed, "snippet", cli_json_text(hit->snippet));
    if (self->form == CLI_FORM_JSONL) return cli_json_print(stdout, value, failed);
    if (self->any) fputs(", ", stdout);
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputc('}', stdout);
    return true;
}

static void print_people(const search *self, const conv_search_hit *hit)
{
    char time[CLI_FORMAT_SIZE];
    size_t width = cli_terminal_width(stdout);
    cli_format_time(hit->created_us, time);
    if (self->any) fputc('\n', stdout);
    cli_display_line(stdout, hit->external_id, 60);
    printf("  #%lld  %s  %s\n    ", (long long)hit->position, conv_role_name(hit->role), time);
    cli_display_line(stdout, hit->snippet, (width > 20 ? width : WIDTH_ELSEWHERE) - 4);
    fputc('\n', stdout);
}

static bool print_page(search *self, const conv_search_page *page)
{
    size_t count = conv_search_page_count(page);
    for (size_t i = 0; i < count; i++) {
        const conv_search_hit *hit = conv_search_page_hit(page, i);
        if (self->form == CLI_FORM_PEOPLE)
            print_people(self, hit);
        else if (!print_json(self, hit))
            return false;
        self->any = true;
        self->left--;
        self->params.after_us = hit->created_us;
        self->params.after_id = hit->session_id;
        self->params.after_position = hit->position;
    }
    self->more = conv_search_page_has_more(page) && count > 0;
    self->complete = conv_search_page_is_complete(page);
    self->has_words = conv_search_page_has_words(page);
    return true;
}

static conv_status print_pages(search *self)
{
    for (self->more = true; self->more && self->left > 0;) {
        conv_search_page *page = NULL;
        self->params.limit = self->left < PAGE ? (size_t)self->left : PAGE;
        conv_status status = conv_search(self->client, &self->params, &page, &self->error);
        if (status != CONV_OK) return status;
        bool printed = print_page(self, page);
        conv_search_page_free(page);
        if (!printed) return CONV_OK;
    }
    return CONV_OK;
}

/* The words of the command line as one query; to be freed, NULL when out of memory. */
static char *join(const cli_arguments *arguments)
{
    size_t size = 1;
    for (size_t i = 1; i < arguments->word_count; i++)
        size += strlen(arguments->words[i]) + 1;
    char *query = calloc(1, size);
    if (query == NULL) return NULL;
    for (size_t i = 1, used = 0; i < arguments->word_count; i++)
        used += (size_t)snprintf(query + used, size - used, "%s%s", i > 1 ? " " : "",
                                 arguments->words[i]);
    return query;
}

static cli_exit run(search *self)
{
    if (self->form == CLI_FORM_JSON) fputc('[', stdout);
    conv_status status = print_pages(self);
    if (self->form == CLI_FORM_JSON) fputs("]\n", stdout);
    if (status != CONV_OK) return cli_report(CLI_PART_STORE, &self->error);
    if (!self->has_words)
        cli_note("the query has no word to look for");
    else if (!self->any && self->form == CLI_FORM_PEOPLE)
        cli_note("nothing was found");
    if (!self->complete)
        cli_note("not all messages are indexed yet: search again to go on with it");
    if (self->more) cli_note("there is more: --limit N shows more of it");
    return CLI_EXIT_OK;
}

cli_exit cli_sessions_search(const cli_arguments *arguments)
{
    search self = {.params = CONV_SEARCH_PARAMS_INIT, .error = CONV_ERROR_INIT};
    if (!cli_form_of(arguments, &self.form)) return CLI_EXIT_USAGE;
    if (self.form == CLI_FORM_CSV) {
        cli_complain("sessions: a search takes --json or --jsonl, not --csv");
        return CLI_EXIT_USAGE;
    }
    bool limited = cli_given(arguments, CLI_OPTION_LIMIT);
    self.left = limited ? arguments->numbers[CLI_OPTION_LIMIT] : LIMIT_DEFAULT;
    self.params.user_id = arguments->texts[CLI_OPTION_USER];
    self.params.session_id = arguments->texts[CLI_OPTION_SESSION];
    if (cli_given(arguments, CLI_OPTION_ARCHIVED)) self.params.archived = CONV_ARCHIVED_ONLY;
    cli_exit code = cli_store_open_existing(arguments, NULL, &self.client);
    if (code != CLI_EXIT_OK) return code;
    char *query = join(arguments);
    self.params.query = conv_text(query);
    if (query != NULL) {
        code = cli_session_check(arguments, self.client, self.params.session_id);
        if (code == CLI_EXIT_OK) code = run(&self);
    } else {
        cli_complain("search messages: out of memory");
        code = CLI_EXIT_FAILED;
    }
    free(query);
    return cli_store_close(self.client, code);
}
