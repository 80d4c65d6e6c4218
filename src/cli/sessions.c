/* conversation sessions: the list of a store's sessions, without what was said in them. Its other
 * words stand in files of their own. */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/notify.h"
#include "cli/output.h"
#include "cli/sessions.h"
#include "cli/store.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "conversation/session.h"

#define LIMIT_DEFAULT 50
#define PAGE          1000
#define TAGS_SIZE     512

static const cli_column columns[] = {
    {"session", false, CLI_LEAST_TEXT},
    {"user", false, CLI_LEAST_TEXT},
    {"title", false, CLI_LEAST_TEXT},
    {"tags", false, CLI_LEAST_TEXT},
    {"messages", true, 0},
    {"updated (UTC)", false, 0},
};

#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

typedef struct listing {
    conv_client *client;
    cli_form form;
    cli_table *table;
    bool any;
    conv_error error;
} listing;

/* The tags as people write them; cut where there are many. */
static conv_bytes tags_of(const conv_session *session, char text[TAGS_SIZE])
{
    size_t used = 0;
    for (size_t i = 0; i < session->tag_count && used < TAGS_SIZE; i++)
        used += (size_t)snprintf(text + used, TAGS_SIZE - used, "%s%s", i > 0 ? ", " : "",
                                 session->tags[i].data);
    return conv_text(session->tag_count > 0 ? text : NULL);
}

static bool add_row(listing *self, const conv_session *session)
{
    char count[CLI_FORMAT_SIZE];
    char updated[CLI_FORMAT_SIZE];
    char tags[TAGS_SIZE];
    cli_format_count(session->message_count, count);
    cli_format_time(session->updated_us, updated);
    conv_bytes cells[COLUMN_COUNT] = {session->external_id, session->external_user_id,
                                      session->title,       tags_of(session, tags),
                                      conv_text(count),     conv_text(updated)};
    if (cli_table_add(self->table, cells)) return true;
    cli_complain("list sessions: out of memory");
    return false;
}

static json_t *json_tags(const conv_session *session, bool *failed)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < session->tag_count; i++)
        if (json_array_append_new(tags, cli_json_text(session->tags[i])) != 0) *failed = true;
    return tags;
}

static bool print_json(listing *self, const conv_session *session)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(session->session_id, id);
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "id", cli_json_text(session->external_id));
    cli_json_add(value, &failed, "session_id", json_string(id));
    cli_json_add(value, &failed, "user", cli_json_text(session->external_user_id));
    cli_json_add(value, &failed, "title", cli_json_text(session->title));
    cli_json_add(value, &failed, "tags", json_tags(session, &failed));
    cli_json_add(value, &failed, "message_count", json_integer(session->message_count));
    cli_json_add(value, &failed, "created_at", cli_json_time(session->created_us));
    cli_json_add(value, &failed, "updated_at", cli_json_time(session->updated_us));
    cli_json_add(value, &failed, "archived_at",
                 session->archived_us != 0 ? cli_json_time(session->archived_us) : json_null());
    if (self->form == CLI_FORM_JSONL) return cli_json_print(stdout, value, failed);
    if (self->any) fputs(", ", stdout);
    if (!cli_json_print_open(stdout, value, failed)) return false;
    fputc('}', stdout);
    return true;
}

static void csv_heading(void)
{
    static const char *const names[] = {"id",         "session_id",    "user",
                                        "title",      "message_count", "created_at",
                                        "updated_at", "tags",          "archived_at"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cli_csv_field(stdout, conv_text(names[i]), i == 0);
    cli_csv_end(stdout);
}

/* A tag may hold whatever separates tags elsewhere: as a JSON array they can be read again. */
static bool print_csv_tags(const conv_session *session)
{
    bool failed = false;
    if (session->tag_count == 0) {
        cli_csv_field(stdout, conv_text(NULL), false);
        return true;
    }
    json_t *tags = json_tags(session, &failed);
    char *text = failed ? NULL : json_dumps(tags, 0);
    json_decref(tags);
    if (text == NULL) {
        cli_complain("list sessions: out of memory");
        return false;
    }
    cli_csv_field(stdout, conv_text(text), false);
    free(text);
    return true;
}

static bool print_csv(const conv_session *session)
{
    char id[CONV_UUID_TEXT_SIZE];
    char text[CLI_FORMAT_SIZE];
    conv_uuid_format(session->session_id, id);
    cli_csv_field(stdout, session->external_id, true);
    cli_csv_field(stdout, conv_text(id), false);
    cli_csv_field(stdout, session->external_user_id, false);
    cli_csv_field(stdout, session->title, false);
    snprintf(text, sizeof text, "%lld", (long long)session->message_count);
    cli_csv_field(stdout, conv_text(text), false);
    cli_format_timestamp(session->created_us, text);
    cli_csv_field(stdout, conv_text(text), false);
    cli_format_timestamp(session->updated_us, text);
    cli_csv_field(stdout, conv_text(text), false);
    if (!print_csv_tags(session)) return false;
    cli_format_timestamp(session->archived_us, text);
    cli_csv_field(stdout, conv_text(session->archived_us != 0 ? text : NULL), false);
    cli_csv_end(stdout);
    return true;
}

static bool print_session(listing *self, const conv_session *session)
{
    bool ok = true;
    if (self->form == CLI_FORM_PEOPLE)
        ok = add_row(self, session);
    else if (self->form == CLI_FORM_CSV)
        ok = print_csv(session);
    else
        ok = print_json(self, session);
    self->any = true;
    return ok;
}

/* Prints at most `left` sessions; `more` says whether others follow. */
static conv_status print_pages(listing *self, const cli_arguments *arguments, int64_t left,
                               bool *more)
{
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    filter.user_id = conv_text(arguments->texts[CLI_OPTION_USER]);
    filter.tag = conv_text(arguments->texts[CLI_OPTION_TAG]);
    if (cli_given(arguments, CLI_OPTION_ARCHIVED)) filter.archived = CONV_ARCHIVED_ONLY;
    for (*more = true; *more && left > 0;) {
        filter.limit = left < PAGE ? (size_t)left : PAGE;
        conv_session_page *page = NULL;
        conv_status status = conv_session_list(self->client, &filter, &page, &self->error);
        if (status != CONV_OK) return status;
        size_t count = conv_session_page_count(page);
        bool ok = true;
        for (size_t i = 0; i < count && ok; i++) {
            const conv_session *session = conv_session_page_session(page, i);
            ok = print_session(self, session);
            filter.after_us = session->updated_us;
            filter.after_id = session->session_id;
            left--;
        }
        *more = conv_session_page_has_more(page) && count > 0;
        conv_session_page_free(page);
        if (!ok) {
            self->error.status = CONV_NO_MEMORY;
            return CONV_OK;
        }
    }
    return CONV_OK;
}

static void append(FILE *file, const char *before, const char *text)
{
    if (text == NULL) return;
    fputs(before, file);
    cli_display_line(file, conv_text(text), 60);
}

/* "there are no archived sessions of ann with the tag urgent": what was chosen by is named, because
 * it may be a slip of the pen. */
static void note_nothing(const cli_arguments *arguments)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) return;
    append(file, " of ", arguments->texts[CLI_OPTION_USER]);
    append(file, " with the tag ", arguments->texts[CLI_OPTION_TAG]);
    if (fclose(file) == 0)
        cli_note("there are no %ssessions%s",
                 cli_given(arguments, CLI_OPTION_ARCHIVED) ? "archived " : "", text);
    free(text);
}

static cli_exit list(listing *self, const cli_arguments *arguments)
{
    bool more = false;
    bool limited = cli_given(arguments, CLI_OPTION_LIMIT);
    int64_t limit = limited ? arguments->numbers[CLI_OPTION_LIMIT] : LIMIT_DEFAULT;
    if (self->form == CLI_FORM_JSON) fputc('[', stdout);
    if (self->form == CLI_FORM_CSV) csv_heading();
    conv_status status = print_pages(self, arguments, limit, &more);
    if (self->form == CLI_FORM_JSON) fputs("]\n", stdout);
    if (status != CONV_OK) return cli_report(CLI_PART_STORE, &self->error);
    if (self->error.status == CONV_NO_MEMORY) return CLI_EXIT_FAILED;
    if (self->form == CLI_FORM_PEOPLE && self->any)
        cli_table_print(self->table, stdout, cli_terminal_width(stdout));
    if (self->form == CLI_FORM_PEOPLE && !self->any) note_nothing(arguments);
    if (more) cli_note("there are more sessions: --limit N shows more of them");
    return CLI_EXIT_OK;
}

/* What is wrong about the words and options, or NULL. */
static const char *problem_of(const cli_arguments *arguments, const char *what)
{
    bool searches = strcmp(what, "search") == 0;
    bool lists = strcmp(what, "list") == 0;
    if (lists && arguments->word_count > 1) return "list takes no further word";
    if (searches && arguments->word_count == 1) return "search wants a query";
    if (cli_given(arguments, CLI_OPTION_TAG) && !lists) return "--tag is for the list";
    if (cli_given(arguments, CLI_OPTION_SESSION) && !searches) return "--session is for search";
    if (cli_given(arguments, CLI_OPTION_JOURNAL) && (lists || searches))
        return "--journal is for what changes a session";
    if (cli_notify_given(arguments) && (lists || searches))
        return "--notify is for what changes a session";
    return NULL;
}

cli_exit cli_sessions(const cli_arguments *arguments)
{
    const char *what = arguments->word_count > 0 ? arguments->words[0] : "list";
    const char *problem = problem_of(arguments, what);
    if (problem != NULL) {
        cli_complain("sessions: %s", problem);
        return CLI_EXIT_USAGE;
    }
    if (strcmp(what, "search") == 0) return cli_sessions_search(arguments);
    if (strcmp(what, "list") != 0) return cli_sessions_change(arguments);
    listing self = {.error = CONV_ERROR_INIT};
    if (!cli_form_of(arguments, &self.form)) return CLI_EXIT_USAGE;
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &self.client);
    if (code != CLI_EXIT_OK) return code;
    self.table = cli_table_create(columns, COLUMN_COUNT);
    if (self.table != NULL) {
        cli_table_keep(self.table, 0);
        code = list(&self, arguments);
    } else {
        cli_complain("list sessions: out of memory");
        code = CLI_EXIT_FAILED;
    }
    cli_table_free(self.table);
    return cli_store_close(self.client, code);
}
