#include "cli/verb.h"

#include <stdlib.h>

#include "deploy/lookup.h"

void verb_begin(struct verb *v, struct app *a, const char *word)
{
	v->named = word ? lookup_cluster_of(word) : NULL;
	v->target = (struct deploy_target){
		.aws = aws_login_aws(a->aws),
		.reporter = a->reporter,
		.cancel = a->cancel,
		.cluster = v->named     ? v->named
			   : v->cluster ? v->cluster
					: "default",
		.poll_ms = a->env.poll_ms,
	};
}

void verb_release(struct verb *v)
{
	deploy_target_release(&v->target);
	free(v->named);
}

int verb_end(struct app *a, int r, const struct error *err)
{
	if (r >= 0 || err->kind != ERROR_DENIED)
		return r;
	app_print_error(a, err);
	return EXIT_NOT_PERMITTED;
}
