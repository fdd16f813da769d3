/*
 * The state of the local target in memory alone, with a moment at which it dies: after so many writes each further one fails, as those of a
 * process do that was killed. Takes the place of local/state.c in a test program.
 */
#pragma once

#include "local/state.h"
#include "base/alloc.h"

struct state {
	json_t *kinds;
	uint64_t version;
	int64_t writes_left; /* < 0: no end */
	int64_t writes;
};

static inline struct state *memory_state_new(void)
{
	struct state *s = xcalloc(1, sizeof(*s));

	s->kinds = json_object();
	s->writes_left = -1;
	return s;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	json_decref(s->kinds);
	free(s);
}

void state_lock(struct state *s)
{
	(void)s;
}

void state_unlock(struct state *s)
{
	(void)s;
}

json_t *state_all(struct state *s, const char *kind)
{
	json_t *found = json_object_get(s->kinds, kind);

	if (!found) {
		found = json_object();
		json_object_set_new(s->kinds, kind, found);
	}
	return found;
}

json_t *state_get(struct state *s, const char *kind, const char *key)
{
	return json_object_get(state_all(s, kind), key);
}

static inline int memory_state_write(struct state *s, struct error *err)
{
	if (s->writes_left == 0)
		return error_set(err, ERROR_SYSTEM, "killed");
	if (s->writes_left > 0)
		s->writes_left--;
	s->writes++;
	s->version++;
	return 0;
}

/* What is read back after a crash is what was written: nothing of the document stays shared. */
int state_put(struct state *s, const char *kind, const char *key, json_t *document,
	      struct error *err)
{
	int r = memory_state_write(s, err);

	if (r == 0)
		json_object_set_new(state_all(s, kind), key, json_deep_copy(document));
	json_decref(document);
	return r;
}

int state_remove(struct state *s, const char *kind, const char *key, struct error *err)
{
	if (!state_get(s, kind, key))
		return 0;
	if (memory_state_write(s, err) < 0)
		return -1;
	json_object_del(state_all(s, kind), key);
	return 0;
}

uint64_t state_version(const struct state *s)
{
	return s->version;
}

void state_wait(struct state *s, uint64_t seen, int timeout_ms)
{
	(void)s;
	(void)seen;
	(void)timeout_ms;
}

void state_wake(struct state *s)
{
	s->version++;
}
