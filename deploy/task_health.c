/* HEALTHCHECK (Dockerfile reference) as a health check of ECS (ECS API Reference, HealthCheck), which ignores the image's own. */
#include <string.h>

#include "deploy/task_make.h"

#define SECOND 1000000000ll

/* docker's defaults, which the image's author counted with; ECS's own timeout would be 5 s. */
#define DOCKER_INTERVAL 30
#define DOCKER_TIMEOUT  30
#define DOCKER_RETRIES  3

static int64_t clamp(int64_t value, int64_t least, int64_t most, const char *option,
		     const char *unit, struct strlist *notes)
{
	int64_t result = value < least ? least : value > most ? most : value;

	if (result != value)
		strlist_addf(
			notes,
			"HEALTHCHECK --%s=%lld%s of the image becomes %lld%s: ECS takes %lld to "
			"%lld",
			option, (long long)value, unit, (long long)result, unit, (long long)least,
			(long long)most);
	return result;
}

/* Whole seconds, rounded up; 0 means docker's default. */
static int64_t seconds(int64_t ns, int64_t fallback)
{
	return ns > 0 ? (ns + SECOND - 1) / SECOND : fallback;
}

/* CMD-SHELL runs in the image's SHELL under docker, but in /bin/sh under ECS. */
static json_t *command_of(const struct image_config *config)
{
	const struct strlist *test = &config->healthcheck.test;
	json_t *command;

	if (strcmp(test->items[0], "CMD-SHELL") != 0 || !config->shell.n)
		return json_from_strlist(test);
	command = json_from_strlist(&config->shell);
	json_array_insert_new(command, 0, json_string("CMD"));
	for (size_t i = 1; i < test->n; i++)
		json_array_append_new(command, json_text(test->items[i]));
	return command;
}

json_t *task_health_check(const struct image_config *config, struct strlist *notes)
{
	const struct healthcheck *h = &config->healthcheck;
	json_t *check;
	int64_t start;

	if (!config->has_healthcheck || h->test.n < 2 || strcmp(h->test.items[0], "NONE") == 0)
		return NULL;
	check = json_object();
	json_object_set_new(check, "command", command_of(config));
	json_object_set_new(check, "interval",
			    json_integer(clamp(seconds(h->interval, DOCKER_INTERVAL), 5, 300,
					       "interval", "s", notes)));
	json_object_set_new(check, "timeout",
			    json_integer(clamp(seconds(h->timeout, DOCKER_TIMEOUT), 2, 60,
					       "timeout", "s", notes)));
	json_object_set_new(check, "retries",
			    json_integer(clamp(h->retries > 0 ? h->retries : DOCKER_RETRIES, 1, 10,
					       "retries", "", notes)));
	start = clamp(seconds(h->start_period, 0), 0, 300, "start-period", "s", notes);
	if (start)
		json_object_set_new(check, "startPeriod", json_integer(start));
	if (h->start_interval > 0)
		strlist_addf(notes,
			     "HEALTHCHECK --start-interval of the image is left out: ECS has "
			     "no such thing");
	return check;
}
