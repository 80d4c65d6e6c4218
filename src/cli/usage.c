/* conversation usage: exact sums of the ledger. What nobody reported or priced is said, never shown
 * as 0. */
#include "cli/commands.h"

#include <string.h>

#include "cli/format.h"
#include "cli/output.h"
#include "cli/session_check.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "cli/usage_print.h"
#include "conversation/usage.h"
#include "conversation/zone.h"

#define DATE_SIZE 10 /* of "2026-11-23" */

/* In the order of cli_options' choices. */
static const struct {
    const char *name;
    conv_usage_group group;
} groups[] = {
    {"day", CONV_USAGE_GROUP_DAY},
    {"service", CONV_USAGE_GROUP_SERVICE},
    {"operation", CONV_USAGE_GROUP_OPERATION},
    {"model", CONV_USAGE_GROUP_MODEL},
    {"user", CONV_USAGE_GROUP_USER},
    {"session", CONV_USAGE_GROUP_SESSION},
};

static size_t group_of(const cli_arguments *arguments)
{
    const char *name = arguments->texts[CLI_OPTION_BY];
    size_t count = sizeof groups / sizeof groups[0];
    for (size_t i = 0; name != NULL && i < count; i++)
        if (strcmp(groups[i].name, name) == 0) return i;
    return 3;
}

/* A day stands for its first moment in the zone; of --to for the next day's. */
static bool start_of_day(const cli_arguments *arguments, bool next, int64_t *time_us)
{
    char date[CLI_FORMAT_SIZE];
    conv_error error = CONV_ERROR_INIT;
    cli_format_timestamp(*time_us + (next ? CLI_DAY_US : 0), date);
    date[DATE_SIZE] = '\0';
    if (conv_zone_day_start(arguments->texts[CLI_OPTION_ZONE], date, time_us, &error) == CONV_OK)
        return true;
    cli_complain("usage: %s", error.message);
    return false;
}

static bool read_bound(const cli_arguments *arguments, cli_option option, int64_t *time_us)
{
    const char *text = arguments->texts[option];
    bool is_day = false;
    if (text == NULL) return true;
    if (!cli_read_date(text, time_us, &is_day)) {
        cli_complain("usage: --%s is no date: it wants 2026-11-23 or 2026-11-23T03:44:40Z",
                     cli_options[option].name);
        return false;
    }
    return !is_day || start_of_day(arguments, option == CLI_OPTION_TO, time_us);
}

static bool read_filter(const cli_arguments *arguments, conv_usage_filter *filter)
{
    filter->service = conv_text(arguments->texts[CLI_OPTION_SERVICE]);
    filter->operation = conv_text(arguments->texts[CLI_OPTION_OPERATION]);
    filter->model = conv_text(arguments->texts[CLI_OPTION_MODEL]);
    filter->user_id = conv_text(arguments->texts[CLI_OPTION_USER]);
    filter->session_id = conv_text(arguments->texts[CLI_OPTION_SESSION]);
    filter->zone = conv_text(arguments->texts[CLI_OPTION_ZONE]);
    if (!read_bound(arguments, CLI_OPTION_FROM, &filter->from_us) ||
        !read_bound(arguments, CLI_OPTION_TO, &filter->to_us))
        return false;
    if (filter->to_us == 0 || filter->from_us < filter->to_us) return true;
    cli_complain("usage: --to is before --from");
    return false;
}

/* On a terminal how the days went is drawn, too. */
static conv_status ask_days(conv_client *client, const conv_usage_filter *filter, cli_form form,
                            cli_usage_report *report, conv_usage_totals **days, conv_error *error)
{
    if (form != CLI_FORM_PEOPLE || !cli_is_terminal(stdout)) return CONV_OK;
    report->days = report->totals;
    if (strcmp(report->by, "day") == 0) return CONV_OK;
    conv_status status = conv_usage_sum(client, filter, CONV_USAGE_GROUP_DAY, days, error);
    report->days = *days;
    return status;
}

static cli_exit print(conv_client *client, const conv_usage_filter *filter, size_t group,
                      int64_t limit, cli_form form)
{
    conv_usage_totals *totals = NULL;
    conv_usage_totals *days = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_usage_report report = {.limit = limit, .by = groups[group].name, .zone = filter->zone.data};
    cli_exit code = CLI_EXIT_OK;
    conv_status status = conv_usage_sum(client, filter, groups[group].group, &totals, &error);
    report.totals = totals;
    if (status == CONV_OK) status = ask_days(client, filter, form, &report, &days, &error);
    if (status == CONV_OK)
        code = cli_usage_print(&report, form);
    else
        code =
            cli_report(status == CONV_INVALID_ARGUMENT ? CLI_PART_INPUT : CLI_PART_STORE, &error);
    conv_usage_totals_free(totals);
    conv_usage_totals_free(days);
    return code;
}

cli_exit cli_usage(const cli_arguments *arguments)
{
    cli_form form;
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    if (arguments->word_count > 0) return cli_usage_refresh(arguments);
    if (cli_given(arguments, CLI_OPTION_REBUILD) || cli_given(arguments, CLI_OPTION_TIMEOUT)) {
        cli_complain("usage: --rebuild and --timeout belong to `conversation usage refresh`");
        return CLI_EXIT_USAGE;
    }
    if (!cli_form_of(arguments, &form) || !read_filter(arguments, &filter)) return CLI_EXIT_USAGE;
    conv_client *client = NULL;
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    code = cli_session_check(arguments, client, arguments->texts[CLI_OPTION_SESSION]);
    if (code == CLI_EXIT_OK)
        code =
            print(client, &filter, group_of(arguments), arguments->numbers[CLI_OPTION_LIMIT], form);
    return cli_store_close(client, code);
}
