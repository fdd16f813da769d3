/*
 * The part that RUN, COPY, ADD and WORKDIR share: look the key up, else make the layer, record it, report it.
 *
 *	struct copy_step { struct layer_step step; ... };
 *	static const struct layer_step_ops ops = { .key = ..., .make = ... };
 *	layer_step_execute(&s.step, &ops, err)
 */
#pragma once

#include "builder/plan.h"
#include "builder/stage.h"

struct layer_step {
	struct stage *stage;
	const struct instruction *ins;
	bool free_of_base; /* the layers below are no part of the key */
	bool unstable;     /* set by make(): what the key says may not be what the layer holds */
	bool one_owner;    /* set by make(), as cache_record has it */
	int id;            /* of the reporter */
	struct strbuf history; /* its created_by; filled by the owner before or in make() */
	struct strbuf hint;    /* lines that follow the error's excerpt: the last output */
};

struct layer_step_ops {
	const char *kind; /* "run" */
	/*
	 * A key that needs no content, because the ChainIDs of the sources stand for it: 1 when there is one, else 0. May be
	 * NULL.
	 */
	int (*quick)(struct layer_step *s, struct step_key *k, struct error *err);
	int (*key)(struct layer_step *s, struct step_key *k, struct error *err);
	int (*make)(struct layer_step *s, struct layer *out, struct error *err);
	/* Appends a line a source file (explain.h); may be NULL. */
	int (*manifest)(struct layer_step *s, struct strbuf *out, struct error *err);
};

#define LAYER_STEP_INIT(st, i)                                                         \
	{                                                                              \
		.stage = (st), .ins = (i), .history = STRBUF_INIT, .hint = STRBUF_INIT \
	}

void layer_step_release(struct layer_step *s);
int layer_step_execute(struct layer_step *s, const struct layer_step_ops *ops, struct error *err);
