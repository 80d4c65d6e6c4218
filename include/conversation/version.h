/* The library's own version. */
#ifndef CONVERSATION_VERSION_H
#define CONVERSATION_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define CONV_VERSION "0.1.0"

/* The version that was linked, which may differ from CONV_VERSION that was compiled against.
 * The string is static. Thread: any. Round trips: none. */
const char *conv_version(void);

#ifdef __cplusplus
}
#endif
#endif
