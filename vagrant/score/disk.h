/* One disk: a ring of records and the ledger of those already overwritten. */
#ifndef SCORE_DISK_H
#define SCORE_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

enum { CHUNK_SLOTS = 512 }; /* 256 KiB: how much is read at a time */

struct disk {
	const char *path;
	int fd;
	char name[NAME_LEN]; /* the guest's */
	uint32_t index;
	uint64_t slots;
	uint64_t newest;     /* last number written here; after the boot scan, the last good record */
	uint64_t newest_run;
	uint64_t ledger_from;
	uint32_t ledger_count;
	struct ledger_entry ledger[LEDGER_MAX];
	uint32_t holes;      /* in the ring at boot, and found since when overwriting */
	uint64_t *seen;      /* number found in each slot by the boot scan */
	bool retired;        /* the number being written: is the slot of the next read back already? */
	bool written;        /* the number being written: is it on this disk already? */
};

/* All return 0 or an errno. */
int disk_open(struct disk *d, const char *path, uint32_t index, const char *name, bool direct);
int disk_scan(struct disk *d); /* reads the whole ring: newest and its ledger, and what disk_count_holes needs */
int disk_catch_up(struct disk *d, uint64_t resume_at);
int disk_retire(struct disk *d, uint64_t seq);
int disk_write(struct disk *d, uint64_t seq, uint64_t run);

/* Reads `count` slots, at most CHUNK_SLOTS, from the slot of `seq` on, which must not wrap. The result lives until the next call. */
int disk_read(struct disk *d, uint64_t seq, uint64_t count, const struct record **records);
/* Whether this sector is a record of this disk and guest, undamaged and in the slot of its number. */
bool disk_record_good(const struct disk *d, const struct record *r, uint64_t slot);

void disk_count_holes(struct disk *d, uint64_t newest_anywhere);

/* Last number the ledger speaks for; ledger_from - 1 when it is empty. */
uint64_t ledger_end(const struct disk *d);

#endif
