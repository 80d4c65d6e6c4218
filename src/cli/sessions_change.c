/* conversation sessions rename, tag, untag, archive, unarchive: one change of one session. */
#include "cli/sessions.h"

#include <stdio.h>
#include <string.h>

#include "cli/journal.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/session.h"

typedef struct change {
    const char *name;
    bool takes_text;
    const char *done;
} change;

enum { RENAME, TAG, UNTAG, ARCHIVE, UNARCHIVE, CHANGES };

static const change changes[CHANGES] = {
    [RENAME] = {"rename", true, "renamed the session"},
    [TAG] = {"tag", true, "tagged the session"},
    [UNTAG] = {"untag", true, "the session is without the tag"},
    [ARCHIVE] = {"archive", false, "archived the session"},
    [UNARCHIVE] = {"unarchive", false, "took the session out of the archive"},
};

/* The library changes title and metadata in one call; here it is a title only. */
static void name_after_command(int which, conv_error *error)
{
    if (which == RENAME && strcmp(error->action, "update session") == 0)
        snprintf(error->action, sizeof error->action, "rename session");
}

static conv_status apply(conv_client *client, int which, const char *session, const char *text,
                         conv_error *error)
{
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    switch (which) {
    case RENAME:
        params.session_id = session;
        params.title = text;
        return conv_session_update(client, &params, error);
    case TAG:
        return conv_session_tag(client, session, text, error);
    case UNTAG:
        return conv_session_untag(client, session, text, error);
    default:
        return conv_session_archive(client, session, which == ARCHIVE, error);
    }
}

cli_exit cli_sessions_change(const cli_arguments *arguments)
{
    int which = 0;
    while (which < CHANGES && strcmp(changes[which].name, arguments->words[0]) != 0)
        which++;
    if (which == CHANGES) {
        cli_complain("sessions: it is list, search, rename, tag, untag, archive or unarchive");
        cli_hint("`conversation help sessions` shows how");
        return CLI_EXIT_USAGE;
    }
    size_t wanted = changes[which].takes_text ? 3 : 2;
    if (arguments->word_count != wanted) {
        cli_complain("sessions: %s wants a session%s", changes[which].name,
                     !changes[which].takes_text ? ""
                     : which == RENAME          ? " and a title"
                                                : " and a tag");
        return CLI_EXIT_USAGE;
    }
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = cli_store_open_existing(arguments, NULL, &client);
    if (code != CLI_EXIT_OK) return code;
    if (cli_given(arguments, CLI_OPTION_JOURNAL)) {
        int64_t left = 0; /* the session may be among what waits */
        (void)!cli_journal_await(client, &left, NULL);
    }
    if (apply(client, which, arguments->words[1], wanted == 3 ? arguments->words[2] : NULL,
              &error) == CONV_OK) {
        cli_note("%s", changes[which].done);
    } else {
        name_after_command(which, &error);
        code = cli_report(error.status == CONV_INVALID_ARGUMENT ? CLI_PART_INPUT : CLI_PART_STORE,
                          &error);
    }
    return cli_store_drain(arguments, client, code);
}
