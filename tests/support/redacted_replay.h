/* Recorded conversations replayed through a chain that redacts, with a journal, an outage on the
 * way, an asynchronous handler of events and a log of them, and summarized; then everything that
 * was left is looked at. On the main thread only. */
#ifndef TESTS_SUPPORT_REDACTED_REPLAY_H
#define TESTS_SUPPORT_REDACTED_REPLAY_H

/* Runs it on a fresh store of the kind, and asserts: one exchange.saved for each exchange; none of
 * what is redacted in the store, the journal, the log, the events, nor before the provider; totals
 * as counted on the way, as the library sums them and as SQL of the test's own sums them. `path`
 * names a file of transcripts, each line with the messages that jansson reads. */
void redacted_replay(const char *kind, const char *path);

#endif
