/* The places in a root where things are put: found, made free, and given back. Shared by the files of placement.h alone. */
#pragma once

#include "sandbox/placement.h"

struct place {
	int parent; /* the folder it is in, whatever becomes of its name */
	char *name;
	char *path;         /* at first, relative to the root */
	unsigned int aside; /* name in the aside folder of what was there; 0: nothing was */
	bool made;          /* a folder on the way to a mount point, which goes when it is empty */
	char *back;         /* where a cache's folder belongs */
};

/* A folder in which something was put. */
struct touched {
	int fd;
	char *path;
	struct timespec mtime; /* as it is to be afterwards */
	struct timespec ctime; /* when the step began */
	bool clean;            /* the step left it alone */
};

struct placement {
	int rootfd, aside;
	char *root; /* the kernel's name of it */
	struct place *places;
	size_t n_places, cap_places;
	struct touched *touched;
	size_t n_touched, cap_touched;
	unsigned int n_aside;
	struct strlist secrets;
	struct store *store;
	int *locks; /* of caches */
	size_t n_locks, cap_locks;
	bool removed;
};

/* The place at target, an absolute path whose links resolve inside the root, now free. *out is a view until the next call. */
int place_take(struct placement *p, const char *target, bool folder, struct place **out,
	       struct error *err);
/* The same for a name in the root itself that no link may stand for: "dev". */
int place_take_top(struct placement *p, const char *name, struct place **out, struct error *err);
/* Something was put there: the folders show the times they had. */
void place_done(struct placement *p);
/* A socket there that listens, not blocking; or -1. */
int place_listen(const struct place *place, struct error *err);

/* Notes how the folders look before the step. */
int places_watch(struct placement *p, struct error *err);
/* In reverse order. pardoned may be NULL. */
int places_remove(struct placement *p, struct strlist *pardoned, struct error *err);
void places_release(struct placement *p);
