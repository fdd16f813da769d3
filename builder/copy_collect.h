/* The first half of copy_layer(): every source, archive, download and heredoc put into the plan of the destination. */
#pragma once

#include "builder/copy_plan.h"
#include "builder/copy_source.h"
#include "builder/copy_temp.h"
#include "builder/users.h"

struct bits {
	uint8_t *bytes;
	size_t cap;
};

struct copy_job {
	const struct copy_request *r;
	struct plan *plan;
	struct copy_temp temp;
	bool has_owner;
	struct user_ids owner; /* --chown */
	/* hard links of the match being walked: number of the group by device and inode */
	struct link_slot *links;
	size_t n_linked, n_slots;
	struct bits shared; /* numbers of an image's files that have several names in the match */
	size_t n_links;     /* groups of all matches */
	/* the match being walked */
	const struct copy_match *match;
	bool in_fetched;       /* it is the folder fetched for ... */
	size_t fetched_source; /* ... this source */
	const char *dest;      /* where it goes, absolute */
	bool as_folder;        /* dest is written as a folder */
	struct plan_node *top;
	char *top_name;     /* of one file */
	const char *folder; /* of the context, seen last; the plan's text */
};

int copy_collect(struct copy_job *j, struct error *err);
void copy_job_release(struct copy_job *j);
/* Does the file begin like a tar, plain or compressed? Reads from offset 0, leaves the offset alone. */
bool copy_is_archive(int fd);

CLEANUP_RELEASE(copy_job)
