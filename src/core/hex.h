/* Hexadecimal digits. */
#ifndef CONV__CORE_HEX_H
#define CONV__CORE_HEX_H

/* The value of a digit in either case; -1 for any other character. */
static inline int conv__hex_digit(char character)
{
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    if (character >= 'A' && character <= 'F') return character - 'A' + 10;
    return -1;
}

#endif
