/* conversation export: sessions as JSON Lines, as import and replay read them. It must not hold
 * more than a page of a session's messages. */
#include "cli/commands.h"

#include <string.h>

#include "cli/format.h"
#include "cli/output_file.h"
#include "cli/session_list.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/history.h"
#include "conversation/transcript.h"

#define PAGE 100

typedef struct exporter {
    conv_client *client;
    cli_output_file output;
    int64_t written;
    int64_t empty;    /* sessions without messages: there is no line for them */
    int64_t branched; /* sessions with branches: the line has no place for them */
    bool begun;       /* a part of the line is written */
    conv_error error;
} exporter;

static conv_status read_page(exporter *self, const char *session_id, int64_t after, int64_t before,
                             conv_history **history)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = session_id;
    params.after = after;
    params.before = before;
    params.limit = PAGE;
    return conv_history_read(self->client, &params, history, &self->error);
}

/* The model of the last assistant message of the page that has one; absent if none has. */
static conv_bytes last_model(const conv_history *history)
{
    for (size_t i = conv_history_count(history); i > 0; i--) {
        const conv_message *message = conv_history_message(history, i - 1);
        if (message->role == CONV_ROLE_ASSISTANT && message->model.data != NULL)
            return message->model;
    }
    return conv_text(NULL);
}

/* The last page that holds the session's model, for a session of several pages; NULL if none does.
 */
static conv_status find_model(exporter *self, const char *session_id, conv_history **found)
{
    int64_t before = INT64_MAX;
    for (;;) {
        conv_history *page = NULL;
        conv_status status = read_page(self, session_id, 0, before, &page);
        if (status != CONV_OK) return status;
        if (last_model(page).data != NULL) {
            *found = page;
            return CONV_OK;
        }
        bool more = conv_history_has_more(page) && conv_history_count(page) > 0;
        if (more) before = conv_history_message(page, 0)->position;
        conv_history_free(page);
        if (!more) return CONV_OK;
    }
}

static conv_status write_opening(exporter *self, const conv_session *session,
                                 const char *session_id, const conv_history *first)
{
    conv_history *later = NULL;
    conv_status status = CONV_OK;
    if (conv_history_has_more(first)) status = find_model(self, session_id, &later);
    if (status == CONV_OK) {
        self->begun = true;
        status = conv_transcript_write_begin(
            self->output.file, session->external_id, session->external_user_id,
            last_model(later != NULL ? later : first), &self->error);
    }
    conv_history_free(later);
    return status;
}

/* Writes the messages of `page` and all that follow; frees the page. */
static conv_status write_messages(exporter *self, const char *session_id, conv_history *page)
{
    conv_status status = CONV_OK;
    conv_uuid last = {{0}};
    bool branches = false;
    for (bool first = true; status == CONV_OK;) {
        int64_t position = 0;
        size_t count = conv_history_count(page);
        for (size_t i = 0; i < count && status == CONV_OK; i++, first = false) {
            const conv_message *message = conv_history_message(page, i);
            position = message->position;
            if (!first && conv_uuid_compare(conv_history_parent(page, i), last) != 0)
                branches = true;
            last = message->message_id;
            status = conv_transcript_write_message(self->output.file, message, first, &self->error);
        }
        bool more = conv_history_has_more(page) && count > 0;
        conv_history_free(page);
        page = NULL;
        if (!more || status != CONV_OK) break;
        status = read_page(self, session_id, position, 0, &page);
    }
    if (branches) self->branched++;
    conv_history_free(page);
    return status;
}

static conv_status write_session(exporter *self, const conv_session *session)
{
    char session_id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(session->session_id, session_id);
    self->begun = false;
    conv_history *page = NULL;
    conv_status status = read_page(self, session_id, 0, 0, &page);
    if (status != CONV_OK) return status;
    if (conv_history_count(page) == 0) {
        conv_history_free(page);
        self->empty++;
        return CONV_OK;
    }
    status = write_opening(self, session, session_id, page);
    if (status != CONV_OK) {
        conv_history_free(page);
        return status;
    }
    status = write_messages(self, session_id, page);
    if (status == CONV_OK) status = conv_transcript_write_end(self->output.file, &self->error);
    if (status == CONV_OK) self->written++;
    return status;
}

static conv_status write_by_id(exporter *self, const char *session_id)
{
    conv_session_page *page = NULL;
    conv_status status = conv_session_get(self->client, session_id, &page, &self->error);
    if (status == CONV_OK) status = write_session(self, conv_session_page_session(page, 0));
    conv_session_page_free(page);
    return status;
}

static conv_status write_all(exporter *self, conv_bytes user_id)
{
    cli_session_keys list;
    conv_status status = cli_session_keys_read(self->client, user_id, &list, &self->error);
    for (size_t i = 0; i < list.count && status == CONV_OK && cli_signals_caught() == 0; i++) {
        char session_id[CONV_UUID_TEXT_SIZE];
        conv_uuid_format(list.keys[i].session_id, session_id);
        self->begun = false;
        status = write_by_id(self, session_id);
        /* Deleted since the list was made: there is nothing to export. Half a line would be. */
        if (status == CONV_NOT_FOUND && !self->begun) status = CONV_OK;
    }
    cli_session_keys_free(&list);
    return status;
}

/* What went wrong, as far as nobody else says it. */
static cli_exit report(const exporter *self, const char *path)
{
    if (cli_signals_caught() != 0) return cli_exit_of_signal(cli_signals_caught());
    if (ferror(self->output.file) == 0) return cli_report(CLI_PART_STORE, &self->error);
    /* Of standard output the program's end tells. */
    if (self->output.file != stdout) cli_complain("write %s: %s", path, self->error.message);
    return CLI_EXIT_FAILED;
}

static cli_exit finish(exporter *self, conv_status status, const char *path)
{
    if (status != CONV_OK || cli_signals_caught() != 0) {
        cli_exit code = report(self, path);
        cli_output_file_abandon(&self->output);
        return code;
    }
    bool to_file = self->output.file != stdout;
    if (!cli_output_file_commit(&self->output)) return CLI_EXIT_FAILED;
    char text[CLI_FORMAT_SIZE];
    cli_format_count(self->written, text);
    if (to_file || self->written == 0)
        cli_note("%s %s exported", text, self->written == 1 ? "session" : "sessions");
    cli_format_count(self->empty, text);
    if (self->empty > 0) cli_note("%s without messages left out", text);
    cli_format_count(self->branched, text);
    if (self->branched > 0)
        cli_note("%s with branches, written as one conversation in the order in which things were "
                 "said; history --json has the parent of each message",
                 text);
    return CLI_EXIT_OK;
}

cli_exit cli_export(const cli_arguments *arguments)
{
    const char *session_id = arguments->texts[CLI_OPTION_SESSION];
    const char *user_id = arguments->texts[CLI_OPTION_USER];
    if (session_id != NULL && user_id != NULL) {
        cli_complain("export: --session and --user exclude each other");
        return CLI_EXIT_USAGE;
    }
    exporter self = {.error = CONV_ERROR_INIT};
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &self.client);
    if (code != CLI_EXIT_OK) return code;
    const char *path = arguments->texts[CLI_OPTION_OUTPUT];
    if (cli_output_file_open(&self.output, path)) {
        cli_signals_catch();
        conv_status status = session_id != NULL ? write_by_id(&self, session_id)
                                                : write_all(&self, conv_text(user_id));
        code = finish(&self, status, path);
    } else {
        code = CLI_EXIT_FAILED;
    }
    return cli_store_close(self.client, code);
}
