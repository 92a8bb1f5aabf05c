/*
 * What the score-keeping guest leaves on its disks and sends over the network. All integers are little endian.
 *
 * RECORDS. Each disk is a ring of 512-byte slots, one record per slot. Record number n (numbers begin at 1) lies in
 * slot n mod slots, on every disk of the guest. A record names everything that could tell it from another: guest, disk, size of the
 * ring, number, and the *run*: a random id drawn at each boot. A guest that boots from a stale disk resumes
 * from an older number and uses numbers again; only the run tells record 105 of before from record 105 of after.
 *
 * LEDGER. Before a slot is overwritten, the record it holds is read back ("retired"). What was found goes into
 * the ledger, and the ledger travels inside every later record of the same disk. So a disk remembers which of its overwritten records
 * were in their place, over reboots, and a disk that is rolled back rolls its memory back with it. Record n already carries what was found
 * in the slot of n + 1: should a power cut tear n + 1, what it was about to overwrite is not taken for lost. The ledger speaks for the numbers from
 * ledger_from on; entry i speaks for those after entry i-1 up to `last`: found, written by `run`; or, run 0, not found. When it is full it
 * forgets its oldest entry and raises ledger_from: what lies below is unknown, never fine.
 *
 * ANNOUNCEMENTS (datagram, 60 bytes) go to the recorder. DURABLE is sent only after the write of that number returned on every disk, through
 * O_DIRECT|O_SYNC. A number that was written but never announced promised nothing to anybody.
 *
 * AUDIT. A request (the same 60 bytes) names a disk and a range of numbers; run carries the request's id, seq and other the
 * first and last number. The disk is read again and answered with extents: numbers found, and the run that wrote them. What
 * no extent mentions, up to `covered`, is not on the disk. An answer is one datagram; the asker goes on after `covered`.
 * Asking twice is harmless.
 */
#ifndef SCORE_FORMAT_H
#define SCORE_FORMAT_H

#include <stdint.h>

enum { SECTOR = 512, NAME_LEN = 16, LEDGER_MAX = 27, EXTENTS_MAX = 48, DISKS_MAX = 8 };

enum kind {
	KIND_BOOT = 1,    /* one per disk: seq and other: last good record and its run; holes: in this disk's ring; value: interval, ms */
	KIND_DURABLE = 2, /* seq is on every disk; holes: since boot, all disks; value: slowest disk's write, microseconds */
	KIND_ERROR = 3,   /* seq could not be brought to `disk`, value: errno; it is tried again */
	KIND_REQUEST = 4, /* run: id of the request, seq: first number, other: last number */
	KIND_ANSWER = 5,
};

enum { RUN_NOT_FOUND = 0, RUN_UNREADABLE = 1, RUN_UNKNOWN = 2, RUN_FIRST_REAL = 16 };

struct ledger_entry {
	uint64_t last;
	uint64_t run;
};

struct record {
	char magic[8];
	char name[NAME_LEN];
	uint64_t run;
	uint64_t seq;
	uint64_t slots;
	uint32_t disk;
	uint32_t ledger_count;
	uint64_t ledger_from;
	struct ledger_entry ledger[LEDGER_MAX];
	uint8_t unused[12];
	uint32_t crc; /* CRC-32 as in zlib, over all bytes before it; so in the datagrams */
};

struct datagram {
	char magic[4];
	uint8_t kind;
	uint8_t disks; /* how many disks the guest has */
	uint8_t disk;  /* which of them is meant, where one is */
	uint8_t zero;
	char name[NAME_LEN];
	uint64_t run;
	uint64_t seq;
	uint64_t other;
	uint32_t holes;
	uint32_t value;
	uint32_t crc;
} __attribute__((packed));

struct extent {
	uint64_t first;
	uint64_t last;
	uint64_t run; /* or RUN_UNREADABLE: the disk refused; or RUN_UNKNOWN: overwritten, and no longer in the ledger */
};

struct answer { /* sent up to and including extents[count - 1], followed by the crc */
	char magic[4];
	uint8_t kind;
	uint8_t disks;
	uint8_t disk;
	uint8_t zero;
	char name[NAME_LEN];
	uint64_t run; /* of the guest that answers */
	uint64_t id;
	uint64_t first;
	uint64_t covered; /* last number this answer speaks for */
	uint64_t slots;
	uint32_t holes;
	uint32_t count;
	struct extent extents[EXTENTS_MAX + 1]; /* one spare: room for the crc */
};

#define RECORD_MAGIC "SCORREC1"
#define DATAGRAM_MAGIC "SCO1"

_Static_assert(sizeof(struct record) == SECTOR, "a record is one sector");
_Static_assert(sizeof(struct datagram) == 60, "the recorder expects 60 bytes");

#endif
