/* A diagnosis for people and for programs. It must not look at anything. */
#include "cli/doctor.h"

#include <string.h>

#include "cli/display.h"
#include "cli/output.h"
#include "cli/terminal.h"

static const char *verdict_name(cli_verdict verdict)
{
    return verdict == CLI_VERDICT_OK ? "ok" : verdict == CLI_VERDICT_WARNING ? "warning" : "failed";
}

#define TEXT_COLUMN 19

static void print_finding(const char *name, const cli_finding *finding)
{
    const char *style =
        cli_style_of(stdout, finding->verdict == CLI_VERDICT_OK        ? CLI_STYLE_PLAIN
                             : finding->verdict == CLI_VERDICT_WARNING ? CLI_STYLE_BOLD
                                                                       : CLI_STYLE_ERROR);
    const char *plain = cli_style_of(stdout, CLI_STYLE_PLAIN);
    printf("%-9s %s%-8s%s ", name, style, verdict_name(finding->verdict), plain);
    size_t width = cli_terminal_width(stdout);
    if (width > 0) {
        cli_display_hanging(stdout, conv_text(finding->text), width, TEXT_COLUMN);
        return;
    }
    (void)cli_display_line(stdout, conv_text(finding->text), 0);
    putchar('\n');
}

static json_t *finding_json(const cli_finding *finding, bool *failed)
{
    json_t *object = json_object();
    cli_json_add(object, failed, "state", json_string(verdict_name(finding->verdict)));
    cli_json_add(object, failed, "text", cli_json_text(conv_text(finding->text)));
    return object;
}

static json_t *schema_json(const cli_diagnosis *diagnosis, bool *failed)
{
    json_t *object = finding_json(&diagnosis->schema, failed);
    cli_json_add(object, failed, "version", json_integer(diagnosis->versions.version));
    cli_json_add(object, failed, "wanted", json_integer(diagnosis->versions.wanted));
    return object;
}

static json_t *journal_json(const cli_diagnosis *diagnosis, bool *failed)
{
    const conv_journal_counts *counts = &diagnosis->counts;
    json_t *object = finding_json(&diagnosis->journal, failed);
    if (!diagnosis->has_counts) return object;
    cli_json_add(object, failed, "exchanges", json_integer(counts->exchanges));
    cli_json_add(object, failed, "usage", json_integer(counts->usage));
    cli_json_add(object, failed, "turns", json_integer(counts->turns));
    cli_json_add(object, failed, "dead", json_integer(counts->dead));
    return object;
}

static json_t *chain_json(const cli_diagnosis *diagnosis, bool *failed)
{
    json_t *object = finding_json(&diagnosis->chain, failed);
    json_t *steps = json_array();
    for (size_t i = 0; i < diagnosis->step_count; i++)
        if (json_array_append_new(steps, json_string(diagnosis->steps[i])) != 0) *failed = true;
    cli_json_add(object, failed, "steps", steps);
    return object;
}

bool cli_doctor_print(const cli_diagnosis *diagnosis, bool json)
{
    if (!json) {
        print_finding("store", &diagnosis->store);
        print_finding("schema", &diagnosis->schema);
        print_finding("journal", &diagnosis->journal);
        print_finding("provider", &diagnosis->provider);
        print_finding("chain", &diagnosis->chain);
        return true;
    }
    bool failed = false;
    json_t *value = json_object();
    cli_json_add(value, &failed, "ok", json_boolean(diagnosis->code == CLI_EXIT_OK));
    cli_json_add(value, &failed, "store", finding_json(&diagnosis->store, &failed));
    cli_json_add(value, &failed, "schema", schema_json(diagnosis, &failed));
    cli_json_add(value, &failed, "journal", journal_json(diagnosis, &failed));
    cli_json_add(value, &failed, "provider", finding_json(&diagnosis->provider, &failed));
    cli_json_add(value, &failed, "chain", chain_json(diagnosis, &failed));
    return cli_json_print(stdout, value, failed);
}
