#include "cli/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/local_target.h"
#include "deploy/lookup.h"

int verb_begin(struct verb *v, struct app *a, const char *word, struct error *err)
{
	if (local_target_use(a, false, err) < 0)
		return -1;
	v->named = word ? lookup_cluster_of(word) : NULL;
	v->target = (struct deploy_target){
		.aws = aws_login_aws(a->aws),
		.reporter = a->reporter,
		.cancel = a->cancel,
		.cluster = v->named     ? v->named
			   : v->cluster ? v->cluster
					: "default",
		.poll_ms = a->env.poll_ms,
		.local = local_target_page(a),
	};
	return 0;
}

void verb_release(struct verb *v)
{
	deploy_target_release(&v->target);
	free(v->named);
	v->named = NULL;
}

int verb_end(struct app *a, int r, const struct error *err)
{
	if (r >= 0 || err->kind != ERROR_DENIED)
		return r;
	app_print_error(a, err);
	return EXIT_NOT_PERMITTED;
}

const char *verb_app_of(const json_t *service, const char *name)
{
	const char *app = deploy_target_tag(json_object_get(service, "tags"), TAG_APP);

	return *app ? app : name;
}

int verb_parse_timeout(const char *text, int64_t *ns, struct error *err)
{
	if (time_parse_duration(text, ns, NULL) < 0 || *ns <= 0)
		return error_set(err, ERROR_USAGE,
				 "invalid --timeout \"%s\": a duration such as 90s or 15m", text);
	return 0;
}
