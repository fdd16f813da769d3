#include "cli/aws_login.h"

#include <pthread.h>
#include <stdlib.h>

#include "aws/ecr.h"
#include "base/alloc.h"

/* On this machine nobody is in the way: a target that does not answer has ended, or is about to. */
#define LOCAL_RETRY_MS 50

struct aws_login {
	pthread_mutex_t lock; /* one call at a time */
	const struct environment *env;
	const struct aws_flags *flags;
	struct reporter *reporter;
	const struct cancel *cancel;
	struct aws *aws;
};

static const char *get_variable(void *arg, const char *name)
{
	const struct aws_login *l = arg;

	if (l->flags->variables && str_starts(name, "AWS_"))
		return strmap_get(l->flags->variables, name);
	return environment_get(l->env, name);
}

struct aws_login *aws_login_new(const struct environment *e, const struct aws_flags *flags,
				struct reporter *reporter, const struct cancel *cancel)
{
	struct aws_login *l = xcalloc(1, sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	l->env = e;
	l->flags = flags;
	l->reporter = reporter;
	l->cancel = cancel;
	return l;
}

void aws_login_free(struct aws_login *l)
{
	if (!l)
		return;
	aws_free(l->aws);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool aws_login_is_for(const char *host)
{
	struct ecr_host parsed;

	return ecr_host_parse(&parsed, host);
}

/* Under the lock. */
static struct aws *get_aws(struct aws_login *l)
{
	const struct environment *e = l->env;
	const struct aws_options o = {
		.env = get_variable,
		.arg = l,
		.envp = e->envp,
		.home = e->home,
		.profile = l->flags->profile,
		.region = l->flags->region,
		.role = l->flags->role,
		.endpoint_url = l->flags->endpoint_url,
		.retry_ms = e->retry_ms           ? e->retry_ms
			    : l->flags->variables ? LOCAL_RETRY_MS
						  : 0,
		.http = {.ca_file = e->aws_ca_file,
			 .ca_dir = e->ca_dir,
			 .connect_to = &e->connect_to},
		.reporter = l->reporter,
		.cancel = l->cancel,
	};

	if (!l->aws)
		l->aws = aws_new(&o);
	return l->aws;
}

struct aws *aws_login_aws(struct aws_login *l)
{
	struct aws *aws;

	pthread_mutex_lock(&l->lock);
	aws = get_aws(l);
	pthread_mutex_unlock(&l->lock);
	return aws;
}

int aws_login_get(struct aws_login *l, const char *host, struct login *out, bool *found,
		  struct error *err)
{
	AUTO(error) local = ERROR_INIT;
	struct ecr_host parsed;
	int64_t expires;
	int r;

	*found = false;
	if (!ecr_host_parse(&parsed, host))
		return 0;
	pthread_mutex_lock(&l->lock);
	r = ecr_login(get_aws(l), &parsed, out, &expires, &local);
	pthread_mutex_unlock(&l->lock);
	*found = r == 0;
	if (r == 0)
		return 0;
	if (!parsed.is_public || local.kind != ERROR_DENIED)
		return error_move(err, &local);
	report_log(l->reporter, LOG_DEBUG, "%s: without a login: %s", host, local.message);
	return 0;
}

int aws_login_make_repository(struct aws_login *l, const char *host, const char *repository,
			      bool *made, struct error *err)
{
	struct ecr_host parsed;
	int r;

	*made = false;
	if (!ecr_host_parse(&parsed, host))
		return 0;
	pthread_mutex_lock(&l->lock);
	r = ecr_create_repository(get_aws(l), &parsed, repository, err);
	pthread_mutex_unlock(&l->lock);
	if (r < 0)
		return error_wrap(err, "make the repository %s", repository);
	*made = true;
	report_log(l->reporter, LOG_INFO, "made the repository %s at %s", repository, host);
	return 0;
}
