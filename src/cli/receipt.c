/* Receipts of deletions, for people and for programs. */
#include "cli/receipt.h"

#include "cli/format.h"
#include "cli/output.h"

static void print_one(int64_t count, const char *one, const char *many, const char *end)
{
    char text[CLI_FORMAT_SIZE];
    cli_format_count(count, text);
    printf("%s %s%s", text, count == 1 ? one : many, end);
}

static cli_exit print_json(const conv_delete_receipt *receipt, conv_uuid pseudonym)
{
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "sessions", json_integer(receipt->sessions));
    cli_json_add(value, &failed, "exchanges", json_integer(receipt->exchanges));
    cli_json_add(value, &failed, "messages", json_integer(receipt->messages));
    cli_json_add(value, &failed, "summaries", json_integer(receipt->summaries));
    cli_json_add(value, &failed, "documents", json_integer(receipt->documents));
    cli_json_add(value, &failed, "journal", json_integer(receipt->journal));
    cli_json_add(value, &failed, "usage_kept", json_integer(receipt->usage_kept));
    if (!conv_uuid_is_nil(pseudonym)) {
        char id[CONV_UUID_TEXT_SIZE];
        conv_uuid_format(pseudonym, id);
        cli_json_add(value, &failed, "pseudonym", json_string(id));
    }
    return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

cli_exit cli_receipt_print(const conv_delete_receipt *receipt, conv_uuid pseudonym, bool json)
{
    if (json) return print_json(receipt, pseudonym);
    bool erased = !conv_uuid_is_nil(pseudonym);
    printf(erased ? "erased " : "deleted ");
    print_one(receipt->sessions, "session", "sessions", ", ");
    print_one(receipt->exchanges, "exchange", "exchanges", ", ");
    print_one(receipt->messages, "message", "messages", ", ");
    print_one(receipt->summaries, "summary", "summaries", ", ");
    print_one(receipt->documents, "document", "documents", "; ");
    if (receipt->journal > 0)
        print_one(receipt->journal, "entry", "entries", " of the journal dropped; ");
    print_one(receipt->usage_kept, "usage record", "usage records",
              erased ? " kept without the user\n" : " kept\n");
    return CLI_EXIT_OK;
}
