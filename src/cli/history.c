/* conversation history: the messages of a session, page by page. It must not hold more than a page.
 */
#include "cli/commands.h"

#include <string.h>

#include "cli/message_print.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/history.h"
#include "conversation/session.h"
#include "conversation/transcript.h"

#define PAGE            100
#define PAGE_MOST       1000
#define WIDTH_ELSEWHERE 100 /* of a transcript that goes into a file */

typedef struct reading {
    conv_client *client;
    conv_history_params params;
    int64_t left; /* messages still to be printed; INT64_MAX: all */
    cli_form form;
    size_t width;
    bool any;
    bool branches; /* only where each ends */
    conv_error error;
} reading;

/* Members about a message that are ours; the message itself stands beside them as OpenAI's API has
 * it. */
static bool print_json(reading *self, const conv_message *message, conv_uuid parent)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(message->message_id, id);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "position", json_integer(message->position));
    cli_json_add(value, &failed, "message_id", json_string(id));
    conv_uuid_format(parent, id);
    cli_json_add(value, &failed, "parent_id",
                 conv_uuid_is_nil(parent) ? json_null() : json_string(id));
    cli_json_add(value, &failed, "created_at", cli_json_time(message->created_us));
    cli_json_add(value, &failed, "status", json_string(conv_outcome_name(message->status)));
    cli_json_add(value, &failed, "model", cli_json_text(message->model));
    if (self->form == CLI_FORM_JSON && self->any) fputs(", ", stdout);
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputs(", \"message\": ", stdout);
    /* What standard output can't take shows at the end of the program. */
    (void)!conv_transcript_write_message(stdout, message, true, &self->error);
    fputs(self->form == CLI_FORM_JSONL ? "}\n" : "}", stdout);
    return true;
}

/* With the id that --branch wants. */
static void print_ending(const reading *self, const conv_message *message)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(message->message_id, id);
    printf("%s%s%s\n", cli_style_of(stdout, CLI_STYLE_DIM), id,
           cli_style_of(stdout, CLI_STYLE_PLAIN));
    cli_message_print(stdout, message, self->width);
}

static bool print_page(reading *self, const conv_history *page)
{
    for (size_t i = 0; i < conv_history_count(page) && self->left > 0; i++) {
        const conv_message *message = conv_history_message(page, i);
        if (self->form == CLI_FORM_PEOPLE && self->branches)
            print_ending(self, message);
        else if (self->form == CLI_FORM_PEOPLE)
            cli_message_print(stdout, message, self->width);
        else if (!print_json(self, message, conv_history_parent(page, i)))
            return false;
        self->any = true;
        self->params.after = message->position;
        if (self->left != INT64_MAX) self->left--;
    }
    return true;
}

static conv_status print_pages(reading *self)
{
    bool backwards = self->params.before > 0;
    for (bool more = true; more && self->left > 0 && cli_signals_caught() == 0;) {
        if (!backwards) self->params.limit = self->left < PAGE ? (size_t)self->left : PAGE;
        conv_history *page = NULL;
        conv_status status =
            self->branches
                ? conv_history_branches(self->client, self->params.session_id, &page, &self->error)
                : conv_history_read(self->client, &self->params, &page, &self->error);
        if (status != CONV_OK) return status;
        more = !backwards && !self->branches && conv_history_has_more(page) &&
               conv_history_count(page) > 0;
        bool printed = print_page(self, page);
        conv_history_free(page);
        if (!printed || ferror(stdout) != 0) return CONV_OK;
    }
    return CONV_OK;
}

static bool usage_problem(const char *problem)
{
    cli_complain("history: %s", problem);
    return false;
}

static bool read_branch(const cli_arguments *arguments, reading *self)
{
    const char *branch = arguments->texts[CLI_OPTION_BRANCH];
    self->branches = cli_given(arguments, CLI_OPTION_BRANCHES);
    if (self->branches &&
        (branch != NULL || cli_given(arguments, CLI_OPTION_AFTER) ||
         cli_given(arguments, CLI_OPTION_BEFORE) || cli_given(arguments, CLI_OPTION_LAST)))
        return usage_problem("--branches goes with --limit alone");
    self->params.branch = branch != NULL;
    if (branch == NULL || strcmp(branch, "last") == 0) return true;
    return conv_uuid_parse(conv_text(branch), &self->params.last) ||
           usage_problem("--branch wants the id of a message, or last");
}

/* --after reads forwards; --before and --last read one page that ends there. */
static bool read_options(const cli_arguments *arguments, reading *self)
{
    bool after = cli_given(arguments, CLI_OPTION_AFTER);
    bool before = cli_given(arguments, CLI_OPTION_BEFORE);
    bool last = cli_given(arguments, CLI_OPTION_LAST);
    bool limit = cli_given(arguments, CLI_OPTION_LIMIT);
    if (after + before + last > 1)
        return usage_problem("--after, --before and --last exclude each other");
    if (last && limit) return usage_problem("--last says how many; leave out --limit");
    if (!read_branch(arguments, self)) return false;
    self->left = limit ? arguments->numbers[CLI_OPTION_LIMIT] : INT64_MAX;
    self->params.after = arguments->numbers[CLI_OPTION_AFTER];
    if (!before && !last) return true;
    if (last) self->left = arguments->numbers[CLI_OPTION_LAST];
    if (before && !limit) self->left = PAGE;
    if (self->left > PAGE_MOST) return usage_problem("--before takes a --limit of 1000 at most");
    self->params.before = last ? INT64_MAX : arguments->numbers[CLI_OPTION_BEFORE];
    self->params.limit = (size_t)self->left;
    return true;
}

static conv_status print_session(reading *self, const char *session_id)
{
    conv_session_page *page = NULL;
    conv_status status = CONV_OK;
    if (self->form == CLI_FORM_JSON) {
        status = conv_session_get(self->client, session_id, &page, &self->error);
        if (status != CONV_OK) return status;
        const conv_session *session = conv_session_page_session(page, 0);
        json_t *value = json_object();
        bool failed = false;
        cli_json_add(value, &failed, "id", cli_json_text(session->external_id));
        cli_json_add(value, &failed, "user", cli_json_text(session->external_user_id));
        cli_json_add(value, &failed, "title", cli_json_text(session->title));
        cli_json_add(value, &failed, "message_count", json_integer(session->message_count));
        bool printed = cli_json_print_open(stdout, value, failed);
        conv_session_page_free(page);
        if (!printed) return CONV_OK;
        fputs(", \"messages\": [", stdout);
    }
    status = print_pages(self);
    if (self->form == CLI_FORM_JSON) fputs("]}\n", stdout);
    return status;
}

cli_exit cli_history(const cli_arguments *arguments)
{
    reading self = {.params = CONV_HISTORY_PARAMS_INIT, .error = CONV_ERROR_INIT};
    if (!cli_form_of(arguments, &self.form) || !read_options(arguments, &self))
        return CLI_EXIT_USAGE;
    size_t width = cli_terminal_width(stdout);
    self.width = width > 0 && width < WIDTH_ELSEWHERE ? width : WIDTH_ELSEWHERE;
    self.params.session_id = arguments->words[0];
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &self.client);
    if (code != CLI_EXIT_OK) return code;
    cli_signals_catch();
    if (print_session(&self, arguments->words[0]) != CONV_OK)
        code = cli_report(CLI_PART_STORE, &self.error);
    else if (cli_signals_caught() != 0)
        code = cli_exit_of_signal(cli_signals_caught());
    return cli_store_close(self.client, code);
}
