/* Looking for a session before anything is chosen by it: a slip of the pen must not look like a
 * session of which there is nothing. */
#include "cli/session_check.h"

#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/session.h"
#include "conversation/usage.h"

static conv_status has_record(conv_client *client, const char *session_id, bool *found,
                              conv_error *error)
{
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    conv_usage_page *page = NULL;
    filter.session_id = conv_text(session_id);
    filter.limit = 1;
    conv_status status = conv_usage_query(client, &filter, &page, error);
    *found = status == CONV_OK && conv_usage_page_count(page) > 0;
    conv_usage_page_free(page);
    return status;
}

cli_exit cli_session_check(const cli_arguments *arguments, conv_client *client,
                           const char *session_id)
{
    conv_session_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    bool found = true;
    if (session_id == NULL) return CLI_EXIT_OK;
    conv_status status = conv_session_get(client, session_id, &page, &error);
    conv_session_page_free(page);
    if (status == CONV_NOT_FOUND) status = has_record(client, session_id, &found, &error);
    if (status != CONV_OK) return cli_report(CLI_PART_STORE, &error);
    if (found) return CLI_EXIT_OK;
    cli_complain("%s: there is no session with this id, and no record of one",
                 arguments->command->name);
    cli_hint("`conversation sessions` lists them");
    return CLI_EXIT_NOT_FOUND;
}
