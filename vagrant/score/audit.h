/* Reading the disks again when asked, a chunk at a time between two writes, so that the writes do not wait. */
#ifndef SCORE_AUDIT_H
#define SCORE_AUDIT_H

#include <netinet/in.h>
#include <stdbool.h>

#include "disk.h"

struct audit {
	struct disk *disks;
	uint32_t disk_count;
	uint64_t run;
	bool active;
	bool one_by_one;        /* a chunk could not be read: find out which sectors */
	uint64_t one_by_one_to;
	uint64_t next, last;    /* numbers still to look at */
	struct sockaddr_in asker;
	struct answer answer;   /* kept after it was sent: a repeated request gets it again */
};

void audit_receive(struct audit *a, int sock);
void audit_step(struct audit *a, int sock);

#endif
