/* When a failed request is made again: the rules of OpenAI's official clients. */
#include "providers/openai_retry.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define FIRST_WAIT_MS   500
#define LONGEST_WAIT_MS 8000
#define LONGEST_WISH_MS                                                                            \
    60000 /* of a server that asks for a pause; a longer one is not waited out */

bool conv__openai_status_may_pass(int http_status)
{
    return http_status == 408 || http_status == 409 || http_status == 429 || http_status >= 500;
}

static bool may_try_again(const conv__openai_failed_try *failed)
{
    if (failed->handed_on || failed->retries >= failed->max_retries) return false;
    if (failed->http_status == 0) return true;
    if (strcasecmp(failed->should_retry, "true") == 0) return true;
    if (strcasecmp(failed->should_retry, "false") == 0) return false;
    return conv__openai_status_may_pass(failed->http_status);
}

/* A plain decimal number in thousandths, what is beyond them cut off; -1 if it is none, or so large
 * that nobody would wait. */
static int64_t read_thousandths(const char *text)
{
    int64_t value = 0;
    int places = -1;
    if (*text < '0' || *text > '9') return -1;
    for (; *text != '\0'; text++) {
        if (*text == '.' && places < 0) {
            places = 0;
        } else if (*text < '0' || *text > '9' || value > INT64_MAX / 100000) {
            return -1;
        } else if (places < 3) {
            value = value * 10 + (*text - '0');
            if (places >= 0) places++;
        }
    }
    for (int place = places < 0 ? 0 : places; place < 3; place++)
        value *= 10;
    return value;
}

/* How long the server asks us to wait, or -1 if it does not say. */
static int64_t read_wish_ms(const conv__openai_failed_try *failed)
{
    int64_t wish_ms = read_thousandths(failed->retry_after_ms);
    if (wish_ms >= 0) return wish_ms / 1000;
    wish_ms = read_thousandths(failed->retry_after);
    if (wish_ms >= 0 || failed->retry_after[0] == '\0') return wish_ms;
    int64_t moment_s = (int64_t)curl_getdate(failed->retry_after, NULL);
    if (moment_s < 0 || moment_s - failed->now_s > LONGEST_WISH_MS) return -1;
    return (moment_s - failed->now_s) * 1000;
}

static int64_t own_wait_ms(int retries, uint32_t chance)
{
    int64_t wait_ms = FIRST_WAIT_MS;
    for (int i = 0; i < retries && wait_ms < LONGEST_WAIT_MS; i++)
        wait_ms *= 2;
    return wait_ms - (wait_ms * (int64_t)(chance >> 16) / 65536) / 4;
}

int64_t conv__openai_retry_wait_ms(const conv__openai_failed_try *failed)
{
    if (!may_try_again(failed)) return -1;
    int64_t wait_ms = read_wish_ms(failed);
    if (wait_ms <= 0 || wait_ms > LONGEST_WISH_MS)
        wait_ms = own_wait_ms(failed->retries, failed->chance);
    return wait_ms < failed->left_ms ? wait_ms : -1;
}
