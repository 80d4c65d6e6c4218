/* What a transaction costs by the exchanges in it: one caller saves so many with each call. Prints
 * one line of JSON.
 *
 *   bench_together --store STORE --samples FILE --together N [--exchanges N]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common.h"
#include "measure.h"

static one_exchange made[CONV_EXCHANGES_MOST];
static conv_exchange exchanges[CONV_EXCHANGES_MOST];
static conv_exchange_result results[CONV_EXCHANGES_MOST];

/* Sessions as of several callers: those of one call are not all of the same. */
static void save(conv_client *client, const sample_set *samples, uint64_t call, size_t together)
{
    conv_error error = CONV_ERROR_INIT;
    for (size_t i = 0; i < together; i++) {
        make_exchange(samples, (unsigned)i, call, &made[i]);
        exchanges[i] = made[i].exchange;
    }
    if (conv_save_exchanges(client, exchanges, together, results, &error) != CONV_OK)
        give_up("save", &error);
}

int main(int count, char **words)
{
    static histogram latency;
    sample_set samples = {0};
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    size_t together = (size_t)option_number(count, words, "together", 1);
    uint64_t calls = (uint64_t)option_number(count, words, "exchanges", 2560) / together;
    if (together < 1 || together > CONV_EXCHANGES_MOST) give_up("--together is out of range", NULL);
    samples_read(option_text(count, words, "samples", ""), &samples);
    params.store = option_text(count, words, "store", NULL);
    params.connections = 1;
    params.prices = &bench_price;
    params.price_count = 1;
    params.model = BENCH_MODEL;
    if (conv_client_open(&params, &client, &error) != CONV_OK) give_up("open", &error);
    int64_t began = clock_ns();
    for (uint64_t call = 0; call < calls; call++) {
        int64_t asked = clock_ns();
        save(client, &samples, call, together);
        histogram_add(&latency, clock_ns() - asked);
    }
    double seconds = (double)(clock_ns() - began) / 1e9;
    int64_t saved = (int64_t)(calls * together);
    printf("{\"together\": %zu, \"transactions\": %" PRIu64 ", \"saved\": %" PRId64
           ", \"failed\": 0, \"seconds\": %.6f, \"per_second\": %.1f, \"p50_us\": %.1f}\n",
           together, calls, saved, seconds, (double)saved / seconds,
           (double)histogram_at(&latency, 0.5) / 1e3);
    if (conv_client_close(client, 10000, &error) != CONV_OK) give_up("close", &error);
    samples_free(&samples);
    return 0;
}
