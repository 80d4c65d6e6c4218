/* A document is registered from its file, found again by what is in it, scanned, parsed and
 * embedded; then the ledger says what that used, and the document is deleted. An operation that is
 * given up leaves its record, too. Usage: documents [STORE] */
#include <conversation/conversation.h>
#include <inttypes.h>
#include <stdio.h>

static const char content[] = "A contract is a promise that the law will enforce.";

static conv_status write_file(const char *path, conv_error *error)
{
    FILE *file = fopen(path, "w");
    if (file != NULL) {
        int written = fputs(content, file);
        if (fclose(file) == 0 && written >= 0) return CONV_OK;
    }
    snprintf(error->action, sizeof error->action, "write file");
    snprintf(error->message, sizeof error->message, "%s can't be written", path);
    return CONV_UNAVAILABLE;
}

static conv_status register_document(conv_client *client, conv_error *error)
{
    char sha256[CONV_SHA256_TEXT_SIZE];
    conv_status status = write_file("contract.txt", error);
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    params.document_id = "contract.txt"; /* any string; the same again adds nothing */
    params.session_id = "support-42";
    params.user_id = "user-123";
    params.name = conv_text("contract.txt");
    params.media_type = conv_text("text/plain");
    params.sha256 = sha256;
    if (status == CONV_OK)
        status = conv_document_hash_file("contract.txt", sha256, &params.size_bytes, error);
    return status == CONV_OK ? conv_document_register(client, &params, NULL, error) : status;
}

static void print_documents(const char *title, const conv_document_page *page)
{
    for (size_t i = 0; i < conv_document_page_count(page); i++) {
        const conv_document *document = conv_document_page_document(page, i);
        printf("%s: %s, %s, last %s\n", title, document->name.data, document->media_type.data,
               document->last_operation.data);
    }
}

/* A user's documents; and whether these bytes are known already, under whatever name. */
static conv_status list_documents(conv_client *client, conv_error *error)
{
    char sha256[CONV_SHA256_TEXT_SIZE];
    conv_document_filter filter = CONV_DOCUMENT_FILTER_INIT;
    conv_document_page *page = NULL;
    filter.user_id = conv_text("user-123");
    conv_status status = conv_document_list(client, &filter, &page, error);
    if (status != CONV_OK) return status;
    print_documents("listed", page);
    conv_document_page_free(page);
    page = NULL;

    filter = (conv_document_filter)CONV_DOCUMENT_FILTER_INIT;
    filter.sha256 = sha256;
    status = conv_document_hash(conv_text(content), sha256, error);
    if (status == CONV_OK) status = conv_document_list(client, &filter, &page, error);
    if (status == CONV_OK) print_documents("found", page);
    conv_document_page_free(page);
    return status;
}

static conv_status delete_document(conv_client *client, conv_error *error)
{
    conv_document_page *page = NULL;
    conv_document_receipt receipt = {0, 0};
    conv_status status = conv_document_get(client, "contract.txt", "support-42", &page, error);
    if (status != CONV_OK) return status;
    print_documents("read", page);
    conv_document_page_free(page);
    status = conv_document_delete(client, "contract.txt", "support-42", &receipt, error);
    if (status == CONV_OK)
        printf("deleted: %" PRId64 " document; kept: %" PRId64 " usage records\n",
               receipt.documents, receipt.usage_kept);
    return status;
}

/* Every way out of the work leaves one record: the end, or the freeing of what was not ended. */
static conv_status work(conv_client *client, const char *name, int64_t tokens, conv_error *error)
{
    conv_usage known = CONV_USAGE_INIT;
    known.operation = conv_text(name);
    known.document_id = conv_text("contract.txt");
    known.session_id = conv_text("support-42");
    known.user_id = conv_text("user-123");
    conv_operation *operation = NULL;
    conv_status status = conv_operation_begin(client, &known, &operation, error);
    if (status == CONV_OK && tokens >= 0) {
        conv_usage used = CONV_USAGE_INIT;
        used.input_tokens = tokens;
        used.processed_bytes = sizeof content - 1;
        status = conv_operation_end(operation, &used, error);
    }
    conv_status freed = conv_operation_free(operation, status == CONV_OK ? error : NULL);
    return status == CONV_OK ? freed : status;
}

/* What is known already, here the price of a service that scanned it, is told in one call. */
static conv_status record_scan(conv_client *client, conv_error *error)
{
    conv_usage scan = CONV_USAGE_INIT;
    scan.operation = conv_text("ocr");
    scan.document_id = conv_text("contract.txt");
    scan.session_id = conv_text("support-42");
    scan.user_id = conv_text("user-123");
    scan.processed_bytes = sizeof content - 1;
    scan.latency_ms = 340;
    scan.priced = conv_decimal_parse(conv_text("0.0015"), &scan.cost_usd) == CONV_OK;
    return conv_document_track(client, &scan, error);
}

static conv_status print_operations(conv_client *client, conv_error *error)
{
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    filter.document_id = conv_text("contract.txt");
    conv_usage_page *page = NULL;
    conv_status status = conv_usage_query(client, &filter, &page, error);
    for (size_t i = status == CONV_OK ? conv_usage_page_count(page) : 0; i > 0; i--) {
        const conv_usage *usage = conv_usage_page_record(page, i - 1);
        printf("%s %s: %" PRId64 " bytes\n", usage->operation.data,
               conv_outcome_name(usage->status), usage->processed_bytes);
    }
    conv_usage_page_free(page);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:documents.db";
    conv_client *client = NULL;
    conv_status status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = register_document(client, &error);
    if (status == CONV_OK) status = list_documents(client, &error);
    if (status == CONV_OK) status = record_scan(client, &error);
    if (status == CONV_OK) status = work(client, "parse", 0, &error);
    if (status == CONV_OK) status = work(client, "embed", 12, &error);
    if (status == CONV_OK) status = work(client, "search", CONV_UNKNOWN, &error);
    if (status == CONV_OK) status = conv_track_flush(client, 5000, NULL, &error);
    if (status == CONV_OK) status = print_operations(client, &error);
    if (status == CONV_OK) status = delete_document(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    return status == CONV_OK ? 0 : 1;
}
