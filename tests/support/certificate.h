/* A certificate for 127.0.0.1, made for a test and trusted by nobody else. */
#ifndef TESTS_SUPPORT_CERTIFICATE_H
#define TESTS_SUPPORT_CERTIFICATE_H

/* Makes a new temporary folder with key.pem and certificate.pem (self-signed, valid for a day) and
 * gives its path; static. Ends the program if it can't. */
const char *certificate_make(void);

void certificate_remove(void);

#endif
