/*
 * Rules that ECS and Fargate hold task definitions against (ECS API Reference, RegisterTaskDefinition; Developer Guide, Fargate task
 * definition parameters), checked before any call: what AWS would refuse, and what would fail only when the task starts.
 *
 *	AUTO(lint_findings) found = {0};
 *	lint_definition(&td, &(struct lint_options){.role_follows = true}, &found);
 *	lint_image(&td, container, &facts, &found);
 *	if (lint_fail(&found, err) < 0) ...
 */
#pragma once

#include "deploy/image_facts.h"
#include "deploy/task_definition.h"

enum lint_level { LINT_WARNING, LINT_ERROR };

struct lint_finding {
	enum lint_level level;
	const char *rule; /* its id: "fargate-size" */
	char *place;      /* containerDefinitions[web].healthCheck.interval; "" the whole */
	int line;         /* of the file; 0: there is none */
	char *message;    /* what is wrong, and what to do */
};

/* More errors, or warnings, are only counted: nobody reads them, and each has its place looked up in the text. */
#define LINT_MOST_FINDINGS 100

struct lint_findings {
	struct lint_finding *items; /* in the order of the rules */
	size_t n, cap;
	size_t n_errors, n_warnings; /* of all that were found */
	size_t n_more;               /* of these not among the items */
};

struct lint_options {
	bool role_follows; /* an execution role is put in before it is registered: its absence is fine */
};

void lint_definition(const struct task_definition *td, const struct lint_options *options,
		     struct lint_findings *out);
/* The image against the container that runs it (of td, as task_definition_choose() finds it). */
void lint_image(const struct task_definition *td, const json_t *container,
		const struct image_facts *facts, struct lint_findings *out);
/* The same, looking at the image in the store itself; what the container definition says counts before the image. */
int lint_image_in(const struct task_definition *td, const json_t *container, struct store *s,
		  const struct image *image, struct lint_findings *out, struct error *err);
/* "task.json:12: error: PLACE: MESSAGE [rule]"; free() */
char *lint_format(const struct lint_finding *f, const struct task_definition *td);
void lint_findings_release(struct lint_findings *f);
/* ERROR_USAGE that counts the errors, when there are any. */
int lint_fail(const struct lint_findings *f, const struct task_definition *td, struct error *err);

CLEANUP_RELEASE(lint_findings)
