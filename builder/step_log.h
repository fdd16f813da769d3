/*
 * Which key each step of a stage had in the last build, so that a miss can say what changed since: one small file a stage, read
 * when the stage starts and written at its end when something is different. A build in which nothing changed writes nothing.
 *
 *	step_log_open(&log, store, &place);
 *	former = step_log_former(&log, text, &how);   before each step
 *	step_log_add(&log, text, key);                after it
 *	step_log_close(&log, done);
 */
#pragma once

#include "builder/cache.h"

#define STEP_LOG_TEXT_SIZE 17

struct step_log_entry {
	char text[STEP_LOG_TEXT_SIZE]; /* the start of the SHA-256 of the instruction as written */
	char key[SHA256_HEX_SIZE];
};

struct step_log_list {
	struct step_log_entry *items;
	size_t n, cap;
};

struct step_log {
	struct store *store;
	char place[SHA256_HEX_SIZE]; /* of this platform */
	char any[SHA256_HEX_SIZE];   /* of whatever platform was built last */
	struct step_log_list former, now;
};

/* What makes a stage the same one in the next build. */
struct step_log_place {
	const char *context;    /* its path, or what else names it from build to build */
	const char *dockerfile; /* its name */
	const char *stage;
	const char *platform;
};

enum step_log_match {
	STEP_LOG_FIRST,  /* the stage was not built here before */
	STEP_LOG_NEW,    /* it was, without this step */
	STEP_LOG_EDITED, /* another instruction was in its place */
	STEP_LOG_SAME    /* the instruction reads as it did */
};

void step_log_open(struct step_log *l, struct store *s, const struct step_log_place *place);
/* The key that the step about to be carried out had, NULL for the first two; a view into l. */
const char *step_log_former(const struct step_log *l, const char *text, enum step_log_match *how);
/* A step that was found or made. An empty key is left out. */
void step_log_add(struct step_log *l, const char *text, const char *key);
/* done: the stage has no further steps; else those that it did not come to stay as they were. */
void step_log_close(struct step_log *l, bool done);
void step_log_release(struct step_log *l);

CLEANUP_RELEASE(step_log)
