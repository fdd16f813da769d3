#include "aws/aws.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws/aws_private.h"
#include "base/alloc.h"
#include "base/path.h"
#include "base/time.h"

struct aws *aws_new(const struct aws_options *o)
{
	struct aws *a = xcalloc(1, sizeof(*a));

	a->o = *o;
	return a;
}

void aws_free(struct aws *a)
{
	if (!a)
		return;
	aws_profiles_release(&a->profiles);
	aws_credentials_release(&a->credentials);
	http_free(a->http);
	free(a);
}

int64_t aws_now(struct aws *a)
{
	return (a->o.now ? a->o.now() : time_now()) + a->skew;
}

const char *aws_env(struct aws *a, const char *name)
{
	const char *value = a->o.env ? a->o.env(a->o.arg, name) : NULL;

	return value && *value ? value : NULL;
}

bool aws_env_true(struct aws *a, const char *name)
{
	const char *value = aws_env(a, name);

	return value && strcasecmp(value, "true") == 0;
}

static const char *named_profile(struct aws *a)
{
	const char *name = a->o.profile;

	if (!name)
		name = aws_env(a, "AWS_PROFILE");
	return name ? name : aws_env(a, "AWS_DEFAULT_PROFILE");
}

const char *aws_profile_name(struct aws *a)
{
	const char *name = named_profile(a);

	return name ? name : "default";
}

bool aws_profile_is_named(struct aws *a)
{
	return named_profile(a) != NULL;
}

/* "~/x" is below the home folder, as in a shell. */
static char *file_path(struct aws *a, const char *variable, const char *name)
{
	const char *given = aws_env(a, variable);

	if (!given)
		return a->o.home ? xstrfmt("%s/.aws/%s", a->o.home, name) : NULL;
	if (str_starts(given, "~/") && a->o.home)
		return path_join(a->o.home, given + 2);
	return xstrdup(given);
}

int aws_load_profiles(struct aws *a, struct error *err)
{
	AUTO_FREE char *config = NULL, *credentials = NULL;
	const char *name = named_profile(a);

	if (a->loaded)
		return 0;
	config = file_path(a, "AWS_CONFIG_FILE", "config");
	credentials = file_path(a, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
	if (aws_profiles_load(&a->profiles, config, credentials, err) < 0)
		return -1;
	if (name && strcmp(name, "default") != 0 && !aws_profile_exists(&a->profiles, name)) {
		aws_profiles_release(&a->profiles);
		a->profiles = (struct aws_profiles){.values = STRMAP_INIT};
		return error_set(err, ERROR_NOT_FOUND,
				 "the AWS profile \"%s\" is neither in %s nor in %s", name,
				 config ? config : "~/.aws/config",
				 credentials ? credentials : "~/.aws/credentials");
	}
	a->loaded = true;
	return 0;
}

int aws_setting(struct aws *a, const char *key, const char **out, struct error *err)
{
	if (aws_load_profiles(a, err) < 0)
		return -1;
	*out = aws_profile_get(&a->profiles, aws_profile_name(a), key);
	return 0;
}

/* A region becomes part of a host name. */
bool aws_region_is_valid(const char *region)
{
	size_t n = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= 63 && !region[n] && region[0] != '-' && region[n - 1] != '-';
}

int aws_find_region(struct aws *a, const char **out, struct error *err)
{
	const char *newer = aws_env(a, "AWS_REGION");
	const char *older = aws_env(a, "AWS_DEFAULT_REGION");

	*out = a->o.region;
	if (!*out && newer && older && strcmp(newer, older) != 0)
		report_log(a->o.reporter, LOG_WARNING,
			   "AWS_REGION is %s and AWS_DEFAULT_REGION is %s: the first is taken",
			   newer, older);
	if (!*out)
		*out = newer ? newer : older;
	if (!*out && aws_setting(a, "region", out, err) < 0)
		return -1;
	if (*out && !aws_region_is_valid(*out))
		return error_set(err, ERROR_USAGE, "\"%s\" cannot be an AWS region", *out);
	return 0;
}

int aws_http(struct aws *a, struct http **out, struct error *err)
{
	struct http_options o = a->o.http;
	const char *bundle = aws_env(a, "AWS_CA_BUNDLE");

	if (!a->http) {
		if (!bundle && aws_setting(a, "ca_bundle", &bundle, err) < 0)
			return -1;
		if (bundle)
			o.ca_file = bundle;
		o.cancel = a->o.cancel;
		if (http_new(&a->http, &o, err) < 0)
			return -1;
	}
	*out = a->http;
	return 0;
}
