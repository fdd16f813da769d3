/*
 * What ECS Exec needs of a running task (ECS Developer Guide, "Monitor Amazon ECS containers with ECS Exec"): each as a finding, so that
 * "TargetNotConnectedException" need not be guessed at.
 */
#pragma once

#include "deploy/target.h"

enum exec_verdict { EXEC_FINE, EXEC_UNKNOWN, EXEC_WRONG };

struct exec_finding {
	enum exec_verdict verdict;
	char *text; /* what was looked at and found */
	char *help; /* what to do; NULL: nothing */
};

struct exec_findings {
	struct exec_finding *items;
	size_t n, cap;
};

void exec_findings_release(struct exec_findings *f);
/* help may be NULL. */
void exec_findings_add(struct exec_findings *f, enum exec_verdict verdict, const char *help,
		       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
bool exec_findings_are_fine(const struct exec_findings *f);
/*
 * The container to enter: the named one, else the first essential one; a view into task. ERROR_USAGE lists the names. definition: of the
 * task.
 */
int exec_container(const json_t *task, const json_t *definition, const char *name,
		   const json_t **out, struct error *err);
/*
 * Looks at the task, its container's agent, and the task role's permissions as far as they may be read. Errors other than refusals as
 * aws_call().
 */
int exec_check(const struct deploy_target *t, const json_t *task, const json_t *definition,
	       const json_t *container, struct exec_findings *out, struct error *err);

CLEANUP_RELEASE(exec_findings)
