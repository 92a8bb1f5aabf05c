#ifndef SCORE_CRC32_H
#define SCORE_CRC32_H

#include <stddef.h>
#include <stdint.h>

void crc32_init(void);
/* The same CRC-32 as zlib's, so that Python's zlib.crc32 checks it. */
uint32_t crc32(const void *data, size_t len);

#endif
