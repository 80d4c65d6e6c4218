/* A server of tests/node, run by node for the length of a test. */
#ifndef TESTS_SUPPORT_NODE_SERVER_H
#define TESTS_SUPPORT_NODE_SERVER_H

/* Starts `node SCRIPT [ARGUMENT]` in tests/node and waits for the line with its URL, which is given
 * back; static, one server at a time. Ends the program with an error if node or the packages are
 * missing, because a test that could not run must not look green. */
const char *node_server_start(const char *script, const char *argument);

/* Ends it, and waits until it is gone. */
void node_server_stop(void);

#endif
